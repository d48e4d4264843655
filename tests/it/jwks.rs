//! Keys from an issuer's address: what it may do, and that nothing it does is felt by those whose keys are known.

use std::time::Duration;

use ci_gateway::auth::{FetchSettings, KeySource};
use ci_gateway::config::Config;
use ci_gateway::domain::Code;
use serde_json::json;

use crate::support::gateway::{
    AUDIENCE, Answer, Ask, KEYS_ISSUER, KeyServer, PATH, Says, Setup, SigningKey, World, response, set, token, until,
};
use crate::support::process::{self, Authority, Cloud, Folder, Served};

/// Soon enough for a test to see it happen several times.
const SOON: Duration = Duration::from_millis(20);
/// It does not come about in a test.
const NEVER: Duration = Duration::from_secs(3600);

/// Fetched once and not again by itself; refusals are not waited for.
fn once(settings: &mut FetchSettings) {
    (settings.refresh, settings.max_age, settings.retry, settings.time) = (NEVER, NEVER, NEVER, NEVER);
}

/// Fetched again and again.
fn often(settings: &mut FetchSettings) {
    (settings.refresh, settings.max_age, settings.retry) = (SOON, NEVER, SOON);
}

fn setup(url: &str, pace: impl FnOnce(&mut FetchSettings) + 'static) -> Setup {
    Setup::new()
        .set("auth.jwt.1.issuer", KEYS_ISSUER)
        .set("auth.jwt.1.audience", AUDIENCE)
        .set("auth.jwt.1.algorithms", "ES256,RS256")
        .set("auth.jwt.1.jwks_url", url)
        .change(|config: &mut Config| {
            let KeySource::JwksUrl(settings) = &mut config.auth.issuers[1].keys else { panic!() };
            pace(settings);
        })
}

/// A gateway that has fetched what `server` says.
async fn world(server: &KeyServer, pace: impl FnOnce(&mut FetchSettings) + 'static) -> World {
    let world = setup(&server.url(), pace).start().await;
    fetched(&world, "ok", 1).await;
    world
}

fn by(token: &str) -> Ask {
    Ask::anonymous("POST", PATH).with_token(token)
}

async fn served(world: &World, token: &str) {
    let answer = world.answer(&by(token)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn keys_unavailable(world: &World, token: &str) -> Answer {
    let answer = world.refuses(&by(token), 503, Code::Overloaded).await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("keys of the token's issuer"), "{answer:?}");
    answer
}

/// The value of a series of the admin listener.
async fn metric(world: &World, series: &str) -> Option<u64> {
    let page = world.admin(&Ask::anonymous("GET", "/metrics")).await.body;
    page.lines().find_map(|line| line.strip_prefix("ci_gateway_")?.strip_prefix(series)?.trim().parse().ok())
}

/// What `/readyz?verbose` says of the issuer; it is ready in any case.
async fn readiness(world: &World) -> String {
    let page = world.admin(&Ask::anonymous("GET", "/readyz?verbose")).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body.lines().find(|line| line.contains(KEYS_ISSUER)).unwrap().to_owned()
}

/// Returns once at least so many fetches have ended with `result`.
async fn fetched(world: &World, result: &str, count: u64) {
    let series = format!("jwks_fetches_total{{issuer=\"{KEYS_ISSUER}\",result=\"{result}\"}}");
    for _ in 0..10_000 {
        if metric(world, &series).await.unwrap_or_default() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("no {count} fetches with {result}");
}

async fn count(world: &World, result: &str) -> u64 {
    metric(world, &format!("jwks_fetches_total{{issuer=\"{KEYS_ISSUER}\",result=\"{result}\"}}")).await.unwrap_or(0)
}

#[tokio::test]
async fn row_60_an_issuer_that_is_down_at_the_start_is_503_and_others_are_served() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::Bytes(Vec::new())).await;
    let world = setup(&server.url(), often).start().await;
    fetched(&world, "no_answer", 2).await;
    let answer = keys_unavailable(&world, &key.token()).await;
    assert!(answer.header("retry-after").is_some() && answer.header("www-authenticate").is_none(), "{answer:?}");
    // A bad token too: nobody can tell. One of another issuer is none of this one's business.
    keys_unavailable(&world, &SigningKey::new("k").token()).await;
    served(&world, &token("alice", &[])).await;
    assert_eq!(metric(&world, &format!("jwks_age_seconds{{issuer=\"{KEYS_ISSUER}\"}}")).await, None);
    assert!(readiness(&world).await.ends_with("failed: its keys have not been fetched yet"));

    server.says(Says::keys(&[&key]));
    fetched(&world, "ok", 1).await;
    served(&world, &key.token()).await;
    assert!(readiness(&world).await.starts_with("[+] issuer "));
    world.refuses(&by(&SigningKey::new("k").token()), 401, Code::InvalidToken).await;
}

