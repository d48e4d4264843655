//! Upstreams that are no Cloud Infinite at all.

use std::time::Duration;

use ci_gateway::domain::Code;

use super::{Expected, is_as_expected};
use crate::support::gateway::{Answer, Ask, PATH, RawUpstream, Setup, Step, response};

const UNREADABLE: Expected = (502, Code::UpstreamUnreadable, "unknown", None, None);
const TIMEOUT: Expected = (504, Code::UpstreamTimeout, "unknown", None, None);
const GOOD: &str = "<Response><RequestId>from-the-body</RequestId><AsrBucket><BucketId>test-1234567890</BucketId>\
    <Name>test-1234567890</Name><Region>ap-chongqing</Region><CreateTime>2022-08-09T16:23:11+0800</CreateTime>\
    </AsrBucket></Response>";

/// The answer to a create, which `upstream` has heard once.
async fn create_before(upstream: &RawUpstream) -> Answer {
    create_within("10s", upstream).await
}

async fn create_within(response_timeout: &str, upstream: &RawUpstream) -> Answer {
    let world = Setup::new().upstream(upstream).set("ci.response_timeout", response_timeout).start().await;
    let answer = world.answer(&Ask::post(PATH)).await;
    // Whatever might be sent again is sent at once.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(upstream.heard(), 1, "a create was not sent exactly once");
    answer
}

async fn becomes(bytes: impl AsRef<[u8]>, expected: Expected) {
    let upstream = RawUpstream::saying(&bytes).await;
    let about = String::from_utf8_lossy(bytes.as_ref()).chars().take(60).collect::<String>();
    is_as_expected(&create_before(&upstream).await, expected, &about);
}

#[tokio::test]
async fn what_is_not_http_is_unreadable() {
    for bytes in [
        &b"\x15\x03\x01\x00\x02\x02\x50"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"<Response></Response>\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ] {
        becomes(bytes, UNREADABLE).await;
    }
}

#[tokio::test]
async fn a_status_that_is_no_answer_is_unreadable() {
    for status in ["101 Switching Protocols", "199 Odd", "600 Odd", "999 Odd"] {
        becomes(response(status, "", GOOD), UNREADABLE).await;
    }
}

#[tokio::test]
async fn a_head_without_end_is_unreadable() {
    let many = "X-Bomb: bang\r\n".repeat(5000);
    becomes(response("200 OK", &many, GOOD), UNREADABLE).await;
    let long = format!("X-Bomb: {}\r\n", "a".repeat(2_000_000));
    becomes(response("200 OK", &long, GOOD), UNREADABLE).await;
}

