//! The vectors of C2SP/wycheproof for JSON web signatures and keys, read from the folder that
//! `CI_GATEWAY_WYCHEPROOF` names. `.ci/run` sets it; the vectors are not part of this repository.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};

use super::jws::Jws;
use super::keys::Key;
use super::{Algorithm, jwks};

const ASYMMETRIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

type Numbers = std::ops::RangeInclusive<u64>;

/// Marked invalid and accepted by us, with the reason.
const ACCEPTED: [(Numbers, &str); 2] = [
    (367..=367, "byte for byte a correctly signed token: the padding of its header was lost upstream"),
    (370..=370, "the same of its payload"),
];
/// Marked valid and refused by us, with the reason.
const REFUSED: [(Numbers, &str); 9] = [
    (264..=267, "RS384, which the gateway does not have"),
    (268..=271, "RS512, which the gateway does not have"),
    (272..=275, "PS256, which the gateway does not have"),
    (287..=288, "PS256, which the gateway does not have"),
    (320..=323, "PS384, which the gateway does not have"),
    (325..=328, "PS512, which the gateway does not have"),
    (346..=347, "PS384 with a key whose `alg` says PS256, and ES512, which the gateway does not have"),
    (350..=351, "the same two again"),
    (372..=373, "`?` inside of base64url, in the header and in the payload: RFC 7515 section 2 says refuse"),
];
/// Key sets that are marked valid and that we refuse, with the reason.
const REFUSED_SETS: [(Numbers, &str); 3] = [
    (2..=2, "two shared secrets in a key set: here a secret stands in a secret file, alone and without a `kid`"),
    (13..=13, "one shared secret in a key set: the same"),
    (14..=15, "shared secrets for HS384 and HS512, which the gateway does not have"),
];

fn listed(with_reasons: &[(Numbers, &str)]) -> BTreeSet<u64> {
    with_reasons.iter().flat_map(|(numbers, _)| numbers.clone()).collect()
}

fn groups(file: &str) -> Vec<Value> {
    let folder = std::env::var_os("CI_GATEWAY_WYCHEPROOF").expect("CI_GATEWAY_WYCHEPROOF must name the folder");
    let text = std::fs::read(PathBuf::from(folder).join(file)).unwrap();
    let mut vectors: Value = serde_json::from_slice(&text).unwrap();
    serde_json::from_value(vectors["testGroups"].take()).unwrap()
}

/// The key of a group, through our own reader; a symmetric one as if it came from a secret file.
fn key(group: &Value) -> Option<Key> {
    let private = &group["private"];
    if private["kty"] == "oct" {
        let hs256 = private["alg"] == "HS256";
        let secret = URL_SAFE_NO_PAD.decode(private["k"].as_str().unwrap()).unwrap();
        let verifying = DecodingKey::from_secret(&secret);
        return (hs256 && secret.len() >= 32).then_some(Key { id: None, algorithm: Algorithm::Hs256, verifying });
    }
    let set = json!({ "keys": [group["public"]] }).to_string();
    jwks::keys("vectors", set.as_bytes(), &ASYMMETRIC).ok()?.keys.pop()
}

/// The numbers of the vectors about which `accepts` and the file disagree: accepted by us, and refused by us.
fn disagreements(groups: &[Value], accepts: impl Fn(&Value, &str) -> bool) -> (usize, BTreeSet<u64>, BTreeSet<u64>) {
    let (mut count, mut accepted, mut refused) = (0, BTreeSet::new(), BTreeSet::new());
    for group in groups {
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            // Tokens in JSON serialisation stand there as an object or as its text.
            let token = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
            let number = test["tcId"].as_u64().unwrap();
            match (accepts(group, &token), test["result"] == "valid") {
                (true, false) => drop(accepted.insert(number)),
                (false, true) => drop(refused.insert(number)),
                (true, true) | (false, false) => {}
            }
        }
    }
    (count, accepted, refused)
}

// Rows 34, 35, 51 and 53.
#[test]
#[ignore = "needs CI_GATEWAY_WYCHEPROOF; run with --ignored"]
fn all_401_signatures_are_judged_as_wycheproof_does_but_for_the_listed_ones() {
    let groups = groups("json_web_signature_test.json");
    let (count, accepted, refused) = disagreements(&groups, |group, token| {
        key(group).is_some_and(|key| Jws::parse(token).is_ok_and(|jws| jws.verify(&key).is_ok()))
    });
    assert_eq!(count, 401);
    assert_eq!((accepted, refused), (listed(&ACCEPTED), listed(&REFUSED)));
}

// Rows 54, 64 and 65.
#[test]
#[ignore = "needs CI_GATEWAY_WYCHEPROOF; run with --ignored"]
fn all_26_key_sets_are_judged_as_wycheproof_does_but_for_secrets_in_them() {
    let groups = groups("json_web_key_test.json");
    let (count, accepted, refused) = disagreements(&groups, |group, token| {
        let set = if group["public"].is_null() { &group["private"] } else { &group["public"] };
        let keys = jwks::keys("vectors", set.to_string().as_bytes(), &ASYMMETRIC).unwrap_or_default();
        let jws = Jws::parse(token);
        jws.is_ok_and(|jws| keys.keys.iter().any(|key| key.id == jws.header().key_id && jws.verify(key).is_ok()))
    });
    assert_eq!(count, 26);
    // A key without `alg` (tc5 and others of its kind) has the one of its kind, if the configuration lists that.
    assert_eq!((accepted, refused), (BTreeSet::new(), listed(&REFUSED_SETS)));
}
