//! `[auth]`: the issuers whose tokens name callers; the other ways to be known stand beside it.

pub(super) mod api_keys;
pub(super) mod mtls;

use std::time::Duration;

use super::files::NamedFile;
use super::reader::Table;
use super::units::minutes;
use super::values::{not_empty, one_of};
use crate::auth::{Algorithm, IssuerSettings, KeySource};
use crate::domain::Method;

const LONGEST_LEEWAY: Duration = minutes(5);

/// What an entry says that leaves these keys out. `default.toml` cannot hold them, as it has no entry; a test
/// holds its words to these.
const USER_CLAIM: &str = "sub";
const GROUPS_CLAIM: &str = "groups";
const LEEWAY: Duration = Duration::from_secs(30);

const KEY_SOURCES: [&str; 3] = ["jwks_file", "secret_file", "jwks_url"];
/// What stands in the place of an issuer for callers without a token.
const TAKEN: [&str; 2] = [Method::ApiKey.as_str(), Method::Certificate.as_str()];
const NOBODY: &str = "nobody could call: add [[auth.jwt]] with issuer, audience, algorithms and jwks_file or secret_file; \
     or [auth.api_keys], or [auth.mtls]";

pub(super) fn issuers(auth: &Table<'_>) -> Option<Vec<IssuerSettings>> {
    let entries = auth.tables("jwt")?;
    if entries.is_empty() && !auth.has("api_keys") && !auth.has("mtls") {
        auth.need("jwt", NOBODY);
        if auth.has("jwt") {
            auth.mistake("jwt", "is empty", NOBODY);
        }
    }
    let mut issuers: Vec<IssuerSettings> = Vec::with_capacity(entries.len());
    let mut complete = true;
    for entry in &entries {
        match issuer(entry) {
            Some(settings) if TAKEN.contains(&settings.issuer.as_str()) => {
                entry.mistake(
                    "issuer",
                    "is the name by which the gateway knows API keys or certificates",
                    "an issuer is mostly an https URL",
                );
            }
            Some(settings) if issuers.iter().any(|earlier| earlier.issuer == settings.issuer) => {
                entry.mistake("issuer", "is the issuer of an earlier entry too", "give one entry all its audiences");
            }
            Some(settings) => issuers.push(settings),
            None => complete = false,
        }
    }
    complete.then_some(issuers)
}

fn issuer(entry: &Table<'_>) -> Option<IssuerSettings> {
    entry.need("issuer", "the exact `iss` of its tokens");
    entry.need("audience", "what its tokens carry in `aud`: without it, tokens made for others would do here");
    entry.need("algorithms", "a list of `RS256`, `ES256`, `EdDSA` with jwks_file, `HS256` with secret_file");
    let issuer = entry.text("issuer");
    let audiences = entry.list("audience", not_empty);
    let words = Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    let algorithms = entry.list("algorithms", |text| one_of(text, &words));
    let keys = key_source(entry, algorithms.as_deref().unwrap_or_default());
    let user_claim = or_default(entry, "user_claim", entry.text("user_claim"), USER_CLAIM.to_owned());
    let groups_claim = or_default(entry, "groups_claim", entry.text("groups_claim"), GROUPS_CLAIM.to_owned());
    let leeway = or_default(entry, "leeway", entry.duration("leeway", Duration::ZERO..=LONGEST_LEEWAY), LEEWAY);
    refuse_empty(entry, "audience", audiences.as_deref());
    refuse_empty(entry, "algorithms", algorithms.as_deref());
    if let (Some(algorithms), Some(keys)) = (&algorithms, &keys) {
        check_algorithms(entry, algorithms, keys);
    }
    Some(IssuerSettings {
        issuer: issuer?,
        audiences: audiences?,
        algorithms: algorithms?,
        keys: keys?,
        user_claim: user_claim?,
        groups_claim: groups_claim?,
        leeway: leeway?,
    })
}

fn or_default<T>(entry: &Table<'_>, key: &str, read: Option<T>, default: T) -> Option<T> {
    if entry.has(key) { read } else { Some(default) }
}

fn refuse_empty<T>(entry: &Table<'_>, key: &str, list: Option<&[T]>) {
    if list.is_some_and(<[T]>::is_empty) {
        entry.mistake(key, "is empty", "no token would do: name at least one");
    }
}

fn key_source(entry: &Table<'_>, algorithms: &[Algorithm]) -> Option<KeySource> {
    let jwks = entry.path("jwks_file").map(KeySource::Jwks);
    let secret = entry.path("secret_file").map(KeySource::Secret);
    for keys in [&jwks, &secret].into_iter().flatten() {
        entry.names(Some(NamedFile::IssuerKeys(keys.clone(), read_for(keys, algorithms))));
    }
    entry.later("jwks_url", "fetch the set into a file, and name that as jwks_file");
    let set: Vec<&str> = KEY_SOURCES.into_iter().filter(|key| entry.has(key)).collect();
    match set.as_slice() {
        [] => {
            entry.need("jwks_file", "name the issuer's keys: jwks_file (public keys) or secret_file (a shared secret)")
        }
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                let what = format!("is set, and {first} too");
                entry.mistake(other, &what, "keep one of jwks_file, jwks_url and secret_file");
            }
        }
    }
    jwks.or(secret)
}

/// What the file's keys are looked at for: any algorithm where the list is wrong, which is told by itself.
fn read_for(keys: &KeySource, algorithms: &[Algorithm]) -> Vec<Algorithm> {
    let right = !algorithms.is_empty() && algorithms.iter().all(|algorithm| keys.fits(*algorithm));
    if right { algorithms.to_vec() } else { Algorithm::ALL.to_vec() }
}

/// A public key that is taken for a shared secret lets everyone sign (RFC 8725 section 2.1).
fn check_algorithms(entry: &Table<'_>, algorithms: &[Algorithm], keys: &KeySource) {
    for (n, algorithm) in algorithms.iter().enumerate() {
        let symmetric = match algorithm {
            Algorithm::Hs256 => true,
            Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => false,
        };
        let (wants_symmetric, file, others) = match keys {
            KeySource::Secret(_) => (true, "secret_file", "`HS256` is the only algorithm of a shared secret"),
            KeySource::Jwks(_) => (false, "jwks_file", "public keys go with `RS256`, `ES256` and `EdDSA`"),
        };
        if symmetric != wants_symmetric {
            let what = format!("is `{}`, which does not go with {file}", algorithm.as_str());
            entry.mistake(&format!("algorithms[{n}]"), &what, others);
        }
    }
}
