//! A SHA-256, the only digest of the audit.

use std::fmt;
use std::io::{self, BufRead};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// 32 bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of all `parts`, one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }

    /// Of all that `reader` gives.
    ///
    /// # Errors
    /// What the reader says.
    pub(super) fn of_all(mut reader: impl BufRead) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        loop {
            let bytes = reader.fill_buf()?;
            let read = bytes.len();
            if read == 0 {
                return Ok(Self(hasher.finalize().into()));
            }
            hasher.update(bytes);
            reader.consume(read);
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 digits.
    pub(super) fn to_hex(self) -> [u8; 64] {
        let mut digits = [0; 64];
        // 32 bytes always fill 64 digits.
        let _filled = hex::encode_to_slice(self.0, &mut digits);
        digits
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    /// # Errors
    /// [`NotADigest`] for anything but 64 digits; a capital letter is a change to the file like any other.
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) || hex::decode_to_slice(text, &mut bytes).is_err() {
            return Err(NotADigest);
        }
        Ok(Self(bytes))
    }
}

/// The text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hexadecimal digits")]
pub struct NotADigest;

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2 appendix B.1.
    #[test]
    fn the_digest_of_abc_is_that_of_the_standard_and_is_read_back() {
        let digest = Digest::of(&[b"a", b"bc"]);
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((digest.to_string(), text.parse()), (text.to_owned(), Ok(digest)));
        assert_eq!(&digest.to_hex(), text.as_bytes());
    }

    #[test]
    fn one_digest_has_one_spelling() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for other in [text.to_uppercase(), text.replacen('b', "", 1), format!("{text}0"), text.replacen('b', "g", 1)] {
            assert_eq!(other.parse::<Digest>(), Err(NotADigest), "{other}");
        }
    }
}
