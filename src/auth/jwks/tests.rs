use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::samples::{key_set, pair, secret_file};

const ASYMMETRIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

fn told(set: &Value) -> Result<usize, String> {
    keys("keys.json", set.to_string().as_bytes(), &ASYMMETRIC).map(|set| set.keys.len()).map_err(|why| why.to_string())
}

/// The set of the three keys with one member of the key for `algorithm` replaced.
fn with(algorithm: Algorithm, name: &str, value: Value) -> Value {
    let mut jwk = pair(algorithm).jwk.clone();
    jwk[name] = value;
    jwk
}

fn alone(jwk: Value) -> Result<usize, String> {
    told(&json!({ "keys": [jwk] }))
}

#[test]
fn a_set_of_public_keys_is_read_with_what_else_stands_in_it() {
    let mut set = key_set();
    set["x"] = json!(1);
    set["keys"][0]["x5c"] = json!(["MII="]);
    set["keys"][0].as_object_mut().unwrap().remove("use");
    set["keys"][1].as_object_mut().unwrap().remove("alg");
    set["keys"][2]["key_ops"] = json!(["sign", "verify"]);
    assert_eq!(told(&set), Ok(3));
}

// Row 64.
#[test]
fn keys_that_do_not_fit_are_passed_over_and_the_others_used() {
    let mut set = key_set();
    let more = [
        with(Algorithm::Rs256, "use", json!("enc")),
        with(Algorithm::Es256, "key_ops", json!(["encrypt"])),
        with(Algorithm::EdDsa, "crv", json!("X25519")),
        with(Algorithm::Rs256, "alg", json!("PS256")),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }),
    ];
    for (number, mut jwk) in more.into_iter().enumerate() {
        jwk["kid"] = json!(format!("more-{number}"));
        set["keys"].as_array_mut().unwrap().push(jwk);
    }
    assert_eq!(told(&set), Ok(3));
}

#[test]
fn a_set_without_a_usable_key_is_refused_with_the_reason_for_each() {
    for (jwk, why) in [
        (json!(1), "not an object"),
        (json!({}), "another `kty`"),
        (with(Algorithm::Rs256, "use", json!("enc")), "`use`"),
        (with(Algorithm::Rs256, "use", json!(["sig"])), "`use`"),
        (with(Algorithm::Es256, "key_ops", json!([])), "`key_ops`"),
        (with(Algorithm::Es256, "key_ops", json!("verify")), "`key_ops`"),
        (with(Algorithm::Es256, "kty", json!("RSA")), "another `kty`"),
        (with(Algorithm::Es256, "crv", json!("P-384")), "another `kty`"),
        (with(Algorithm::Es256, "crv", json!("secp256k1")), "another `kty`"),
        (with(Algorithm::EdDsa, "crv", json!("Ed448")), "another `kty`"),
        (with(Algorithm::Es256, "alg", json!("ES384")), "`alg`"),
        (with(Algorithm::Es256, "alg", json!("HS256")), "`alg`"),
        (with(Algorithm::Rs256, "alg", json!("RS512")), "`alg`"),
        (with(Algorithm::Rs256, "alg", json!(null)), "`alg`"),
        (with(Algorithm::Rs256, "kid", json!("k".repeat(129))), "`kid`"),
        (with(Algorithm::Rs256, "kid", json!(7)), "`kid`"),
        (with(Algorithm::Rs256, "n", json!(null)), "base64url"),
        (with(Algorithm::Es256, "x", json!("+/==")), "base64url"),
    ] {
        let told = alone(jwk.clone()).unwrap_err();
        assert!(told.starts_with("keys.json: no key can be used: key 1 ") && told.contains(why), "{told} for {jwk}");
    }
    assert!(told(&json!({ "keys": [] })).unwrap_err().contains("`keys` is empty"));
}

// Row 54.
#[test]
fn weak_and_malformed_numbers_are_passed_over() {
    let number = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let modulus = |length: usize, first: u8, last: u8| {
        let mut bytes = vec![0x55; length];
        (bytes[0], bytes[length - 1]) = (first, last);
        number(&bytes)
    };
    for good in [modulus(256, 0x80, 1), modulus(257, 0x01, 1), modulus(1024, 0xff, 1)] {
        assert_eq!(alone(with(Algorithm::Rs256, "n", good)), Ok(1));
    }
    for weak in
        [modulus(128, 0x80, 1), modulus(256, 0x7f, 1), modulus(256, 0x80, 2), modulus(257, 0, 1), modulus(1025, 1, 1)]
    {
        assert!(alone(with(Algorithm::Rs256, "n", weak)).unwrap_err().contains("modulus"));
    }
    // 65537^128: a power of the generator that marks such moduli, of 2049 bits.
    let marked = (0..128).fold(vec![1_u8], |power, _| times_65537(&power));
    assert!(alone(with(Algorithm::Rs256, "n", number(&marked))).unwrap_err().contains("CVE-2017-15361"));
    assert_eq!(alone(with(Algorithm::Rs256, "e", number(&[0xff, 0xff, 0xff, 0xff]))), Ok(1));
    for weak in [&[] as &[u8], &[0], &[1], &[3], &[1, 0, 0], &[1, 0, 2], &[0, 1, 0, 1], &[1, 0, 0, 0, 1]] {
        assert!(alone(with(Algorithm::Rs256, "e", number(weak))).unwrap_err().contains("exponent"), "{weak:?}");
    }
    for (algorithm, member) in [(Algorithm::Es256, "x"), (Algorithm::Es256, "y"), (Algorithm::EdDsa, "x")] {
        for length in [0, 31, 33] {
            assert!(alone(with(algorithm, member, number(&vec![7; length]))).unwrap_err().contains("coordinate"));
        }
    }
}

