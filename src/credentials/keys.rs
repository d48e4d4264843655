//! `Keys` and `SecretKey`: values that can be used, and neither printed nor serialised.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::stack::wipe_the_stack;

/// Tencent's longest documented id and key are 36 and 32 characters; tokens run to a few kilobytes.
const LONGEST_KEY: usize = 256;
const LONGEST_TOKEN: usize = 8 * 1024;

/// What the steps of an HMAC need of the stack, with much to spare: 12 KiB without optimisation.
const STEPS: usize = 16 * 1024;

/// A SecretId, its SecretKey and, for temporary keys, the token that goes with them.
#[derive(Clone)]
pub struct Keys {
    secret_id: Box<str>,
    secret_key: SecretKey,
    token: Option<Token>,
}

impl Keys {
    /// Keys as an operator gives them.
    ///
    /// # Errors
    /// [`InvalidKeys`] if a part is empty, has blanks around it (the usual cause of
    /// `SignatureDoesNotMatch`), or could not stand in a header.
    pub fn new(secret_id: &str, secret_key: &str, token: Option<&str>) -> Result<Self, InvalidKeys> {
        check("SecretId", secret_id, LONGEST_KEY)?;
        check("SecretKey", secret_key, LONGEST_KEY)?;
        if let Some(token) = token {
            check("token", token, LONGEST_TOKEN)?;
        }
        Ok(Self {
            secret_id: secret_id.into(),
            secret_key: SecretKey(secret_key.as_bytes().into()),
            token: token.map(|token| Token(token.into())),
        })
    }

    /// The public half: it stands in every `Authorization` header as `q-ak`.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The secret half.
    #[must_use]
    pub fn secret_key(&self) -> &SecretKey {
        &self.secret_key
    }

    /// Whether both are the same keys; how long it takes tells nothing of a secret but its length.
    pub(super) fn are(&self, other: &Self) -> bool {
        let mark = |keys: &Self| keys.secret_key.keyed::<Hmac<Sha256>>("", keys.token().unwrap_or_default());
        self.secret_id == other.secret_id && bool::from(mark(self).ct_eq(&mark(other)))
    }

    /// The token of temporary keys, which is sent along in a header.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| &*token.0)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

/// The SecretKey: overwritten when dropped, and without `Display`, `Serialize` or a telling `Debug`.
///
/// Nobody gets at its bytes: signatures are made of what [`Self::keyed`] makes of them.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Box<[u8]>);

impl SecretKey {
    /// HMAC (RFC 2104) of `message` with the key `prefix` + SecretKey, by `M`'s hash: the first step of both signatures of
    /// Tencent's. The one place where the SecretKey is read.
    pub(crate) fn keyed<M: Mac + KeyInit>(&self, prefix: &str, message: &str) -> Zeroizing<Vec<u8>> {
        let digest = self.digest::<M>(prefix, message);
        wipe_the_stack::<STEPS>();
        digest
    }

    /// A function of its own, so that all it leaves behind lies where [`wipe_the_stack`] then writes.
    #[inline(never)]
    fn digest<M: Mac + KeyInit>(&self, prefix: &str, message: &str) -> Zeroizing<Vec<u8>> {
        let key = Zeroizing::new([prefix.as_bytes(), self.expose()].concat());
        // HMAC takes a key of any length (RFC 2104 section 2), so there is no error to tell of.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(&key) else { return Zeroizing::default() };
        mac.update(message.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().to_vec())
    }

    fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Token(Box<str>);

fn check(part: &'static str, text: &str, longest: usize) -> Result<(), InvalidKeys> {
    if text.is_empty() {
        Err(InvalidKeys::Empty(part))
    } else if text.trim() != text {
        Err(InvalidKeys::Blanks(part))
    } else if text.len() > longest {
        Err(InvalidKeys::TooLong(part, longest))
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        Err(InvalidKeys::Character(part))
    } else {
        Ok(())
    }
}

/// Why keys cannot be used; names the part, never its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Nothing there.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// White space before or after.
    #[error("the {0} has blanks or line ends around it")]
    Blanks(&'static str),
    /// Over the limit.
    #[error("the {0} is longer than {1} bytes")]
    TooLong(&'static str, usize),
    /// Something that is not printable ASCII.
    #[error("the {0} holds a character that is not printable ASCII")]
    Character(&'static str),
}

impl InvalidKeys {
    /// What to do about it.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Empty(_) => {
                "copy the SecretId and its SecretKey from the cloud's console, and the token with temporary keys"
            }
            Self::Blanks(_) => "remove the blanks and line ends before and after it: they would break every signature",
            Self::TooLong(..) | Self::Character(_) => "copy it anew, alone and in one line, from where it was made",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_part_of_the_keys() {
        let keys = Keys::new("AKIDEXAMPLEEXAMPLE", "marker-of-the-secret", Some("marker-of-the-token")).unwrap();
        let shown = format!("{keys:?} {:?} {:#?}", keys.secret_key(), keys);
        assert!(!shown.contains("marker") && !shown.contains("AKID"), "{shown}");
    }

    #[test]
    fn what_would_break_a_header_or_a_signature_is_refused() {
        assert_eq!(Keys::new("", "k", None).unwrap_err(), InvalidKeys::Empty("SecretId"));
        assert_eq!(Keys::new("i", "k\n", None).unwrap_err(), InvalidKeys::Blanks("SecretKey"));
        assert_eq!(Keys::new("i", " k", None).unwrap_err(), InvalidKeys::Blanks("SecretKey"));
        assert_eq!(Keys::new("i", "k", Some("a\r\nb")).unwrap_err(), InvalidKeys::Character("token"));
        assert_eq!(Keys::new("i&q-ak=x", "ключ", None).unwrap_err(), InvalidKeys::Character("SecretKey"));
        assert_eq!(Keys::new("i", &"k".repeat(257), None).unwrap_err(), InvalidKeys::TooLong("SecretKey", 256));
    }
}
