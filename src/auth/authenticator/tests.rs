use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::ToSpan;
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::auth::samples::{
    self, AUDIENCE, NOW, PUBLIC, Pair, SHARED, authenticator, bearer, claims, header, now, pair,
};
use crate::auth::{
    Algorithm, DevelopmentClaims, IssuerSettings, KeySource, Profile, Reason, SigningSecret, TokenCacheSettings, mint,
};
use crate::domain::{Claim, Mistake};

const ASYMMETRIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

fn head(authorization: &[u8]) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(authorization).unwrap())])
}

fn ask(token: &str) -> Result<Arc<Caller>, Reason> {
    asked_of(authenticator(), &bearer(token)).map_err(reason)
}

fn asked_of(authenticator: &Authenticator, headers: &HeaderMap) -> Result<Arc<Caller>, Refused> {
    samples::ask(authenticator, headers.into(), now())
}

fn reason(refused: Refused) -> Reason {
    match refused {
        Refused::BadToken(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// A good HS256 token but for one claim, which is replaced or, with `None`, left out.
fn with_claim(name: &str, value: Option<Value>) -> Result<Arc<Caller>, Reason> {
    let mut all = claims(Algorithm::Hs256);
    match value {
        Some(value) => all[name] = value,
        None => drop(all.as_object_mut().unwrap().remove(name)),
    }
    with_claims_text(&all.to_string())
}

fn with_claims_text(claims: &str) -> Result<Arc<Caller>, Reason> {
    ask(&pair(Algorithm::Hs256).sign(&header(Algorithm::Hs256).to_string(), claims))
}

fn with_header(header: &str) -> Result<Arc<Caller>, Reason> {
    ask(&pair(Algorithm::Hs256).sign(header, &claims(Algorithm::Hs256).to_string()))
}

fn good(algorithm: Algorithm) -> String {
    pair(algorithm).sign(&header(algorithm).to_string(), &claims(algorithm).to_string())
}

#[test]
fn a_good_token_of_each_algorithm_becomes_its_caller() {
    for algorithm in Algorithm::ALL {
        let caller = ask(&good(algorithm)).unwrap();
        assert_eq!(caller.name(), "alice");
        assert_eq!(caller.groups().collect::<Vec<_>>(), ["team-a", "团队"]);
        assert_eq!(caller.issuer(), if algorithm.is_symmetric() { SHARED } else { PUBLIC });
    }
}

// Rows 26 and 29.
#[test]
fn no_token_is_told_apart_from_a_bad_one() {
    let authenticator = authenticator();
    assert_eq!(asked_of(authenticator, &HeaderMap::new()), Err(Refused::NoCredentials));
    assert_eq!(asked_of(authenticator, &head(b"Basic YTpi")), Err(Refused::NoCredentials));
    assert_eq!(asked_of(authenticator, &head(b"Bearer")), Err(Refused::BadToken(Reason::Malformed)));
}

// Rows 34 and 35.
#[test]
fn the_key_decides_the_algorithm_and_the_token_cannot() {
    for algorithm in ASYMMETRIC {
        let jwk = &pair(algorithm).jwk;
        for member in ["n", "x"].iter().filter_map(|name| jwk[name].as_str()) {
            let forger = Pair::shared(member.as_bytes());
            let header = json!({ "alg": "HS256", "kid": algorithm.as_str() }).to_string();
            assert_eq!(ask(&forger.sign(&header, &claims(algorithm).to_string())), Err(Reason::WrongAlgorithm));
        }
        for other in ASYMMETRIC.iter().filter(|other| **other != algorithm) {
            let header = json!({ "alg": other.as_str(), "kid": algorithm.as_str() }).to_string();
            let token = pair(algorithm).sign(&header, &claims(algorithm).to_string());
            assert_eq!(ask(&token), Err(Reason::WrongAlgorithm));
        }
    }
    assert_eq!(with_header(r#"{"alg":"RS256"}"#), Err(Reason::UnknownKey));
    for alg in ["PS256", "HS384", "none", "NONE", ""] {
        assert_eq!(with_header(&json!({ "alg": alg }).to_string()), Err(Reason::UnsupportedAlgorithm), "{alg}");
    }
}

// Rows 34 and 53.
#[test]
fn an_unsigned_token_is_refused_with_and_without_its_last_dot() {
    let token = pair(Algorithm::Hs256).sign(r#"{"alg":"none"}"#, &claims(Algorithm::Hs256).to_string());
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(ask(&format!("{signed}.")), Err(Reason::UnsupportedAlgorithm));
    assert!(ask(signed).is_err());
    let token = good(Algorithm::Es256);
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(ask(&format!("{signed}.")), Err(Reason::BadSignature));
    assert_eq!(ask(&format!("{signed}.{}", "A".repeat(86))), Err(Reason::BadSignature), "r = s = 0");
}

// Row 53.
#[test]
fn an_ecdsa_signature_is_two_numbers_of_32_bytes_below_the_order_and_not_zero() {
    let token = good(Algorithm::Es256);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = signature.split_at(32);
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let (zero, most) = ([0; 32], [0xff; 32]);
    let numbers: [&[u8]; 3] = [&zero, &order, &most];
    let spoilt = numbers.iter().flat_map(|number| [[number, s].concat(), [r, number].concat()]);
    let der = [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat();
    let lengths =
        [vec![], signature[..63].to_vec(), [&signature[..], &[0]].concat(), [&[0], &signature[..]].concat(), der];
    for signature in spoilt.chain(lengths).chain([[order.as_slice(), &order].concat()]) {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(ask(&token), Err(Reason::BadSignature), "{signature:02x?}");
    }
}

// Row 37.
#[test]
fn keys_that_a_token_brings_along_are_not_used_and_not_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let forger = Pair::new(Algorithm::Es256);
    let header = json!({ "alg": "ES256", "kid": "ES256", "jwk": forger.jwk, "jku": url, "x5u": url, "x5c": ["MII="] });
    let claims = claims(Algorithm::Es256).to_string();
    assert_eq!(ask(&forger.sign(&header.to_string(), &claims)), Err(Reason::BadSignature));
    assert!(ask(&pair(Algorithm::Es256).sign(&header.to_string(), &claims)).is_ok(), "ignored, not refused");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

// Rows 38, 39 and 56: five parts are a JWE, and nothing is ever decrypted.
#[test]
fn header_members_that_are_not_understood_are_refused_under_a_good_signature_too() {
    for member in [r#""crit":["x"]"#, r#""b64":false,"crit":["b64"]"#, r#""zip":"DEF""#, r#""enc":"A128GCM""#] {
        assert_eq!(with_header(&format!(r#"{{"alg":"HS256",{member}}}"#)), Err(Reason::UnsupportedHeader), "{member}");
    }
    assert_eq!(with_header(r#"{"alg":"HS256","typ":"dpop+jwt"}"#), Err(Reason::WrongType));
    assert_eq!(with_header(r#"{"alg":"HS256","alg":"HS256"}"#), Err(Reason::MalformedHeader));
    assert_eq!(ask(&format!("{}.c2ln.c2ln", good(Algorithm::Hs256))), Err(Reason::Malformed));
    assert!(with_header(r#"{"alg":"HS256","typ":"application/at+jwt"}"#).is_ok());
    assert!(with_header(r#"{"alg":"HS256"}"#).is_ok());
}

// Row 41.
#[test]
fn the_issuer_is_compared_exactly() {
    for issuer in ["https://shared.example/", "HTTPS://shared.example", "https://shared.example ", "shared.example", ""]
    {
        assert_eq!(with_claim("iss", Some(json!(issuer))), Err(Reason::UnknownIssuer), "{issuer}");
    }
    for issuer in [json!([SHARED]), json!(1), json!(null)] {
        assert_eq!(with_claim("iss", Some(issuer)), Err(Reason::UnknownIssuer));
    }
    assert_eq!(with_claim("iss", None), Err(Reason::UnknownIssuer));
}

// Row 42.
#[test]
fn a_key_of_one_issuer_signs_for_no_other() {
    // The other issuer has neither this key nor its kid.
    let mut foreign = claims(Algorithm::Es256);
    foreign["iss"] = json!(SHARED);
    let token = pair(Algorithm::Es256).sign(&header(Algorithm::Es256).to_string(), &foreign.to_string());
    assert_eq!(ask(&token), Err(Reason::UnknownKey));
    let mut foreign = claims(Algorithm::Hs256);
    foreign["iss"] = json!(PUBLIC);
    let token = pair(Algorithm::Hs256).sign(&header(Algorithm::Hs256).to_string(), &foreign.to_string());
    assert_eq!(ask(&token), Err(Reason::UnknownKey));
}

// Row 58.
#[test]
fn the_same_name_from_another_issuer_is_another_caller() {
    assert_ne!(ask(&good(Algorithm::Hs256)).unwrap(), ask(&good(Algorithm::Es256)).unwrap());
}

// Row 57.
#[test]
fn a_kid_is_a_name_and_not_a_path_or_a_query() {
    let longest = "k".repeat(128);
    for kid in ["../../dev/null", "/dev/null", "x' UNION SELECT 'k", "http://127.0.0.1:1/", longest.as_str(), "RS256"] {
        assert_eq!(with_header(&json!({ "alg": "HS256", "kid": kid }).to_string()), Err(Reason::UnknownKey), "{kid}");
    }
    for kid in [json!("k".repeat(129)), json!(""), json!(1), json!(null), json!("k".repeat(5000))] {
        assert_eq!(with_header(&json!({ "alg": "HS256", "kid": kid }).to_string()), Err(Reason::MalformedHeader));
    }
    assert_eq!(with_header(&json!({ "alg": "HS256", "kid": "k".repeat(10_000) }).to_string()), Err(Reason::TooLong));
}

#[test]
fn without_a_kid_the_only_key_for_the_algorithm_is_used() {
    for algorithm in ASYMMETRIC {
        let header = json!({ "alg": algorithm.as_str() }).to_string();
        assert!(ask(&pair(algorithm).sign(&header, &claims(algorithm).to_string())).is_ok());
    }
}

// Row 43.
#[test]
fn the_audience_must_name_us_alone_or_among_others() {
    for audience in [json!(AUDIENCE), json!([AUDIENCE]), json!(["other", "second"])] {
        assert!(with_claim("aud", Some(audience)).is_ok());
    }
    for audience in [json!("other"), json!([]), json!(""), json!(1), json!(null), json!({}), json!("CI-Gateway")] {
        assert_eq!(with_claim("aud", Some(audience)), Err(Reason::WrongAudience));
    }
    for audience in [json!([AUDIENCE, 1]), json!([[AUDIENCE]]), json!([null]), json!("ci-gateway second")] {
        assert_eq!(with_claim("aud", Some(audience)), Err(Reason::WrongAudience));
    }
    assert_eq!(with_claim("aud", None), Err(Reason::WrongAudience));
}

// Row 44.
#[test]
fn a_token_ends_at_its_exp_give_or_take_the_leeway() {
    for exp in [json!(NOW + 1), json!(NOW - 29), json!(f64::from(1_795_305_600_u32) - 29.5), json!(1.795_306e9)] {
        assert!(with_claim("exp", Some(exp.clone())).is_ok(), "{exp}");
    }
    for exp in [json!(NOW - 30), json!(NOW - 3600), json!(0), json!(-1), json!(-1e300)] {
        assert_eq!(with_claim("exp", Some(exp.clone())), Err(Reason::Expired), "{exp}");
    }
    for exp in [json!((NOW + 600).to_string()), json!(null), json!([NOW + 600]), json!(true)] {
        assert_eq!(with_claim("exp", Some(exp)), Err(Reason::InvalidExpiry));
    }
    assert_eq!(with_claim("exp", None), Err(Reason::InvalidExpiry));
    assert_eq!(with_claims_text(&format!(r#"{{"iss":"{SHARED}","exp":1e400}}"#)), Err(Reason::MalformedClaims));
}

#[test]
fn a_token_may_live_a_year_and_not_ten() {
    const DAY: i64 = 86_400;
    assert!(with_claim("exp", Some(json!(NOW + 366 * DAY))).is_ok());
    for exp in [json!(NOW + 366 * DAY + 1), json!(NOW + 3650 * DAY), json!(9_999_999_999_i64), json!(1e300)] {
        assert_eq!(with_claim("exp", Some(exp.clone())), Err(Reason::LivesTooLong), "{exp}");
    }
    let mut old = claims(Algorithm::Hs256);
    old["iat"] = json!(NOW - 3650 * DAY);
    assert_eq!(with_claims_text(&old.to_string()), Err(Reason::LivesTooLong), "in its last minutes too");
    let mut undated = claims(Algorithm::Hs256);
    undated.as_object_mut().unwrap().remove("iat");
    assert!(with_claims_text(&undated.to_string()).is_ok());
    undated["exp"] = json!(NOW + 3650 * DAY);
    assert_eq!(with_claims_text(&undated.to_string()), Err(Reason::LivesTooLong));
}

// Rows 45 and 46.
#[test]
fn a_token_begins_at_its_nbf_and_its_iat_give_or_take_the_leeway() {
    for (claim, early, invalid) in [
        ("nbf", Reason::NotYetValid, Reason::InvalidNotBefore),
        ("iat", Reason::IssuedInFuture, Reason::InvalidIssuedAt),
    ] {
        for value in [None, Some(json!(NOW)), Some(json!(NOW + 30)), Some(json!(NOW - 60))] {
            assert!(with_claim(claim, value).is_ok(), "{claim}");
        }
        for value in [json!(NOW + 31), json!(1e300)] {
            assert_eq!(with_claim(claim, Some(value)), Err(early));
        }
        for value in [json!("x"), json!(NOW.to_string()), json!(null), json!([NOW]), json!(false)] {
            assert_eq!(with_claim(claim, Some(value)), Err(invalid));
        }
    }
}

// Row 47.
#[test]
fn the_caller_is_one_clean_name() {
    for name in [json!("a\u{0}b"), json!("a\nb"), json!(""), json!(["alice"]), json!(7), json!(null)] {
        assert_eq!(with_claim("sub", Some(name)), Err(Reason::InvalidCaller));
    }
    assert_eq!(with_claim("sub", Some(json!("x".repeat(257)))), Err(Reason::InvalidCaller));
    assert_eq!(with_claim("sub", None), Err(Reason::InvalidCaller));
    assert_eq!(with_claim("sub", Some(json!("x".repeat(256)))).unwrap().name().len(), 256);
}

#[test]
fn groups_are_none_one_or_a_list_and_nothing_else() {
    let groups =
        |value| with_claim("groups", value).map(|caller| caller.groups().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(groups(None).unwrap(), [""; 0]);
    assert_eq!(groups(Some(json!([]))).unwrap(), [""; 0]);
    assert_eq!(groups(Some(json!("admins"))).unwrap(), ["admins"]);
    assert_eq!(groups(Some(json!(["a", "b"]))).unwrap(), ["a", "b"]);
    for value in [json!(null), json!(1), json!({"a": true}), json!(["a", 1]), json!([["a"]])] {
        assert_eq!(groups(Some(value)), Err(Reason::InvalidGroups));
    }
    assert_eq!(groups(Some(json!(["a\n"]))), Err(Reason::InvalidCaller));
}

#[test]
fn the_claims_that_name_caller_and_groups_are_configured() {
    let secret = samples::secret_file(samples::SECRET);
    let mut settings = samples::settings(SHARED, KeySource::Secret(secret.path().into()));
    settings.user_claim = "email".to_owned();
    settings.groups_claim = "roles".to_owned();
    let authenticator = samples::load(vec![settings]);
    let ask = |claims: Value| {
        let token = pair(Algorithm::Hs256).sign(r#"{"alg":"HS256"}"#, &claims.to_string());
        asked_of(&authenticator, &bearer(&token))
    };
    let mut all = claims(Algorithm::Hs256);
    assert_eq!(ask(all.clone()), Err(Refused::BadToken(Reason::InvalidCaller)));
    all["email"] = json!("alice@example.com");
    all["roles"] = json!("builders");
    let caller = ask(all).unwrap();
    assert_eq!((caller.name(), caller.groups().collect::<Vec<_>>()), ("alice@example.com", vec!["builders"]));
}

// Row 50.
#[test]
fn a_claim_that_stands_twice_and_claims_that_are_no_object_are_refused() {
    let members = format!(r#""iss":"{SHARED}","sub":"alice","aud":"{AUDIENCE}","exp":{}"#, NOW + 600);
    assert!(with_claims_text(&format!("{{{members}}}")).is_ok());
    for more in [r#","aud":"ci-gateway""#, r#","\u0061ud":"x""#, r#","x":1,"x":1"#, r#","sub":"bob""#] {
        assert_eq!(with_claims_text(&format!("{{{members}{more}}}")), Err(Reason::MalformedClaims), "{more}");
    }
    for text in ["", "[]", "\"x\"", "null", "{", &format!("{{{members}}}{{}}"), &format!("\u{feff}{{{members}}}")] {
        assert_eq!(with_claims_text(text), Err(Reason::MalformedClaims), "{text}");
    }
}

// Row 52.
#[test]
fn claims_that_are_not_utf8_are_refused() {
    let token = good(Algorithm::Hs256);
    let (header, _) = token.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(b"{\"iss\":\"\xff\"}");
    assert_eq!(ask(&format!("{header}.{claims}.c2ln")), Err(Reason::MalformedClaims));
}

// Row 55.
#[test]
fn the_signature_is_looked_at_before_any_claim_but_the_issuer() {
    let weird = json!({ "iss": SHARED, "aud": 1, "exp": "x", "sub": ["a"], "groups": 7 }).to_string();
    let token = pair(Algorithm::Hs256).sign(r#"{"alg":"HS256"}"#, &weird);
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(ask(&format!("{signed}.c2ln")), Err(Reason::BadSignature));
}

#[test]
fn what_is_minted_for_development_is_accepted_until_it_ends() {
    for algorithm in Algorithm::ALL {
        let secret = if algorithm.is_symmetric() {
            SigningSecret::shared(samples::SECRET)
        } else {
            let key_id = Some(algorithm.as_str().to_owned());
            SigningSecret::private_key(pair(algorithm).pem.as_bytes(), algorithm, key_id)
        };
        let claims = DevelopmentClaims {
            issuer: if algorithm.is_symmetric() { SHARED } else { PUBLIC }.to_owned(),
            audience: AUDIENCE.to_owned(),
            caller: "bob".to_owned(),
            groups: vec!["team-b".to_owned()],
            issued_at: now(),
            lifetime: std::time::Duration::from_secs(60),
        };
        let token = mint(&secret.unwrap(), &claims).unwrap();
        let caller = ask(&token).unwrap();
        assert_eq!((caller.name(), caller.groups().collect::<Vec<_>>()), ("bob", vec!["team-b"]));
        let later = now().checked_add(91.seconds()).unwrap();
        let refused = samples::ask(authenticator(), (&bearer(&token)).into(), later);
        assert_eq!(refused, Err(Refused::BadToken(Reason::Expired)));
    }
}

#[test]
fn every_mistake_of_every_issuer_is_told_at_once() {
    let short = samples::secret_file("short");
    let mut first = samples::settings(SHARED, KeySource::Secret(short.path().into()));
    first.algorithms = vec![Algorithm::Rs256];
    let second = samples::settings(SHARED, KeySource::Jwks("/nowhere/keys.json".into()));
    let told = Authenticator::load(&samples::with_cache(vec![first, second]), None).unwrap_err();
    let places: Vec<&str> = told.iter().map(Mistake::place).collect();
    let short = short.path().display().to_string();
    let settings = format!("[[auth.jwt]] with issuer `{SHARED}`");
    assert_eq!(places, [settings.as_str(), short.as_str(), settings.as_str(), "/nowhere/keys.json"], "{told}");
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let secret = samples::secret_file(samples::SECRET);
    std::fs::set_permissions(secret.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let settings = samples::settings(SHARED, KeySource::Secret(secret.path().into()));
    assert!(
        Authenticator::load(&samples::with_cache(vec![settings]), None).unwrap_err().to_string().contains("chmod 600")
    );
}

#[test]
fn the_authenticator_is_shared_between_threads_and_shows_no_secret() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let authenticator = shared(authenticator());
    let shown = format!("{authenticator:?} {authenticator:#?}");
    assert!(shown.contains(SHARED) && shown.contains(PUBLIC) && !shown.contains("a-secret"), "{shown}");
}

/// The issuer of HS256 tokens with other settings, and no other issuer.
fn shared_with(change: impl FnOnce(&mut IssuerSettings)) -> Authenticator {
    let secret = samples::secret_file(samples::SECRET);
    let mut settings = samples::settings(SHARED, KeySource::Secret(secret.path().into()));
    change(&mut settings);
    samples::load(vec![settings])
}

/// What `authenticator` makes of a good HS256 token with these changes to its claims; a null takes one away.
fn changed(authenticator: &Authenticator, typ: &str, changes: &Value) -> Result<Arc<Caller>, Refused> {
    let mut claims = claims(Algorithm::Hs256);
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    let header = json!({ "alg": "HS256", "typ": typ }).to_string();
    asked_of(authenticator, &bearer(&pair(Algorithm::Hs256).sign(&header, &claims.to_string())))
}

// Row 58: with a prefix, the alice of one issuer is not the alice of another in a policy.
#[test]
fn a_prefix_stands_before_the_names_of_its_issuer_alone() {
    let prefixed = shared_with(|settings| settings.prefix = "corp:".to_owned());
    let caller = changed(&prefixed, "JWT", &json!({})).unwrap();
    assert_eq!((caller.name(), caller.issuer()), ("corp:alice", SHARED));
    assert_eq!(caller.groups().collect::<Vec<_>>(), ["corp:team-a", "corp:团队"]);
    // It makes no name of none, and the whole is not longer than a name may be.
    for changes in [json!({ "sub": "" }), json!({ "groups": [""] }), json!({ "sub": "x".repeat(252) })] {
        assert_eq!(changed(&prefixed, "JWT", &changes), Err(Reason::InvalidCaller.into()), "{changes}");
    }
    assert_eq!(changed(&prefixed, "JWT", &json!({ "sub": "x".repeat(251) })).unwrap().name().len(), 256);
}

#[test]
fn a_prefix_or_scope_that_could_not_be_written_down_is_a_mistake() {
    let secret = samples::secret_file(samples::SECRET);
    for (prefix, scope) in [("a\nb", None), ("\u{202e}", None), ("", Some("a b")), ("", Some("a\"")), ("", Some(""))] {
        let mut settings = samples::settings(SHARED, KeySource::Secret(secret.path().into()));
        (settings.prefix, settings.required_scope) = (prefix.to_owned(), scope.map(str::to_owned));
        let told = Authenticator::load(&samples::with_cache(vec![settings]), None).unwrap_err();
        assert_eq!(told.iter().count(), 1, "{told}");
    }
}

/// An access token as RFC 9068 section 2.2 has it, but for these changes.
fn access_token(typ: &str, changes: &Value) -> Result<Arc<Caller>, Refused> {
    let authenticator = shared_with(|settings| settings.profile = Profile::Rfc9068);
    let mut all = json!({ "client_id": "portal", "jti": "7" });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    changed(&authenticator, typ, &all)
}

// Row 40.
#[test]
fn under_rfc_9068_only_an_access_token_will_do() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(access_token(typ, &json!({})).is_ok(), "{typ}");
    }
    assert_eq!(access_token("JWT", &json!({})), Err(Reason::WrongType.into()), "an ID token");
    let authenticator = shared_with(|settings| settings.profile = Profile::Rfc9068);
    let untyped = pair(Algorithm::Hs256).sign(r#"{"alg":"HS256"}"#, &claims(Algorithm::Hs256).to_string());
    assert_eq!(asked_of(&authenticator, &bearer(&untyped)), Err(Reason::WrongType.into()));
}

// Rows 46, 47 and 48.
#[test]
fn under_rfc_9068_iat_sub_client_id_and_jti_are_required() {
    assert_eq!(access_token("at+jwt", &json!({ "iat": null })), Err(Reason::InvalidIssuedAt.into()));
    for (claim, reason) in
        [("sub", Reason::InvalidSubject), ("client_id", Reason::InvalidClient), ("jti", Reason::InvalidTokenId)]
    {
        for value in [json!(null), json!(""), json!(7), json!(["a"]), json!("a\u{0}"), json!("x".repeat(257))] {
            assert_eq!(access_token("at+jwt", &json!({ claim: value })), Err(reason.into()), "{claim} {value}");
        }
        assert!(access_token("at+jwt", &json!({ claim: "x".repeat(256) })).is_ok(), "{claim}");
    }
    // `sub` also where another claim names the caller.
    let by_mail = shared_with(|settings| {
        (settings.profile, settings.user_claim) = (Profile::Rfc9068, "email".to_owned());
    });
    let claims = json!({ "client_id": "portal", "jti": "7", "email": "alice@example.com" });
    assert_eq!(changed(&by_mail, "at+jwt", &claims).unwrap().name(), "alice@example.com");
}

// Rows 28 and 49.
#[test]
fn a_required_scope_stands_among_those_of_the_token_in_one_text() {
    let authenticator = shared_with(|settings| settings.required_scope = Some("ci.manage".to_owned()));
    let ask = |changes: Value| changed(&authenticator, "JWT", &changes).map(drop);
    for scope in ["ci.manage", "openid ci.manage", "ci.manage profile"] {
        assert_eq!(ask(json!({ "scope": scope })), Ok(()), "{scope}");
    }
    for changes in [json!({}), json!({ "scope": "" }), json!({ "scope": "openid ci.manage2 CI.MANAGE" })] {
        assert_eq!(ask(changes), Err(Refused::InsufficientScope("ci.manage".into())));
    }
    for scope in [json!(["ci.manage"]), json!(1), json!({})] {
        assert_eq!(ask(json!({ "scope": scope })), Err(Reason::InvalidScope.into()));
        assert_eq!(access_token("at+jwt", &json!({ "scope": scope })), Err(Reason::InvalidScope.into()));
    }
    // Who may not even be believed is not told which scope is wanted.
    assert_eq!(ask(json!({ "exp": NOW - 60 })), Err(Reason::Expired.into()));
    assert_eq!(ask(json!({ "aud": "other" })), Err(Reason::WrongAudience.into()));
}

#[test]
fn conditions_can_ask_for_every_claim_of_a_verified_token() {
    let claims = json!({ "text": "x", "number": 1.5, "yes": true, "list": ["a", 2, false], "nested": [["a"]],
        "object": { "a": 1 }, "sub": "alice" });
    let caller = changed(&shared_with(|_| {}), "JWT", &claims).unwrap();
    let list = [Claim::Text("a".into()), Claim::Number(2.0), Claim::Bool(false)];
    for (name, claim) in [
        ("text", Claim::Text("x".into())),
        ("number", Claim::Number(1.5)),
        ("yes", Claim::Bool(true)),
        ("list", Claim::List(list.into())),
        ("nested", Claim::Other),
        ("object", Claim::Other),
        ("sub", Claim::Text("alice".into())),
        ("iss", Claim::Text(SHARED.into())),
    ] {
        assert_eq!(caller.claim(name), Some(&claim), "{name}");
    }
    assert_eq!(caller.claim("none"), None);
    let null = with_claims_text(&claims_text(r#""nothing":null,"list":["a",null]"#)).unwrap();
    assert_eq!((null.claim("nothing"), null.claim("list")), (None, Some(&Claim::Other)));
}

/// The claims of a good HS256 token and `more`.
fn claims_text(more: &str) -> String {
    let good = claims(Algorithm::Hs256).to_string();
    format!("{},{more}}}", good.strip_suffix('}').unwrap())
}

// Row 77. Twice each: the second time the token is remembered.
#[test]
fn a_token_bound_to_a_certificate_holds_over_no_other_connection() {
    let certificate = CertificateDer::from(b"the certificate".to_vec());
    let other = CertificateDer::from(b"another one".to_vec());
    let thumbprint = |of: &CertificateDer<'_>| URL_SAFE_NO_PAD.encode(Sha256::digest(of));
    let token = |cnf: Value| {
        let mut claims = claims(Algorithm::Es256);
        claims["cnf"] = cnf;
        pair(Algorithm::Es256).sign(&header(Algorithm::Es256).to_string(), &claims.to_string())
    };
    let ask = |token: &str, certificate| {
        let presented = Presented { headers: &bearer(token), certificate, source: None };
        samples::ask(authenticator(), presented, now()).map(drop)
    };
    let bound = token(json!({ "x5t#S256": thumbprint(&certificate) }));
    for _ in 0..2 {
        assert_eq!(ask(&bound, None), Err(Reason::OtherCertificate.into()));
        assert_eq!(ask(&bound, Some(&other)), Err(Reason::OtherCertificate.into()));
        assert_eq!(ask(&bound, Some(&certificate)), Ok(()));
    }
    for cnf in [json!({ "jkt": "x" }), json!({}), json!({ "x5t#S256": thumbprint(&certificate), "jwk": {} })] {
        assert_eq!(ask(&token(cnf), Some(&certificate)), Err(Reason::InvalidBinding.into()));
    }
    assert_eq!(ask(&good(Algorithm::Es256), Some(&other)), Ok(()), "a certificate beside an unbound token");
}

// The memory of verified tokens answers as the checks would.
#[test]
fn a_remembered_token_ends_when_it_would_without_memory() {
    let token = |exp: i64, nbf: i64| {
        let mut claims = claims(Algorithm::Es256);
        (claims["exp"], claims["nbf"]) = (json!(exp), json!(nbf));
        pair(Algorithm::Es256).sign(&header(Algorithm::Es256).to_string(), &claims.to_string())
    };
    let keys = samples::secret_file(samples::key_set().to_string());
    let settings = samples::settings(PUBLIC, KeySource::Jwks(keys.path().into()));
    let forgetful = Settings {
        token_cache: TokenCacheSettings { entries: 0, time: std::time::Duration::ZERO },
        ..samples::with_cache(vec![settings.clone()])
    };
    let (forgetful, mindful) = (Authenticator::load(&forgetful, None).unwrap(), samples::load(vec![settings]));
    let headers = bearer(&token(NOW + 100, NOW + 10));
    assert!(samples::ask(&mindful, (&headers).into(), now()).is_ok(), "it is remembered from here on");
    for seconds in [-200_i64, -31, -30, -21, -20, -1, 0, 1, 99, 100, 101, 129, 130, 131, 299, 300, 400] {
        let at = now().checked_add(seconds.seconds()).unwrap();
        let [plain, remembered] = [&forgetful, &mindful].map(|one| samples::ask(one, (&headers).into(), at));
        assert_eq!(plain, remembered, "at {seconds}");
    }
}

#[test]
fn what_is_remembered_is_of_these_settings_and_keys_and_of_no_others() {
    let mut settings = vec![];
    let set = |jwk: &Value| samples::secret_file(json!({ "keys": [jwk] }).to_string());
    let (old, new) = (set(&pair(Algorithm::Es256).jwk), set(&Pair::new(Algorithm::Es256).jwk));
    for file in [&old, &new] {
        settings.push(samples::settings(PUBLIC, KeySource::Jwks(file.path().into())));
    }
    let headers = bearer(&good(Algorithm::Es256));
    let first = samples::load(vec![settings[0].clone()]);
    for _ in 0..3 {
        assert!(asked_of(&first, &headers).is_ok());
    }
    let reloaded = |issuers: Vec<IssuerSettings>| {
        let next = Authenticator::load(&samples::with_cache(issuers), Some(&first)).unwrap();
        asked_of(&next, &headers).map(drop).map_err(reason)
    };
    assert_eq!(reloaded(vec![settings[0].clone()]), Ok(()));
    assert_eq!(reloaded(vec![settings[1].clone()]), Err(Reason::BadSignature), "another key of the same id");
    assert_eq!(reloaded(vec![]), Err(Reason::UnknownIssuer), "no such issuer any more");
    let other = IssuerSettings { issuer: format!("{PUBLIC}/"), ..settings[0].clone() };
    assert_eq!(reloaded(vec![other]), Err(Reason::UnknownIssuer), "another issuer with the same keys");
    let stricter = IssuerSettings { audiences: vec!["another".to_owned()], ..settings[0].clone() };
    assert_eq!(reloaded(vec![stricter]), Err(Reason::WrongAudience), "other rules");
}

// Row 86 and class C6.
#[test]
fn ten_thousand_alternations_of_two_callers_never_mix_them_up() {
    let token = |sub: &str| {
        let mut claims = claims(Algorithm::Es256);
        claims["sub"] = json!(sub);
        bearer(&pair(Algorithm::Es256).sign(&header(Algorithm::Es256).to_string(), &claims.to_string()))
    };
    let callers = [("alice", token("alice")), ("bob", token("bob"))];
    for (name, headers) in callers.iter().cycle().take(10_000) {
        assert_eq!(asked_of(authenticator(), headers).unwrap().name(), *name);
    }
}

proptest! {
    #[test]
    fn no_header_makes_it_panic_and_none_is_a_caller(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", bytes.as_slice()].concat()) {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            prop_assert!(asked_of(authenticator(), &headers).is_err());
        }
    }

    #[test]
    fn no_claims_make_it_panic(claims in "\\PC{0,200}", exp in any::<f64>()) {
        let _ = with_claims_text(&claims);
        let _ = with_claim("exp", Some(json!(exp)));
    }

    #[test]
    fn a_token_with_one_byte_changed_is_refused(which in 0..4_usize, at in any::<prop::sample::Index>(), to in 33..127_u8) {
        let mut bytes = good(Algorithm::ALL[which]).into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let headers = head(&[b"Bearer ", bytes.as_slice()].concat());
        prop_assert!(asked_of(authenticator(), &headers).is_err());
    }
}
