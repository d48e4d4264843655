//! What goes wrong at Cloud Infinite: each fault becomes one code, and no create is ever sent twice.

mod raw;

use ci_gateway::domain::Code;
use ci_gateway::stand_in::Answered;
use serde_json::{Value, json};

use crate::support::gateway::{Answer, Ask, PATH, SECRET_ID, SECRET_KEY, Setup, World};

/// What a fault is to become: status and code, outcome, `Retry-After`, and status and code of the upstream member.
type Expected = (u16, Code, &'static str, Option<&'static str>, Option<(u16, Option<&'static str>)>);

fn is_as_expected(answer: &Answer, expected: Expected, about: &str) {
    let (status, code, outcome, retry_after, upstream) = expected;
    let problem = answer.json();
    assert_eq!((answer.status, answer.code().as_str()), (status, code.as_str()), "{about}: {answer:?}");
    assert_eq!(problem["outcome"], outcome, "{about}");
    assert_eq!(answer.header("retry-after"), retry_after, "{about}");
    let seen = problem.get("upstream").map(|seen| (seen["status"].clone(), seen["code"].clone()));
    assert_eq!(seen, upstream.map(|(status, code)| (json!(status), json!(code))), "{about}");
    assert!(!answer.closed, "{about}: it was not the caller's fault");
}

/// Sends `ask` into `world`, which sends it on exactly once.
async fn sent_once(world: &World, ask: &Ask) -> Answer {
    let before = world.stand_in().request_count();
    let answer = world.answer(ask).await;
    // Whatever might be sent again is sent at once.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(world.stand_in().request_count(), before + 1, "{ask:?}");
    answer
}

const UNAVAILABLE: (u16, Code) = (503, Code::UpstreamUnavailable);
const UNREADABLE: (u16, Code) = (502, Code::UpstreamUnreadable);
const REJECTED: (u16, Code) = (502, Code::UpstreamRejected);

/// A fault of the stand-in, what it becomes, and whether the create took effect all the same.
type Row = (&'static str, (u16, Code), &'static str, Option<&'static str>, Option<(u16, Option<&'static str>)>, bool);

const FAULTS: &[Row] = &[
    ("status:500", UNAVAILABLE, "unknown", Some("5"), Some((500, Some("InternalError"))), false),
    ("status:503", UNAVAILABLE, "unknown", Some("5"), Some((503, Some("ServiceUnavailable"))), false),
    ("status:599", UNAVAILABLE, "unknown", Some("5"), Some((599, Some("InternalError"))), false),
    ("throttle:7", UNAVAILABLE, "rejected", Some("7"), Some((503, Some("SlowDown"))), false),
    ("throttle:0", UNAVAILABLE, "rejected", Some("5"), Some((503, Some("SlowDown"))), false),
    ("throttle:86400", UNAVAILABLE, "rejected", Some("60"), Some((503, Some("SlowDown"))), false),
    ("reset-before", UNAVAILABLE, "unknown", Some("5"), None, false),
    ("reset-after", UNAVAILABLE, "unknown", Some("5"), None, true),
    ("truncated", UNREADABLE, "unknown", None, None, true),
    ("wrong-xml", UNREADABLE, "unknown", None, Some((200, None)), true),
    ("not-xml", UNREADABLE, "unknown", None, Some((200, None)), true),
    ("empty", UNREADABLE, "unknown", None, Some((200, None)), true),
    ("plain-http-308", REJECTED, "rejected", None, Some((308, None)), false),
    ("json-error", REJECTED, "rejected", None, Some((400, Some("InvalidArgument"))), false),
];

#[tokio::test]
async fn every_fault_of_the_stand_in_becomes_its_code_and_is_met_once() {
    let world = World::start().await;
    for (n, (fault, (status, code), outcome, retry_after, upstream, applied)) in FAULTS.iter().enumerate() {
        world.set_fault(fault);
        let path = format!("/v1/buckets/bucket{n}-1234567890/smart-audio");
        for ask in [Ask::post(&path), Ask::get(&path)] {
            let answer = sent_once(&world, &ask).await;
            is_as_expected(&answer, (*status, *code, outcome, *retry_after, *upstream), fault);
        }
        let create = &world.stand_in().requests()[2 * n];
        assert_eq!((&*create.method, create.applied), ("POST", *applied), "{fault}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout_and_the_outcome_is_not_known() {
    for key in ["ci.response_timeout", "server.request_timeout"] {
        let world = Setup::new().set(key, "250ms").start().await;
        world.set_fault("delay:1s");
        let answer = sent_once(&world, &Ask::post(PATH)).await;
        is_as_expected(&answer, (504, Code::UpstreamTimeout, "unknown", None, None), key);
    }
}

#[tokio::test]
async fn a_delay_within_the_time_is_only_a_delay() {
    let world = World::with_fault("delay:200ms").await;
    assert_eq!(sent_once(&world, &Ask::post(PATH)).await.status, 200);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = Setup::new().set("ci.endpoint", format!("http://{address}")).start().await;
    let answer = world.answer(&Ask::post(PATH)).await;
    is_as_expected(&answer, (503, Code::UpstreamUnavailable, "not_sent", Some("5"), None), "closed port");
    assert_eq!(world.answer(&Ask::anonymous("GET", "/healthz")).await.status, 200, "ready is about ourselves");
}

#[tokio::test]
async fn a_bucket_that_cloud_infinite_does_not_know_is_not_found() {
    let world = World::start().await;
    let expected: Expected = (404, Code::BucketNotFound, "rejected", None, Some((404, Some("NoSuchBucket"))));
    let missing = "/v1/buckets/missing-1234567890/smart-audio";
    for ask in [Ask::post(missing), Ask::delete(missing)] {
        is_as_expected(&sent_once(&world, &ask).await, expected, "missing");
    }
    let off = sent_once(&world, &Ask::delete(PATH)).await;
    assert_eq!(off.status, 200, "the bucket is there, and the service is off already: {off:?}");
}

#[tokio::test]
async fn a_refusal_of_our_keys_is_not_the_callers_fault_and_shows_nothing_of_the_signature() {
    for (secret_id, secret_key, code) in [
        (SECRET_ID, "anotherSecretKeyThanOurs00000000", "SignatureDoesNotMatch"),
        ("AKIDofSomebodyElse", SECRET_KEY, "InvalidAccessKeyId"),
    ] {
        let world = Setup::new().stand_in_knows(secret_id, secret_key).start().await;
        for ask in [Ask::post(PATH), Ask::get(PATH), Ask::delete(PATH)] {
            let answer = sent_once(&world, &ask).await;
            is_as_expected(&answer, (502, Code::UpstreamDenied, "rejected", None, Some((403, Some(code)))), code);
            let told = format!("{answer:?}");
            let stages = ["StringToSign", "FormatString", "sha1", "q-sign", "Signature you specified", "myqcloud"];
            for secret in stages.into_iter().chain([SECRET_ID, SECRET_KEY, secret_id, secret_key]) {
                assert!(!told.contains(secret), "{secret}: {told}");
            }
        }
        assert!(world.stand_in().requests().iter().all(|arrival| !arrival.verified && !arrival.applied));
    }
}

#[tokio::test]
async fn the_next_request_after_a_fault_is_served() {
    let world = World::start().await;
    for (fault, ..) in FAULTS {
        world.set_fault(&format!("{fault}@1"));
        assert_ne!(world.answer(&Ask::post(PATH)).await.status, 200, "{fault}");
        assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200, "after {fault}");
    }
    let last = world.stand_in().requests().pop().unwrap();
    assert_eq!(last.answer, Answered::Status(200, None));
}

#[tokio::test]
async fn the_upstream_member_bears_cloud_infinites_own_request_id() {
    let world = World::with_fault("status:500").await;
    let answer = world.answer(&Ask::post(PATH)).await;
    let id = answer.json()["upstream"]["request_id"].clone();
    assert!(matches!(&id, Value::String(id) if id.len() > 16), "{id}");
}
