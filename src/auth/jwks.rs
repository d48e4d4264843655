//! A JWK set (RFC 7517), from a file or from an address: the public keys of one issuer.

mod address;
mod fetch;
mod remote;

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use rustls::crypto::aws_lc_rs::kx_group::SECP256R1;

use super::json::{Json, Object};
use super::jws::key_id;
use super::keys::Key;
use super::{Algorithm, FetchSettings, roca};
use crate::credentials::read_file;
use crate::domain::{Mistake, Mistakes};

pub use address::{InvalidJwksUrl, JwksUrl};
pub use remote::KeySetState;
pub(super) use remote::Remote;

/// In bytes: room for more than fifty keys of RSA-4096.
const LARGEST: usize = 64 * 1024;
/// Issuers have two or three, and a few more while they change them.
const MOST_KEYS: usize = 32;
/// The private members of RFC 7518 section 6 and RFC 8037, and `k` of symmetric keys.
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const SMALLEST_EXPONENT: u32 = 65537;

/// What can be used of a set.
#[derive(Default)]
pub(super) struct KeySet {
    /// At least one, no two with the same id.
    pub(super) keys: Vec<Key>,
    /// How many others there were.
    pub(super) skipped: usize,
}

impl FetchSettings {
    /// Fetches the set once, and counts the keys in it that can be used with `algorithms`.
    ///
    /// # Errors
    /// Every mistake: nobody answers, or what is answered is no set.
    pub async fn fetch_once(&self, algorithms: &[Algorithm]) -> Result<usize, Mistakes> {
        let source = fetch::Source::new(self, &fetch::authorities(self.ca_file.as_deref())?)?;
        let place = self.url.to_string();
        let unfetched = |why: fetch::Unfetched| {
            Mistake::new(place.as_str(), why.to_string())
                .hint("ask for jwks_url from this machine, as by curl; the other end has to prove itself")
        };
        let text = source.fetch().await.map_err(unfetched)?;
        keys(&place, &text, algorithms).map(|set| set.keys.len())
    }
}

/// The keys in the file at `path` that verify with one of the `allowed` algorithms, at least one.
///
/// # Errors
/// Every mistake: an unreadable file, a private or symmetric key in it, an id that stands twice, or no key that
/// can be used, with the reason for each.
pub(super) fn load(path: &Path, allowed: &[Algorithm]) -> Result<KeySet, Mistakes> {
    let place = path.display().to_string();
    let text = read_file(path, LARGEST as u64)
        .map_err(|why| Mistake::new(place.as_str(), format!("cannot be read: {why}")))?;
    keys(&place, &text, allowed)
}

/// The usable keys of the set `text`; mistakes are placed in `place`.
pub(super) fn keys(place: &str, text: &[u8], allowed: &[Algorithm]) -> Result<KeySet, Mistakes> {
    let set = Object::parse(text).map_err(|why| {
        let what = format!("is not JSON in which every member stands once, at column {}", why.column());
        Mistake::new(place, what)
            .at_line(why.line())
            .hint("fetch the JWK set anew from the issuer's jwks_uri: {\"keys\": […]}")
    })?;
    let Some(Json::List(entries)) = set.get("keys") else {
        let mistake = Mistake::new(place, "is not a JWK set: it has no list `keys`");
        return Err(mistake.hint("write {\"keys\": […]}, as the issuer's jwks_uri gives it").into());
    };
    if entries.len() > MOST_KEYS {
        let what = format!("has {} keys, and one issuer has {MOST_KEYS} at most", entries.len());
        return Err(Mistake::new(place, what).hint("keep the keys that tokens are signed with now").into());
    }
    let (mut keys, mut unfit, mut mistakes, mut ids) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
    for (index, entry) in entries.iter().enumerate() {
        let number = index + 1;
        match key(entry, allowed) {
            Ok(key) => keys.push(key),
            Err(why @ (Unfit::Private | Unfit::Symmetric)) => {
                mistakes.push(Mistake::new(place, format!("key {number} {why}")).hint("keep only the public members"));
            }
            Err(why) => unfit.push(format!("key {number} {why}")),
        }
        if let Some(id) = id(entry).filter(|id| !ids.insert(*id)) {
            let what = format!("key {number} has the kid `{}` of a key before it", id.escape_debug());
            mistakes.push(Mistake::new(place, what).hint("give every key a `kid` of its own"));
        }
    }
    if keys.is_empty() && mistakes.is_empty() {
        mistakes.push(no_key(place, &unfit));
    }
    Mistakes::unless_any(mistakes, KeySet { keys, skipped: unfit.len() })
}

fn id(entry: &Json) -> Option<&str> {
    match entry {
        Json::Object(entry) => entry.text("kid"),
        Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Bool(_) | Json::Null => None,
    }
}

fn no_key(place: &str, unfit: &[String]) -> Mistake {
    let why = if unfit.is_empty() { "`keys` is empty".to_owned() } else { unfit.join("; ") };
    Mistake::new(place, format!("no key can be used: {why}"))
        .hint("add an RSA key of 2048 bits or more, a P-256 key or an Ed25519 key, and list its algorithm")
}

