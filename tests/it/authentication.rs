//! Who is believed: every bad token is refused with the same words, and none of them gets anything sent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ci_gateway::auth::{Algorithm, DevelopmentClaims, SigningSecret, mint};
use ci_gateway::domain::Code;
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use rustix::process::Signal;

use crate::support::gateway::{AUDIENCE, Answer, Ask, ISSUER, PATH, SHARED_SECRET, Setup, World, token};
use crate::support::process::{self, Cloud, Folder, Served};

const NO_CREDENTIALS: &str = r#"Bearer realm="ci-gateway""#;
const BAD_TOKEN: &str =
    r#"Bearer realm="ci-gateway", error="invalid_token", error_description="the token is not accepted""#;

fn anonymous() -> Ask {
    Ask::anonymous("POST", PATH)
}

fn claims() -> Value {
    let now = Timestamp::now().as_second();
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600 })
}

/// [`claims`] with one of them replaced, or taken away by a null.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn hs256(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SHARED_SECRET)
}

async fn is_invalid(world: &World, token: &str) -> Answer {
    let answer = world.refuses(&anonymous().with_token(token), 401, Code::InvalidToken).await;
    assert_eq!(answer.header("www-authenticate"), Some(BAD_TOKEN));
    answer
}

// Row 77.
#[tokio::test]
async fn a_token_bound_to_a_certificate_does_not_hold_where_there_is_none() {
    let world = World::start().await;
    let thumbprint = URL_SAFE_NO_PAD.encode([7; 32]);
    is_invalid(&world, &hs256(&claims_with("cnf", json!({ "x5t#S256": thumbprint })))).await;
}

// Row 26.
#[tokio::test]
async fn without_credentials_the_challenge_names_no_error() {
    let world = World::start().await;
    for ask in [
        anonymous(),
        anonymous().header("Authorization", "Basic YWxpY2U6c2VjcmV0"),
        anonymous().header("Authorization", "Bearertoken"),
        anonymous().header("Proxy-Authorization", &format!("Bearer {}", token("alice", &[]))),
        anonymous().header("Cookie", &format!("token={}", token("alice", &[]))),
        anonymous().header("X-Forwarded-User", "alice").header("X_Forwarded_User", "alice"),
        Ask::anonymous("GET", PATH),
        Ask::anonymous("DELETE", PATH),
    ] {
        let answer = world.refuses(&ask, 401, Code::Unauthenticated).await;
        assert_eq!(answer.header("www-authenticate"), Some(NO_CREDENTIALS));
    }
}

// Row 30.
#[tokio::test]
async fn the_hand_made_token_of_these_tests_is_good_before_it_is_spoilt() {
    let world = World::start().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let ask = anonymous().header("Authorization", &format!("{scheme} {}", hs256(&claims())));
        assert_eq!(world.answer(&ask).await.status, 200);
    }
}

/// The good token with a spoilt signature or algorithm.
fn forged() -> Vec<String> {
    let good = hs256(&claims());
    let (message, _signature) = good.rsplit_once('.').unwrap();
    let (_header, payload) = message.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(json!({ "alg": "none" }).to_string());
    let algorithm = |name: &str| signed(&json!({ "alg": name }), &claims(), SHARED_SECRET);
    vec![
        signed(&json!({ "alg": "HS256" }), &claims(), "another-secret-of-more-than-32-bytes"),
        signed(&json!({ "alg": "HS256" }), &claims(), ""),
        format!("{message}."),
        message.to_owned(),
        format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 32])),
        format!("{good}="),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{}", URL_SAFE_NO_PAD.encode("x")),
        algorithm("RS256"),
        algorithm("ES256"),
        algorithm("HS512"),
        algorithm("hs256"),
        algorithm(""),
    ]
}

/// Tokens that our issuer might sign, and that are not for us, not for now, or not for anybody.
fn unfit() -> Vec<String> {
    let now = Timestamp::now().as_second();
    let with = |name: &str, value: Value| hs256(&claims_with(name, value));
    vec![
        with("iss", "https://issuer.example/".into()),
        with("iss", "https://other.example".into()),
        with("iss", Value::Null),
        with("aud", "another-service".into()),
        with("aud", Value::Null),
        with("exp", (now - 60).into()),
        with("exp", (now + 600).to_string().into()),
        with("exp", Value::Null),
        with("exp", (now + 400 * 86_400).into()),
        with("exp", 1e300.into()),
        with("nbf", (now + 120).into()),
        with("iat", (now + 120).into()),
        with("sub", Value::Null),
        with("sub", json!(["alice"])),
        with("sub", "".into()),
        with("groups", 7.into()),
    ]
}

/// What has not the form of a token, or asks for what is not done here.
fn malformed() -> Vec<String> {
    let header = |name: &str, value: Value| {
        let mut header = json!({ "alg": "HS256" });
        header[name] = value;
        signed(&header, &claims(), SHARED_SECRET)
    };
    vec![
        header("crit", json!(["exp"])),
        header("typ", "at+jwt+else".into()),
        header("kid", 1.into()),
        header("zip", "DEF".into()),
        "x".to_owned(),
        "a.b.c.d.e".to_owned(),
        "..".to_owned(),
        "x".repeat(8 * 1024 + 1),
    ]
}

