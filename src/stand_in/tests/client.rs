//! A client in raw bytes.

use hyper::Request;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stand_in::verify::authorize;
use crate::stand_in::{KnownKey, Settings, StandIn};

pub(super) const BUCKET_HOST: &str = "test-1234567890.ci.ap-chongqing.myqcloud.com";
pub(super) const LIST_HOST: &str = "ci.ap-chongqing.myqcloud.com";

pub(super) fn key() -> KnownKey {
    KnownKey::new("AKIDOFTESTS", "the-secret-of-tests", None)
}

pub(super) fn settings() -> Settings {
    Settings::with_key(key())
}

pub(super) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub(super) async fn start(settings: Settings) -> StandIn {
    StandIn::start(listener().await, settings)
}

/// A request that is signed rightly unless a test says otherwise.
pub(super) struct Call {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    lists: [String; 2],
    window: String,
    key: KnownKey,
}

impl Call {
    pub(super) fn new(method: &'static str, target: &str, host: &str) -> Self {
        let now = Timestamp::now().as_second();
        Self {
            method,
            target: target.into(),
            headers: vec![("Host", host.into()), ("Content-Length", "0".into())],
            lists: ["host".into(), String::new()],
            window: format!("{};{}", now - 60, now + 300),
            key: key(),
        }
    }

    pub(super) fn post() -> Self {
        Self::new("POST", "/asrbucket", BUCKET_HOST)
    }

    pub(super) fn delete() -> Self {
        Self::new("DELETE", "/asrbucket", BUCKET_HOST)
    }

    /// A list call; all its parameters are signed.
    pub(super) fn list(query: &str) -> Self {
        let mut names: Vec<_> =
            query.split('&').filter_map(|part| part.split('=').next()).map(str::to_ascii_lowercase).collect();
        names.sort();
        Self::new("GET", &format!("/asrbucket?{query}"), LIST_HOST).parameters(&names.join(";"))
    }

    pub(super) fn to(mut self, host: &str) -> Self {
        self.headers[0].1 = host.into();
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    pub(super) fn signing(mut self, headers: &str) -> Self {
        self.lists[0] = headers.into();
        self
    }

    pub(super) fn parameters(mut self, names: &str) -> Self {
        self.lists[1] = names.into();
        self
    }

    /// The window, in seconds from now.
    pub(super) fn window(mut self, start: i64, end: i64) -> Self {
        let now = Timestamp::now().as_second();
        self.window = format!("{};{}", now + start, now + end);
        self
    }

    pub(super) fn by(mut self, key: KnownKey) -> Self {
        self.key = key;
        self
    }

    /// The bytes, with an answer that ends with the connection.
    pub(super) fn raw(&self) -> String {
        self.signed_with(&self.authorization())
    }

    pub(super) fn authorization(&self) -> String {
        let mut request = Request::builder().method(self.method).uri(&self.target);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        authorize(&head, [&self.lists[0], &self.lists[1]], &self.window, &self.key)
    }

    /// The bytes, with this in place of the right authorization.
    pub(super) fn signed_with(&self, authorization: &str) -> String {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{} {} HTTP/1.1\r\n{}Authorization: {authorization}\r\nConnection: close\r\n\r\n",
            self.method,
            self.target,
            headers.concat()
        )
    }

    pub(super) async fn send(&self, stand_in: &StandIn) -> Reply {
        send(stand_in, &self.raw()).await
    }
}

/// What came back: as text, and whether the connection ended with a reset.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) reset: bool,
}

impl Reply {
    pub(super) fn status(&self) -> u16 {
        self.text.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_default()
    }

    /// The value of a header, whose name must be spelt so on the wire.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The text of the first element of this name.
    pub(super) fn node(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body().split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    }
}

pub(super) async fn send(stand_in: &StandIn, raw: &str) -> Reply {
    let mut stream = TcpStream::connect(stand_in.address()).await.unwrap();
    stream.write_all(raw.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    Reply { text: String::from_utf8(bytes).unwrap(), reset: end.is_err() }
}
