//! The private half: signs what the log says of itself.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use super::{Checkpoint, DASH, Origin, Verifier};
use crate::audit::Digest;
use crate::credentials::read_secret_file;
use crate::domain::Mistake;

/// The key of a log, and the log's name.
pub struct Signer {
    origin: Origin,
    key: Ed25519KeyPair,
    verifier: Verifier,
}

impl Signer {
    /// Reads an Ed25519 key in PKCS#8 and PEM, as `openssl genpkey -algorithm ed25519` makes one, from a file that only
    /// its owner can read; it signs for the log of the name `origin`.
    ///
    /// # Errors
    /// A [`Mistake`] that names the file and shows nothing of it.
    pub fn load(path: &Path, origin: &Origin) -> Result<Self, Mistake> {
        let pem = read_secret_file(path)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).ok();
        let key = key.and_then(|key| Ed25519KeyPair::from_pkcs8(key.secret_pkcs8_der()).ok());
        key.and_then(|key| Self::new(origin.clone(), key)).ok_or_else(|| {
            Mistake::new(path.display().to_string(), "is no Ed25519 private key in PKCS#8 and PEM")
                .hint("make one with `openssl genpkey -algorithm ed25519 -out FILE`, and `chmod 600 FILE`")
        })
    }

    #[cfg(test)]
    pub(in crate::audit) fn of_seed(origin: &str, seed: [u8; 32]) -> Self {
        Self::new(origin.parse().unwrap(), Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()).unwrap()
    }

    fn new(origin: Origin, key: Ed25519KeyPair) -> Option<Self> {
        let public = key.public_key().as_ref().try_into().ok()?;
        Some(Self { verifier: Verifier::new(Some(origin.clone()), public), origin, key })
    }

    /// The note that says that the first `size` records of the log have this `root`.
    #[must_use]
    pub fn checkpoint(&self, size: u64, root: &Digest) -> String {
        let text = Checkpoint { origin: self.origin.clone(), size, root: *root }.text();
        let signature = self.key.sign(text.as_bytes());
        let code = STANDARD.encode([&self.verifier.key_id(&self.origin), signature.as_ref()].concat());
        format!("{text}\n{DASH}{} {code}\n", self.origin)
    }

    /// The public half, to give to whoever is to verify.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
