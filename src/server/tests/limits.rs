//! Time and number.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::support::{Server, bodies, settings};
use crate::domain::Code;
use crate::server::{Drain, ListenError, Listener, Settings};

async fn impatient() -> Server {
    let settings = Settings { header_read_timeout: Duration::from_millis(300), ..settings() };
    Server::with(settings, Drain::new(Duration::ZERO, Duration::from_secs(5))).await
}

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_answered_so() {
    let server = impatient().await;
    let begun = Instant::now();
    assert_eq!(bodies(&server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n").await), ["HeadTimeout"]);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());

    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(b"G").await;
        sleep(Duration::from_millis(120)).await;
    }
    assert_eq!(bodies(&client.rest().await), ["HeadTimeout"], "dripping does not buy time");
}

#[tokio::test]
async fn a_silent_connection_is_closed_without_a_word() {
    let server = impatient().await;
    for greeting in ["", "\r\n"] {
        assert_eq!(server.exchange(greeting.as_bytes()).await, "");
    }
    let mut client = server.connect().await;
    client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let begun = Instant::now();
    assert_eq!(bodies(&client.rest().await), ["GET /a []"]);
    let idle = begun.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_millis(800)).contains(&idle), "{idle:?}");
    assert_eq!(server.connections.open(), 0);
}

#[tokio::test]
async fn no_time_passes_for_the_next_head_while_an_answer_is_awaited() {
    let server = impatient().await;
    let mut client = server.connect().await;
    client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTT").await;
    client.until("GET /slow []").await;
    client.send(b"P/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(bodies(&client.rest().await), ["GET /b []"]);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let settings = Settings { max_connections: 2, ..settings() };
    let server = Server::with(settings, Drain::new(Duration::ZERO, Duration::from_secs(5))).await;
    let mut first = server.connect().await;
    first.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    first.until("GET /a []").await;
    let second = server.connect().await;
    let answer = server.exchange(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    for part in
        ["application/problem+json", "retry-after: 1\r\n", "connection: close\r\n", "cache-control: no-store\r\n"]
    {
        assert!(answer.contains(part), "{part} is missing from {answer}");
    }
    let problem: serde_json::Value = serde_json::from_str(bodies(&answer).first().unwrap()).unwrap();
    assert_eq!(problem["title"], crate::api::entry(Code::Overloaded).title);
    assert_eq!(problem["code"], "overloaded");
    let id = problem["request_id"].as_str().unwrap();
    assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{answer}");
    assert_eq!(server.connections.turned_away(), 1);
    assert_eq!(server.connections.open(), 2);

    drop((first, second));
    while server.connections.open() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let answer = server.exchange(b"GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(bodies(&answer), ["GET /c []"]);
    assert_eq!(server.connections.accepted(), 3);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let server = Server::start().await;
    let error = Listener::bind(server.listener, &settings()).await.unwrap_err();
    assert!(matches!(error, ListenError::InUse(_)));
    let text = error.to_string();
    assert!(text.contains(&server.listener.to_string()) && text.contains("another"), "{text}");
}
