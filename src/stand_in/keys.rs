//! The keys that the stand-in knows, as the real service knows those of its accounts.

use std::fmt;

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A SecretId with its SecretKey and, for temporary keys, the token that must come along.
///
/// `Debug` shows none of it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KnownKey {
    secret_id: Box<str>,
    secret_key: Box<str>,
    token: Option<Box<str>>,
    #[zeroize(skip)]
    ends: Option<Timestamp>,
}

impl KnownKey {
    /// A key that requests may be signed with. With a `token`, a request has to bring the same one.
    #[must_use]
    pub fn new(secret_id: &str, secret_key: &str, token: Option<&str>) -> Self {
        Self { secret_id: secret_id.into(), secret_key: secret_key.into(), token: token.map(Into::into), ends: None }
    }

    /// The same, until `ends`.
    pub(super) fn until(mut self, ends: Timestamp) -> Self {
        self.ends = Some(ends);
        self
    }

    /// Whether it was good and is no more.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    /// The public half.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// Whether it was given for a while.
    pub(super) fn is_temporary(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn secret_key(&self) -> &[u8] {
        self.secret_key.as_bytes()
    }

    /// Whether `offered`, the token headers of a request, satisfy this key: for a key with a token there is
    /// at least one, and every one is the token. A key without token does not look at them.
    pub(super) fn accepts_tokens<'a>(&self, offered: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let Some(token) = &self.token else { return true };
        let mut offered = offered.into_iter().peekable();
        offered.peek().is_some() && offered.all(|other| bool::from(token.as_bytes().ct_eq(other)))
    }
}

impl fmt::Debug for KnownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_part_of_a_key() {
        let key = KnownKey::new("AKIDEXAMPLE", "marker-of-the-secret", Some("marker-of-the-token"));
        let shown = format!("{key:?} {key:#?}");
        assert!(!shown.contains("marker") && !shown.contains("AKID"), "{shown}");
    }

    #[test]
    fn a_key_with_a_token_wants_that_token_and_no_other() {
        let key = KnownKey::new("AKIDEXAMPLE", "secret", Some("token"));
        assert!(key.accepts_tokens([&b"token"[..]]) && key.accepts_tokens([&b"token"[..], b"token"]));
        assert!(!key.accepts_tokens([]) && !key.accepts_tokens([&b"tokem"[..]]));
        assert!(!key.accepts_tokens([&b"token"[..], b"other"]) && !key.accepts_tokens([&b"token2"[..]]));
        assert!(KnownKey::new("AKIDEXAMPLE", "secret", None).accepts_tokens([&b"anything"[..]]));
    }
}
