//! A request as its bytes on the wire.

use super::token;

/// A request that is well-formed unless a test takes pains. What it is asked with is in the order given.
#[derive(Clone)]
pub(crate) struct Ask {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Ask {
    /// A request without credentials.
    pub(crate) fn anonymous(method: &str, target: &str) -> Self {
        let headers = vec![("Host".to_owned(), "gateway.example".to_owned())];
        Self { method: method.to_owned(), target: target.to_owned(), headers, body: None }
    }

    /// A request of alice's, who may do everything.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self::anonymous(method, target).by("alice")
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// The same by another caller.
    pub(crate) fn by(self, caller: &str) -> Self {
        self.with_token(&token(caller, &[]))
    }

    /// The same with this token in place of any other.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body and its length.
    pub(crate) fn body(self, text: &str) -> Self {
        let length = text.len().to_string();
        Self { body: Some(text.to_owned()), ..self.header("Content-Length", &length) }
    }

    /// The same with a body in one chunk.
    pub(crate) fn chunked(self, text: &str) -> Self {
        let body = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        Self { body: Some(body), ..self.header("Transfer-Encoding", "chunked") }
    }

    /// The request line and the header fields, with the empty line.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let tells_length = self.headers.iter().any(|(name, _)| name == "Content-Length" || name == "Transfer-Encoding");
        if !tells_length && (self.method == "POST" || self.method == "DELETE") {
            head.push_str("Content-Length: 0\r\n");
        }
        head + "\r\n"
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        (self.head() + self.body.as_deref().unwrap_or_default()).into_bytes()
    }
}

/// Without the headers: among them is a token, and a failed test prints this.
impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}
