//! The admin listener, and metrics that count rightly and do not grow with what is sent.

use std::collections::{BTreeMap, BTreeSet};

use ci_gateway::api::Refusal;
use ci_gateway::auth::Reason;
use ci_gateway::ci::FaultKind;
use ci_gateway::domain::{Action, Code};
use ci_gateway::signing::Cause;
use ci_gateway::telemetry::{CALL_BUCKETS, OVERHEAD_BUCKETS};
use ci_gateway::upstream::SendError;

use crate::support::gateway::{
    Ask, BUCKET, Connection, PATH, REGION, SECRET_ID, SECRET_KEY, SHARED_SECRET, Setup, World, token,
};

/// Every series of the text format, without its value.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn page(world: &World, path: &str) -> String {
    let answer = world.admin(&Ask::anonymous("GET", path)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Every word that a label of each name may have; an empty list is for the numbers of `le`.
fn vocabulary() -> BTreeMap<&'static str, Vec<&'static str>> {
    let operations: Vec<_> = Action::all().map(|action| action.as_str().trim_start_matches("ci:")).collect();
    let kinds = FaultKind::ALL.map(FaultKind::as_str);
    BTreeMap::from([
        ("operation", [&operations[..], &["none"]].concat()),
        ("action", operations),
        ("code", [&Code::ALL.map(Code::as_str)[..], &["ok"]].concat()),
        ("decision", vec!["permit", "denied"]),
        ("change", vec!["would_permit", "would_deny"]),
        ("rule", Refusal::ALL.map(Refusal::as_str).to_vec()),
        (
            "result",
            [
                &Reason::ALL.map(Reason::as_str)[..],
                &kinds,
                &SendError::WORDS,
                &["ok", "failed", "no_credentials", "over_rate", "applied", "unreadable"],
            ]
            .concat(),
        ),
        ("cause", Cause::ALL.map(Cause::as_str).to_vec()),
        ("listener", vec!["business", "admin"]),
        ("event", vec!["accepted", "turned_away", "not_accepted", "failed_handshake", "refused_head", "unreadable"]),
        ("version", vec![env!("CARGO_PKG_VERSION")]),
        ("account", vec!["default"]),
        ("generation", vec!["current", "previous"]),
        ("le", Vec::new()),
    ])
}

/// The labels of a series as name and value.
fn labels(series: &str) -> Vec<(&str, &str)> {
    let Some((_, labels)) = series.split_once('{') else { return Vec::new() };
    let labels = labels.strip_suffix('}').unwrap().split(',');
    labels.map(|label| label.split_once('=').map(|(name, value)| (name, value.trim_matches('"'))).unwrap()).collect()
}

/// How many series there can be, whatever is sent: the closed sets multiplied.
fn most_series() -> usize {
    let (actions, codes) = (Action::all().count(), Code::ALL.len());
    let with_histogram = |buckets: usize| buckets + 3;
    let requests = (actions + 1) * (codes + 1);
    let overhead = (actions + 1) * with_histogram(OVERHEAD_BUCKETS.len());
    let upstream = actions * with_histogram(CALL_BUCKETS.len());
    let attempts = FaultKind::ALL.len() + SendError::WORDS.len() + 2;
    let decisions = 2 * actions;
    let authentications = Reason::ALL.len() + 3;
    let heads = Refusal::ALL.len();
    let connections = 2 + 2 * 6;
    // End, last use of two, refusals, refreshes good and bad, and whether the old ones can go.
    let keys = 1 + 2 + 1 + 2 + 1;
    let (single, reloads, process) = (10, 2, 10);
    requests
        + overhead
        + upstream
        + attempts
        + decisions
        + authentications
        + heads
        + connections
        + keys
        + single
        + reloads
        + process
}

/// A small generator, the same in each run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }

    fn word(&mut self) -> String {
        let length = 1 + self.roll(12);
        (0..length).map(|_| char::from(b'a' + u8::try_from(self.roll(26)).unwrap())).collect::<String>() + "-hostile"
    }

    /// A request that nobody has sent before, with a good token now and then.
    fn ask(&mut self, good: &str) -> Ask {
        let word = self.word();
        let service = self.one_of(&["smart-audio", "media", "documents", "images", "ai", "files", "nothing"]);
        let path = match self.roll(6) {
            0 => format!("/{word}/{}", self.word()),
            1 => format!("/problems/{word}"),
            2 => format!("/v1/buckets/{word}/{service}"),
            3 => format!(
                "/v1/buckets/{word}-{}/{service}?{}={word}",
                self.roll(1_000_000),
                self.one_of(&["region", "x"])
            ),
            _ => format!("/v1/buckets/{word}-{}/{service}?validate_only=true", self.roll(1_000_000)),
        };
        let verb = self.one_of(&["POST", "GET", "DELETE", "PUT", "OPTIONS", "BREW"]);
        let method = if self.roll(9) == 0 { word.to_uppercase() } else { verb.to_owned() };
        let ask = Ask::anonymous(&method, &path).header(&format!("X-{word}"), &word);
        match self.roll(8) {
            0 => ask,
            1 => ask.with_token(&word),
            2 => ask.header("Authorization", &format!("{word} {word}")),
            3 => ask.by(&word),
            4 => ask.with_token(good).header("X-Request-Id", &format!("{word}-12345678")),
            5 => ask.with_token(good).body(&format!("{{\"{word}\":1}}")),
            _ => ask.with_token(good),
        }
    }
}

