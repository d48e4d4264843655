//! Where requests go: a closed table of paths, and nothing that looks like one of them to somebody else.

use ci_gateway::domain::{Code, Service};

use crate::support::gateway::{Ask, BUCKET, PATH, Setup, World};

fn bucket_path(bucket: &str) -> String {
    format!("/v1/buckets/{bucket}/smart-audio")
}

#[tokio::test]
async fn an_unknown_path_is_not_found_with_and_without_credentials() {
    let world = World::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/buckets",
        "/v1/buckets/test-1234567890",
        "/v1/buckets/test-1234567890/",
        "/v1/buckets/test-1234567890/smart-audio/",
        "/v1/buckets/test-1234567890/smart-audio/more",
        "/v1/buckets/test-1234567890/Smart-Audio",
        "/v1/buckets/test-1234567890/asrbucket",
        "/V1/buckets/test-1234567890/smart-audio",
        "/v2/buckets/test-1234567890/smart-audio",
        "/asrbucket",
        "/openapi.json/",
        "/openapi.yaml",
        "/problems",
        "/problems/",
        "/problems/nothing",
        "/problems/Forbidden",
        "/healthz/",
        "/.env",
        // The admin listener's pages are not on this port.
        "/metrics",
        "/livez",
        "/readyz",
        "/version",
        "/config",
        "/reload",
    ] {
        for ask in [Ask::get(path), Ask::post(path), Ask::anonymous("GET", path)] {
            world.refuses(&ask, 404, Code::NotFound).await;
        }
    }
}

