//! The keys of one issuer, each tied to one algorithm and made ready when they are loaded.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::DecodingKey;

use super::Algorithm;
use super::jwks::{self, KeySet};
use super::jws::Header;
use crate::credentials::read_secret_file;
use crate::domain::{Mistake, Mistakes};

/// In bytes, the output length of SHA-256: RFC 7518 section 3.2 asks for no less.
pub(super) const SHORTEST_SECRET: usize = 32;

/// A key that verifies, and the only algorithm that it is used with (RFC 8725 section 3.1).
pub(super) struct Key {
    pub(super) id: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    pub(super) verifying: DecodingKey,
}

/// The keys of one issuer, at least one. `Debug` tells how many: a key may be a secret.
pub(super) struct KeyRing {
    keys: Vec<Key>,
    skipped: usize,
}

impl KeyRing {
    /// The key in the secret file at `path`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn of_secret_file(path: &Path) -> Result<Self, Mistake> {
        secret(path).map(|key| Self { keys: vec![key], skipped: 0 })
    }

    /// The keys of the set in the file at `path` that verify with one of `algorithms`.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub(super) fn of_set_file(path: &Path, algorithms: &[Algorithm]) -> Result<Self, Mistakes> {
        jwks::load(path, algorithms).map(Self::from)
    }

    /// The keys of the set `text`, which stands at `place`, that verify with one of `algorithms`.
    ///
    /// # Errors
    /// Every mistake in the text.
    pub(super) fn of_set(place: &str, text: &[u8], algorithms: &[Algorithm]) -> Result<Self, Mistakes> {
        jwks::keys(place, text, algorithms).map(Self::from)
    }

    /// The key that a token asks for: the one of its `kid`, or, without a `kid`, the only one for its `alg`.
    ///
    /// A `kid` is opaque and compared as it is. A shared secret has none, so a token that names one is not its.
    pub(super) fn find(&self, header: &Header) -> Option<&Key> {
        if header.key_id.is_some() {
            return self.keys.iter().find(|key| key.id.as_deref() == header.key_id.as_deref());
        }
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == header.algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(key),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many keys of the set cannot be used.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }
}

impl From<KeySet> for KeyRing {
    fn from(set: KeySet) -> Self {
        Self { keys: set.keys, skipped: set.skipped }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

/// One state of an issuer's keys. It never changes: other keys are another state, with a number that none had before.
#[derive(Debug)]
pub(super) struct Held {
    generation: u64,
    ring: Option<KeyRing>,
}

impl Held {
    /// These keys.
    pub(super) fn new(ring: KeyRing) -> Self {
        Self { generation: next_generation(), ring: Some(ring) }
    }

    /// No keys: none came yet, or they have become too old.
    pub(super) fn closed() -> Self {
        Self { generation: next_generation(), ring: None }
    }

    /// The number of this state, one of a kind in this process.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys, if there are any.
    pub(super) fn ring(&self) -> Option<&KeyRing> {
        self.ring.as_ref()
    }
}

fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

fn secret(path: &Path) -> Result<Key, Mistake> {
    let bytes = read_secret_file(path)?;
    let secret = without_line_end(&bytes);
    if secret.len() < SHORTEST_SECRET {
        let place = path.display().to_string();
        let what = format!("the secret has {} bytes, and HS256 needs at least {SHORTEST_SECRET}", secret.len());
        return Err(Mistake::new(place, what).hint("make one with `openssl rand -base64 32`"));
    }
    Ok(Key { id: None, algorithm: Algorithm::Hs256, verifying: DecodingKey::from_secret(secret) })
}

/// The secret without the one line end that editors and `openssl rand` leave behind.
pub(super) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let Some(line) = bytes.strip_suffix(b"\n") else { return bytes };
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::samples;

    fn ring(keys: &[(Option<&str>, Algorithm)]) -> KeyRing {
        let key = |(id, algorithm): &(Option<&str>, Algorithm)| Key {
            id: id.map(Into::into),
            algorithm: *algorithm,
            verifying: DecodingKey::from_secret(b"a"),
        };
        KeyRing { keys: keys.iter().map(key).collect(), skipped: 0 }
    }

    fn header(key_id: Option<&str>, algorithm: Algorithm) -> Header {
        Header { algorithm, key_id: key_id.map(Into::into), is_access_token: false }
    }

    // Rows 42 and 57.
    #[test]
    fn a_kid_finds_its_key_and_no_other() {
        let ring = ring(&[(Some("a"), Algorithm::Rs256), (Some("b"), Algorithm::Es256), (None, Algorithm::EdDsa)]);
        assert_eq!(ring.find(&header(Some("b"), Algorithm::Es256)).unwrap().id.as_deref(), Some("b"));
        for kid in ["B", "c", "", "../../dev/null", "a' OR 1=1", "http://127.0.0.1/"] {
            assert!(ring.find(&header(Some(kid), Algorithm::Rs256)).is_none(), "{kid}");
        }
    }

    #[test]
    fn without_a_kid_the_only_key_for_the_algorithm_is_taken_and_two_are_not_tried() {
        let ring = ring(&[(Some("a"), Algorithm::Rs256), (Some("b"), Algorithm::Es256), (None, Algorithm::Es256)]);
        assert!(ring.find(&header(None, Algorithm::Rs256)).is_some());
        assert!(ring.find(&header(None, Algorithm::Es256)).is_none());
        assert!(ring.find(&header(None, Algorithm::EdDsa)).is_none());
    }

    #[test]
    fn one_line_end_is_not_part_of_the_secret_and_a_second_one_is() {
        for (file, secret) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a\r"), ("\n", "")] {
            assert_eq!(without_line_end(file.as_bytes()), secret.as_bytes(), "{file:?}");
        }
    }

    // Row 36.
    #[test]
    fn a_secret_under_32_bytes_is_refused_without_its_line_end_counting() {
        let refusal = |text: &str| secret(samples::secret_file(text).path()).map(|_| ()).map_err(|m| m.to_string());
        assert_eq!(refusal(&"s".repeat(32)), Ok(()));
        assert_eq!(refusal(&format!("{}\n", "s".repeat(32))), Ok(()));
        for text in [format!("{}\r\n", "s".repeat(31)), String::new()] {
            let mistake = refusal(&text).unwrap_err();
            assert!(mistake.contains("openssl rand -base64 32") && !mistake.contains("sss"), "{mistake}");
        }
    }
}
