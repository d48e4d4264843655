//! The signature algorithms that the gateway accepts.

use std::str::FromStr;

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

    /// Whether the key that verifies can also sign.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        match self {
            Self::Hs256 => true,
            Self::Rs256 | Self::Es256 | Self::EdDsa => false,
        }
    }

    pub(super) const fn in_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads the name as RFC 7518 spells it; upper and lower case count.
    ///
    /// # Errors
    /// [`UnknownAlgorithm`] for any other text, `none` in every spelling among them.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(UnknownAlgorithm)
    }
}

/// The text names no algorithm that the gateway accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an algorithm of this gateway: write `HS256`, `RS256`, `ES256` or `EdDSA`")]
pub struct UnknownAlgorithm;

#[cfg(test)]
mod tests {
    use super::*;

    // Row 34.
    #[test]
    fn every_algorithm_reads_back_and_other_spellings_do_not() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(algorithm.as_str().to_lowercase().parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
        for text in ["none", "None", "NONE", "nOnE", "", "HS512", "PS256", "Ed25519", "ES256K", "HS256 "] {
            assert_eq!(text.parse::<Algorithm>(), Err(UnknownAlgorithm), "{text}");
        }
    }
}
