//! The id that joins an answer, a log line and an audit record.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header, in requests and answers.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's own id if it is harmless, else a new UUIDv7 (RFC 9562 section 5.7).
///
/// INVARIANT: 8 to 64 characters of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// The id of the request with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|text| is_harmless(text));
        Self(given.map_or_else(|| Uuid::now_v7().hyphenated().to_string().into(), Into::into))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the answer's header.
    pub(super) fn to_header(&self) -> HeaderValue {
        // The invariant leaves nothing that a header could not hold.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("invalid-request-id"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_harmless(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &[u8]) -> String {
        RequestId::of(&HeaderMap::from_iter([(HEADER, HeaderValue::from_bytes(value).unwrap())])).to_string()
    }

    #[test]
    fn a_harmless_id_is_kept_and_any_other_replaced() {
        for kept in ["12345678", "A.b_c-9012", &"x".repeat(64)] {
            assert_eq!(of(kept.as_bytes()), kept);
        }
        for replaced in ["1234567", &"x".repeat(65), "1234567 8", "12345678\u{e9}", "", "${jndi:x}", "123456/8"] {
            let id = of(replaced.as_bytes());
            assert_eq!((id.len(), Uuid::parse_str(&id).unwrap().get_version_num()), (36, 7), "{replaced}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
