//! `dev`: the whole thing on loopback, as a newcomer meets it.

use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{Ended, Folder, Process, program};

/// `dev` on free ports; whatever it writes to disk lands in `folder`.
fn dev(folder: &Folder, arguments: &[&str]) -> Process {
    let mut command = program(&[&["dev"], arguments].concat());
    command.env("TMPDIR", folder.path("temporary"));
    std::fs::create_dir_all(folder.path("temporary")).unwrap();
    Process::start(command)
}

fn left_behind(folder: &Folder) -> usize {
    std::fs::read_dir(folder.path("temporary")).unwrap().count()
}

const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// Runs a line as somebody who pasted it would; `curl` is needed, and a machine without it fails this test.
fn pasted(line: &str) -> Ended {
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    Process::start(bash).ended()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

#[test]
fn once_prints_the_answer_and_nothing_else() {
    let folder = Folder::without_cloud();
    let ended = dev(&folder, &["--once"]).ended().expect(0);
    assert_eq!(ended.stderr, "");
    let answer = json(&ended.stdout);
    assert_eq!((&answer["service"], &answer["bucket_id"]), (&"smart-audio".into(), &"test-1234567890".into()));
    assert_eq!(answer["region"], "ap-chongqing");
    assert!(answer["create_time"].as_str().unwrap().ends_with("+08:00"), "{answer}");
    assert!(answer["ci_request_id"].is_string(), "{answer}");
    assert_eq!(left_behind(&folder), 0);
}

#[test]
fn once_in_json_is_one_line_without_a_token() {
    let folder = Folder::without_cloud();
    let ended = dev(&folder, &["--once", "--json"]).ended().expect(0);
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1));
    let told = json(&ended.stdout);
    for name in ["gateway", "admin", "stand_in"] {
        assert!(told[name].as_str().unwrap().starts_with("http://127.0.0.1:"), "{told}");
    }
    assert_eq!((&told["caller"], &told["answer"]["service"]), (&"alice".into(), &"smart-audio".into()));
    assert_eq!((told.get("token"), told.get("curl")), (None, None), "{told}");
}

#[test]
fn an_address_beyond_loopback_is_bad_usage() {
    let folder = Folder::without_cloud();
    for flag in ["--listen", "--admin", "--stand-in"] {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
            for more in [&[][..], &["--once"]] {
                let ended = dev(&folder, &[&[flag, address], more].concat()).ended().expect(64);
                assert_eq!(ended.stdout, "");
                assert!(ended.stderr.contains(&format!("`{flag} {address}` is not on loopback")), "{ended:?}");
            }
        }
    }
    assert_eq!(left_behind(&folder), 0);
}

#[test]
fn json_is_one_line_and_the_curl_line_in_it_works() {
    let folder = Folder::without_cloud();
    let dev = dev(&folder, &[&["--json"], &FREE_PORTS[..]].concat());
    let told = dev.stdout().find_line(|line| serde_json::from_str::<Value>(line).ok()).unwrap();
    for name in ["gateway", "admin", "stand_in"] {
        assert!(told[name].as_str().unwrap().starts_with("http://127.0.0.1:"), "{told}");
    }
    assert_eq!(left_behind(&folder), 1, "its keys stand in one folder");

    let curl = told["curl"].as_str().unwrap();
    let answer = json(&pasted(curl).expect(0).stdout);
    assert_eq!(answer["bucket_id"], told["answer"]["bucket_id"]);

    let refused = json(&pasted(&curl.replace("test-1234567890", "prod-1234567890")).expect(0).stdout);
    assert_eq!((&refused["status"], &refused["code"]), (&403.into(), &"forbidden".into()));
    let nobody = json(&pasted(curl.split(" -H ").next().unwrap()).expect(0).stdout);
    assert_eq!((&nobody["status"], &nobody["code"]), (&401.into(), &"unauthenticated".into()));

    let ended = dev.ended_by(Signal::TERM).expect(0);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""));
    assert_eq!(left_behind(&folder), 0);
}

#[test]
fn the_text_for_people_holds_a_line_to_paste() {
    let folder = Folder::without_cloud();
    let dev = dev(&folder, &FREE_PORTS);
    let curl = dev.stdout().find_line(|line| line.starts_with("curl ").then(|| line.to_owned())).unwrap();
    assert_eq!(json(&pasted(&curl).expect(0).stdout)["service"], "smart-audio");
    let ended = dev.ended_by(Signal::INT).expect(0);
    for part in ["gateway    http://127.0.0.1:", "POST /v1/buckets/test-1234567890/smart-audio", "200 OK", "Ctrl-C"] {
        assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\x1b'), "colour without a terminal: {}", ended.stdout);
    assert_eq!((ended.stderr.as_str(), left_behind(&folder)), ("", 0));
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let folder = Folder::without_cloud();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, others) in [("--listen", ["--admin", "127.0.0.1:0"]), ("--admin", ["--listen", "127.0.0.1:0"])] {
        for arguments in [&[flag, &address, others[0], others[1]][..], &["--once", flag, &address]] {
            assert_refused(dev(&folder, arguments).ended(), &address, flag);
        }
    }
    assert_refused(dev(&folder, &["--once", "--stand-in", &address]).ended(), &address, "--stand-in");
    assert_eq!(left_behind(&folder), 0);
}

#[track_caller]
fn assert_refused(ended: Ended, address: &str, flag: &str) {
    let ended = ended.expect(1);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains(&format!("cannot listen on `{address}`")), "{ended:?}");
    assert!(ended.stderr.ends_with(&format!(": ci-gateway dev {flag} 127.0.0.1:0\n")), "{ended:?}");
}

#[test]
fn a_log_that_was_asked_for_goes_to_standard_error() {
    let folder = Folder::without_cloud();
    let mut command = program(&["dev", "--once"]);
    command.env("RUST_LOG", "info").env("TMPDIR", folder.path("."));
    let ended = Process::start(command).ended().expect(0);
    json(&ended.stdout);
    assert!(ended.stderr.contains("ci:CreateAsrBucket"), "{ended:?}");
}
