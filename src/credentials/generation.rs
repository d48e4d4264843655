//! Keys with what tells them from others of the same account.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Keys;

/// Of a fingerprint, in bytes.
const FINGERPRINT: usize = 8;

/// One of the keys that an account has had.
#[derive(Debug)]
pub struct Generation {
    keys: Keys,
    fingerprint: Box<str>,
}

impl Generation {
    pub(super) fn new(keys: Keys) -> Self {
        let digest = Sha256::digest(keys.secret_id());
        let fingerprint = hex::encode(digest.get(..FINGERPRINT).unwrap_or_default()).into();
        Self { keys, fingerprint }
    }

    /// The keys to sign with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What stands for the keys in logs, records and pages: 16 hexadecimal digits, made of the SecretId alone.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint)
    }
}
