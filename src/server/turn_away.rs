//! The answer to a connection that is one too many.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::api::overloaded;

/// For so long one that is turned away may take to hear of it.
const LONGEST: Duration = Duration::from_millis(500);
const DETAIL: &str = "all connections that this gateway keeps at once are taken: try again in a moment";

/// Says 503 on a plain connection, without waiting to be asked, and closes it.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let answer = answer();
    // A fresh socket has room for this: if it cannot be written at once, then not at all.
    if stream.try_write(&answer).is_err() {
        return;
    }
    let _ = stream.shutdown().await;
    // Unread input would turn the close into a reset, and the answer would be lost with it.
    let forget = async {
        let mut room = [0; 1024];
        while stream.read(&mut room).await.is_ok_and(|length| length > 0) {}
    };
    let _ = tokio::time::timeout(LONGEST, forget).await;
}

/// The head and body of the answer, as they go over the wire.
fn answer() -> Vec<u8> {
    let answer = overloaded(DETAIL);
    let mut bytes = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let body = answer.into_body().into_inner().unwrap_or_default();
    bytes.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).bytes());
    bytes.extend(body);
    bytes
}
