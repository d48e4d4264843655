//! Row 32: who sends bad credentials is told to wait before any of them is looked at; others are not affected.

use std::collections::BTreeMap;

use ci_gateway::domain::Code;

use crate::support::gateway::{Ask, PATH, Setup, World, token};

const ASKS: usize = 1000;

async fn world(rate: &str) -> World {
    Setup::new().set("limits.failed_authentications", rate).start().await
}

/// A token that is whole but for its signature.
fn forged() -> Ask {
    let good = token("alice", &[]);
    let (message, _) = good.rsplit_once('.').unwrap();
    Ask::post(PATH).with_token(&format!("{message}.{}", "A".repeat(43)))
}

/// How many answers there are of each status to so many bad tokens at once.
async fn bombard(world: &World, ask: &Ask) -> BTreeMap<u16, usize> {
    let mut connections = Vec::new();
    for _ in 0..20 {
        let mut connection = world.connect().await;
        connection.send(&ask.bytes().repeat(ASKS / 20)).await;
        connections.push(connection);
    }
    let mut statuses = BTreeMap::new();
    for mut connection in connections {
        for _ in 0..ASKS / 20 {
            *statuses.entry(connection.answer_to(&ask.bytes()).await.status).or_default() += 1;
        }
    }
    statuses
}

#[tokio::test]
async fn a_thousand_bad_tokens_at_once_are_refused_unread_and_another_source_is_served() {
    let world = world("20/1h").await;
    assert_eq!(bombard(&world, &forged()).await, [(401, 20), (429, ASKS - 20)].into());
    assert_eq!(world.stand_in().request_count(), 0);
    let read = "authentications_total{result=\"bad_signature\"} 20\n";
    let unread = format!("authentications_total{{result=\"over_rate\"}} {}\n", ASKS - 20);
    assert!(world.metrics().contains(read) && world.metrics().contains(&unread), "{}", world.metrics());

    let answer = world.refuses(&forged(), 429, Code::RateLimited).await;
    assert_eq!(answer.header("ratelimit-policy"), Some(r#""source";q=20;w=3600"#));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((120..=180).contains(&wait), "{wait}");
    assert!(answer.json()["detail"].as_str().unwrap().contains("from your address"), "{answer:?}");

    assert_eq!(world.answer_from(2, &Ask::post(PATH)).await.status, 200);
    assert_eq!(world.answer_from(2, &forged()).await.status, 401);
}

#[tokio::test]
async fn whoever_is_known_already_is_served_whatever_its_neighbours_send() {
    let world = world("20/1h").await;
    // One token, not one of each second.
    let alice = Ask::anonymous("POST", PATH).with_token(&token("alice", &[]));
    assert_eq!(world.answer(&alice).await.status, 200);
    assert_eq!(bombard(&world, &forged()).await, [(401, 20), (429, ASKS - 20)].into());
    assert_eq!(world.answer(&alice).await.status, 200);
    world.refuses(&Ask::post(PATH).with_token(&token("bob", &[])), 429, Code::RateLimited).await;
}

#[tokio::test]
async fn a_valid_caller_behind_the_same_address_is_served_as_soon_as_the_rate_allows_a_look() {
    let world = world("1/200ms").await;
    assert_eq!(world.answer(&forged()).await.status, 401);
    let served = async {
        while world.answer(&Ask::post(PATH)).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), served).await.expect("it is locked out");
}

#[tokio::test]
async fn neither_good_credentials_nor_missing_ones_count() {
    let world = world("1/1h").await;
    for _ in 0..50 {
        assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
        world.refuses(&Ask::anonymous("POST", PATH), 401, Code::Unauthenticated).await;
        world.refuses(&Ask::post(PATH).by("bob"), 403, Code::Forbidden).await;
    }
    world.refuses(&forged(), 401, Code::InvalidToken).await;
    world.refuses(&Ask::post(PATH).by("carol"), 429, Code::RateLimited).await;
    // Pages that need no credentials stay there for everyone.
    assert_eq!(world.answer(&Ask::anonymous("GET", "/healthz")).await.status, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_rate() {
    let setup = Setup::new().set("limits.failed_authentications", "2/1h").set("server.trusted_proxies", "127.0.0.1");
    let world = setup.start().await;
    let from = |ask: Ask, address: &str| ask.header("X-Forwarded-For", address);
    for status in [401, 401, 429] {
        assert_eq!(world.answer(&from(forged(), "203.0.113.7")).await.status, status);
    }
    assert_eq!(world.answer(&from(Ask::post(PATH), "203.0.113.8")).await.status, 200);
    // One that the proxy does not name counts as the proxy itself.
    for status in [401, 401, 429] {
        assert_eq!(world.answer(&from(forged(), "unknown")).await.status, status);
    }
    assert_eq!(world.answer(&from(Ask::post(PATH), "203.0.113.8")).await.status, 200);
}

#[tokio::test]
async fn without_a_rate_every_bad_token_is_looked_at() {
    let world = World::start().await;
    assert_eq!(bombard(&world, &forged()).await, [(401, ASKS)].into());
}
