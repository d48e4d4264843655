//! The public half: tells whether a note is a log's own.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::{KEY_ID, Origin};
use crate::audit::Digest;

/// The type of the signature in keys and key ids: Ed25519.
const ED25519_TYPE: u8 = 0x01;
/// All that comes before the 32 bytes of the key in its SubjectPublicKeyInfo (RFC 8410 section 4).
const INFO: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The public key of a log. Written as `NAME+KEYID+BASE64(type ‖ key)`, the form of Go's checksum database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Whose key it is; a bare public key says nothing of it.
    origin: Option<Origin>,
    key: [u8; 32],
}

impl Verifier {
    pub(super) fn new(origin: Option<Origin>, key: [u8; 32]) -> Self {
        Self { origin, key }
    }

    /// Reads an Ed25519 public key in PEM, as `openssl pkey -pubout` writes one. It verifies for a log of any name.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidKey> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| InvalidKey)?;
        let key = info.strip_prefix(INFO.as_slice()).and_then(|key| key.try_into().ok()).ok_or(InvalidKey)?;
        Ok(Self::new(None, key))
    }

    /// Whether notes of the log of this name are to be signed with it.
    pub(super) fn is_of(&self, origin: &Origin) -> bool {
        self.origin.as_ref().is_none_or(|own| own == origin)
    }

    /// What stands before a signature with it.
    pub(super) fn key_id(&self, origin: &Origin) -> [u8; KEY_ID] {
        let digest = Digest::of(&[origin.as_str().as_bytes(), b"\n", &[ED25519_TYPE], &self.key]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    /// Whether `signature` is one of `text` with this key.
    pub(super) fn holds(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text, signature).is_ok()
    }
}

impl FromStr for Verifier {
    type Err = InvalidKey;

    /// # Errors
    /// [`InvalidKey`], also if the key id is not that of name and key.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(origin), Some(key_id), Some(code)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidKey);
        };
        let origin: Origin = origin.parse().map_err(|_| InvalidKey)?;
        let bytes = STANDARD.decode(code).map_err(|_| InvalidKey)?;
        let [ED25519_TYPE, key @ ..] = bytes.as_slice() else { return Err(InvalidKey) };
        let verifier = Self::new(Some(origin.clone()), key.try_into().map_err(|_| InvalidKey)?);
        if hex::encode(verifier.key_id(&origin)) == key_id { Ok(verifier) } else { Err(InvalidKey) }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = STANDARD.encode([&[ED25519_TYPE], self.key.as_slice()].concat());
        match &self.origin {
            Some(origin) => write!(f, "{origin}+{}+{code}", hex::encode(self.key_id(origin))),
            None => f.write_str(&code),
        }
    }
}

/// The text is no public key of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: write it as `ci-gateway audit key` prints it, or name a PEM file")]
pub struct InvalidKey;
