//! The strict head before the real line: each head that bare hyper lets pass, with a good token, so that the
//! refusal alone stands between it and Cloud Infinite.

use std::time::Duration;

use ci_gateway::api::Refusal;

use crate::support::gateway::{Answer, Ask, PATH, Setup, World, token};

/// Sends a head with alice's token in place of `TOKEN` and the operation's path in place of `PATH`.
async fn exchange(world: &World, head: &str) -> Answer {
    let head = head.replace("TOKEN", &format!("Authorization: Bearer {}", token("alice", &[]))).replace("PATH", PATH);
    world.exchange(head.as_bytes()).await
}

async fn is_refused(world: &World, head: &str, status: u16, rule: Refusal) {
    let counted = |world: &World| series(&world.metrics(), rule);
    let before = counted(world);
    let answer = exchange(world, head).await;
    let code = if status == 405 { "method_not_allowed" } else { "invalid_request" };
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{head:?}: {answer:?}");
    assert!(answer.closed, "{head:?}");
    assert_eq!(answer.json()["outcome"], "not_sent");
    assert_eq!(counted(world), before + 1, "{head:?} was refused by another rule than {rule:?}");
    assert_eq!(world.stand_in().request_count(), 0, "{head:?} went upstream");
}

fn series(metrics: &str, rule: Refusal) -> u64 {
    let name = format!("ci_gateway_head_refusals_total{{rule=\"{}\"}} ", rule.as_str());
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

const HOST_ROWS: &[&str] = &[
    "POST PATH HTTP/1.1\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nhost: b\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost:\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a b\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a@b\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a, b\r\nTOKEN\r\n\r\n",
];

const REPEATED_ROWS: &[&str] = &[
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nX-Api-Key: a\r\nX-API-KEY: b\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nX-Request-Id: 12345678\r\nX-Request-Id: 12345678\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Type: application/json\r\nContent-Type: text/xml\r\n\r\n",
];

const TARGET_BYTE_ROWS: &[&str] = &[
    "POST PATH#frag HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST /v1/buckets/\u{e9}-1/media HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST /v1/buckets\\a-1/media HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST PATH%00 HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST PATH\t HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST /;refused HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
];

const TARGET_ROWS: &[&str] = &[
    "POST http://bPATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "POST * HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "GET ! HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n",
    "GET a:80 HTTP/1.1\r\nHost: a:80\r\nTOKEN\r\n\r\n",
];

const LENGTH_ROWS: &[&str] = &[
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: +2\r\n\r\n{}",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: 2, 2\r\n\r\n{}",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: 0x2\r\n\r\n{}",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: -1\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length:\r\n\r\n",
];

const TRANSFER_ENCODING_ROWS: &[&str] = &[
    "POST PATH HTTP/1.0\r\nTOKEN\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const HEADER_LINE_ROWS: &[&str] = &[
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nA: b\r\n c\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nA: b\0\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost : a\r\nTOKEN\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nno colon\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\u{85}\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\u{a0}\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: chunked\u{b}\0\r\n\r\n0\r\n\r\n",
];

const LINE_END_ROWS: &[&str] = &[
    "POST PATH HTTP/1.1\nHost: a\nTOKEN\n\n",
    "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\nA: b\r\n\r\n",
    "POST PATH HTTP/1.1\r\nHost: a\rTOKEN\r\n\r\n",
];

#[tokio::test]
async fn every_head_that_bare_hyper_lets_pass_is_refused_by_its_own_rule() {
    let world = World::start().await;
    for (heads, rule) in [
        (HOST_ROWS, Refusal::Host),
        (REPEATED_ROWS, Refusal::RepeatedHeader),
        (TARGET_BYTE_ROWS, Refusal::TargetByte),
        (TARGET_ROWS, Refusal::Target),
        (LENGTH_ROWS, Refusal::ContentLength),
        (TRANSFER_ENCODING_ROWS, Refusal::TransferEncoding),
        (HEADER_LINE_ROWS, Refusal::HeaderLine),
        (LINE_END_ROWS, Refusal::BareLineEnd),
    ] {
        for head in heads {
            is_refused(&world, head, 400, rule).await;
        }
    }
    let both =
        "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    is_refused(&world, both, 400, Refusal::LengthAndEncoding).await;
    is_refused(&world, "POST PATH HTTP/3.0\r\nHost: a\r\nTOKEN\r\n\r\n", 400, Refusal::Version).await;
    is_refused(&world, "POST  PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n", 400, Refusal::RequestLine).await;
    is_refused(&world, "POST PATH\r\n", 400, Refusal::RequestLine).await;
    is_refused(&world, "P\"ST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n", 400, Refusal::RequestLine).await;
    is_refused(&world, "\x16\x03\x01\x02\0", 400, Refusal::RequestLine).await;
}

#[tokio::test]
async fn what_has_a_status_of_its_own_gets_it() {
    let world = World::start().await;
    let (many, long, large) = ("A: b\r\n".repeat(63), "a".repeat(4096), "a".repeat(17_000));
    for (head, status, rule) in [
        (format!("POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\n{many}\r\n"), 431, Refusal::HeadTooLarge),
        (format!("POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nA: {large}\r\n\r\n"), 431, Refusal::HeadTooLarge),
        (format!("POST PATH?{long} HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n"), 414, Refusal::TargetTooLong),
        (format!("POST PATH?{large} HTTP/1.1\r\nHost: a\r\nTOKEN\r\n\r\n"), 414, Refusal::TargetTooLong),
    ] {
        is_refused(&world, &head, status, rule).await;
    }
    for expectation in ["x", "100-continue, x", ""] {
        let head = format!("POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nExpect: {expectation}\r\n\r\n");
        is_refused(&world, &head, 417, Refusal::Expectation).await;
    }
    for coding in ["cow, chunked", "gzip", "gzip, chunked", "chunked, cow", "xchunked", "\"chunked\"", "chunked;x=y"] {
        let head = format!("POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
        is_refused(&world, &head, 501, Refusal::UnknownCoding).await;
    }
    for line in ["CONNECT a:80 HTTP/1.1", "PRI * HTTP/2.0"] {
        is_refused(&world, &format!("{line}\r\nHost: a\r\nTOKEN\r\n\r\n"), 405, Refusal::Method).await;
    }
}

#[tokio::test]
async fn the_same_head_without_its_flaw_goes_through() {
    let world = World::start().await;
    let fields = "A: b\r\n".repeat(62);
    for head in [
        "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nConnection: close\r\n\r\n".to_owned(),
        format!("POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\n{fields}\r\n"),
        "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nTransfer-Encoding: cHuNkeD\r\n\r\n0\r\n\r\n".to_owned(),
        "\r\nPOST PATH HTTP/1.1\r\nHost:a:8080\r\nTOKEN  \r\n\r\n".to_owned(),
        "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_owned(),
        "POST PATH HTTP/1.1\r\nHost: a\r\nTOKEN\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n".to_owned(),
    ] {
        let answer = exchange(&world, &head).await;
        assert_eq!(answer.status, 200, "{head:?}: {answer:?}");
    }
    assert_eq!(world.stand_in().request_count(), 6);
}

#[tokio::test]
async fn a_request_of_http_1_0_is_served_and_is_the_last_of_its_connection() {
    let world = World::start().await;
    let mut connection = world.connect().await;
    let head = format!("POST {PATH} HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n", token("alice", &[]));
    connection.send(&[head.as_bytes(), head.as_bytes()].concat()).await;
    assert_eq!(connection.answer_to(head.as_bytes()).await.status, 200);
    assert!(connection.is_closed().await);
    assert_eq!(world.stand_in().request_count(), 1);
}

#[tokio::test]
async fn no_spelling_of_transfer_encoding_smuggles_a_request_past_its_end() {
    let world = World::start().await;
    let smuggled = String::from_utf8(Ask::post(PATH).bytes()).unwrap();
    for byte in 0..=255u8 {
        for (before, after) in [
            ("Transfer-Encoding", ": chunked"),
            ("Transfer-Encoding:", "chunked"),
            ("Transfer-Encoding: chun", "ked"),
            ("Transfer-Encoding: chunked", ""),
        ] {
            let mut request = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\n{before}").into_bytes();
            request.push(byte);
            request.extend_from_slice(format!("{after}\r\n\r\n0\r\n\r\n{smuggled}").as_bytes());
            let mut connection = world.connect().await;
            connection.send(&request).await;
            let first = connection.answer_to(&request).await;
            assert!(matches!(first.status, 400 | 401 | 501), "{before}\\x{byte:02x}{after}: {first:?}");
            if !first.closed {
                // Not a transfer encoding, then: what follows is no head.
                let second = connection.answer_to(b"0").await;
                assert!(second.status == 400 && second.closed, "{before}\\x{byte:02x}{after}: {second:?}");
            }
        }
    }
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn a_refused_head_behind_a_good_request_ends_the_connection_there() {
    let world = World::start().await;
    let mut connection = world.connect().await;
    let (good, bad) = (Ask::post(PATH).bytes(), b"POST /a HTTP/1.1\r\nHost a\r\n\r\n".to_vec());
    connection.send(&[&good[..], &bad, &good].concat()).await;
    assert_eq!(connection.answer_to(&good).await.status, 200);
    let refused = connection.answer_to(&bad).await;
    assert!(refused.status == 400 && refused.closed);
    assert_eq!(world.stand_in().request_count(), 1);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused_and_a_silent_connection_is_closed() {
    let world = Setup::new().set("server.header_read_timeout", "200ms").start().await;
    let unfinished = "POST PATH HTTP/1.1\r\nHost: a\r\n";
    is_refused(&world, unfinished, 408, Refusal::HeadTimeout).await;
    assert!(world.connect().await.is_closed().await);

    // One byte at a time does not extend it.
    let mut connection = world.connect().await;
    let dripping = async {
        for byte in Ask::post(PATH).bytes().chunks(1) {
            connection.send(byte).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _cut = tokio::time::timeout(Duration::from_millis(400), dripping).await;
    assert_eq!(connection.answer_to(b"POST / HTTP/1.1").await.status, 408);
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn a_connection_too_many_hears_that_the_gateway_is_overloaded() {
    let world = Setup::new().set("server.max_connections", 2).start().await;
    let (mut first, mut second) = (world.connect().await, world.connect().await);
    let health = Ask::anonymous("GET", "/healthz");
    assert_eq!((first.ask(&health).await.status, second.ask(&health).await.status), (200, 200));
    let answer = world.connect().await.answer_to(&health.bytes()).await;
    assert_eq!((answer.status, answer.code(), answer.closed), (503, "overloaded".to_owned(), true));
    drop(first);
    // The place is free once the server has seen the end of the first.
    while world.answer(&health).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
