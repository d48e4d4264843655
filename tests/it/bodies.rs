//! Bodies: none or `{}`, and nothing of any other is read for longer, or further, than it takes to refuse it.

use std::time::{Duration, Instant};

use ci_gateway::domain::Code;

use crate::support::gateway::{Ask, PATH, Setup, World};

#[tokio::test]
async fn none_and_an_empty_object_are_served() {
    let world = World::start().await;
    let json = |ask: Ask| ask.header("Content-Type", "application/json");
    for ask in [
        Ask::post(PATH),
        Ask::post(PATH).body(""),
        Ask::post(PATH).body("{}"),
        json(Ask::post(PATH)).body("{}"),
        json(Ask::delete(PATH)).body(" { }\n"),
        Ask::post(PATH).header("Content-Type", "Application/JSON; charset=utf-8").body("{}"),
        Ask::post(PATH).header("Content-Type", "text/plain").body(""),
        json(Ask::post(PATH)).body(&format!("{{{}}}", " ".repeat(4094))),
    ] {
        let answer = world.answer(&ask).await;
        assert!(answer.status == 200 && !answer.closed, "{ask:?}: {answer:?}");
    }
    // A chunked request is the last of its connection: the guard does not follow chunks.
    let answer = world.answer(&json(Ask::post(PATH)).chunked("{}")).await;
    assert!(answer.status == 200 && answer.closed);
    assert_eq!(world.stand_in().request_count(), 9);
}

#[tokio::test]
async fn a_body_that_says_something_is_refused() {
    let world = World::start().await;
    let deep = "[".repeat(4000);
    for body in [
        "{\"a\":1}",
        "{\"region\":\"ap-tokyo\"}",
        "[]",
        "null",
        "0",
        "\"\"",
        "{",
        "}",
        "{}{}",
        "x",
        "{\"a\":1,\"a\":2}",
        "\u{feff}{}",
        "{}\0",
        &deep,
    ] {
        world.refuses(&Ask::post(PATH).body(body), 400, Code::InvalidRequest).await;
        world.refuses(&Ask::delete(PATH).chunked(body), 400, Code::InvalidRequest).await;
    }
}

#[tokio::test]
async fn a_body_over_4_kib_is_refused_however_its_length_is_told() {
    let world = World::start().await;
    let large = " ".repeat(4097);
    for ask in [
        Ask::post(PATH).body(&large),
        Ask::post(PATH).chunked(&large),
        Ask::post(PATH).chunked(&" ".repeat(60_000)),
        Ask::delete(PATH).header("Content-Length", "9999999999999999999"),
        Ask::delete(PATH).header("Content-Length", "1099511627776"),
    ] {
        assert!(world.refuses(&ask, 413, Code::BodyTooLarge).await.closed);
    }
    assert_eq!(world.answer(&Ask::post(PATH).body(&" ".repeat(4096))).await.status, 200);
}

#[tokio::test]
async fn other_types_and_encodings_are_refused() {
    let world = World::start().await;
    for content_type in ["text/xml", "application/x-www-form", "application/jsonp", "text/json", ""] {
        let ask = Ask::post(PATH).header("Content-Type", content_type).body("{}");
        world.refuses(&ask, 415, Code::InvalidRequest).await;
    }
    for encoding in ["gzip", "br", "identity"] {
        let ask = Ask::post(PATH).header("Content-Encoding", encoding).body("{}");
        world.refuses(&ask, 415, Code::InvalidRequest).await;
    }
}

#[tokio::test]
async fn a_get_takes_no_body() {
    let world = World::start().await;
    world.refuses(&Ask::get(PATH).body("{}"), 400, Code::InvalidRequest).await;
    world.refuses(&Ask::get(PATH).chunked("{}"), 400, Code::InvalidRequest).await;
    assert_eq!(world.answer(&Ask::get(PATH).header("Content-Length", "0")).await.status, 200);
}

#[tokio::test]
async fn broken_chunks_are_refused() {
    let world = World::start().await;
    let head = Ask::post(PATH).header("Transfer-Encoding", "chunked").head();
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20_000));
    for chunks in
        ["x\r\n{}\r\n0\r\n\r\n", "10000000000000000\r\n{}", "2\r\n{}xx0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", &extension]
    {
        let answer = world.exchange(format!("{head}{chunks}").as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request".to_owned()), "{chunks:.20}");
        assert!(answer.closed);
    }
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_beyond_the_requests_time() {
    let world = Setup::new().set("server.request_timeout", "300ms").start().await;
    for slow in [
        Ask::post(PATH).header("Content-Length", "2").head() + "{",
        Ask::post(PATH).header("Transfer-Encoding", "chunked").head() + "2\r\n{",
    ] {
        let began = Instant::now();
        let answer = world.exchange(slow.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (408, "invalid_request".to_owned()));
        assert!(answer.closed);
        let took = began.elapsed();
        assert!((Duration::from_millis(280)..Duration::from_secs(3)).contains(&took), "{took:?}");
    }
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn a_caller_is_told_to_continue_only_when_its_body_is_wanted() {
    let world = World::start().await;
    let expecting = |ask: Ask| ask.header("Expect", "100-continue").header("Content-Length", "2").head();
    let mut connection = world.connect().await;
    let head = expecting(Ask::post(PATH));
    connection.send(head.as_bytes()).await;
    connection.continues().await;
    connection.send(b"{}").await;
    assert_eq!(connection.answer_to(head.as_bytes()).await.status, 200);

    let before = world.stand_in().request_count();
    for (ask, status) in [
        (Ask::anonymous("POST", PATH), 401),
        (Ask::post(PATH).with_token("x"), 401),
        (Ask::post(PATH).by("bob"), 403),
        (Ask::post("/nowhere"), 404),
        (Ask::new("PUT", PATH), 405),
        (Ask::get(PATH), 400),
    ] {
        let answer = world.exchange(expecting(ask).as_bytes()).await;
        assert_eq!((answer.status, answer.continued), (status, false));
    }
    let too_large = Ask::post(PATH).header("Expect", "100-continue").header("Content-Length", "5000");
    assert!(!world.refuses(&too_large, 413, Code::BodyTooLarge).await.continued);
    assert_eq!(world.stand_in().request_count(), before);
}

#[tokio::test]
async fn an_unread_body_is_never_taken_for_the_next_request() {
    let world = World::start().await;
    let inner = String::from_utf8(Ask::post(PATH).bytes()).unwrap();
    for refused in [Ask::anonymous("POST", PATH), Ask::post(PATH).by("bob"), Ask::post("/nowhere"), Ask::get(PATH)] {
        for body in [inner.clone(), inner.repeat(8)] {
            let mut connection = world.connect().await;
            let request = refused.clone().body(&body).bytes();
            connection.send(&request).await;
            let answer = connection.answer_to(&request).await;
            assert!((400..=404).contains(&answer.status), "{answer:?}");
            if !answer.closed {
                let next = connection.ask(&Ask::anonymous("GET", "/healthz").header("Connection", "close")).await;
                assert_eq!(next.body, "ready");
            }
        }
    }
    assert_eq!(world.stand_in().request_count(), 0, "a body went upstream as a request");
}

#[tokio::test]
async fn what_follows_a_chunked_request_is_not_served() {
    let world = World::start().await;
    let mut request = Ask::anonymous("POST", PATH).chunked("{}").bytes();
    request.extend(Ask::post(PATH).bytes());
    let answer = world.exchange(&request).await;
    assert!(answer.status == 401 && answer.closed);
    assert_eq!(world.stand_in().request_count(), 0);
}
