//! The gateway's own work on a request, step by step; `cargo bench --bench line`.
//!
//! Steps that wait (the body, the audit, the cloud) are not here: see `request_overhead_seconds` in `/metrics`.
#![allow(clippy::unwrap_used, clippy::allow_attributes, missing_docs, reason = "a bench may be blunt")]

use std::hint::black_box;
use std::time::Duration;

use ci_gateway::auth::{Algorithm, Authenticator, DevelopmentClaims, IssuerSettings, KeySource, SigningSecret, mint};
use ci_gateway::ci::{self, Asked, Operation, Reply};
use ci_gateway::credentials::Keys;
use ci_gateway::domain::{Bucket, Region, Service, Verb};
use ci_gateway::signing::Window;
use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// The answer of the product page.
const ANSWER: &str = "<Response>\n<RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>\n<AsrBucket>\n<BucketId>test-1234567890</BucketId>\n<Name>test-1234567890</Name>\n<Region>ap-chongqing</Region>\n<CreateTime>2022-08-09T16:23:11+0800></CreateTime>\n</AsrBucket>\n</Response>";

fn bucket_and_region() -> (Bucket, Region) {
    ("test-1234567890".parse().unwrap(), "ap-chongqing".parse().unwrap())
}

fn authenticate(c: &mut Criterion) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let issuer = IssuerSettings {
        issuer: "me".to_owned(),
        audiences: vec!["ci-gateway".to_owned()],
        algorithms: vec![Algorithm::Hs256],
        keys: KeySource::Secret(file.path().to_owned()),
        user_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
        leeway: Duration::from_secs(30),
    };
    let authenticator = Authenticator::load(&[issuer]).unwrap();
    let now = Timestamp::now();
    let claims = DevelopmentClaims {
        issuer: "me".to_owned(),
        audience: "ci-gateway".to_owned(),
        caller: "alice".to_owned(),
        groups: vec!["speech-team".to_owned()],
        issued_at: now,
        lifetime: Duration::from_secs(3600),
    };
    let token = mint(&SigningSecret::shared(SECRET).unwrap(), &claims).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    c.bench_function("authenticate/HS256", |b| {
        b.iter(|| authenticator.authenticate(black_box(&headers), now).unwrap())
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

criterion_group!(benches, authenticate, sign, read);
criterion_main!(benches);
