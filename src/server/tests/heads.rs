//! Each row of the table of what bare hyper lets pass, and the boundaries between messages.

use std::time::Duration;

use super::support::{Server, bodies};
use crate::api::Refusal;

/// The answer's body to `head`, after which the server must have closed.
async fn verdict(server: &Server, head: &str) -> String {
    let answer = server.exchange(head.as_bytes()).await;
    assert!(answer.to_ascii_lowercase().contains("connection: close\r\n"), "{head:?}: {answer}");
    bodies(&answer).join("|")
}

const REFUSED: &[(&str, Refusal)] = &[
    ("GET / HTTP/1.1\r\n\r\n", Refusal::Host),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::Host),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Refusal::Host),
    ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", Refusal::RepeatedHeader),
    ("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: a\r\nX-Api-Key: b\r\n\r\n", Refusal::RepeatedHeader),
    ("GET /a#frag HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET /;refused HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::TargetByte),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", Refusal::Expectation),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", Refusal::RepeatedHeader),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}", Refusal::ContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}", Refusal::ContentLength),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refusal::TransferEncoding),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", Refusal::HeaderLine),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n", Refusal::HeaderLine),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Refusal::HeaderLine),
    ("GET ! HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
    ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", Refusal::Method),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Method),
    ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::RequestLine),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refusal::LengthAndEncoding,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cow, chunked\r\n\r\n0\r\n\r\n", Refusal::UnknownCoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", Refusal::TransferEncoding),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refusal::TransferEncoding,
    ),
    ("GET / HTTP/1.1\nHost: a\n\n", Refusal::BareLineEnd),
    ("GET / HTTP/1.1\r\nHost: a\r\n\nA: b\r\n\r\n", Refusal::BareLineEnd),
    ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: \u{85}a\r\n\r\n", Refusal::HeaderLine),
    ("GET /\r\n", Refusal::RequestLine),
    ("GET / HTTP/3.0\r\n", Refusal::Version),
    ("\x16\x03\x01\x02", Refusal::RequestLine),
];

#[tokio::test]
async fn every_head_that_bare_hyper_lets_pass_is_refused_and_the_connection_closed() {
    let server = Server::start().await;
    for (head, refusal) in REFUSED {
        assert_eq!(verdict(&server, head).await, format!("{refusal:?}"), "{head:?}");
    }
    assert_eq!(server.connections.unreadable(), 0, "hyper met what the strict head should have");
    assert_eq!(server.connections.refused_heads(), REFUSED.len() as u64);
}

#[tokio::test]
async fn heads_and_targets_that_are_too_long_are_told_apart() {
    let server = Server::start().await;
    let (many, long, large) = ("A: b\r\n".repeat(70), "a".repeat(5000), "a".repeat(17_000));
    for (head, refusal) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), Refusal::HeadTooLarge),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {large}\r\n\r\n"), Refusal::HeadTooLarge),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::TargetTooLong),
        (format!("GET /{large} HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::TargetTooLong),
    ] {
        assert_eq!(verdict(&server, &head).await, format!("{refusal:?}"));
    }
}

#[tokio::test]
async fn an_answer_arrives_although_the_peer_is_still_sending() {
    let server = Server::start().await;
    let part = "x".repeat(10_000);
    for (head, answer) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: nan\r\n\r\n", "ContentLength"),
        ("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", "POST /early"),
    ] {
        let mut client = server.connect().await;
        client.send(head.as_bytes()).await;
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            client.send(part.as_bytes()).await;
        }
        assert_eq!(bodies(&client.rest().await), [answer]);
    }
}