#[tokio::test]
async fn a_body_over_64_kib_is_unreadable_however_its_length_is_told() {
    let large = format!("{GOOD}{}", " ".repeat(64 * 1024));
    becomes(response("200 OK", "", &large), UNREADABLE).await;
    becomes(response("500 Oh", "", &large), UNREADABLE).await;
    becomes(format!("HTTP/1.1 200 OK\r\n\r\n{large}"), UNREADABLE).await;
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    becomes(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"), UNREADABLE).await;
    let endless = Step::Repeat("x".repeat(10_000).into(), Duration::ZERO);
    let upstream = RawUpstream::start(vec![Step::Say(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), endless]).await;
    is_as_expected(&create_before(&upstream).await, UNREADABLE, "endless");
}

#[tokio::test]
async fn an_answer_that_ends_early_is_unreadable_and_one_that_ends_with_the_connection_is_whole() {
    let (half, _) = GOOD.split_at(GOOD.len() / 2);
    becomes(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{half}", GOOD.len()), UNREADABLE).await;
    becomes(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{half}", GOOD.len()), UNREADABLE)
        .await;
    let seen: Expected = (502, Code::UpstreamUnreadable, "unknown", None, Some((200, None)));
    becomes(format!("HTTP/1.1 200 OK\r\n\r\n{half}"), seen).await;
    let whole = RawUpstream::saying(format!("HTTP/1.1 200 OK\r\n\r\n{GOOD}")).await;
    assert_eq!(create_before(&whole).await.json()["ci_request_id"], "from-the-body");
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_leaves_the_outcome_open() {
    let expected: Expected = (503, Code::UpstreamUnavailable, "unknown", Some("5"), None);
    becomes("", expected).await;
    becomes("HTTP/1.1 200", expected).await;
}

#[tokio::test]
async fn an_answer_that_trickles_is_not_waited_for_beyond_its_time() {
    let drip = |bytes: &[u8]| Step::Repeat(bytes.to_vec(), Duration::from_millis(10));
    let head = Step::Say(b"HTTP/1.1 200 OK\r\n".to_vec());
    let body = Step::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n".to_vec());
    for steps in [
        vec![Step::Wait(Duration::from_secs(30))],
        vec![drip(b"H")],
        vec![head, drip(b"x")],
        vec![body, drip(b"<")],
        vec![drip(b"HTTP/1.1 103 Early Hints\r\n\r\n")],
    ] {
        let about = format!("{steps:?}");
        let upstream = RawUpstream::start(steps).await;
        is_as_expected(&create_within("300ms", &upstream).await, TIMEOUT, &about);
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let storm = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(200) + "HTTP/1.1 100 Continue\r\n\r\n";
    let upstream = RawUpstream::saying(storm + &response("200 OK", "x-cos-request-id: from-the-head\r\n", GOOD)).await;
    let answer = create_before(&upstream).await;
    assert_eq!((answer.status, &answer.json()["ci_request_id"]), (200, &"from-the-head".into()));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = RawUpstream::saying(response("200 OK", "", GOOD)).await;
    for number in [301, 302, 307] {
        let location = format!("Location: {}/asrbucket\r\n", elsewhere.endpoint());
        let expected: Expected = (502, Code::UpstreamRejected, "rejected", None, Some((number, None)));
        becomes(response(&format!("{number} Elsewhere"), &location, GOOD), expected).await;
    }
    assert_eq!(elsewhere.heard(), 0);
}

#[tokio::test]
async fn xml_that_is_about_something_else_or_plays_tricks_is_unreadable_and_not_passed_on() {
    let seen: Expected = (502, Code::UpstreamUnreadable, "unknown", None, Some((200, None)));
    let bomb = "<!DOCTYPE r [<!ENTITY a \"marker\"><!ENTITY b \"&a;&a;&a;\">]>";
    for body in [
        GOOD.replace("<BucketId>test-1234567890", "<BucketId>marker-1234567890"),
        GOOD.replace("<Name>test-1234567890", "<Name>marker\u{1b}[31m"),
        GOOD.replace("<Name>test-1234567890", "<Name>&lt;script&gt;marker"),
        GOOD.replace("ap-chongqing", "MARKER marker"),
        GOOD.replace("AsrBucket>", "MarkerBucket>"),
        format!("{bomb}{}", GOOD.replace("<Name>test-1234567890", "<Name>&b;")),
        format!("{GOOD}<marker/>"),
        GOOD.replace("</Response>", &"<marker>".repeat(5000)),
        "{\"marker\":1}".to_owned(),
        "\u{feff}\u{0}marker".to_owned(),
    ] {
        let upstream = RawUpstream::answering("200 OK", "", &body).await;
        let answer = create_before(&upstream).await;
        is_as_expected(&answer, seen, &body);
        assert!(!answer.body.contains("marker"), "{answer:?}");
    }
}

#[tokio::test]
async fn words_of_an_error_that_are_no_code_or_id_are_not_passed_on() {
    let body =
        "<Error><Code>Marker &lt;b&gt;</Code><Message>marker</Message><RequestId>marker \"x\"</RequestId></Error>";
    for (status, code, outcome, number) in [
        ("400 Bad", Code::UpstreamRejected, "rejected", 400),
        ("403 No", Code::UpstreamDenied, "rejected", 403),
        ("418 Tea", Code::UpstreamRejected, "rejected", 418),
    ] {
        let upstream = RawUpstream::answering(status, "x-ci-request-id: <marker>\r\nServer: marker\r\n", body).await;
        let answer = create_before(&upstream).await;
        is_as_expected(&answer, (502, code, outcome, None, Some((number, None))), status);
        assert!(!format!("{answer:?}").to_lowercase().contains("marker"), "{answer:?}");
    }
    let conflict = response("409 Conflict", "", "<Error><Code>BucketNotEmpty</Code></Error>");
    becomes(conflict, (409, Code::UpstreamRejected, "rejected", None, Some((409, Some("BucketNotEmpty"))))).await;
}

#[tokio::test]
async fn a_create_on_a_kept_connection_that_dies_is_not_sent_again() {
    let good = Step::Say(response("200 OK", "", GOOD).into());
    let upstream = RawUpstream::start(vec![good, Step::Hear]).await;
    let world = Setup::new().upstream(&upstream).start().await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    let answer = world.answer(&Ask::post(PATH)).await;
    is_as_expected(&answer, (503, Code::UpstreamUnavailable, "unknown", Some("5"), None), "kept");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(upstream.heard(), 2, "sent again on another connection");
}

/// How often a create of a gateway with keys from before goes to an upstream that always says this.
async fn sent_with_other_keys_at_hand(status: &str, code: &str) -> (u64, Answer) {
    let body = format!("<Error><Code>{code}</Code></Error>");
    let upstream = RawUpstream::answering(status, "", &body).await;
    let before = "secret_id = AKIDfromBefore\nsecret_key = secret-from-before\n";
    let setup = Setup::new().upstream(&upstream).file("keys.before", before);
    let world = setup.set("credentials.previous_file", "keys.before").start().await;
    let answer = world.answer(&Ask::post(PATH)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    (upstream.heard(), answer)
}

// Invariant 8: what may have taken effect is not sent again, whatever keys are at hand.
#[tokio::test]
async fn a_failure_with_the_code_of_a_refused_key_is_not_sent_again_with_other_keys() {
    for code in ["SignatureDoesNotMatch", "InvalidAccessKeyId"] {
        let (heard, answer) = sent_with_other_keys_at_hand("500 Internal Server Error", code).await;
        assert_eq!((heard, &answer.json()["outcome"]), (1, &"unknown".into()), "{code}: {answer:?}");
        let (heard, answer) = sent_with_other_keys_at_hand("403 Forbidden", code).await;
        assert_eq!((heard, &answer.json()["outcome"]), (2, &"rejected".into()), "{code}: {answer:?}");
    }
}
