//! The orderly end.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::support::{Server, bodies, settings};
use crate::server::{Drain, Ended};

const NOTHING_LEFT: Ended = Ended { connections_cut: 0, lines_unfinished: 0 };

#[tokio::test]
async fn idle_connections_close_running_ones_finish_and_new_ones_are_refused() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    idle.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.until("GET /a []").await;
    let mut running = server.connect().await;
    running.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;

    server.drain.start();
    assert!(idle.is_closed().await);
    assert!(TcpStream::connect(server.listener).await.is_err());
    let answer = running.rest().await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(bodies(&answer), ["GET /slow []"]);
    assert_eq!(server.ended.await.unwrap(), NOTHING_LEFT);
}

#[tokio::test]
async fn a_lame_duck_still_serves_and_says_that_each_answer_is_the_last() {
    let server = Server::with(settings(), Drain::new(Duration::from_millis(600), Duration::from_secs(5))).await;
    let mut old = server.connect().await;
    old.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!old.until("GET /a []").await.contains("close"));
    server.drain.start();
    assert!(server.drain.is_draining());
    sleep(Duration::from_millis(100)).await;
    old.send(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = old.rest().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("GET /b []"), "{answer}");
    let new = server.exchange(b"GET /c HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(new.contains("connection: close\r\n") && new.ends_with("GET /c []"), "{new}");
    assert_eq!(server.ended.await.unwrap(), NOTHING_LEFT);
}

#[tokio::test]
async fn the_drain_waits_for_lines_whose_callers_are_gone() {
    let server = Server::start().await;
    let begun = Instant::now();
    server.drain.lines().spawn(sleep(Duration::from_millis(300)));
    server.drain.start();
    assert_eq!(server.ended.await.unwrap(), NOTHING_LEFT);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let server = Server::with(settings(), Drain::new(Duration::ZERO, Duration::from_millis(100))).await;
    let mut stuck = server.connect().await;
    stuck.send(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    server.drain.lines().spawn(sleep(Duration::from_secs(60)));
    server.drain.start();
    assert!(stuck.is_closed().await);
    assert_eq!(server.ended.await.unwrap(), Ended { connections_cut: 1, lines_unfinished: 1 });
}

#[tokio::test]
async fn a_second_signal_waits_for_nothing() {
    let server = Server::with(settings(), Drain::new(Duration::from_secs(60), Duration::from_secs(60))).await;
    let mut running = server.connect().await;
    running.send(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    server.drain.start();
    sleep(Duration::from_millis(50)).await;
    assert!(!server.ended.is_finished());
    server.drain.hurry();
    let ended = tokio::time::timeout(Duration::from_secs(1), server.ended).await.unwrap().unwrap();
    assert_eq!(ended.connections_cut, 1);
}
