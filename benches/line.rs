//! The gateway's own work on a request, step by step; `cargo bench --bench line`.
//!
//! `the whole line` is a request without its call: all twelve steps but sending and reading the answer, in one process
//! and on one thread, without sockets, log and audit file. What a socket and the cloud add: `whole_process`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    missing_docs,
    reason = "a bench may be blunt"
)]

use std::future::Future;
use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ci_gateway::api::Api;
use ci_gateway::auth::{
    Algorithm, Authenticator, DevelopmentClaims, IssuerSettings, KeySource, Profile, Settings, SigningSecret,
    TokenCacheSettings, mint,
};
use ci_gateway::ci::{self, Asked, Operation, Reply};
use ci_gateway::cli::Gateway;
use ci_gateway::config::Config;
use ci_gateway::credentials::Keys;
use ci_gateway::domain::{Bucket, Region, Service, Verb};
use ci_gateway::signing::{Stages, View, Window};
use criterion::{Criterion, criterion_group, criterion_main};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use jiff::Timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use tempfile::TempDir;
use tokio::time::Instant;
use tower::Service as _;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// The answer of the product page.
const ANSWER: &str = "<Response>\n<RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>\n<AsrBucket>\n<BucketId>test-1234567890</BucketId>\n<Name>test-1234567890</Name>\n<Region>ap-chongqing</Region>\n<CreateTime>2022-08-09T16:23:11+0800></CreateTime>\n</AsrBucket>\n</Response>";

const CONFIGURATION: &str = r#"
server.listen = "127.0.0.1:0"
admin.listen = "127.0.0.1:0"
policy.file = "policy.toml"
credentials = { source = "file", file = "tencent.keys" }
ci = { default_region = "ap-chongqing", endpoint = "http://127.0.0.1:9" }
[[auth.jwt]]
issuer = "me"
audience = "ci-gateway"
algorithms = ["HS256"]
secret_file = "jwt.secret"
"#;

fn bucket_and_region() -> (Bucket, Region) {
    ("test-1234567890".parse().unwrap(), "ap-chongqing".parse().unwrap())
}

/// A token that is checked, and one that is remembered; `now` is the time of both.
fn authenticate(c: &mut Criterion) {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), SECRET).unwrap();
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), key_set(&pair)).unwrap();
    let pem = pair.serialize_pem();
    let es256 = SigningSecret::private_key(pem.as_bytes(), Algorithm::Es256, Some("k".to_owned())).unwrap();
    let now = Timestamp::now();
    for (algorithm, keys, token) in [
        (Algorithm::Hs256, KeySource::Secret(secret.path().to_owned()), token(now)),
        (Algorithm::Es256, KeySource::Jwks(keys.path().to_owned()), mint(&es256, &development_claims(now)).unwrap()),
    ] {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        for (how, entries) in [("checked", 0), ("remembered", 10_000)] {
            let authenticator = authenticator(algorithm, &keys, entries);
            c.bench_function(&format!("authenticate/{}, {how}", algorithm.as_str()), |b| {
                b.iter(|| at_once(authenticator.authenticate(black_box(&headers).into(), now, Instant::now())).unwrap())
            });
        }
    }
}

fn authenticator(algorithm: Algorithm, keys: &KeySource, entries: usize) -> Authenticator {
    let issuer = IssuerSettings {
        issuer: "me".to_owned(),
        audiences: vec!["ci-gateway".to_owned()],
        algorithms: vec![algorithm],
        keys: keys.clone(),
        user_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
        leeway: Duration::from_secs(30),
        prefix: String::new(),
        profile: Profile::Jwt,
        required_scope: None,
    };
    let token_cache = TokenCacheSettings { entries, time: Duration::from_secs(300) };
    Authenticator::load(&Settings { issuers: vec![issuer], token_cache }, None).unwrap()
}

