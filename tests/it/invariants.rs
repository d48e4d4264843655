//! The security invariants of the contract that show only from outside, and the limits on the work in progress.

use std::collections::BTreeSet;

use ci_gateway::domain::Code;
use serde_json::Value;

use crate::support::gateway::{Ask, BUCKET, PATH, Setup, World, token, until};

/// The records of requests in the audit file so far.
fn records(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.folder().join("audit.jsonl")).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| !record["request_id"].is_null()).collect()
}

async fn audited() -> World {
    Setup::new().set("audit.file", "audit.jsonl").start().await
}

const ODD_HEADERS: &[(&str, &str)] = &[
    ("X-Ci-Security-Token", "marker"),
    ("X-Cos-Security-Token", "marker"),
    ("X-Cos-Acl", "marker"),
    ("X-Cos-Meta-Marker", "marker"),
    ("x-request-id", "marker-12345678"),
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Host", "marker.example"),
    ("X-Forwarded-User", "marker"),
    ("X_Forwarded_User", "marker"),
    ("Forwarded", "for=203.0.113.7;host=marker.example"),
    ("X-Original-URL", "/marker"),
    ("X-Rewrite-URL", "/marker"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Proxy-Authorization", "Basic marker"),
    ("Cookie", "marker=1"),
    ("Connection", "keep-alive, Authorization, Host, X-Marker"),
    ("Keep-Alive", "timeout=marker"),
    ("TE", "trailers"),
    ("Range", "bytes=0-1"),
    ("If-None-Match", "*"),
    ("Accept", "text/marker"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "marker/1.0"),
    ("Referer", "http://marker.example"),
    ("Origin", "http://marker.example"),
    ("Date", "Sun, 22 Nov 2026 00:00:00 GMT"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("Content-Type", "application/json"),
    ("Content-MD5", "marker"),
];

#[tokio::test]
async fn nothing_of_the_callers_head_is_forwarded() {
    let world = World::start().await;
    for (method, known) in [
        ("POST", &["authorization", "content-length", "host"][..]),
        ("GET", &["authorization", "host"]),
        ("DELETE", &["authorization", "content-length", "host"]),
    ] {
        let ask = ODD_HEADERS.iter().fold(Ask::new(method, PATH), |ask, (name, value)| ask.header(name, value));
        assert_eq!(world.answer(&ask).await.status, 200);
        let arrival = world.stand_in().requests().pop().unwrap();
        let mut names: Vec<_> = arrival.headers.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        assert_eq!(names, known, "{method}");
        let told = format!("{arrival:?}");
        assert!(!told.contains("marker") && !told.contains("gateway.example") && !told.contains("203.0.113"), "{told}");
        let length = arrival.headers.iter().find(|(name, _)| &**name == "content-length").map(|(_, value)| &**value);
        assert_eq!(length.unwrap_or("0"), "0");
    }
}

#[tokio::test]
async fn nothing_of_the_callers_query_and_body_is_forwarded() {
    let world = World::start().await;
    let ask = Ask::post(&format!("{PATH}?validate_only=false&region=ap-tokyo")).body("{     }");
    assert_eq!(world.answer(&ask).await.status, 200);
    let ask = Ask::get(&format!("{PATH}?validate_only=false&region=ap-tokyo"));
    assert_eq!(world.answer(&ask).await.status, 200);
    let arrivals = world.stand_in().requests();
    assert_eq!((&*arrivals[0].path, &*arrivals[0].query), ("/asrbucket", ""));
    let query = format!("bucketNames={BUCKET}&regions=ap-tokyo&pageNumber=1&pageSize=10");
    assert_eq!((&*arrivals[1].path, &*arrivals[1].query), ("/asrbucket", query.as_str()));
}

#[tokio::test]
async fn the_intent_is_on_record_before_anything_arrives_upstream() {
    let world = audited().await;
    world.set_fault("delay:300ms");
    let ask = Ask::post(PATH).header("X-Request-Id", "the-first-one");
    let answer = tokio::join!(world.answer(&ask), async {
        world.seen_upstream(1).await;
        let records = records(&world);
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!((&records[0]["type"], &records[0]["request_id"]), (&"intent".into(), &"the-first-one".into()));
    });
    assert_eq!(answer.0.status, 200);
    // Whoever has the answer finds the outcome on record.
    let records = records(&world);
    assert_eq!(records.len(), 2);
    let (intent, outcome) = (&records[0], &records[1]);
    for (member, value) in [
        ("caller", "alice"),
        ("action", "ci:CreateAsrBucket"),
        ("bucket", BUCKET),
        ("region", "ap-chongqing"),
        ("decision", "permit"),
        ("statement", "alice-does-all"),
        ("request_id", "the-first-one"),
    ] {
        assert_eq!((&intent[member], &outcome[member]), (&value.into(), &value.into()), "{member}");
    }
    assert_eq!(
        (&outcome["type"], &outcome["code"], &outcome["outcome"]),
        (&"outcome".into(), &"ok".into(), &"applied".into())
    );
    let arrived = world.stand_in().requests()[0].at;
    assert!(intent["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap() <= arrived);
}

#[tokio::test]
async fn a_caller_who_hangs_up_undoes_nothing_and_leaves_both_records() {
    let world = audited().await;
    world.set_fault("delay:300ms");
    let mut connection = world.connect().await;
    connection.send(&Ask::post(PATH).bytes()).await;
    world.seen_upstream(1).await;
    drop(connection);
    until(|| records(&world).len() == 2).await;
    let outcome = &records(&world)[1];
    assert_eq!((&outcome["outcome"], &outcome["status"]), (&"applied".into(), &200.into()));
    let arrivals = world.stand_in().requests();
    assert!(arrivals.len() == 1 && arrivals[0].applied);
    until(|| world.gateway().shared().lines().is_empty()).await;
}

#[tokio::test]
async fn every_authenticated_request_leaves_an_outcome_and_an_anonymous_one_no_record() {
    let world = audited().await;
    for (ask, status) in [
        (Ask::anonymous("POST", PATH), 401),
        (Ask::post("/nowhere"), 404),
        (Ask::post(PATH).by("bob"), 403),
        (Ask::post(PATH).body("{\"a\":1}"), 400),
        (Ask::post(&format!("{PATH}?validate_only=true")), 200),
    ] {
        assert_eq!(world.answer(&ask).await.status, status);
    }
    assert_eq!(records(&world).len(), 4);
    let told: Vec<_> = records(&world)
        .iter()
        .map(|record| format!("{} {} {} {}", record["type"], record["caller"], record["decision"], record["code"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""outcome" "bob" "denied" "forbidden""#,
            r#""outcome" "alice" "permit" "invalid_request""#,
            r#""intent" "alice" "permit" null"#,
            r#""outcome" "alice" "permit" "ok""#,
        ]
    );
    // Row 85: also a denial, which leaves no other line, names the policy that it comes from.
    let shared = world.gateway().shared();
    let snapshot = shared.snapshot();
    assert!(records(&world).iter().all(|record| record["policy"] == snapshot.policy.digest()));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let world = Setup::new().set("audit.file", "/dev/full").start().await;
    let answer = world.refuses(&Ask::post(PATH), 503, Code::AuditUnavailable).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    world.refuses(&Ask::get(&format!("{PATH}?validate_only=true")), 503, Code::AuditUnavailable).await;
    world.refuses(&Ask::post(PATH).by("bob"), 403, Code::Forbidden).await;
    let health = world.answer(&Ask::anonymous("GET", "/healthz")).await;
    assert_eq!((health.status, health.body.as_str()), (503, "unready"));
    let checks = world.admin(&Ask::anonymous("GET", "/readyz?verbose")).await.body;
    assert!(checks.contains("[-] audit failed: since 2") && checks.contains("No space left"), "{checks}");
    let metrics = world.admin(&Ask::anonymous("GET", "/metrics")).await.body;
    // Two intents and the outcomes of three requests, at least.
    assert!(!metrics.contains("ci_gateway_audit_failures_total 0\n"), "{metrics}");
}

#[tokio::test]
async fn whoever_prefers_service_to_records_says_so() {
    let world = Setup::new().set("audit.file", "/dev/full").set("audit.on_failure", "serve").start().await;
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    let health = world.answer(&Ask::anonymous("GET", "/healthz")).await;
    assert_eq!((health.status, health.body.as_str()), (200, "ready"));
}

#[tokio::test]
async fn what_may_have_taken_effect_is_not_to_be_repeated_unless_it_only_reads() {
    let world = World::start().await;
    for (ask, retryable) in [(Ask::post(PATH), false), (Ask::get(PATH), true)] {
        world.set_fault("status:500@1");
        let problem = world.answer(&ask).await.json();
        assert_eq!((&problem["outcome"], &problem["retryable"]), (&"unknown".into(), &retryable.into()));
    }
}

#[tokio::test]
async fn without_keys_nothing_is_sent_and_the_gateway_is_not_ready() {
    let world = Setup::new().without_keys().start().await;
    let answer = world.refuses(&Ask::post(PATH), 503, Code::CredentialsUnavailable).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    let health = world.answer(&Ask::anonymous("GET", "/healthz")).await;
    assert_eq!((health.status, health.body.as_str()), (503, "unready"));
}

#[tokio::test]
async fn one_request_more_than_may_be_in_flight_is_refused_at_once_and_the_place_comes_back() {
    let world = Setup::new().set("limits.in_flight", 1).start().await;
    world.set_fault("delay:1s@1");
    let slow = Ask::post(PATH);
    let (first, ()) = tokio::join!(world.answer(&slow), async {
        world.seen_upstream(1).await;
        let answer = world.refuses(&Ask::get(PATH), 503, Code::Overloaded).await;
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(world.metrics().contains("ci_gateway_in_flight_requests 1\n"), "it waited for the place");
        // Whoever is not a caller takes no place and sees no limit.
        world.refuses(&Ask::anonymous("GET", PATH), 401, Code::Unauthenticated).await;
        assert_eq!(world.answer(&Ask::anonymous("GET", "/healthz")).await.status, 200);
    });
    assert_eq!(first.status, 200);
    assert_eq!(world.answer(&Ask::get(PATH)).await.status, 200);
    assert!(world.metrics().contains("ci_gateway_in_flight_requests 0\n"));
}

#[tokio::test]
async fn a_caller_over_its_rate_is_told_how_long_to_wait_and_no_other_is() {
    let policy = "version = \"2.0\"\n[users]\nalice = [\"ci:*\"]\nbob = [\"ci:*\"]\n";
    let world = Setup::new().policy(policy).set("limits.per_caller", "2/60s").start().await;
    // Who has no token spends nobody's rate.
    for _ in 0..5 {
        world.refuses(&Ask::post(PATH).with_token("x"), 401, Code::InvalidToken).await;
    }
    for _ in 0..2 {
        assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
    }
    let answer = world.refuses(&Ask::post(PATH), 429, Code::RateLimited).await;
    assert_eq!(answer.header("ratelimit-policy"), Some(r#""caller";q=2;w=60"#));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((28..=30).contains(&wait), "{wait}");
    assert_eq!(answer.header("ratelimit"), Some(format!(r#""caller";r=0;t={wait}"#).as_str()));
    assert_eq!(world.answer(&Ask::post(PATH).by("bob")).await.status, 200);
}

#[tokio::test]
async fn requests_of_many_callers_at_once_keep_their_own_answers() {
    let world = World::start().await;
    world.set_fault("delay:20ms");
    let mut buckets = BTreeSet::new();
    let asks: Vec<_> = (0..40).map(|n| Ask::post(&format!("/v1/buckets/bucket{n}-1/media"))).collect();
    let mut answers = tokio::task::JoinSet::new();
    for ask in asks {
        let mut connection = world.connect().await;
        answers.spawn(async move { (connection.ask(&ask).await, format!("{ask:?}")) });
    }
    while let Some(answered) = answers.join_next().await {
        let (answer, asked) = answered.unwrap();
        let bucket = answer.json()["bucket_id"].as_str().unwrap().to_owned();
        assert!(asked.contains(&format!("/{bucket}/")), "{asked} was answered about {bucket}");
        buckets.insert(bucket);
    }
    assert_eq!((buckets.len(), world.stand_in().request_count()), (40, 40));
}

/// A body whose first look panics: the only place where a test can reach into the middle of the line.
struct Trap;

impl http_body::Body for Trap {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        panic!("sprung")
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_leaves_its_record() {
    let world = audited().await;
    let request = http::Request::post(PATH)
        .header("host", "a")
        .header("authorization", format!("Bearer {}", token("alice", &[])))
        .body(Trap)
        .unwrap();
    let mut api = ci_gateway::api::Api::new(std::sync::Arc::clone(world.gateway().shared()));
    let answer = tower::Service::call(&mut api, request).await.unwrap();
    assert_eq!(answer.status(), 500);
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&problem["code"], &problem["outcome"]), (&"internal".into(), &"not_sent".into()));
    until(|| records(&world).len() == 1).await;
    let record = &records(&world)[0];
    assert_eq!(
        (&record["type"], &record["code"], &record["caller"]),
        (&"outcome".into(), &"internal".into(), &"alice".into())
    );
    assert!(world.metrics().contains("ci_gateway_panics_total 1\n"));
    assert_eq!(world.stand_in().requests().len(), 0);
    assert_eq!(world.answer(&Ask::post(PATH)).await.status, 200);
}