// Rows 27, 29, 30 and 31.
#[tokio::test]
async fn every_bad_token_is_refused_with_the_same_words_and_sent_nowhere() {
    let world = World::start().await;
    let uniform = is_invalid(&world, "not-a-token").await.body_without_id();
    for token in [forged(), unfit(), malformed()].concat() {
        assert_eq!(is_invalid(&world, &token).await.body_without_id(), uniform, "{token}");
    }
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer ,", "Bearer \"x\""] {
        let answer = world.refuses(&anonymous().header("Authorization", value), 401, Code::InvalidToken).await;
        assert_eq!(answer.body_without_id(), uniform, "{value}");
    }
}

// Row 25.
#[tokio::test]
async fn two_authorization_headers_are_no_request_whichever_of_them_is_good() {
    let world = World::start().await;
    let good = format!("Bearer {}", token("alice", &[]));
    for other in [good.as_str(), "Bearer x", "Basic eA=="] {
        for (first, second) in [(good.as_str(), other), (other, good.as_str())] {
            let ask = anonymous().header("Authorization", first).header("authorization", second);
            assert!(world.refuses(&ask, 400, Code::InvalidRequest).await.closed);
        }
    }
}

// Row 24.
#[tokio::test]
async fn a_token_in_the_query_is_refused_and_does_not_authenticate() {
    let world = World::start().await;
    let target = format!("{PATH}?access_token={}", token("alice", &[]));
    let answer = world.refuses(&Ask::anonymous("POST", &target), 400, Code::InvalidRequest).await;
    assert!(!answer.body.contains("eyJ"), "{answer:?}");
}

// Rows 8 and 24.
#[tokio::test]
async fn a_token_in_a_trailer_does_not_authenticate() {
    let world = World::start().await;
    let head = anonymous().header("Transfer-Encoding", "chunked").header("Trailer", "Authorization").head();
    let request = format!("{head}2\r\n{{}}\r\n0\r\nAuthorization: Bearer {}\r\n\r\n", token("alice", &[]));
    let answer = world.exchange(request.as_bytes()).await;
    assert_eq!((answer.status, answer.code()), (401, "unauthenticated".to_owned()));
    assert_eq!(world.stand_in().request_count(), 0);
}

/// A second issuer, with the public half of `pair` in a JWK set under the `kid` `key-1`.
fn with_second_issuer(pair: &KeyPair) -> Setup {
    let (x, y) = pair.public_key_raw()[1..].split_at(32);
    let base64 = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "key-1", "x": base64(x), "y": base64(y) });
    Setup::new()
        .file("keys.json", &json!({ "keys": [key] }).to_string())
        .set("auth.jwt.1.issuer", "https://public.example")
        .set("auth.jwt.1.audience", AUDIENCE)
        .set("auth.jwt.1.algorithms", "ES256")
        .set("auth.jwt.1.jwks_file", "keys.json")
}

// Rows 35 and 42.
#[tokio::test]
async fn a_token_of_a_key_in_the_jwk_set_is_believed_and_one_of_another_key_is_not() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let world = with_second_issuer(&pair).start().await;
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let token = |pair: &KeyPair, issuer: &str, kid: &str| {
        let pem = pair.serialize_pem();
        let secret = SigningSecret::private_key(pem.as_bytes(), Algorithm::Es256, Some(kid.to_owned())).unwrap();
        let claims = DevelopmentClaims {
            issuer: issuer.to_owned(),
            audience: AUDIENCE.to_owned(),
            caller: "alice".to_owned(),
            groups: Vec::new(),
            issued_at: Timestamp::now(),
            lifetime: std::time::Duration::from_secs(60),
        };
        mint(&secret, &claims).unwrap()
    };
    let good = anonymous().with_token(&token(&pair, "https://public.example", "key-1"));
    assert_eq!(world.answer(&good).await.status, 200);
    is_invalid(&world, &token(&other, "https://public.example", "key-1")).await;
    is_invalid(&world, &token(&pair, "https://public.example", "key-2")).await;
    // The key of one issuer does not speak for another, nor does the public key as a secret.
    is_invalid(&world, &token(&pair, ISSUER, "key-1")).await;
    let header = json!({ "alg": "HS256", "kid": "key-1" });
    let theirs = claims_with("iss", "https://public.example".into());
    is_invalid(&world, &signed(&header, &theirs, &pair.public_key_pem())).await;
}

// Row 55.
#[test]
fn what_a_token_says_that_does_not_hold_stands_in_no_log() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let served = Served::from(&folder);
    let marked = json!({ "iss": process::ISSUER, "aud": process::AUDIENCE, "sub": "marker-of-a-forger", "exp": 9e9,
        "groups": ["marker-of-a-group"], "cnf": { "marker-of-a-member": 1 } });
    let header = json!({ "alg": "HS256", "kid": "marker-of-a-key" });
    let forged = signed(&header, &marked, "another-secret-of-more-than-32-bytes");
    let unkeyed = signed(&json!({ "alg": "HS256" }), &marked, "another-secret-of-more-than-32-bytes");
    let mut foreign = marked.clone();
    foreign["iss"] = "https://marker-of-an-issuer.example".into();
    for token in [&forged, &unkeyed, &hs256(&foreign)] {
        served.enable(token).expect(401);
    }
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    for reason in ["unknown_key", "bad_signature", "unknown_issuer"] {
        assert!(log.contains(reason), "{reason} in {log}");
    }
    assert!(!log.contains("marker-of"), "{log}");
    assert!(cloud.requests().is_empty());
}
