//! A client that writes what it is given and reads HTTP/1.1 strictly.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Answer, Ask, PATIENCE, contract};

/// A connection, and what came on it and was not yet read.
pub(crate) struct Connection {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, held: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends `ask`, and reads its answer.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Answer {
        let bytes = ask.bytes();
        self.send(&bytes).await;
        self.answer_to(&bytes).await
    }

    /// The next answer, which keeps the contract of what the first line of `request` asks for.
    pub(crate) async fn answer_to(&mut self, request: &[u8]) -> Answer {
        let mut lines = request.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
        let line = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
        let mut parts = line.split(' ');
        let (method, target) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let answer = self.read(method == "HEAD").await;
        contract::check(method, target, &answer);
        answer
    }

    /// The next answer, of the admin listener, whose pages stand in no document.
    pub(super) async fn admin_answer(&mut self) -> Answer {
        let answer = self.read(false).await;
        contract::check_admin(&answer);
        answer
    }

    /// `100 Continue` and nothing else.
    pub(crate) async fn continues(&mut self) {
        assert_eq!(self.head().await, "HTTP/1.1 100 Continue");
    }

    /// Whether the server closes the connection, soon and without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = std::mem::take(&mut self.held);
        let end = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        assert_eq!(String::from_utf8_lossy(&rest), "", "more came than was asked for");
        matches!(end, Ok(Ok(_)))
    }

    async fn read(&mut self, without_body: bool) -> Answer {
        let mut head = self.head().await;
        let continued = head == "HTTP/1.1 100 Continue";
        if continued {
            head = self.head().await;
        }
        let mut lines = head.split("\r\n");
        let status = status(lines.next().unwrap());
        let headers = lines.map(field).collect();
        let mut answer = Answer { status, headers, body: String::new(), continued, closed: false };
        assert_eq!(answer.header("transfer-encoding"), None);
        let length = answer.header("content-length").unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap();
        if !without_body {
            answer.body = String::from_utf8(self.take(length).await).unwrap();
        }
        if let Some(word) = answer.header("connection") {
            assert_eq!(word, "close");
            assert!(self.is_closed().await, "said to be closed, and is not: {head}");
            answer.closed = true;
        }
        answer
    }

    /// A head without its empty line.
    async fn head(&mut self) -> String {
        let mut from = 0;
        let end = loop {
            if let Some(end) = self.held[from..].windows(4).position(|four| four == b"\r\n\r\n") {
                break from + end;
            }
            from = self.held.len().saturating_sub(3);
            self.more().await;
        };
        let head = self.take(end + 4).await;
        String::from_utf8(head[..end].to_vec()).unwrap()
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.held.len() < length {
            self.more().await;
        }
        let rest = self.held.split_off(length);
        std::mem::replace(&mut self.held, rest)
    }

    async fn more(&mut self) {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.held)).await.expect("no answer comes").unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&self.held));
    }
}

fn status(line: &str) -> u16 {
    // A request of HTTP/1.0 is answered in kind.
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let rest = rest.unwrap_or_else(|| panic!("{line}"));
    let (status, _reason) = rest.split_once(' ').unwrap();
    assert_eq!(status.len(), 3, "{line}");
    status.parse().unwrap()
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
    (name.to_ascii_lowercase(), value.to_owned())
}
