//! API keys over the wire: who holds one is its caller, and every key that does not hold is refused in the same words.

use ci_gateway::auth::{KeyTerms, NewKey};
use ci_gateway::domain::Code;
use jiff::{SignedDuration, Timestamp};

use crate::support::gateway::{Ask, PATH, Setup, World, token, until};

const BAD_CREDENTIALS: &str =
    r#"Bearer realm="ci-gateway", error="invalid_token", error_description="the token is not accepted""#;

fn terms(caller: &str) -> KeyTerms {
    KeyTerms { caller: caller.to_owned(), ..KeyTerms::default() }
}

fn key(terms: KeyTerms) -> NewKey {
    NewKey::make(terms).unwrap()
}

/// A world whose file of hashes has these entries, and an audit file.
async fn world(entries: &[String]) -> World {
    Setup::new()
        .file("api-keys.toml", &entries.concat())
        .set("auth.api_keys.file", "api-keys.toml")
        .set("audit.file", "audit.jsonl")
        .start()
        .await
}

fn anonymous() -> Ask {
    Ask::anonymous("POST", PATH)
}

fn with(key: &str) -> Ask {
    anonymous().header("X-Api-Key", key)
}

/// The last character of the secret, exchanged for another.
fn mistyped(key: &str) -> String {
    let (front, back) = key.split_at(40);
    let other = if back.starts_with('x') { "y" } else { "x" };
    format!("{front}{other}{}", back.get(1..).unwrap())
}