#[tokio::test]
async fn another_method_on_a_known_path_is_told_which_ones_there_are() {
    let world = World::start().await;
    let operations =
        Service::ALL.map(|service| (format!("/v1/buckets/{BUCKET}/{}", service.as_str()), "GET, POST, DELETE"));
    let pages = ["/openapi.json", "/healthz", "/problems/forbidden"].map(|path| (path.to_owned(), "GET, HEAD"));
    for (path, allow) in operations.into_iter().chain(pages) {
        for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "BREW", "POST", "DELETE"] {
            if allow.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let answer = world.refuses(&Ask::new(method, &path), 405, Code::MethodNotAllowed).await;
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn head_is_refused_without_a_body_and_the_connection_goes_on() {
    let world = World::start().await;
    let mut connection = world.connect().await;
    let answer = connection.ask(&Ask::new("HEAD", PATH)).await;
    assert_eq!((answer.status, answer.closed), (405, false));
    assert!(answer.header("allow").is_some() && answer.body.is_empty());
    assert_eq!(connection.ask(&Ask::get("/healthz")).await.status, 200);
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn what_is_no_bucket_is_refused_with_the_reason() {
    let world = World::start().await;
    let long = format!("{}-1234567890", "a".repeat(51));
    for bucket in [
        "test",
        "test-",
        "-1234567890",
        "--1",
        "test-abc",
        "Test-1234567890",
        "test_1-1234567890",
        "test.com-1234567890",
        "-test-1234567890",
        "test--1234567890",
        "test-12345678901234567890123",
        "test-1234567890.",
        "127.0.0.1",
        "localhost:80",
        "user@host-1",
        "test%2D1234567890",
        "%74est-1234567890",
        &long,
    ] {
        let answer = world.refuses(&Ask::post(&bucket_path(bucket)), 400, Code::InvalidBucket).await;
        assert!(answer.json()["detail"].as_str().unwrap().contains("bucket"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_region_is_refused() {
    let world = World::start().await;
    let long = "a".repeat(33);
    for region in
        ["", "AP-chongqing", "-ap", "ap-", "ap.evil.example", "ap/x", "a%20b", "a%00b", "ap_x", "a@b", "%2e%2e", &long]
    {
        let target = format!("{PATH}?region={region}");
        world.refuses(&Ask::post(&target), 400, Code::InvalidRegion).await;
    }
}

#[tokio::test]
async fn a_bucket_without_a_region_is_told_that_one_is_required() {
    let world = Setup::new().without_default_region().start().await;
    world.refuses(&Ask::post(PATH), 400, Code::RegionRequired).await;
    assert_eq!(world.answer(&Ask::post(&format!("{PATH}?region=ap-tokyo"))).await.status, 200);
}

#[tokio::test]
async fn every_query_parameter_is_known_and_stands_once() {
    let world = World::start().await;
    for query in [
        "access_token=x",
        "Region=ap-tokyo",
        "region%20=ap-tokyo",
        "%72egion=ap-tokyo",
        "regions=ap-tokyo",
        "bucketNames=other-1",
        "x",
        "=",
        "region=ap-tokyo&region=ap-tokyo",
        "region=ap-tokyo&region=ap-beijing",
        "validate_only=true&validate_only=false",
        "validate_only=1",
        "validate_only=TRUE",
        "validate_only=",
        "validate_only",
        "region=%ff",
        "validate_only=true;region=ap-tokyo",
    ] {
        let answer = world.refuses(&Ask::post(&format!("{PATH}?{query}")), 400, Code::InvalidRequest).await;
        assert!(!answer.closed, "{query}");
    }
    let validated = world.answer(&Ask::post(&format!("{PATH}?&validate_only=true&&region=ap-tokyo&"))).await;
    assert_eq!(validated.json()["region"], "ap-tokyo");
}

/// Ways to write a path that another server reads as a different one.
const TRAVERSALS: &[&str] = &[
    "/v1/buckets/..%2f../smart-audio",
    "/v1/buckets/..%2f..%2fadmin/smart-audio",
    "/v1/buckets/%2e%2e/smart-audio",
    "/v1/buckets/%2e%2e%2f/smart-audio",
    "/v1/buckets/%252e%252e/smart-audio",
    "/v1/buckets/..%5c../smart-audio",
    "/v1/buckets/..%c0%af/smart-audio",
    "/v1/buckets/%ef%bc%8f/smart-audio",
    "/v1/buckets/../smart-audio",
    "/v1/buckets/./test-1234567890/smart-audio",
    "/v1/buckets//smart-audio",
    "/v1//buckets/test-1234567890/smart-audio",
    "//v1/buckets/test-1234567890/smart-audio",
    "//evil.example/v1/buckets/test-1234567890/smart-audio",
    "/v1/buckets/test-1234567890//smart-audio",
    "/v1/buckets/test-1234567890/smart-audio/..",
    "/v1/buckets/test-1234567890/media/../smart-audio",
    "/v1/buckets/test-1234567890/..;/smart-audio",
    "/v1/buckets/test-1234567890;x=y/smart-audio",
    "/v1/buckets/test-1234567890/smart-audio;x",
    "/v1/buckets/test-1234567890%00/smart-audio",
    "/v1/buckets/test-1234567890/smart-audio%00",
    "/v1/buckets/test-1234567890/smart-audio%20",
    "/v1/buckets/test-1234567890/smart-audio%0d%0aX:%20y",
    "/v1/buckets/test-1234567890/smart-audio%23",
    "/v1/buckets/test-1234567890/smart-audio%3fregion=x",
    "/v1/buckets/test-1234567890%2fsmart-audio",
    "/v1/buckets/test-1234567890/smart%2daudio",
    "/v1%2fbuckets/test-1234567890/smart-audio",
    "/v1/buckets/test-1234567890/smart-audio#fragment",
    "/v1/buckets/test-1234567890\\smart-audio",
    "/v1/buckets/test-1234567890/smart-audio\\",
    "/v1/buckets/\u{e9}-1234567890/smart-audio",
    "/v1/buckets/test-1234567890/smart-audio%",
    "/v1/buckets/test-1234567890/smart-audio%2",
    "/v1/buckets/test-1234567890/smart-audio%zz",
    "/v1/buckets/evil.example/smart-audio",
    "/v1/buckets/test-1234567890@evil.example/smart-audio",
    "/v1/buckets/test-1234567890:80/smart-audio",
    "/v1/buckets/[::1]/smart-audio",
    "v1/buckets/test-1234567890/smart-audio",
    "http://evil.example/v1/buckets/test-1234567890/smart-audio",
    "*",
];

#[tokio::test]
async fn no_path_that_somebody_might_read_otherwise_reaches_cloud_infinite() {
    let world = World::start().await;
    for target in TRAVERSALS {
        for method in ["POST", "GET", "DELETE"] {
            let answer = world.answer(&Ask::new(method, target)).await;
            assert!(matches!(answer.status, 400 | 404), "{method} {target}: {answer:?}");
        }
    }
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn a_target_in_absolute_form_is_the_same_request_if_it_names_the_same_host() {
    let world = World::start().await;
    let answer = world.answer(&Ask::post(&format!("http://gateway.example{PATH}"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.stand_in().requests()[0].host.split('.').next(), Some(BUCKET));
}