/// Sends so many requests, fifty at a time down one connection.
async fn bombard(world: &World, connection: &mut Connection, dice: &mut Dice, count: usize) {
    let good = token("alice", &[]);
    for _ in 0..count / 50 {
        let asks: Vec<_> = (0..50).map(|_| dice.ask(&good).bytes()).collect();
        connection.send(&asks.concat()).await;
        for ask in &asks {
            let answer = connection.answer_to(ask).await;
            assert!(answer.status < 500 && !answer.closed, "{answer:?}");
        }
        let bad = format!("GET /{} HTTP/1.1\r\n{}: x\r\n\r\n", dice.word(), dice.word());
        assert_eq!(world.exchange(bad.as_bytes()).await.status, 400);
    }
}

#[tokio::test]
async fn ten_thousand_hostile_requests_make_no_series_that_was_not_foreseen() {
    let world = World::start().await;
    let (mut connection, mut dice) = (world.connect().await, Dice(0x2545_F491_4F6C_DD1D));
    bombard(&world, &mut connection, &mut dice, 500).await;
    let early = series(&page(&world, "/metrics").await);
    bombard(&world, &mut connection, &mut dice, 9_500).await;
    let text = page(&world, "/metrics").await;
    let late = series(&text);
    assert!(late.is_superset(&early) && late.len() <= most_series(), "{} of {}", late.len(), most_series());
    assert!(!text.contains("hostile"), "a label has taken text of a request");
    let vocabulary = vocabulary();
    for (name, value) in late.iter().flat_map(|series| labels(series)) {
        let words = vocabulary.get(name).unwrap_or_else(|| panic!("a label `{name}`"));
        assert!(words.contains(&value) || name == "le", "{name}=\"{value}\" is of no closed set");
    }
    let families = |set: &BTreeSet<String>| {
        set.iter().map(|series| series.split('{').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(families(&late), families(&early));
    let counted: f64 =
        late.iter().filter(|s| s.starts_with("ci_gateway_requests_total")).map(|s| value(&text, s)).sum();
    assert!((counted - 10_200.0).abs() < 0.5, "{counted}");
    assert!(value(&text, "ci_gateway_panics_total").abs() < 0.5);
}

/// By how much each series has grown, of those that have.
fn growth(before: &str, after: &str) -> Vec<String> {
    let of_ours =
        |name: &&String| name.starts_with("ci_gateway_") && !name.contains("_bucket{") && !name.contains("_sum{");
    let grown = |name: &String| (value(after, name) - value(before, name), name.clone());
    let all: Vec<_> = series(after).iter().filter(of_ours).map(grown).filter(|(by, _)| by.abs() > 0.5).collect();
    all.into_iter().map(|(by, name)| format!("{} +{by}", name.trim_start_matches("ci_gateway_"))).collect()
}

#[tokio::test]
async fn a_served_and_a_refused_request_move_exactly_their_counters() {
    let world = World::start().await;
    let start = world.metrics();
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    let served = world.metrics();
    assert_eq!(
        growth(&start, &served),
        [
            "authentications_total{result=\"ok\"} +1",
            "policy_decisions_total{action=\"CreateAsrBucket\",decision=\"permit\"} +1",
            "request_overhead_seconds_count{operation=\"CreateAsrBucket\"} +1",
            "requests_total{code=\"ok\",operation=\"CreateAsrBucket\"} +1",
            "signatures_total +1",
            "upstream_attempts_total{result=\"applied\"} +1",
            "upstream_seconds_count{operation=\"CreateAsrBucket\"} +1",
        ]
    );
    assert_eq!(world.answer(&Ask::delete(PATH).by("bob")).await.status, 403);
    let refused = world.metrics();
    assert_eq!(
        growth(&served, &refused),
        [
            "authentications_total{result=\"ok\"} +1",
            "policy_decisions_total{action=\"DeleteAsrBucket\",decision=\"denied\"} +1",
            "request_overhead_seconds_count{operation=\"DeleteAsrBucket\"} +1",
            "requests_total{code=\"forbidden\",operation=\"DeleteAsrBucket\"} +1",
        ]
    );
    world.set_fault("status:503");
    assert_eq!(world.answer(&Ask::get(PATH)).await.status, 503);
    let failed = growth(&refused, &world.metrics());
    assert!(failed.contains(&"upstream_attempts_total{result=\"unavailable\"} +1".to_owned()), "{failed:?}");
}

#[tokio::test]
async fn the_admin_pages_tell_what_the_process_is_and_whether_it_is_ready() {
    let world = World::start().await;
    assert_eq!(page(&world, "/livez").await, "live\n");
    assert_eq!(page(&world, "/readyz").await, "ready\n");
    let verbose = page(&world, "/readyz?verbose").await;
    for check in ["policy", "reload", "keys", "audit", "drain"] {
        assert!(verbose.contains(&format!("[+] {check} ok")), "{verbose}");
    }
    assert!(verbose.ends_with("ready\n"));
    let version: serde_json::Value = serde_json::from_str(&page(&world, "/version").await).unwrap();
    assert_eq!((&version["name"], &version["version"]), (&"ci-gateway".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(world.answer(&Ask::anonymous("GET", "/healthz")).await.status, 200);
    let text = page(&world, "/metrics").await;
    assert!(
        text.contains("# HELP ci_gateway_requests_total") && text.contains("# TYPE ci_gateway_requests_total counter")
    );
    assert!(text.contains("ci_gateway_open_connections{listener=\"admin\"} 1"), "{text}");
    assert_eq!(world.stand_in().request_count(), 0, "readiness dials nobody");
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let world = Setup::new().set("ci.buckets.0.name", BUCKET).set("ci.buckets.0.region", "ap-beijing").start().await;
    let text = page(&world, "/config").await;
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["ci"]["default_region"], REGION);
    assert!(text.contains("jwt-secret") && text.contains("sha256:"), "{text}");
    for secret in [SECRET_ID, SECRET_KEY, SHARED_SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_ready_says_which_check_fails() {
    let world = Setup::new().without_keys().start().await;
    let answer = world.admin(&Ask::anonymous("GET", "/readyz?verbose")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("[-] keys failed: ") && answer.body.ends_with("unready\n"), "{}", answer.body);
    assert_eq!(page(&world, "/livez").await, "live\n");
}

#[tokio::test]
async fn the_admin_listener_refuses_other_methods_paths_and_heads_with_problems() {
    let world = World::start().await;
    for (method, path, status, allow) in [
        ("GET", "/reload", 405, Some("POST")),
        ("PUT", "/reload", 405, Some("POST")),
        ("POST", "/metrics", 405, Some("GET, HEAD")),
        ("DELETE", "/config", 405, Some("GET, HEAD")),
        ("GET", "/", 404, None),
        ("GET", "/debug", 404, None),
        ("POST", PATH, 404, None),
        ("GET", "/livez/../config", 400, None),
        ("TRACE", "/config", 405, Some("GET, HEAD")),
    ] {
        let answer = world.admin(&Ask::anonymous(method, path)).await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        assert!(!answer.code().is_empty(), "{answer:?}");
    }
    assert_eq!(world.gateway().shared().generation(), 1);
}

#[tokio::test]
async fn a_reload_without_a_file_to_read_again_changes_nothing_and_says_why() {
    let world = World::start().await;
    let answer = world.admin(&Ask::anonymous("POST", "/reload")).await;
    assert_eq!(
        (answer.status, &answer.json()["reloaded"], &answer.json()["generation"]),
        (422, &false.into(), &1.into())
    );
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
}