#[tokio::test]
async fn a_key_is_its_caller_in_either_header_and_records_name_it_without_its_secret() {
    let alice = key(terms("alice"));
    let world = world(&[alice.entry()]).await;
    for ask in [
        with(alice.text()),
        anonymous().header("Authorization", &format!("Bearer {}", alice.text())),
        anonymous().header("authorization", &format!("bearer  {}", alice.text())),
    ] {
        assert_eq!(world.answer(&ask).await.status, 200);
    }
    assert!(world.metrics().contains("authentications_total{result=\"ok\"} 3"));
    // Row 72.
    let records = std::fs::read_to_string(world.folder().join("audit.jsonl")).unwrap();
    let named = format!(r#""caller":"alice","issuer":"api_key","method":"api_key","key_id":"{}""#, alice.id());
    assert!(records.contains(&named), "{records}");
    assert!(!records.contains(alice.text()) && !world.metrics().contains(alice.id()));
    // Invariant 4.
    let sent = format!("{:?}", world.stand_in().requests());
    assert!(!sent.contains("cigw_") && !sent.contains("x-api-key"), "{sent}");
}

#[tokio::test]
async fn the_groups_of_a_key_count_and_a_token_is_recorded_as_one() {
    let member = key(KeyTerms { groups: vec!["speech-team".to_owned()], ..terms("bob") });
    let policy = "version = '2.0'\n[[statement]]\neffect = 'allow'\nprincipal = 'group:speech-team'\naction = 'ci:*'\nresource = '*'\n";
    let world = Setup::new()
        .policy(policy)
        .file("api-keys.toml", &[member.entry(), key(terms("carol")).entry()].concat())
        .set("auth.api_keys.file", "api-keys.toml")
        .set("audit.file", "audit.jsonl")
        .start()
        .await;
    assert_eq!(world.answer(&with(member.text())).await.status, 200);
    world.refuses(&anonymous().by("bob"), 403, Code::Forbidden).await;
    // The record of a request that was refused is not waited for.
    let file = world.folder().join("audit.jsonl");
    until(|| {
        std::fs::read_to_string(&file)
            .unwrap()
            .contains(r#""caller":"bob","issuer":"https://issuer.example","method":"jwt""#)
    })
    .await;
}

/// Rows 27, 31, 68 and 69.
#[tokio::test]
async fn every_key_that_does_not_hold_is_refused_in_the_same_words() {
    let now = Timestamp::now();
    let soon_over = now - SignedDuration::from_secs(1);
    let alice = key(terms("alice"));
    let expired = key(KeyTerms { not_after: Some(soon_over), ..terms("alice") });
    let elsewhere = key(KeyTerms { networks: vec![KeyTerms::network("10.0.0.0/8").unwrap()], ..terms("bob") });
    let (disabled, other) = (key(terms("alice")), key(terms("bob")));
    let entries = [
        alice.entry(),
        expired.entry(),
        elsewhere.entry(),
        format!("{}disabled = true\n", disabled.entry()),
        other.entry(),
    ];
    let world = world(&entries).await;
    let another = key(terms("alice"));
    let uniform = world.refuses(&anonymous().with_token("not-a-token"), 401, Code::InvalidToken).await;
    let in_bearer = |text: &str| anonymous().header("Authorization", &format!("Bearer {text}"));
    let mistyped = mistyped(alice.text());
    let mut asks = vec![(with(""), "malformed_api_key"), (with(&token("alice", &[])), "malformed_api_key")];
    for (text, reason) in [
        (expired.text(), "expired_api_key"),
        (disabled.text(), "disabled_api_key"),
        (elsewhere.text(), "wrong_network"),
        (another.text(), "unknown_api_key"),
        (mistyped.as_str(), "damaged_api_key"),
        ("cigw_", "malformed_api_key"),
    ] {
        asks.extend([(with(text), reason), (in_bearer(text), reason)]);
    }
    for (ask, reason) in asks {
        let answer = world.refuses(&ask, 401, Code::InvalidToken).await;
        assert_eq!(answer.body_without_id(), uniform.body_without_id(), "{reason}");
        assert_eq!(answer.header("www-authenticate"), Some(BAD_CREDENTIALS), "{reason}");
        assert!(world.metrics().contains(&format!("result=\"{reason}\"")), "{reason}");
    }
    assert_eq!(world.answer(&with(alice.text())).await.status, 200);
}

/// Row 68: the file says which id, and the secret is another one.
#[tokio::test]
async fn a_known_id_with_another_secret_is_refused_in_the_same_words() {
    let (known, shown) = (key(terms("alice")), key(terms("alice")));
    let world = world(&[known.entry().replace(known.id(), shown.id())]).await;
    world.refuses(&with(shown.text()), 401, Code::InvalidToken).await;
    assert!(world.metrics().contains("result=\"wrong_api_key\""));
}

/// Row 69.
#[tokio::test]
async fn a_key_with_networks_is_good_from_there() {
    let near = key(KeyTerms { networks: vec![KeyTerms::network("127.0.0.0/8").unwrap()], ..terms("alice") });
    let world = world(&[near.entry()]).await;
    assert_eq!(world.answer(&with(near.text())).await.status, 200);
    // What a header says about the address is nobody's word.
    let far = key(KeyTerms { networks: vec![KeyTerms::network("10.0.0.0/8").unwrap()], ..terms("alice") });
    let world = self::world(&[far.entry()]).await;
    let forged = with(far.text()).header("X-Forwarded-For", "10.0.0.1").header("Forwarded", "for=10.0.0.1");
    world.refuses(&forged, 401, Code::InvalidToken).await;
}

/// Row 25.
#[tokio::test]
async fn two_ways_to_say_who_asks_are_one_too_many() {
    let alice = key(terms("alice"));
    let world = world(&[alice.entry()]).await;
    for authorization in [token("alice", &[]), alice.text().to_owned(), "x".to_owned()] {
        let answer = world.refuses(&with(alice.text()).with_token(&authorization), 400, Code::InvalidRequest).await;
        assert!(answer.body.contains("send one of them"), "{answer:?}");
    }
    let basic = with(alice.text()).header("Authorization", "Basic eA==");
    world.refuses(&basic, 400, Code::InvalidRequest).await;
    let twice = with(alice.text()).header("x-api-key", alice.text());
    assert!(world.refuses(&twice, 400, Code::InvalidRequest).await.closed);
    // Also where no API keys are configured.
    let without = World::start().await;
    without.refuses(&Ask::post(PATH).header("X-Api-Key", "x"), 400, Code::InvalidRequest).await;
    without.refuses(&with(alice.text()), 401, Code::InvalidToken).await;
}

/// Row 24.
#[tokio::test]
async fn a_key_in_the_query_the_body_or_another_header_does_not_authenticate() {
    let alice = key(terms("alice"));
    let world = world(&[alice.entry()]).await;
    for name in ["api_key", "key", "x-api-key", "access_token"] {
        let ask = Ask::anonymous("POST", &format!("{PATH}?{name}={}", alice.text()));
        let answer = world.refuses(&ask, 400, Code::InvalidRequest).await;
        assert!(!answer.body.contains(alice.id()), "{answer:?}");
    }
    let body = format!("{{\"api_key\":\"{}\"}}", alice.text());
    for ask in [
        anonymous().header("Content-Type", "application/json").body(&body),
        anonymous().header("X_Api_Key", alice.text()),
        anonymous().header("Api-Key", alice.text()),
        anonymous().header("Cookie", &format!("x-api-key={}", alice.text())),
    ] {
        world.refuses(&ask, 401, Code::Unauthenticated).await;
    }
    let basic = anonymous().header("Authorization", &format!("Basic {}", alice.text()));
    world.refuses(&basic, 401, Code::Unauthenticated).await;
}

/// Two callers of one name, known in two ways, have a rate each: none can spend the other's.
#[tokio::test]
async fn a_caller_by_key_and_one_by_token_have_rates_of_their_own() {
    let alice = key(terms("alice"));
    let world = Setup::new()
        .file("api-keys.toml", &alice.entry())
        .set("auth.api_keys.file", "api-keys.toml")
        .set("limits.per_caller", "1/60s")
        .start()
        .await;
    assert_eq!(world.answer(&with(alice.text())).await.status, 200);
    world.refuses(&with(alice.text()), 429, Code::RateLimited).await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
}
