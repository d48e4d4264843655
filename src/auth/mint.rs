//! Development tokens: the counterpart of the rest of `auth`, for `ci-gateway token` and `ci-gateway dev`.
//!
//! The gateway itself never mints; in production, tokens come from an issuer that it cannot speak for.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use super::keys::{SHORTEST_SECRET, without_line_end};
use super::{Algorithm, LONGEST_LIFETIME};
use crate::domain::Caller;

/// A key that signs tokens. It is overwritten when dropped, and `Debug` does not show it.
pub struct SigningSecret {
    key: EncodingKey,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl SigningSecret {
    /// A secret shared with the gateway, for HS256: what stands in its `secret_file`, in which one line end is
    /// not part of the secret.
    ///
    /// # Errors
    /// [`CannotMint::ShortSecret`] under 32 bytes.
    pub fn shared(secret_file: &[u8]) -> Result<Self, CannotMint> {
        let secret = without_line_end(secret_file);
        if secret.len() < SHORTEST_SECRET {
            return Err(CannotMint::ShortSecret);
        }
        Ok(Self { key: EncodingKey::from_secret(secret), algorithm: Algorithm::Hs256, key_id: None })
    }

    /// A private key in PEM: PKCS#8, or for RSA also PKCS#1. `key_id` becomes the `kid` of its tokens.
    ///
    /// # Errors
    /// [`CannotMint::Symmetric`] for HS256, [`CannotMint::PrivateKey`] if the text is no key for `algorithm`.
    pub fn private_key(pem: &[u8], algorithm: Algorithm, key_id: Option<String>) -> Result<Self, CannotMint> {
        let key = match algorithm {
            Algorithm::Hs256 => return Err(CannotMint::Symmetric),
            Algorithm::Rs256 => EncodingKey::from_rsa_pem(pem),
            Algorithm::Es256 => EncodingKey::from_ec_pem(pem),
            Algorithm::EdDsa => EncodingKey::from_ed_pem(pem),
        };
        // The library's own error may quote the text.
        let key = key.map_err(|_| CannotMint::PrivateKey(algorithm))?;
        // A public key, a P-384 key or a damaged one is found only by signing.
        jsonwebtoken::crypto::sign(b"", &key, algorithm.in_jsonwebtoken())
            .map_err(|_| CannotMint::PrivateKey(algorithm))?;
        Ok(Self { key, algorithm, key_id })
    }

    /// What its tokens are signed with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

/// What a development token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevelopmentClaims {
    /// `iss`: an issuer of the gateway's configuration.
    pub issuer: String,
    /// `aud`: one of that issuer's audiences.
    pub audience: String,
    /// `sub`: the caller's name.
    pub caller: String,
    /// `groups`: the caller's groups, perhaps none.
    pub groups: Vec<String>,
    /// `iat`: now; fractions of a second are dropped.
    pub issued_at: Timestamp,
    /// `exp` less `iat`: from one second to [`LONGEST_LIFETIME`], in whole seconds.
    pub lifetime: Duration,
}

impl DevelopmentClaims {
    /// When the token ends, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        self.issued_at.as_second().saturating_add_unsigned(self.lifetime.as_secs())
    }

    fn check(&self) -> Result<(), CannotMint> {
        if self.issuer.is_empty() || self.audience.is_empty() {
            return Err(CannotMint::Empty);
        }
        if self.lifetime < Duration::from_secs(1) || self.lifetime > LONGEST_LIFETIME {
            return Err(CannotMint::Lifetime);
        }
        Caller::new(&self.caller, self.groups.iter().map(String::as_str), &self.issuer)?;
        Ok(())
    }
}

/// A token that says `claims`, signed with `secret`.
///
/// # Errors
/// [`CannotMint`] if the gateway would refuse such claims, or if the key does not sign.
pub fn mint(secret: &SigningSecret, claims: &DevelopmentClaims) -> Result<String, CannotMint> {
    claims.check()?;
    let mut header = Header::new(secret.algorithm.in_jsonwebtoken());
    header.kid.clone_from(&secret.key_id);
    let body = Body {
        iss: &claims.issuer,
        aud: &claims.audience,
        sub: &claims.caller,
        groups: &claims.groups,
        iat: claims.issued_at.as_second(),
        exp: claims.expires_at(),
    };
    jsonwebtoken::encode(&header, &body, &secret.key).map_err(|_| CannotMint::Signing)
}

