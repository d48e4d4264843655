//! An answer as it came over the wire.

use serde_json::Value;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// `100 Continue` came before it.
    pub(crate) continued: bool,
    /// The connection was closed behind it.
    pub(crate) closed: bool,
}

impl Answer {
    /// The value of a header that stands at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands twice: {self:?}");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// The code of a problem document, or nothing.
    pub(crate) fn code(&self) -> String {
        let problem = self.header("content-type") == Some("application/problem+json");
        if problem { self.json()["code"].as_str().unwrap().to_owned() } else { String::new() }
    }

    /// The body with a word in place of the request's id, to compare it with another.
    pub(crate) fn body_without_id(&self) -> String {
        self.body.replace(self.header("x-request-id").unwrap(), "ID")
    }
}
