use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::ToSpan;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::samples::{self, AUDIENCE, NOW, PUBLIC, Pair, SHARED, authenticator, claims, header, now, pair};
use crate::auth::{Algorithm, DevelopmentClaims, KeySource, SigningSecret, mint};

const ASYMMETRIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

fn head(authorization: &[u8]) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(authorization).unwrap())])
}

fn ask(token: &str) -> Result<Arc<Caller>, Reason> {
    authenticator().authenticate((&head(format!("Bearer {token}").as_bytes())).into(), now()).map_err(|refused| {
        match refused {
            Refused::BadToken(reason) => reason,
            Refused::NoCredentials | Refused::SeveralMethods => panic!("there was one token"),
        }
    })
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

#[test]
fn no_token_is_told_apart_from_a_bad_one() {
    let authenticator = authenticator();
    assert_eq!(authenticator.authenticate((&HeaderMap::new()).into(), now()), Err(Refused::NoCredentials));
    assert_eq!(authenticator.authenticate((&head(b"Basic YTpi")).into(), now()), Err(Refused::NoCredentials));
    assert_eq!(authenticator.authenticate((&head(b"Bearer")).into(), now()), Err(Refused::BadToken(Reason::Malformed)));
}

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

#[test]
fn the_same_name_from_another_issuer_is_another_caller() {
    assert_ne!(ask(&good(Algorithm::Hs256)).unwrap(), ask(&good(Algorithm::Es256)).unwrap());
}

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
    let authenticator = Authenticator::load(&[settings]).unwrap();
    let ask = |claims: Value| {
        let token = pair(Algorithm::Hs256).sign(r#"{"alg":"HS256"}"#, &claims.to_string());
        authenticator.authenticate((&head(format!("Bearer {token}").as_bytes())).into(), now())
    };
    let mut all = claims(Algorithm::Hs256);
    assert_eq!(ask(all.clone()), Err(Refused::BadToken(Reason::InvalidCaller)));
    all["email"] = json!("alice@example.com");
    all["roles"] = json!("builders");
    let caller = ask(all).unwrap();
    assert_eq!((caller.name(), caller.groups().collect::<Vec<_>>()), ("alice@example.com", vec!["builders"]));
}

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

#[test]
fn claims_that_are_not_utf8_are_refused() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let token = good(Algorithm::Hs256);
    let (header, _) = token.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(b"{\"iss\":\"\xff\"}");
    assert_eq!(ask(&format!("{header}.{claims}.c2ln")), Err(Reason::MalformedClaims));
}

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
        let refused = authenticator().authenticate((&head(format!("Bearer {token}").as_bytes())).into(), later);
        assert_eq!(refused, Err(Refused::BadToken(Reason::Expired)));
    }
}

#[test]
fn every_mistake_of_every_issuer_is_told_at_once() {
    let short = samples::secret_file("short");
    let mut first = samples::settings(SHARED, KeySource::Secret(short.path().into()));
    first.algorithms = vec![Algorithm::Rs256];
    let second = samples::settings(SHARED, KeySource::Jwks("/nowhere/keys.json".into()));
    let told = Authenticator::load(&[first, second]).unwrap_err();
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
    assert!(Authenticator::load(&[settings]).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn the_authenticator_is_shared_between_threads_and_shows_no_secret() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let authenticator = shared(authenticator());
    assert_eq!(authenticator.issuers().collect::<Vec<_>>(), [SHARED, PUBLIC]);
    let shown = format!("{authenticator:?} {authenticator:#?}");
    assert!(shown.contains(SHARED) && !shown.contains("a-secret"), "{shown}");
}

proptest! {
    #[test]
    fn no_header_makes_it_panic_and_none_is_a_caller(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", bytes.as_slice()].concat()) {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            prop_assert!(authenticator().authenticate((&headers).into(), now()).is_err());
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
        prop_assert!(authenticator().authenticate((&headers).into(), now()).is_err());
    }
}
