//! Each fault, as a client sees it, and whether the call took effect nevertheless.

use std::time::{Duration, Instant};

use super::client::{Call, Reply, key, settings, start};
use crate::stand_in::{Answered, Faults, KnownKey, StandIn, Strike};

/// The answer to a POST under this fault, and whether it was applied: as the ledger says and as a list shows.
async fn under(fault: &str) -> (Reply, bool) {
    let stand_in = start(settings()).await;
    stand_in.set_faults(strike(fault));
    let reply = Call::post().send(&stand_in).await;
    let arrival = stand_in.requests().remove(0);
    assert!(arrival.verified, "{fault}");
    assert_eq!(arrival.applied, is_enrolled(&stand_in).await, "{fault}");
    assert_eq!(arrival.answer == Answered::HungUp, reply.text.is_empty(), "{fault}");
    (reply, arrival.applied)
}

fn strike(fault: &str) -> Strike {
    fault.parse().unwrap()
}

async fn is_enrolled(stand_in: &StandIn) -> bool {
    stand_in.set_faults(Faults::none());
    Call::list("bucketNames=test-1234567890").send(stand_in).await.node("TotalCount") == Some("1")
}

#[tokio::test]
async fn a_delay_comes_before_everything_else() {
    let begin = Instant::now();
    let (reply, applied) = under("delay:120ms").await;
    assert!(begin.elapsed() >= Duration::from_millis(120) && reply.status() == 200 && applied);
}

#[tokio::test]
async fn a_status_is_an_error_in_xml_and_nothing_is_applied() {
    for (fault, status, code) in [
        ("status:500", 500, "InternalError"),
        ("status:501", 501, "NotImplemented"),
        ("status:503", 503, "ServiceUnavailable"),
        ("status:599", 599, "InternalError"),
    ] {
        let (reply, applied) = under(fault).await;
        assert_eq!((reply.status(), reply.node("Code"), applied), (status, Some(code), false));
    }
}

#[tokio::test]
async fn throttling_says_how_long_to_wait() {
    let (reply, applied) = under("throttle:7").await;
    assert_eq!((reply.status(), reply.node("Code"), applied), (503, Some("SlowDown"), false));
    assert_eq!(reply.header("Retry-After"), Some("7"));
}

#[tokio::test]
async fn resets_come_before_or_after_the_call_and_send_no_byte() {
    for (fault, expected) in [("reset-before", false), ("reset-after", true)] {
        let (reply, applied) = under(fault).await;
        assert_eq!((reply.reset, reply.text.as_str(), applied), (true, "", expected), "{fault}");
    }
}

#[tokio::test]
async fn a_truncated_answer_is_shorter_than_its_length() {
    let (reply, applied) = under("truncated").await;
    let announced: usize = reply.header("Content-Length").unwrap().parse().unwrap();
    assert!(applied && reply.status() == 200);
    assert!(!reply.body().is_empty() && reply.body().len() < announced, "{reply:?}");
    assert!(reply.body().starts_with("<Response>"), "{reply:?}");
}

#[tokio::test]
async fn answers_of_the_wrong_kind_hide_that_the_call_was_applied() {
    let (reply, applied) = under("wrong-xml").await;
    assert!(applied && reply.body().starts_with("<Result>") && reply.node("AsrBucket").is_some(), "{reply:?}");
    let (reply, applied) = under("not-xml").await;
    assert!(applied && reply.body().contains("<html>"), "{reply:?}");
    assert_eq!((reply.status(), reply.header("Content-Type")), (200, Some("text/html")));
    let (reply, applied) = under("empty").await;
    assert_eq!((reply.status(), reply.body(), reply.header("Content-Length"), applied), (200, "", Some("0"), true));
}

#[tokio::test]
async fn plain_http_is_redirected_to_the_same_call_in_https() {
    let (reply, applied) = under("plain-http-308").await;
    let location = "https://test-1234567890.ci.ap-chongqing.myqcloud.com/asrbucket";
    assert_eq!((reply.status(), reply.header("Location"), reply.body(), applied), (308, Some(location), "", false));
}

#[tokio::test]
async fn a_json_error_says_so_in_its_type() {
    let (reply, applied) = under("json-error").await;
    assert_eq!((reply.status(), reply.header("Content-Type"), applied), (400, Some("application/json"), false));
    let body: serde_json::Value = serde_json::from_str(reply.body()).unwrap();
    assert!(body["Code"].is_string() && body["Message"].is_string() && body["RequestId"].is_string());
}

#[tokio::test]
async fn a_skewed_clock_judges_windows_and_stands_in_the_date() {
    let stand_in = start(settings()).await;
    stand_in.set_faults(strike("skew:-600"));
    let reply = Call::post().send(&stand_in).await;
    assert_eq!((reply.status(), reply.node("Code")), (403, Some("RequestTimeTooSkewed")));
    let date = jiff::fmt::rfc2822::parse(reply.header("Date").unwrap()).unwrap().timestamp();
    let behind = jiff::Timestamp::now().as_second() - date.as_second();
    assert!((600..605).contains(&behind), "{behind}");
    assert_eq!(Call::post().window(-700, -500).send(&stand_in).await.status(), 200);
    stand_in.set_faults(strike("skew:+600"));
    assert_eq!(Call::post().send(&stand_in).await.node("Message"), Some("Request has expired"));
}

#[tokio::test]
async fn a_counted_fault_strikes_so_often_and_no_more() {
    let stand_in = start(settings()).await;
    stand_in.set_faults([strike("status:503@2"), strike("throttle:1@1")].into_iter().collect::<Faults>());
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(Call::post().send(&stand_in).await.node("Code").map(str::to_owned));
    }
    let codes: Vec<_> = codes.iter().map(Option::as_deref).collect();
    assert_eq!(codes, [Some("ServiceUnavailable"), Some("ServiceUnavailable"), Some("SlowDown"), None]);
}

#[tokio::test]
async fn a_fault_of_the_answer_does_not_hide_a_refusal() {
    let stand_in = start(settings()).await;
    stand_in.set_faults(strike("empty"));
    let reply = Call::post().by(KnownKey::new(key().secret_id(), "another", None)).send(&stand_in).await;
    assert_eq!(reply.node("Code"), Some("SignatureDoesNotMatch"));
}
