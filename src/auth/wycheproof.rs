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

/// Marked invalid, and byte for byte a correctly signed token: the padding that made them so was lost upstream.
const ACCEPTED_THOUGH_INVALID: [u64; 2] = [367, 370];
/// Marked valid, with `?` inside of base64url, which RFC 7515 section 2 refuses.
const NOT_BASE64URL: [u64; 2] = [372, 373];
/// Marked valid, for algorithms that the gateway does not have: RS384, RS512, PS256, PS384, PS512 and ES512.
const OTHER_ALGORITHMS: [std::ops::RangeInclusive<u64>; 7] =
    [264..=267, 268..=271, 272..=275, 287..=288, 320..=323, 325..=328, 346..=347];
const OTHER_ALGORITHMS_OF_RFC_7520: std::ops::RangeInclusive<u64> = 350..=351;

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

#[test]
#[ignore = "needs CI_GATEWAY_WYCHEPROOF; run with --ignored"]
fn all_401_signatures_are_judged_as_wycheproof_does_but_for_the_listed_ones() {
    let groups = groups("json_web_signature_test.json");
    let (count, accepted, refused) = disagreements(&groups, |group, token| {
        key(group).is_some_and(|key| Jws::parse(token).is_ok_and(|jws| jws.verify(&key).is_ok()))
    });
    assert_eq!(count, 401);
    assert_eq!(accepted, BTreeSet::from(ACCEPTED_THOUGH_INVALID));
    let others = OTHER_ALGORITHMS.into_iter().chain([OTHER_ALGORITHMS_OF_RFC_7520]).flatten();
    assert_eq!(refused, others.chain(NOT_BASE64URL).collect());
}

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
    assert_eq!(accepted, BTreeSet::new());
    // Sets of `oct` keys: a shared secret belongs into a secret file.
    assert_eq!(refused, BTreeSet::from([2, 13, 14, 15]));
}