// Row 54.
#[test]
fn a_point_that_is_not_on_the_curve_is_passed_over() {
    let jwk = &pair(Algorithm::Es256).jwk;
    for (x, y) in [(&jwk["y"], &jwk["x"]), (&jwk["x"], &jwk["x"]), (&json!("A".repeat(43)), &json!("A".repeat(43)))] {
        let mut off = jwk.clone();
        (off["x"], off["y"]) = (x.clone(), y.clone());
        assert!(alone(off).unwrap_err().contains("not a point of P-256"), "{x} {y}");
    }
    assert_eq!(alone(jwk.clone()), Ok(1));
}

#[test]
fn thirty_two_keys_are_a_set_and_one_more_are_not() {
    let set = |count: usize| {
        let mut jwk = pair(Algorithm::EdDsa).jwk.clone();
        let keys = (0..count).map(|n| {
            jwk["kid"] = json!(n.to_string());
            jwk.clone()
        });
        told(&json!({ "keys": keys.collect::<Vec<_>>() }))
    };
    assert_eq!(set(32), Ok(32));
    assert!(set(33).unwrap_err().contains("has 33 keys"));
}

/// Big-endian: the number shifted by two bytes, plus itself.
fn times_65537(number: &[u8]) -> Vec<u8> {
    let shifted = [number, &[0, 0]].concat();
    let mut product = vec![0; shifted.len() + 1];
    let mut carry = 0;
    for (place, digit) in product.iter_mut().rev().enumerate() {
        let at = |bytes: &[u8]| bytes.iter().rev().nth(place).copied().map_or(0, u16::from);
        let sum = at(&shifted) + at(number) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
    product.into_iter().skip_while(|byte| *byte == 0).collect()
}

// Row 64.
#[test]
fn a_secret_in_a_public_file_is_a_mistake_even_beside_good_keys() {
    let secret = "bWFya2VyLW1hcmtlci1tYXJrZXI";
    for mut jwk in [
        json!({ "kty": "oct", "k": secret }),
        json!({ "kty": "oct" }),
        json!({ "kty": "unknown", "k": secret }),
        with(Algorithm::Rs256, "d", json!(secret)),
        with(Algorithm::Rs256, "qi", json!(secret)),
        with(Algorithm::Es256, "d", json!(secret)),
        with(Algorithm::EdDsa, "d", json!(null)),
    ] {
        jwk["kid"] = json!("more");
        let mut set = key_set();
        set["keys"].as_array_mut().unwrap().push(jwk);
        let told = told(&set).unwrap_err();
        assert!(told.starts_with("keys.json: key 4 ") && !told.contains(secret), "{told}");
    }
}

// Row 65.
#[test]
fn two_keys_with_one_kid_are_a_mistake_even_if_one_is_not_used() {
    for mut jwk in [pair(Algorithm::Rs256).jwk.clone(), json!({ "kty": "unknown" })] {
        jwk["kid"] = json!("ES256");
        let mut set = key_set();
        set["keys"].as_array_mut().unwrap().push(jwk);
        assert!(told(&set).unwrap_err().contains("key 4 has the kid `ES256`"));
    }
}

#[test]
fn a_key_for_an_algorithm_that_is_not_listed_is_passed_over() {
    let text = key_set().to_string();
    let only = keys("keys.json", text.as_bytes(), &[Algorithm::Es256]).unwrap_or_default();
    assert_eq!(only.keys.iter().map(|key| key.algorithm).collect::<Vec<_>>(), [Algorithm::Es256]);
    let one = json!({ "keys": [pair(Algorithm::Rs256).jwk.clone()] }).to_string();
    let told = keys("keys.json", one.as_bytes(), &[Algorithm::Es256]).map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("does not list"), "{told}");
}

// Row 59: the bounds are those of a fetched set too.
#[test]
fn what_is_not_a_set_is_refused_with_its_file_and_line() {
    let told = |text: &str| {
        let file = secret_file(text);
        let told = load(file.path(), &ASYMMETRIC).map(|_| ()).unwrap_err().to_string();
        told.replace(&file.path().display().to_string(), "FILE")
    };
    assert!(told("{\n\"keys\": marker}").starts_with("FILE:2: is not JSON"));
    assert!(!told("{\n\"keys\": marker}").contains("marker"));
    assert!(told(r#"{"keys":[],"keys":[]}"#).starts_with("FILE:1: is not JSON"));
    for text in ["{}", r#"{"keys":{}}"#, r#"{"kty":"RSA"}"#] {
        assert!(told(text).contains("no list `keys`"), "{text}");
    }
    assert!(told(&" ".repeat(64 * 1024 + 1)).contains("larger than 65536 bytes"));
    let folder = tempfile::tempdir().unwrap();
    let told = load(folder.path(), &ASYMMETRIC).map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("not a regular file"), "{told}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(keys("keys.json", &bytes, &ASYMMETRIC).is_err());
    }
}