fn key_set(pair: &KeyPair) -> String {
    let (x, y) = pair.public_key_raw()[1..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"k","x":"{x}","y":"{y}"}}]}}"#)
}

/// What a future comes to that waits for nothing.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn token(now: Timestamp) -> String {
    mint(&SigningSecret::shared(SECRET).unwrap(), &development_claims(now)).unwrap()
}

fn development_claims(now: Timestamp) -> DevelopmentClaims {
    DevelopmentClaims {
        issuer: "me".to_owned(),
        audience: "ci-gateway".to_owned(),
        caller: "alice".to_owned(),
        groups: vec!["speech-team".to_owned()],
        issued_at: now,
        lifetime: Duration::from_secs(3600),
    }
}

/// A gateway's files; the cloud is a port on which nobody answers, for nothing is sent.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in [
        ("jwt.secret", std::str::from_utf8(SECRET).unwrap()),
        ("tencent.keys", "secret_id = AKIDEXAMPLE\nsecret_key = examplesecretkeyexamplesecretkey\n"),
        ("policy.toml", "version = \"2.0\"\n[users]\nalice = [\"ci:*\"]\n"),
        ("gateway.toml", CONFIGURATION),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
        std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn whole_line(c: &mut Criterion) {
    let folder = folder();
    // One thread: with more, the bench would measure how fast they wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config::load(&folder.path().join("gateway.toml")).unwrap();
    let gateway = runtime.block_on(Gateway::start(config)).unwrap();
    let mut api = Api::new(Arc::clone(gateway.shared()));
    let bearer = format!("Bearer {}", token(Timestamp::now()));
    let mut ask = || {
        let request = Request::post("/v1/buckets/test-1234567890/smart-audio?validate_only=true")
            .header(AUTHORIZATION, bearer.as_str())
            .body(Empty::<Bytes>::new())
            .unwrap();
        runtime.block_on(async { api.call(black_box(request)).await }).unwrap()
    };
    assert_eq!(ask().status(), StatusCode::OK);
    c.bench_function("the whole line/validate_only", |b| b.iter(&mut ask));
}

/// The header alone, of the request that has the most in it.
fn authorization(c: &mut Criterion) {
    let keys = Keys::new("AKIDEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAM", "examplesecretkeyexamplesecretkey", None).unwrap();
    let window = Window::around(Timestamp::now(), Duration::from_secs(300));
    let headers = [("host", "test-1234567890.ci.ap-chongqing.myqcloud.com"), ("content-length", "0")];
    c.bench_function("authorization", |b| {
        b.iter(|| {
            let view = View { method: "POST", path: "/asrbucket", params: &[], headers: black_box(&headers) };
            Stages::compute(view, &keys, window).unwrap().authorization(keys.secret_id()).to_string()
        });
    });
}

fn sign(c: &mut Criterion) {
    let (bucket, region) = bucket_and_region();
    let keys = Keys::new("AKIDEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAM", "examplesecretkeyexamplesecretkey", None).unwrap();
    let window = Window::around(Timestamp::now(), Duration::from_secs(300));
    for verb in [Verb::Create, Verb::Describe] {
        let operation = Operation::new(Service::SmartAudio, verb);
        c.bench_function(&format!("request and sign/{verb:?}"), |b| {
            b.iter(|| ci::request(operation, black_box(&bucket), &region).sign(&keys, window).unwrap());
        });
    }
}

fn read(c: &mut Criterion) {
    let (bucket, region) = bucket_and_region();
    let asked = Asked { bucket: &bucket, region: &region };
    let operation = Operation::new(Service::SmartAudio, Verb::Create);
    let reply = Reply { status: 200, request_id: Some("NjJm"), body: ANSWER.as_bytes() };
    c.bench_function("read the answer", |b| b.iter(|| ci::read(operation, asked, black_box(reply)).unwrap()));
}

criterion_group!(benches, authenticate, authorization, sign, read, whole_line);
criterion_main!(benches);
