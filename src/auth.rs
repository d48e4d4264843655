//! Credentials in a request's head become a caller.

use std::path::PathBuf;
use std::time::Duration;

/// An issuer of JWTs whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The exact `iss`.
    pub issuer: String,
    /// At least one of these must stand in `aud`.
    pub audiences: Vec<String>,
    /// The algorithms that its keys may be used with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeySource,
    /// The claim that names the caller; `sub` unless configured.
    pub user_claim: String,
    /// The claim that lists the caller's groups; `groups` unless configured.
    pub groups_claim: String,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with a shared secret, for HS256.
    Secret(PathBuf),
    /// A JWK set (RFC 7517) of public keys, for the asymmetric algorithms.
    Jwks(PathBuf),
}

/// A signature algorithm that the gateway accepts (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a token's `alg` and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}
