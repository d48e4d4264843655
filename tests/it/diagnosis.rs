//! A signature that Cloud Infinite refuses: what was changed on the way is found and told in the log, to nobody else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use ci_gateway::stand_in::KnownKey;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{Answer, Call, Cloud, Folder, SECRET_ID, SMART_AUDIO, Served};

/// A proxy between the gateway and the cloud that replaces a text in each head. It ends with the tests.
fn proxy(cloud: &Cloud, old: &'static str, new: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let cloud = cloud.endpoint().trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let _caller_went_away = pass_on(caller.unwrap(), &cloud, old, new);
        }
    });
    format!("http://{address}")
}

fn pass_on(mut caller: TcpStream, cloud: &str, old: &str, new: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        caller.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains(old), "{old} does not stand in {head}");
    let mut cloud = TcpStream::connect(cloud)?;
    cloud.write_all(head.replace(old, new).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    cloud.read_to_end(&mut answer)?;
    caller.write_all(&answer)
}

/// What the log says of the refusal, and what the caller read.
fn told(folder: &Folder, call: &Call, cause: &str) -> (Value, Answer) {
    let served = Served::from(folder);
    let answer = call.clone().token(&folder.token("alice")).make(served.address()).unwrap().expect(502);
    assert_eq!(answer.json()["upstream"]["code"], "SignatureDoesNotMatch", "{answer:?}");
    assert_eq!(served.metric(&format!("signature_diagnoses_total{{cause=\"{cause}\"}}")), 1, "{cause}");
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut told = lines.into_iter().filter(|line| line["message"] == "Cloud Infinite refuses our signature");
    let line = told.next().unwrap_or_else(|| panic!("nothing is told: {log}"));
    assert_eq!((told.next(), line["level"].as_str()), (None, Some("WARN")));
    assert_eq!(line["request_id"], answer.header("x-request-id").unwrap());
    (line, answer)
}

#[test]
fn each_difference_that_is_planted_on_the_way_is_found_and_told_to_nobody_but_the_log() {
    let cloud = Cloud::start();
    let (post, get) = (Call::post(SMART_AUDIO), Call::get(SMART_AUDIO));
    for (call, old, new, cause, part, theirs) in [
        (&post, "test-1234567890.ci", "proxied-1234567890.ci", "host", "header host", "proxied-1234567890.ci"),
        (&post, "/asrbucket ", "/%61srbuckets ", "path", "path", "/asrbuckets"),
        (&post, "POST ", "DELETE ", "method", "method", "delete"),
        (&post, "content-length;host", "host", "header_list", "header_list", "host"),
        (&post, ": 0\r\n", ": 00\r\n", "header_value", "header content-length", "00"),
        (&get, "pageSize=10", "pageSize=100", "parameter_value", "parameter pagesize", "100"),
        (&get, "-1234567890&", "+1234567890&", "parameter_value", "parameter bucketnames", "test%2B1234567890"),
        (&get, "regions", "regional", "parameter_list", "parameter_list", "regional"),
        (&post, ";1", ";2", "window", "window", ";2"),
    ] {
        let folder = Folder::with_endpoint(&proxy(&cloud, old, new));
        let (line, answer) = told(&folder, call, cause);
        assert_eq!((line["cause"].as_str(), line["part"].as_str()), (Some(cause), Some(part)), "{line}");
        assert!(line["theirs"].as_str().unwrap().contains(theirs) && line["position"].is_u64(), "{line}");
        assert!(!line["ours"].as_str().unwrap().is_empty() && !line["hint"].as_str().unwrap().is_empty(), "{line}");
        assert!(!answer.body.contains("differ") && !answer.body.contains("myqcloud") && !answer.body.contains("sha1"));
    }
    assert!(cloud.requests().iter().all(|arrival| !arrival.applied));
}

#[test]
fn a_secret_key_of_another_id_is_told_from_a_change_on_the_way() {
    let cloud = Cloud::with_keys(vec![KnownKey::new(SECRET_ID, "another-secret-key", None)]);
    let (line, _) = told(&Folder::of(&cloud), &Call::post(SMART_AUDIO), "secret_key");
    assert_eq!(
        (line["part"].as_str(), line["ours"].as_str(), line["position"].as_u64()),
        (Some("secret_key"), None, None)
    );
    assert!(line["hint"].as_str().unwrap().contains("SecretKey"), "{line}");
}
