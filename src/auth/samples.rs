//! Keys, files and hand-made tokens for the tests of this module. Every key is made anew in each run.

use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    Algorithm, Authenticator, IssuerSettings, KeySource, Presented, Profile, Refused, Settings, TokenCacheSettings,
};
use crate::domain::Caller;

pub(super) const SECRET: &[u8] = b"a-secret-of-more-than-32-bytes-for-tests";
pub(super) const SHARED: &str = "https://shared.example";
pub(super) const PUBLIC: &str = "https://public.example";
pub(super) const AUDIENCE: &str = "ci-gateway";
/// 2026-11-22T00:00:00Z.
pub(super) const NOW: i64 = 1_795_305_600;

/// A key as its owner holds it.
pub(super) struct Pair {
    pub(super) algorithm: Algorithm,
    pub(super) pem: String,
    /// The public half as a JWK, with its algorithm's name as `kid`; `null` for a shared secret.
    pub(super) jwk: Value,
    signing: EncodingKey,
}

impl Pair {
    /// A fresh pair; for HS256, the one with [`SECRET`].
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::Hs256 => return Self::shared(SECRET),
            Algorithm::Rs256 => &PKCS_RSA_SHA256,
            Algorithm::Es256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDsa => &PKCS_ED25519,
        };
        let pair = KeyPair::generate_for(kind).unwrap();
        let pem = pair.serialize_pem();
        let base64 = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        let (signing, mut jwk) = match algorithm {
            Algorithm::Hs256 | Algorithm::Rs256 => {
                let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
                let jwk = Jwk::from_encoding_key(&signing, jsonwebtoken::Algorithm::RS256).unwrap();
                (signing, serde_json::to_value(jwk).unwrap())
            }
            Algorithm::Es256 => {
                let (x, y) = pair.public_key_raw()[1..].split_at(32);
                let jwk = json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) });
                (EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(), jwk)
            }
            Algorithm::EdDsa => {
                let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key_raw()) });
                (EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(), jwk)
            }
        };
        jwk["alg"] = json!(algorithm.as_str());
        jwk["kid"] = json!(algorithm.as_str());
        jwk["use"] = json!("sig");
        Self { algorithm, pem, jwk, signing }
    }

    /// A shared secret, or what a forger takes for one.
    pub(super) fn shared(secret: &[u8]) -> Self {
        let signing = EncodingKey::from_secret(secret);
        Self { algorithm: Algorithm::Hs256, pem: String::new(), jwk: Value::Null, signing }
    }

    /// `header.claims.signature`, whatever the two texts are.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let algorithm = self.algorithm.in_jsonwebtoken();
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.signing, algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

/// The pair for `algorithm`, the same throughout a run: an RSA key takes a while to make.
pub(super) fn pair(algorithm: Algorithm) -> &'static Pair {
    static PAIRS: LazyLock<[Pair; 4]> = LazyLock::new(|| Algorithm::ALL.map(Pair::new));
    PAIRS.iter().find(|pair| pair.algorithm == algorithm).unwrap()
}

/// The set of the three public keys.
pub(super) fn key_set() -> Value {
    let keys = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa].map(|algorithm| &pair(algorithm).jwk);
    json!({ "keys": keys })
}

/// A file that only its owner can read.
pub(super) fn secret_file(text: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

pub(super) fn settings(issuer: &str, keys: KeySource) -> IssuerSettings {
    let algorithms = match keys {
        KeySource::Secret(_) => vec![Algorithm::Hs256],
        KeySource::Jwks(_) | KeySource::JwksUrl(_) => vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
    };
    IssuerSettings {
        issuer: issuer.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "second".to_owned()],
        algorithms,
        keys,
        user_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
        leeway: Duration::from_secs(30),
        prefix: String::new(),
        profile: Profile::Jwt,
        required_scope: None,
    }
}

/// Two issuers: [`SHARED`] with [`SECRET`], and [`PUBLIC`] with [`key_set`]. It remembers verified tokens.
pub(super) fn authenticator() -> &'static Authenticator {
    static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
        let secret = secret_file([SECRET, b"\n"].concat());
        let keys = secret_file(key_set().to_string());
        let shared = settings(SHARED, KeySource::Secret(secret.path().into()));
        let public = settings(PUBLIC, KeySource::Jwks(keys.path().into()));
        load(vec![shared, public])
    });
    &AUTHENTICATOR
}

/// An authenticator that remembers some tokens.
pub(super) fn load(issuers: Vec<IssuerSettings>) -> Authenticator {
    Authenticator::load(&with_cache(issuers), None).unwrap()
}

pub(super) fn with_cache(issuers: Vec<IssuerSettings>) -> Settings {
    Settings { issuers, token_cache: TokenCacheSettings { entries: 100, time: Duration::from_secs(300) } }
}

/// What `future` comes to without waiting for anything.
pub(super) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// What comes of the credentials, none of which are waited for.
pub(super) fn ask(
    authenticator: &Authenticator,
    presented: Presented<'_>,
    now: Timestamp,
) -> Result<Arc<Caller>, Refused> {
    at_once(authenticator.authenticate(presented, now, tokio::time::Instant::now()))
}

/// A head with `Authorization: Bearer …`.
pub(super) fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// The header of a good token for `algorithm`.
pub(super) fn header(algorithm: Algorithm) -> Value {
    if algorithm.is_symmetric() {
        json!({ "alg": "HS256", "typ": "JWT" })
    } else {
        json!({ "alg": algorithm.as_str(), "typ": "at+jwt", "kid": algorithm.as_str() })
    }
}

/// The claims of a good token for `algorithm`.
pub(super) fn claims(algorithm: Algorithm) -> Value {
    let issuer = if algorithm.is_symmetric() { SHARED } else { PUBLIC };
    json!({ "iss": issuer, "aud": AUDIENCE, "sub": "alice", "groups": ["team-a", "团队"], "iat": NOW, "exp": NOW + 600 })
}
