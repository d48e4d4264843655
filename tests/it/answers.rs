//! What a caller is answered when all goes well: the contract's own examples, through both real sockets.

use ci_gateway::ci::Operation;
use ci_gateway::domain::{Code, Service, Verb};
use ci_gateway::stand_in::Answered;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::gateway::{Answer, Ask, BUCKET, PATH, REGION, RawUpstream, Setup, World};

fn ask(operation: Operation) -> Ask {
    Ask::new(operation.method().as_str(), &format!("/v1/buckets/{BUCKET}/{}", operation.service().as_str()))
}

fn served(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn all_eighteen_operations_go_through_and_each_arrives_as_its_own_call() {
    let world = World::start().await;
    for service in Service::ALL {
        for verb in [Verb::Create, Verb::Describe, Verb::Delete] {
            let operation = Operation::new(service, verb);
            let body = served(&world.answer(&ask(operation)).await);
            assert_eq!((&body["service"], &body["bucket_id"]), (&json!(service.as_str()), &json!(BUCKET)));
            let arrival = world.stand_in().requests().pop().unwrap();
            assert_eq!(*arrival.method, *operation.method().as_str());
            assert_eq!(*arrival.path, *operation.upstream_path());
            assert!(arrival.verified && arrival.applied);
            assert_eq!(arrival.answer, Answered::Status(200, None));
            let host = match verb {
                Verb::Create | Verb::Delete => format!("{BUCKET}.ci.{REGION}.myqcloud.com"),
                Verb::Describe => format!("ci.{REGION}.myqcloud.com"),
            };
            assert_eq!(*arrival.host, *host);
        }
    }
    assert_eq!(world.stand_in().request_count(), 18);
}

#[tokio::test]
async fn a_created_service_is_described_as_on_and_a_deleted_one_as_off() {
    let world = World::start().await;
    let before = served(&world.answer(&Ask::get(PATH)).await);
    assert_eq!(
        (&before["enabled"], &before["name"], &before["create_time"]),
        (&json!(false), &Value::Null, &Value::Null)
    );

    let created = served(&world.answer(&Ask::post(PATH)).await);
    assert_eq!(members(&created), ["service", "bucket_id", "name", "region", "create_time", "ci_request_id"]);
    let described = served(&world.answer(&Ask::get(PATH)).await);
    assert_eq!(
        members(&described),
        ["service", "enabled", "bucket_id", "name", "region", "create_time", "ci_request_id"]
    );
    assert_eq!(described["enabled"], true);
    for member in ["service", "bucket_id", "name", "region", "create_time"] {
        assert_eq!(described[member], created[member], "{member}");
    }
    assert_eq!((&created["name"], &created["region"]), (&json!(BUCKET), &json!(REGION)));

    let deleted = served(&world.answer(&Ask::delete(PATH)).await);
    assert_eq!(members(&deleted), ["service", "bucket_id", "ci_request_id"]);
    assert_eq!(served(&world.answer(&Ask::get(PATH)).await)["enabled"], false);
}

#[tokio::test]
async fn create_time_is_a_moment_of_rfc_3339_with_the_offset_of_cloud_infinite() {
    let world = World::start().await;
    let text = served(&world.answer(&Ask::post(PATH)).await)["create_time"].as_str().unwrap().to_owned();
    assert!(text.ends_with("+08:00") && text.len() == "2022-08-09T16:23:11+08:00".len(), "{text}");
    let age = Timestamp::now().duration_since(text.parse().unwrap());
    assert!(age < SignedDuration::from_secs(60) && age > SignedDuration::from_secs(-2), "{text}");
}

#[tokio::test]
async fn a_second_post_is_answered_like_the_first_and_sent_like_the_first() {
    let world = World::start().await;
    let first = served(&world.answer(&Ask::post(PATH)).await);
    let second = served(&world.answer(&Ask::post(PATH)).await);
    assert_eq!(first["create_time"], second["create_time"]);
    assert_ne!(first["ci_request_id"], second["ci_request_id"]);
    assert_eq!(world.stand_in().request_count(), 2);
}

#[tokio::test]
async fn ci_request_id_is_there_for_support_and_is_not_our_own_id() {
    let world = World::start().await;
    let answer = world.answer(&Ask::post(PATH)).await;
    let id = served(&answer)["ci_request_id"].as_str().unwrap().to_owned();
    assert!(id.len() > 16 && id != answer.header("x-request-id").unwrap(), "{id}");
}

#[tokio::test]
async fn the_region_is_the_requests_before_the_buckets_before_the_default() {
    let world = Setup::new().set("ci.buckets.0.name", BUCKET).set("ci.buckets.0.region", "ap-beijing").start().await;
    for (bucket, query, region) in [
        ("other-1234567890", "", REGION),
        (BUCKET, "", "ap-beijing"),
        (BUCKET, "?region=ap-tokyo", "ap-tokyo"),
        (BUCKET, "?region=ap%2Dtokyo", "ap-tokyo"),
    ] {
        let answer = world.answer(&Ask::post(&format!("/v1/buckets/{bucket}/media{query}"))).await;
        assert_eq!(served(&answer)["region"], region);
        let host = format!("{bucket}.ci.{region}.myqcloud.com");
        assert_eq!(*world.stand_in().requests().pop().unwrap().host, *host);
    }
}

#[tokio::test]
async fn validate_only_tells_the_decision_and_its_statement_and_sends_nothing() {
    let world = World::start().await;
    for operation in Operation::all() {
        let path = format!("/v1/buckets/{BUCKET}/{}?validate_only=true", operation.service().as_str());
        let answer = world.answer(&Ask::new(operation.method().as_str(), &path)).await;
        let expected = json!({
            "service": operation.service().as_str(), "bucket_id": BUCKET, "region": REGION, "caller": "alice",
            "action": operation.action().as_str(), "decision": "permit", "statement": "alice-does-all",
            "outcome": "not_sent",
        });
        assert_eq!(served(&answer), expected);
    }
    assert_eq!(world.stand_in().request_count(), 0);
    world.refuses(&Ask::post(&format!("{PATH}?validate_only=true")).by("bob"), 403, Code::Forbidden).await;
    assert_eq!(served(&world.answer(&Ask::post(&format!("{PATH}?validate_only=false"))).await)["name"], BUCKET);
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_any_other_is_replaced() {
    let world = World::start().await;
    for kept in ["12345678", "A.b_c-9012", &"x".repeat(64)] {
        let answer = world.answer(&Ask::get(PATH).header("X-Request-Id", kept)).await;
        assert_eq!(answer.header("x-request-id"), Some(kept));
        let refused = world.answer(&Ask::anonymous("GET", "/nowhere").header("x-request-id", kept)).await;
        assert_eq!(refused.json()["request_id"], kept);
    }
    for replaced in ["1234567", &"x".repeat(65), "1234567 8", "<script>8", "${jndi:ldap}", "", "12345678/9"] {
        let answer = world.answer(&Ask::get(PATH).header("X-Request-Id", replaced)).await;
        let id: uuid::Uuid = answer.header("x-request-id").unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 7, "{replaced}");
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests_one_after_the_other_and_all_at_once() {
    let world = World::start().await;
    let mut connection = world.connect().await;
    let asks =
        [Ask::post(PATH), Ask::get(PATH), Ask::anonymous("GET", "/healthz"), Ask::post("/nowhere"), Ask::delete(PATH)];
    for ask in &asks {
        assert!(!connection.ask(ask).await.closed);
    }
    let pipeline: Vec<u8> = asks.iter().flat_map(Ask::bytes).collect();
    connection.send(&pipeline).await;
    let mut answers = Vec::new();
    for ask in &asks {
        answers.push(connection.answer_to(&ask.bytes()).await.status);
    }
    assert_eq!(answers, [200, 200, 200, 404, 200]);
    let last = connection.ask(&Ask::get(PATH).header("Connection", "close")).await;
    assert!(last.closed && last.status == 200);
}

#[tokio::test]
async fn the_open_pages_need_no_credentials() {
    let world = World::start().await;
    let document = world.answer(&Ask::anonymous("GET", "/openapi.json")).await;
    assert_eq!((document.status, document.body.as_str()), (200, include_str!("../../src/api/openapi.json")));
    let health = world.answer(&Ask::anonymous("GET", "/healthz")).await;
    assert_eq!((health.status, health.body.as_str()), (200, "ready"));
    for code in Code::ALL {
        let page = world.answer(&Ask::anonymous("GET", &format!("/problems/{}", code.as_str()))).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.json()["code"], code.as_str());
        assert_eq!(page.json()["retryable"], code.is_retryable());
    }
    assert_eq!(world.stand_in().request_count(), 0);
}

#[tokio::test]
async fn a_gateway_that_drains_says_so_in_one_word_and_closes_its_connections() {
    let world = Setup::new().set("server.drain_delay", "30s").start().await;
    world.gateway().drain().start();
    let health = loop {
        let health = world.answer(&Ask::anonymous("GET", "/healthz")).await;
        if health.status != 200 {
            break health;
        }
    };
    assert_eq!((health.status, health.body.as_str(), health.closed), (503, "draining", true));
    assert_eq!(served(&world.answer(&Ask::post(PATH)).await)["name"], BUCKET, "a lame duck still serves");
}

/// The answer of the product page, word for word with its stray `>`.
const PAGE: &str = "<Response>\n<RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>\n<AsrBucket>\n\
    <BucketId>test-1234567890</BucketId>\n<Name>test-1234567890</Name>\n<Region>ap-chongqing</Region>\n\
    <CreateTime>2022-08-09T16:23:11+0800></CreateTime>\n</AsrBucket>\n</Response>";

async fn answer_to_page(page: &str) -> Answer {
    let upstream = RawUpstream::answering("200 OK", "Content-Type: application/xml\r\n", page).await;
    let world = Setup::new().upstream(&upstream).start().await;
    world.answer(&Ask::post(PATH)).await
}

#[tokio::test]
async fn the_product_pages_answer_becomes_exactly_the_contracts_json() {
    let expected = "{\"service\":\"smart-audio\",\"bucket_id\":\"test-1234567890\",\"name\":\"test-1234567890\",\
        \"region\":\"ap-chongqing\",\"create_time\":\"2022-08-09T16:23:11+08:00\",\
        \"ci_request_id\":\"NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x\"}";
    assert_eq!(answer_to_page(PAGE).await.body, expected);
    assert_eq!(answer_to_page(&PAGE.replace("+0800>", "+0800")).await.body, expected);
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_null_beside_what_cloud_infinite_wrote() {
    for (written, shown) in [("yesterday", "yesterday"), ("2022-13-09T16:23:11+0800", "2022-13-09T16:23:11+0800")] {
        let body = served(&answer_to_page(&PAGE.replace("2022-08-09T16:23:11+0800>", written)).await);
        assert_eq!((&body["create_time"], &body["create_time_raw"]), (&Value::Null, &json!(shown)));
    }
    let body = served(&answer_to_page(&PAGE.replace("2022-08-09T16:23:11+0800>", "")).await);
    assert_eq!((&body["create_time"], body.get("create_time_raw")), (&Value::Null, None));
}
