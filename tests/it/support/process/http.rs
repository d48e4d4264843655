//! The smallest client that is enough: one call, one connection, HTTP/1.1 as text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// A call that has not been made yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: &'static str,
    target: String,
    headers: String,
    body: String,
}

impl Call {
    pub(crate) fn get(target: &str) -> Self {
        Self { method: "GET", target: target.to_owned(), headers: String::new(), body: String::new() }
    }

    pub(crate) fn post(target: &str) -> Self {
        Self { method: "POST", ..Self::get(target) }
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self { method: "DELETE", ..Self::get(target) }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { headers: format!("{}{name}: {value}\r\n", self.headers), ..self }
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self.header("Content-Type", "application/json") }
    }

    /// Writes the call, and leaves the answer for later.
    pub(crate) fn begin(&self, address: SocketAddr) -> io::Result<Begun> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Self { method, target, headers, body } = self;
        let length = if *method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        write!(stream, "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{headers}{length}\r\n{body}")?;
        Ok(Begun(stream))
    }

    /// Makes the call on a connection of its own.
    pub(crate) fn make(&self, address: SocketAddr) -> io::Result<Answer> {
        self.clone().header("Connection", "close").begin(address)?.answer()
    }
}

/// A call whose answer is still to come.
pub(crate) struct Begun(TcpStream);

impl Begun {
    /// Reads one answer, as long as it says that it is; the connection may stay open behind it.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut text = Vec::new();
        let head = loop {
            if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8_lossy(&text[..end]).into_owned();
            }
            self.read_more(&mut text)?;
        };
        let begin = head.len() + 4;
        let answer = Answer { head, body: String::new() };
        let length: usize = answer.header("content-length").and_then(|text| text.parse().ok()).unwrap();
        while text.len() < begin + length {
            self.read_more(&mut text)?;
        }
        assert_eq!(text.len(), begin + length, "more came than one answer");
        Ok(Answer { body: String::from_utf8(text.split_off(begin)).unwrap(), ..answer })
    }

    fn read_more(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let mut room = [0; 8192];
        match self.0.read(&mut room)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                text.extend_from_slice(&room[..count]);
                Ok(())
            }
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// Status, code and outcome of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let problem = self.json();
        let word = |name: &str| problem[name].as_str().unwrap().to_owned();
        (self.status(), word("code"), word("outcome"))
    }

    /// Panics with the whole answer if the status is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{self:#?}");
        self
    }
}