#[tokio::test]
async fn row_60_nobody_listening_at_all_is_no_reason_not_to_start() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = setup(&format!("http://{port}/jwks"), often).start().await;
    keys_unavailable(&world, &SigningKey::new("k").token()).await;
    served(&world, &token("alice", &[])).await;
}

/// What a set that is not taken looks like, with the word that counts it.
fn hostile(key: &SigningKey, elsewhere: &KeyServer) -> Vec<(&'static str, &'static str, Says)> {
    let html = "Content-Type: text/html\r\n";
    let with = |more: serde_json::Value| {
        let mut set = set(&[key]);
        set["keys"].as_array_mut().unwrap().push(more);
        Says::text(&set.to_string())
    };
    let mut private = SigningKey::new("p").jwk();
    private["d"] = json!("AAAA");
    let many: Vec<_> = (0..33).map(|n| SigningKey::new(&n.to_string())).collect();
    let redirect = |status: &str| Says::status(status, &format!("Location: {}\r\n", elsewhere.url()));
    let part = "x".repeat(1 << 16);
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let good = set(&[key]).to_string();
    vec![
        ("500", "status", Says::status("500 Internal Server Error", "")),
        ("204", "status", Says::status("204 No Content", "")),
        ("a moved set", "status", redirect("302 Found")),
        ("a set moved for good", "status", redirect("308 Permanent Redirect")),
        ("HTML", "bad_set", Says::Bytes(response("200 OK", html, "<html>Sign in</html>").into())),
        ("no text", "bad_set", Says::text("")),
        ("an empty set", "bad_set", Says::text(r#"{"keys":[]}"#)),
        ("no set", "bad_set", Says::text("[]")),
        ("a member that stands twice", "bad_set", Says::text(r#"{"keys":[],"keys":[]}"#)),
        ("a kid that stands twice", "bad_set", with(SigningKey::new("k").jwk())),
        ("a shared secret", "bad_set", with(json!({ "kty": "oct", "kid": "o", "k": "AAAA" }))),
        ("a private key", "bad_set", with(private)),
        ("33 keys", "bad_set", Says::keys(&many.iter().collect::<Vec<_>>())),
        ("100 MB", "too_large", Says::Endless(endless.into(), format!("10000\r\n{part}\r\n").into(), Duration::ZERO)),
        (
            "a head without an end",
            "no_answer",
            Says::Endless("HTTP/1.1 200 OK\r\nX: ".into(), part.into(), Duration::ZERO),
        ),
        ("half an answer", "no_answer", Says::Bytes(response("200 OK", "", &good).bytes().take(90).collect())),
        ("no HTTP", "no_answer", Says::Bytes(b"+OK ready\r\n".to_vec())),
        ("a closed connection", "no_answer", Says::Bytes(Vec::new())),
        ("a byte now and then", "timeout", Says::Endless(endless.into(), b"1\r\n{\r\n".to_vec(), SOON)),
        ("silence", "timeout", Says::Nothing),
    ]
}

#[tokio::test]
async fn row_59_whatever_the_address_answers_the_old_set_stays_in_force() {
    let key = SigningKey::new("k");
    let (server, elsewhere) = (KeyServer::start(Says::keys(&[&key])).await, KeyServer::start(Says::keys(&[])).await);
    let world = world(&server, |settings| {
        often(settings);
        settings.time = Duration::from_millis(500);
    })
    .await;
    for (what, word, says) in hostile(&key, &elsewhere) {
        let before = count(&world, word).await;
        server.says(says);
        // The first may have been under way before.
        fetched(&world, word, before + 2).await;
        served(&world, &key.token()).await;
        let unknown = key.token_with_id("another");
        let answer = world.refuses(&by(&unknown), 401, Code::InvalidToken).await;
        assert_eq!(answer.status, 401, "{what}");
    }
    assert_eq!(elsewhere.asked(), 0, "a redirect was followed");

    let good = count(&world, "ok").await;
    server.says(Says::keys(&[&key]));
    fetched(&world, "ok", good + 1).await;
    served(&world, &key.token()).await;
}

// Row 54.
#[tokio::test]
async fn row_54_a_weak_key_of_a_fetched_set_is_skipped_and_counted() {
    let key = SigningKey::new("k");
    let weak = json!({ "kty": "RSA", "kid": "weak", "e": "AQAB", "n": "v".repeat(171) });
    let server = KeyServer::start(Says::text(&json!({ "keys": [weak, key.jwk()] }).to_string())).await;
    let world = world(&server, once).await;
    served(&world, &key.token()).await;
    for (state, keys) in [("used", 1), ("skipped", 1)] {
        let series = format!("jwks_keys{{issuer=\"{KEYS_ISSUER}\",state=\"{state}\"}}");
        assert_eq!(metric(&world, &series).await, Some(keys), "{state}");
    }
}

#[tokio::test]
async fn row_61_ten_thousand_unknown_kids_bring_about_one_fetch() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::keys(&[&key])).await;
    let world = std::sync::Arc::new(world(&server, once).await);
    let stranger = std::sync::Arc::new(SigningKey::new("stranger"));
    let strangers = (0..50).map(|n| {
        let (world, stranger) = (std::sync::Arc::clone(&world), std::sync::Arc::clone(&stranger));
        tokio::spawn(async move {
            let mut connection = world.connect().await;
            for m in 0..200 {
                let answer = connection.ask(&by(&stranger.token_with_id(&format!("{n}-{m}")))).await;
                assert_eq!((answer.status, answer.code().as_str()), (401, "invalid_token"));
            }
        })
    });
    for stranger in strangers.collect::<Vec<_>>() {
        stranger.await.unwrap();
    }
    assert_eq!(server.asked(), 2, "the first one, and one for all of them");
    assert_eq!(world.stand_in().request_count(), 0);
    served(&world, &key.token()).await;
}

#[tokio::test]
async fn row_63_a_new_key_is_believed_at_once_by_everyone_who_comes_with_it() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let server = KeyServer::start(Says::keys(&[&old])).await;
    let world = std::sync::Arc::new(world(&server, once).await);
    server.says(Says::keys(&[&old, &new]));
    let callers = (0..40).map(|n| {
        let world = std::sync::Arc::clone(&world);
        let token = if n % 2 == 0 { old.token() } else { new.token() };
        tokio::spawn(async move {
            let mut connection = world.connect().await;
            for _ in 0..25 {
                let answer = connection.ask(&by(&token)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(server.asked(), 2, "one fetch for all who came with the new key");
}

#[tokio::test]
async fn row_63_keys_change_under_load_without_a_false_401_and_a_removed_one_is_refused() {
    let keys: Vec<_> = (0..6).map(|n| SigningKey::new(&n.to_string())).collect();
    let server = KeyServer::start(Says::keys(&[&keys[0]])).await;
    let world = world(&server, often).await;
    let mut connection = world.connect().await;
    for pair in keys.windows(2) {
        let (old, new) = (&pair[0], &pair[1]);
        let (old_token, new_token) = (old.token(), new.token());
        server.says(Says::keys(&[old, new]));
        let good = count(&world, "ok").await;
        fetched(&world, "ok", good + 2).await;
        for _ in 0..50 {
            for token in [&old_token, &new_token] {
                assert_eq!(connection.ask(&by(token)).await.status, 200);
            }
        }
        server.says(Says::keys(&[new]));
        let good = count(&world, "ok").await;
        fetched(&world, "ok", good + 2).await;
        // It was verified and remembered a moment ago.
        assert_eq!(connection.ask(&by(&old_token)).await.status, 401);
        assert_eq!(connection.ask(&by(&new_token)).await.status, 200);
    }
}

#[tokio::test]
async fn row_66_whoever_has_a_known_key_is_served_while_the_address_is_silent() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::keys(&[&key])).await;
    let world = std::sync::Arc::new(world(&server, once).await);
    server.says(Says::Nothing);
    let unknown = {
        let (world, token) = (std::sync::Arc::clone(&world), key.token_with_id("unknown"));
        tokio::spawn(async move { world.answer(&by(&token)).await })
    };
    until(|| server.asked() == 2).await;
    let mut connection = world.connect().await;
    for n in 0..120 {
        // Some remembered, some not.
        let token = if n % 3 == 0 { key.token() } else { token("alice", &[]) };
        assert_eq!(connection.ask(&by(&token)).await.status, 200);
    }
    assert!(!unknown.is_finished(), "the one with the unknown key waits alone");
    assert_eq!(world.stand_in().request_count(), 120);
    unknown.abort();
}

#[tokio::test]
async fn a_caller_with_an_unknown_key_does_not_wait_beyond_its_own_deadline() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::keys(&[&key])).await;
    let world = setup(&server.url(), once).set("server.request_timeout", "300ms").start().await;
    fetched(&world, "ok", 1).await;
    server.says(Says::Nothing);
    world.refuses(&by(&key.token_with_id("unknown")), 401, Code::InvalidToken).await;
}

#[tokio::test]
async fn row_62_a_set_that_has_become_too_old_closes_its_issuer_until_a_new_one_comes() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::keys(&[&key])).await;
    let world = world(&server, |settings| {
        often(settings);
        settings.max_age = Duration::from_millis(600);
    })
    .await;
    let alice = key.token();
    served(&world, &alice).await;
    server.says(Says::status("503 Service Unavailable", ""));
    let closed = async {
        while world.answer(&by(&alice)).await.status == 200 {
            tokio::time::sleep(SOON).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    keys_unavailable(&world, &alice).await;
    served(&world, &token("alice", &[])).await;
    let series = format!("jwks_keys{{issuer=\"{KEYS_ISSUER}\",state=\"used\"}}");
    assert_eq!(metric(&world, &series).await, Some(0));
    assert!(readiness(&world).await.ends_with("failed: its keys were fetched too long ago to be used"));

    let good = count(&world, "ok").await;
    server.says(Says::keys(&[&key]));
    fetched(&world, "ok", good + 1).await;
    served(&world, &alice).await;
}

#[tokio::test]
async fn row_59_the_host_proves_who_it_is_or_its_keys_are_not_taken() {
    let (authority, key) = (Authority::new(), SigningKey::new("k"));
    for (name, trusted, taken) in [
        ("127.0.0.1", authority.pem(), true),
        ("127.0.0.1", Authority::new().pem(), false),
        ("issuer.example", authority.pem(), false),
    ] {
        let tls = authority.paper_for(name).server_config();
        let server = KeyServer::with_tls(Says::keys(&[&key]), tls).await;
        let setup = setup(&server.https_url(), once).file("issuer-ca.pem", &trusted);
        let world = setup.set("auth.jwt.1.jwks_ca_file", "issuer-ca.pem").start().await;
        if taken {
            fetched(&world, "ok", 1).await;
            served(&world, &key.token()).await;
        } else {
            fetched(&world, "no_answer", 1).await;
            keys_unavailable(&world, &key.token()).await;
            assert_eq!(server.asked(), 0, "{name}");
        }
    }
}

#[tokio::test]
async fn row_28_a_token_without_the_scope_is_told_which_one_it_lacks() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::keys(&[&key])).await;
    let world = setup(&server.url(), once).set("auth.jwt.1.required_scope", "ci.manage").start().await;
    fetched(&world, "ok", 1).await;
    let answer = world.refuses(&by(&key.token()), 403, Code::Forbidden).await;
    let challenge = r#"Bearer realm="ci-gateway", error="insufficient_scope", scope="ci.manage""#;
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    assert!(answer.json()["detail"].as_str().unwrap().contains("ci.manage"), "{answer:?}");
    // Who is not believed is not told.
    let stranger = SigningKey::new("k").token();
    let answer = world.refuses(&by(&stranger), 401, Code::InvalidToken).await;
    assert!(!answer.header("www-authenticate").unwrap().contains("scope="), "{answer:?}");
}

#[tokio::test]
async fn row_58_the_same_name_of_two_issuers_is_two_callers_in_the_policy() {
    let key = SigningKey::new("k");
    let server = KeyServer::start(Says::keys(&[&key])).await;
    let world = setup(&server.url(), once).set("auth.jwt.1.prefix", "corp:").start().await;
    fetched(&world, "ok", 1).await;
    served(&world, &token("alice", &[])).await;
    world.refuses(&by(&key.token()), 403, Code::Forbidden).await;
}

#[test]
fn fetched_keys_outlive_a_reload_and_a_change_of_state_is_logged_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let key = SigningKey::new("k");
    let server = runtime.block_on(KeyServer::start(Says::keys(&[&key])));
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let entry = format!(
        "[[auth.jwt]]\nissuer = \"{KEYS_ISSUER}\"\naudience = \"{AUDIENCE}\"\nalgorithms = [\"ES256\"]\njwks_url = \"{}\"\n[policy]",
        server.url()
    );
    folder.change("gateway.toml", "[policy]", &entry);
    let gateway = Served::from(&folder);
    process::until("no keys", || (gateway.enable(&key.token()).status() == 200).then_some(()));
    server.says(Says::Nothing);
    for _ in 0..3 {
        gateway.reload().expect(200);
        gateway.enable(&key.token()).expect(200);
    }
    assert_eq!(server.asked(), 1);
    let log = gateway.ended_by(rustix::process::Signal::TERM).expect(0).stderr;
    assert_eq!(log.matches("the issuer's keys were fetched").count(), 1, "{log}");
}