/// Why a key of the set is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("is not an object")]
    NoObject,
    #[error("holds private members: they belong to the issuer alone")]
    Private,
    #[error("is symmetric: whoever reads this file could make tokens")]
    Symmetric,
    #[error("has a `kid` that is not a text of 1 to 128 bytes")]
    KeyId,
    #[error("is not for signatures: its `use` is not `sig`")]
    Use,
    #[error("is not for verifying: its `key_ops` lack `verify`")]
    Operations,
    #[error("is of another `kty` or `crv` than RSA, P-256 and Ed25519")]
    Kind,
    #[error("has an `alg` that its kind cannot have or that the gateway does not know")]
    WrongAlgorithm,
    #[error("is for an algorithm that `algorithms` does not list")]
    NotAllowed,
    #[error("lacks a member, or has one that is not strict base64url")]
    Member,
    #[error("has an RSA modulus that is not odd, without leading zeros and of 2048 to 8192 bits")]
    Modulus,
    #[error("has an RSA modulus of a broken generator (CVE-2017-15361): its private key can be computed")]
    BrokenGenerator,
    #[error("has an RSA exponent that is not odd and from 65537 to 4294967295")]
    Exponent,
    #[error("has a coordinate that is not of 32 bytes")]
    Coordinate,
    #[error("is not a point of P-256")]
    OffCurve,
}

fn key(entry: &Json, allowed: &[Algorithm]) -> Result<Key, Unfit> {
    let Json::Object(entry) = entry else { return Err(Unfit::NoObject) };
    // Before all else, so that no reason to skip a key hides a secret in the file.
    if entry.text("kty") == Some("oct") {
        return Err(Unfit::Symmetric);
    }
    if PRIVATE.iter().any(|name| entry.has(name)) {
        return Err(Unfit::Private);
    }
    let algorithm = algorithm(entry)?;
    check_purpose(entry)?;
    if !allowed.contains(&algorithm) {
        return Err(Unfit::NotAllowed);
    }
    let id = match entry.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_text().and_then(key_id).ok_or(Unfit::KeyId)?),
    };
    Ok(Key { id, algorithm, verifying: verifying(entry, algorithm)? })
}

/// The only algorithm of the key's kind; its `alg`, where there is one, must be that.
fn algorithm(entry: &Object) -> Result<Algorithm, Unfit> {
    let algorithm = match (entry.text("kty"), entry.text("crv")) {
        (Some("RSA"), None) => Algorithm::Rs256,
        (Some("EC"), Some("P-256")) => Algorithm::Es256,
        (Some("OKP"), Some("Ed25519")) => Algorithm::EdDsa,
        (Some(_) | None, Some(_) | None) => return Err(Unfit::Kind),
    };
    let agrees = !entry.has("alg") || entry.text("alg") == Some(algorithm.as_str());
    if agrees { Ok(algorithm) } else { Err(Unfit::WrongAlgorithm) }
}

/// RFC 7517 sections 4.2 and 4.3: a key that says what it is for is used for nothing else.
fn check_purpose(entry: &Object) -> Result<(), Unfit> {
    if entry.has("use") && entry.text("use") != Some("sig") {
        return Err(Unfit::Use);
    }
    match entry.get("key_ops") {
        None => Ok(()),
        Some(Json::List(operations)) if operations.iter().any(|one| one.as_text() == Some("verify")) => Ok(()),
        Some(Json::List(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) | Json::Bool(_) | Json::Null) => {
            Err(Unfit::Operations)
        }
    }
}

fn verifying(entry: &Object, algorithm: Algorithm) -> Result<DecodingKey, Unfit> {
    match algorithm {
        Algorithm::Hs256 => Err(Unfit::Symmetric),
        Algorithm::Rs256 => rsa(&bytes(entry, "n")?, &bytes(entry, "e")?),
        Algorithm::Es256 => {
            let (x, y) = (coordinate(entry, "x")?, coordinate(entry, "y")?);
            // The uncompressed form of SEC 1 section 2.3.3.
            let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
            if is_on_curve(&point) { Ok(DecodingKey::from_ec_der(&point)) } else { Err(Unfit::OffCurve) }
        }
        Algorithm::EdDsa => Ok(DecodingKey::from_ed_der(&coordinate(entry, "x")?)),
    }
}

/// A key agreement looks at its peer's point first, and nothing else at hand does.
fn is_on_curve(point: &[u8]) -> bool {
    SECP256R1.start().and_then(|own| own.complete(point)).is_ok()
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<DecodingKey, Unfit> {
    let first = modulus.first().copied().unwrap_or_default();
    let bits = (modulus.len() * 8).saturating_sub(first.leading_zeros() as usize);
    let odd = modulus.last().is_some_and(|last| last % 2 == 1);
    if first == 0 || !odd || !RSA_BITS.contains(&bits) {
        return Err(Unfit::Modulus);
    }
    if roca::is_marked(modulus) {
        return Err(Unfit::BrokenGenerator);
    }
    // An exponent of 1 makes every message its own signature, and 3 has been forged against lax paddings.
    let value = exponent.iter().try_fold(0_u32, |value, byte| value.checked_mul(256)?.checked_add(u32::from(*byte)));
    let fits = value.is_some_and(|value| value >= SMALLEST_EXPONENT && value % 2 == 1);
    if !fits || exponent.first() == Some(&0) {
        return Err(Unfit::Exponent);
    }
    Ok(DecodingKey::from_rsa_raw_components(modulus, exponent))
}

fn coordinate(entry: &Object, name: &str) -> Result<Vec<u8>, Unfit> {
    let bytes = bytes(entry, name)?;
    if bytes.len() == 32 { Ok(bytes) } else { Err(Unfit::Coordinate) }
}

fn bytes(entry: &Object, name: &str) -> Result<Vec<u8>, Unfit> {
    entry.text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Unfit::Member)
}

#[cfg(test)]
mod tests;
