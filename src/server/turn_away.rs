//! The answer to a connection that is one too many.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::api::entry;
use crate::domain::{Code, Outcome};

/// For so long one that is turned away may take to hear of it.
const LONGEST: Duration = Duration::from_millis(500);

/// Says 503 on a plain connection, without waiting to be asked, and closes it.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let answer = answer();
    // A fresh socket has room for this: if it cannot be written at once, then not at all.
    if stream.try_write(answer.as_bytes()).is_err() {
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

fn answer() -> String {
    let code = Code::Overloaded;
    let id = Uuid::now_v7();
    let body = serde_json::json!({
        "type": format!("/problems/{}", code.as_str()),
        "title": entry(code).title,
        "status": 503,
        "detail": "all connections that this gateway keeps at once are taken; try again after a moment",
        "code": code.as_str(),
        "request_id": id.to_string(),
        "outcome": Outcome::NotSent.as_str(),
        "retryable": code.is_retryable(),
    })
    .to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nx-request-id: {id}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}
