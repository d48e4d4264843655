//! `[auth]`: the issuers whose tokens name callers; the other ways to be known stand beside it.

pub(super) mod api_keys;
pub(super) mod mtls;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::files::NamedFile;
use super::reader::Table;
use super::units::minutes;
use super::values::{not_empty, one_of};
use crate::auth::{Algorithm, FetchSettings, IssuerSettings, KeySource, Profile, Settings, TokenCacheSettings};
use crate::domain::Method;

const LONGEST_LEEWAY: Duration = minutes(5);
/// More often would be a burden to the issuer; less often would leave a key that was taken back in use for long.
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(10)..=minutes(24 * 60);
const MAX_AGE: RangeInclusive<Duration> = Duration::from_secs(10)..=minutes(30 * 24 * 60);
const CACHE_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=minutes(60);
const MOST_CACHED: u32 = 1_000_000;
/// Not for operators to choose: what a stranger with unknown key ids may bring about, and how long a caller waits for it.
const FETCH_RETRY: Duration = Duration::from_secs(30);
const FETCH_TIME: Duration = Duration::from_secs(3);

/// What an entry says that leaves these keys out. `default.toml` cannot hold them, as it has no entry; a test
/// holds its words to these.
const USER_CLAIM: &str = "sub";
const GROUPS_CLAIM: &str = "groups";
const LEEWAY: Duration = Duration::from_secs(30);
const JWKS_REFRESH: Duration = minutes(10);
const JWKS_MAX_AGE: Duration = minutes(24 * 60);
const PREFIX: &str = "";
const PROFILE: Profile = Profile::Jwt;

const KEY_SOURCES: [&str; 3] = ["jwks_file", "secret_file", "jwks_url"];
const OF_FETCHED_KEYS: [&str; 3] = ["jwks_ca_file", "jwks_refresh", "jwks_max_age"];
/// What stands in the place of an issuer for callers without a token.
const TAKEN: [&str; 2] = [Method::ApiKey.as_str(), Method::Certificate.as_str()];
const NOBODY: &str = "nobody could call: add [[auth.jwt]] with issuer, audience, algorithms and jwks_url, jwks_file or \
     secret_file; or [auth.api_keys], or [auth.mtls]";

pub(super) fn auth(auth: &Table<'_>) -> Option<Settings> {
    let entries = auth.number("token_cache", 0..=MOST_CACHED);
    let time = auth.duration("token_cache_time", CACHE_TIME);
    let issuers = issuers(auth);
    Some(Settings { issuers: issuers?, token_cache: TokenCacheSettings { entries: entries?, time: time? } })
}

fn issuers(auth: &Table<'_>) -> Option<Vec<IssuerSettings>> {
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
    entry
        .need("algorithms", "a list of `RS256`, `ES256`, `EdDSA` with jwks_url or jwks_file, `HS256` with secret_file");
    let issuer = entry.text("issuer");
    let audiences = entry.list("audience", not_empty);
    let words = Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    let algorithms = entry.list("algorithms", |text| one_of(text, &words));
    let keys = key_source(entry, algorithms.as_deref().unwrap_or_default());
    let user_claim = or_default(entry, "user_claim", entry.text("user_claim"), USER_CLAIM.to_owned());
    let groups_claim = or_default(entry, "groups_claim", entry.text("groups_claim"), GROUPS_CLAIM.to_owned());
    let leeway = or_default(entry, "leeway", entry.duration("leeway", Duration::ZERO..=LONGEST_LEEWAY), LEEWAY);
    let prefix = or_default(entry, "prefix", entry.with("prefix", |text| Ok(text.to_owned())), PREFIX.to_owned());
    let profiles = [("jwt", Profile::Jwt), ("rfc9068", Profile::Rfc9068)];
    let profile = or_default(entry, "profile", entry.choice("profile", &profiles), PROFILE);
    let required_scope = or_default(entry, "required_scope", entry.text("required_scope").map(Some), None);
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
        prefix: prefix?,
        profile: profile?,
        required_scope: required_scope?,
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
    let url = fetched(entry).map(KeySource::JwksUrl);
    for keys in [&jwks, &secret, &url].into_iter().flatten() {
        entry.names(Some(NamedFile::IssuerKeys(keys.clone(), read_for(keys, algorithms))));
    }
    let set: Vec<&str> = KEY_SOURCES.into_iter().filter(|key| entry.has(key)).collect();
    match set.as_slice() {
        [] => {
            let hint = "name the issuer's keys: jwks_url or jwks_file (public keys), or secret_file (a shared secret)";
            entry.need("jwks_url", hint);
        }
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                let what = format!("is set, and {first} too");
                entry.mistake(other, &what, "keep one of jwks_file, jwks_url and secret_file");
            }
        }
    }
    jwks.or(secret).or(url)
}

/// The keys at an address, if one is written.
fn fetched(entry: &Table<'_>) -> Option<FetchSettings> {
    let url = entry.parsed("jwks_url");
    let ca_file = or_default(entry, "jwks_ca_file", entry.path("jwks_ca_file").map(Some), None);
    let refresh = or_default(entry, "jwks_refresh", entry.duration("jwks_refresh", REFRESH), JWKS_REFRESH);
    let max_age = or_default(entry, "jwks_max_age", entry.duration("jwks_max_age", MAX_AGE), JWKS_MAX_AGE);
    if !entry.has("jwks_url") {
        for key in OF_FETCHED_KEYS.into_iter().filter(|key| entry.has(key)) {
            entry.mistake(key, "is set, and jwks_url is not", "it is about keys that are fetched: leave it out");
        }
        return None;
    }
    let (refresh, max_age) = (refresh?, max_age?);
    // With less, a single slow fetch would be enough to refuse everyone.
    if max_age < refresh * 2 {
        let key = if entry.has("jwks_max_age") { "jwks_max_age" } else { "jwks_refresh" };
        let hint =
            "jwks_max_age is the longer one, at least twice jwks_refresh: how long keys are used without a fetch";
        entry.mistake(key, "lets keys become too old before they are fetched again", hint);
    }
    Some(FetchSettings { url: url?, ca_file: ca_file?, refresh, max_age, retry: FETCH_RETRY, time: FETCH_TIME })
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
            KeySource::JwksUrl(_) => (false, "jwks_url", "public keys go with `RS256`, `ES256` and `EdDSA`"),
        };
        if symmetric != wants_symmetric {
            let what = format!("is `{}`, which does not go with {file}", algorithm.as_str());
            entry.mistake(&format!("algorithms[{n}]"), &what, others);
        }
    }
}