/// The names of RFC 7519 section 4.1.
#[derive(Serialize)]
struct Body<'c> {
    iss: &'c str,
    aud: &'c str,
    sub: &'c str,
    groups: &'c [String],
    iat: i64,
    exp: i64,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotMint {
    /// Under 32 bytes.
    #[error("the secret is shorter than {SHORTEST_SECRET} bytes: make one with `openssl rand -base64 32`")]
    ShortSecret,
    /// A private key with the algorithm of secrets.
    #[error("HS256 needs a shared secret, not a private key: choose `RS256`, `ES256` or `EdDSA`")]
    Symmetric,
    /// The text is not such a key.
    #[error("not a private key for {} in PEM: convert it with `openssl pkcs8 -topk8 -nocrypt`", .0.as_str())]
    PrivateKey(Algorithm),
    /// The issuer or the audience is empty.
    #[error("the issuer and the audience must not be empty")]
    Empty,
    /// Too short or too long.
    #[error("a token lives from a second to {} days", LONGEST_LIFETIME.as_secs() / 86_400)]
    Lifetime,
    /// A name that no caller can have.
    #[error(transparent)]
    Caller(#[from] crate::domain::InvalidCaller),
    /// The key worked when it was read and does not now.
    #[error("the key does not sign")]
    Signing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> DevelopmentClaims {
        DevelopmentClaims {
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
            caller: "alice".to_owned(),
            groups: vec![],
            issued_at: Timestamp::UNIX_EPOCH,
            lifetime: Duration::from_secs(3600),
        }
    }

    #[test]
    fn what_the_gateway_would_refuse_is_not_minted() {
        let secret = SigningSecret::shared(&[7; 32]).unwrap();
        assert!(mint(&secret, &claims()).is_ok());
        let refusal = |claims: DevelopmentClaims| mint(&secret, &claims).unwrap_err();
        assert_eq!(refusal(DevelopmentClaims { issuer: String::new(), ..claims() }), CannotMint::Empty);
        assert_eq!(
            refusal(DevelopmentClaims { lifetime: Duration::from_millis(999), ..claims() }),
            CannotMint::Lifetime
        );
        let lifetime = LONGEST_LIFETIME + Duration::from_secs(1);
        assert_eq!(refusal(DevelopmentClaims { lifetime, ..claims() }), CannotMint::Lifetime);
        assert!(matches!(refusal(DevelopmentClaims { caller: "a\nb".to_owned(), ..claims() }), CannotMint::Caller(_)));
        assert_eq!(SigningSecret::shared(&[7; 31]).unwrap_err(), CannotMint::ShortSecret);
    }

    #[test]
    fn debug_shows_no_part_of_the_secret() {
        let secret = SigningSecret::shared(b"marker-marker-marker-marker-marker").unwrap();
        assert!(!format!("{secret:?} {secret:#?}").contains("marker"));
    }

    #[test]
    fn a_private_key_of_another_kind_is_refused_in_words_that_tell_the_cure() {
        let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        for (pem, algorithm) in [
            (ed.serialize_pem(), Algorithm::Es256),
            (ed.serialize_pem(), Algorithm::Rs256),
            (p384.serialize_pem(), Algorithm::Es256),
            (ed.public_key_pem(), Algorithm::EdDsa),
            ("marker".to_owned(), Algorithm::Rs256),
            (ed.serialize_pem(), Algorithm::Hs256),
        ] {
            let why = SigningSecret::private_key(pem.as_bytes(), algorithm, None).unwrap_err().to_string();
            assert!(why.contains("openssl pkcs8") || why.contains("choose"), "{why}");
        }
        assert!(SigningSecret::private_key(ed.serialize_pem().as_bytes(), Algorithm::EdDsa, None).is_ok());
    }
}
