//! The orderly end: what is under way is answered, nobody new is let in, and the exit status is 0.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{Call, Cloud, Folder, SMART_AUDIO, Served, until};

/// A gateway with a lame duck's time, in front of a cloud that takes a second for each answer.
fn slow(drain_delay: &str) -> (Cloud, Folder, Served) {
    let cloud = Cloud::start();
    cloud.delay(Duration::from_secs(1));
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "drain_delay = \"0s\"", &format!("drain_delay = \"{drain_delay}\""));
    let served = Served::from(&folder);
    (cloud, folder, served)
}

fn wait_until_draining(served: &Served) {
    until("no drain", || (served.admin_get("/readyz").status() == 503).then_some(()));
}

fn stops_accepting(served: &Served) {
    until("the listener stays open", || {
        let refused = TcpStream::connect(served.address()).err()?;
        (refused.kind() == io::ErrorKind::ConnectionRefused).then_some(())
    });
}

#[test]
fn either_signal_lets_the_call_under_way_come_to_its_answer() {
    for signal in [Signal::TERM, Signal::INT] {
        let (cloud, folder, served) = slow("0s");
        let mut call = Call::post(SMART_AUDIO).token(&folder.token("alice")).begin(served.address()).unwrap();
        cloud.wait_for(1);
        served.process().signal(signal);
        stops_accepting(&served);
        let answer = call.answer().unwrap().expect(200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.json()["service"], "smart-audio");
        let ended = served.ended().expect(0);
        assert!(ended.stderr.contains("\"draining\"") && ended.stderr.contains("\"stopped\""), "{ended:?}");
        let lines = folder.read("audit.jsonl");
        let kinds: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].clone()).collect();
        assert_eq!(kinds, ["opened", "intent", "outcome", "checkpoint"], "{lines}");
    }
}

#[test]
fn a_lame_duck_says_so_and_still_serves() {
    let (cloud, folder, served) = slow("60s");
    cloud.delay(Duration::ZERO);
    served.process().signal(Signal::TERM);
    wait_until_draining(&served);
    assert_eq!(served.get("/healthz").expect(503).body, "draining");
    assert_eq!(served.admin_get("/readyz").expect(503).body, "draining\n");
    assert_eq!(served.admin_get("/livez").expect(200).body, "live\n");
    assert_eq!(served.metric("draining"), 1);
    // Who keeps the connection is told that this was its last answer.
    let mut kept = Call::post(SMART_AUDIO).token(&folder.token("alice")).begin(served.address()).unwrap();
    assert_eq!(kept.answer().unwrap().expect(200).header("connection"), Some("close"));
    served.process().signal(Signal::TERM);
    served.ended().expect(0);
}

#[test]
fn when_the_lame_ducks_time_is_over_nobody_new_is_let_in() {
    let (cloud, folder, served) = slow("300ms");
    cloud.delay(Duration::from_secs(3));
    let mut under_way = Call::post(SMART_AUDIO).token(&folder.token("alice")).begin(served.address()).unwrap();
    cloud.wait_for(1);
    let began = Instant::now();
    served.process().signal(Signal::TERM);
    stops_accepting(&served);
    assert!(began.elapsed() >= Duration::from_millis(300), "closed after {:?}", began.elapsed());
    assert_eq!(served.metric("draining"), 1);
    under_way.answer().unwrap().expect(200);
    served.ended().expect(0);
}

#[test]
fn a_second_signal_hurries_the_end() {
    for second in [Signal::TERM, Signal::INT] {
        let (_cloud, _folder, served) = slow("5m");
        served.process().signal(Signal::TERM);
        wait_until_draining(&served);
        let began = Instant::now();
        served.ended_by(second).expect(0);
        assert!(began.elapsed() < Duration::from_secs(10), "after {:?}", began.elapsed());
    }
}

#[test]
fn a_call_that_outlives_the_drain_is_told_so_and_stands_in_the_audit_as_unknown() {
    let (cloud, folder, _) = slow("0s");
    cloud.delay(Duration::from_secs(30));
    folder.change("gateway.toml", "drain_delay", "drain_timeout = \"800ms\"\ndrain_delay");
    let served = Served::from(&folder);
    let mut cut = Call::post(SMART_AUDIO).token(&folder.token("alice")).begin(served.address()).unwrap();
    cloud.wait_for(1);
    let began = Instant::now();
    let ended = served.ended_by(Signal::TERM).expect(0);
    assert!(began.elapsed() < Duration::from_secs(8), "after {:?}", began.elapsed());
    let problem = cut.answer().unwrap().expect(503).json();
    assert_eq!((&problem["code"], &problem["outcome"]), (&"draining".into(), &"unknown".into()));
    assert_eq!(problem["retryable"], false);
    assert!(ended.stderr.contains("\"requests_unfinished\":1"), "{ended:?}");
    let lines: Vec<Value> =
        folder.read("audit.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_requests = lines.iter().filter(|line| !line["request_id"].is_null());
    let told: Vec<_> = of_requests.map(|line| (&line["type"], &line["outcome"])).collect();
    assert_eq!(told, [(&"intent".into(), &Value::Null), (&"outcome".into(), &"unknown".into())], "{lines:#?}");
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let (_cloud, _folder, served) = slow("0s");
    let idle: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(served.address()).unwrap()).collect();
    let mut kept = Call::get("/healthz").begin(served.address()).unwrap();
    kept.answer().unwrap().expect(200);
    let began = Instant::now();
    served.ended_by(Signal::TERM).expect(0);
    assert!(began.elapsed() < Duration::from_secs(5), "after {:?}", began.elapsed());
    drop((idle, kept));
}

/// A caller who goes elsewhere once told that a connection is the last; how many answers it got.
fn calls_until_told_to_go(served: &Served, token: &str) -> usize {
    let call = Call::post(SMART_AUDIO).token(token);
    for count in 1.. {
        let answer = call.begin(served.address()).unwrap().answer().unwrap().expect(200);
        if answer.header("connection") == Some("close") {
            return count;
        }
    }
    panic!("it ends by an answer")
}

#[test]
fn a_drain_under_load_loses_no_request() {
    let (cloud, folder, served) = slow("1s");
    cloud.delay(Duration::from_millis(5));
    let token = folder.token("alice");
    let answered: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| calls_until_told_to_go(&served, &token))).collect();
        cloud.wait_for(100);
        served.process().signal(Signal::TERM);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    served.ended().expect(0);
    assert!(answered >= 100);
    let applied = cloud.requests().iter().filter(|arrival| arrival.applied).count();
    let lines = folder.read("audit.jsonl");
    let told = |kind: &str| lines.lines().filter(|line| line.contains(kind)).count();
    assert_eq!((applied, told(r#""type":"intent""#), told(r#""type":"outcome""#)), (answered, answered, answered));
}