#[tokio::test]
async fn a_refused_head_request_is_answered_without_a_body() {
    let server = Server::start().await;
    let answer = server.exchange(b"HEAD / HTTP/1.1\r\n\r\n").await;
    assert!(answer.contains("content-length: 4\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn good_requests_in_a_row_are_all_answered() {
    let server = Server::start().await;
    let requests = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n\
                    POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\
                    \r\nGET http://x/slow HTTP/1.1\r\nHost: x\r\n\r\n\
                    DELETE /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let expected = ["GET /a []", "POST /b [hello]", "GET /slow []", "DELETE /d []"];
    assert_eq!(bodies(&server.exchange(requests.as_bytes()).await), expected);
    let mut client = server.connect().await;
    for byte in requests.as_bytes() {
        client.send(&[*byte]).await;
    }
    assert_eq!(bodies(&client.rest().await), expected);
}

#[tokio::test]
async fn a_bad_head_behind_a_good_request_is_refused_after_the_good_answer() {
    let server = Server::start().await;
    for path in ["/a", "/slow"] {
        let requests =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost x\r\n\r\nGET /never HTTP/1.1");
        assert_eq!(verdict(&server, &requests).await, format!("GET {path} []|HeaderLine"));
    }
    assert_eq!(server.connections.refused_heads(), 2);
}

#[tokio::test]
async fn a_body_that_looks_like_a_head_is_a_body() {
    let server = Server::start().await;
    let body = "GET /a HTTP/1.1\nbad\r\n\r\n";
    let requests =
        format!("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}GET /c HTTP/1.0\r\n\r\n", body.len());
    assert_eq!(bodies(&server.exchange(requests.as_bytes()).await).last(), Some(&"GET /c []"));
    let answers = server.exchange(requests.as_bytes()).await;
    assert!(answers.contains("POST /b [GET /a HTTP/1.1\nbad"), "{answers}");
}

#[tokio::test]
async fn a_chunked_request_is_the_last_of_its_connection() {
    let server = Server::start().await;
    let requests = "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: cHuNkeD\r\n\r\n5\r\nhello\r\n0\r\n\
                    Authorization: in a trailer\r\n\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(verdict(&server, requests).await, "POST /b [hello]");
    let smuggled =
        "POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /never HTTP/1.1\r\n\r\n";
    assert_eq!(verdict(&server, smuggled).await, "POST /early");
}

#[tokio::test]
async fn an_unread_body_is_never_taken_for_a_request() {
    let server = Server::start().await;
    let inner = "GET /never HTTP/1.1\r\nHost: x\r\n\r\n";
    let requests = format!("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{}", inner.repeat(1000));
    let answers = server.exchange(requests.as_bytes()).await;
    assert_eq!(bodies(&answers), ["POST /early"]);
}

#[tokio::test]
async fn an_upgrade_is_ignored() {
    let server = Server::start().await;
    for protocol in ["websocket", "h2c"] {
        let request = format!(
            "GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n\
             GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let answers = server.exchange(request.as_bytes()).await;
        assert!(!answers.contains(" 101 "), "{answers}");
        assert_eq!(bodies(&answers), ["GET /a []", "GET /b []"]);
    }
}

#[tokio::test]
async fn a_hundred_continue_is_sent_once_the_body_is_wanted() {
    let server = Server::start().await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
    };
    let mut client = server.connect().await;
    client.send(head("/b").as_bytes()).await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"{}").await;
    assert_eq!(bodies(&client.rest().await), ["POST /b [{}]"]);
    assert!(!server.exchange(head("/early").as_bytes()).await.contains(" 100 "));
}

/// All that comes back when the client, `bytes` sent, closes its sending side and listens on.
async fn half_closed(server: &Server, bytes: &str) -> String {
    use tokio::io::AsyncWriteExt;
    let mut client = server.connect().await;
    client.send(bytes.as_bytes()).await;
    client.0.shutdown().await.unwrap();
    client.rest().await
}

#[tokio::test]
async fn a_peer_that_has_closed_its_sending_side_still_gets_its_answers() {
    let server = Server::start().await;
    let slow = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    let (get, refused) = ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a HTTP/1.1\r\n\r\n");
    let chunked = "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    // Often, as it depended on whether the end was seen before the answer.
    for _ in 0..20 {
        assert_eq!(bodies(&half_closed(&server, get).await), ["GET /a []"]);
        assert_eq!(bodies(&half_closed(&server, refused).await), ["Host"]);
    }
    assert_eq!(bodies(&half_closed(&server, slow).await), ["POST /slow [{}]"]);
    assert_eq!(bodies(&half_closed(&server, chunked).await), ["POST /slow [{}]"]);
    let two = half_closed(&server, &format!("{slow}{get}GET /never HT")).await;
    assert_eq!(bodies(&two), ["POST /slow [{}]", "GET /a []"]);
    assert_eq!(server.connections.open(), 0);
}

#[tokio::test]
async fn a_body_that_the_end_of_the_input_cuts_off_is_told_to_be_broken() {
    let server = Server::start().await;
    let cut = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}";
    assert_eq!(bodies(&half_closed(&server, cut).await), ["POST /b broken"]);
}

#[tokio::test]
async fn an_input_that_ends_before_a_head_does_ends_the_connection_without_a_word() {
    let server = Server::start().await;
    for part in ["", "\r\n", "GET /", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        assert_eq!(half_closed(&server, part).await, "", "{part:?}");
    }
}
