//! The three calls, as a client sees them that does everything right.

use serde_json::Value;

use super::client::{BUCKET_HOST, Call, LIST_HOST, key, send, settings, start};
use crate::stand_in::{Answered, Fault, KnownBuckets, KnownKey, Settings};

#[tokio::test]
async fn a_bucket_is_enrolled_listed_and_removed() {
    let stand_in = start(settings()).await;
    let opened = Call::post().send(&stand_in).await;
    assert_eq!(opened.status(), 200, "{opened:?}");
    let bucket = opened.node("AsrBucket").unwrap();
    assert!(bucket.contains("<BucketId>test-1234567890</BucketId>\n<Name>test-1234567890</Name>"), "{bucket}");
    assert!(opened.node("CreateTime").unwrap().ends_with("+0800"), "{bucket}");

    let listed = Call::list("bucketNames=test-1234567890").send(&stand_in).await;
    assert_eq!(["TotalCount", "PageNumber", "PageSize"].map(|node| listed.node(node).unwrap()), ["1", "1", "10"]);
    assert_eq!(listed.node("AsrBucketList"), Some(bucket));

    let closed = Call::delete().send(&stand_in).await;
    assert_eq!((closed.status(), closed.node("BucketName")), (200, Some("test-1234567890")));
    assert_eq!(Call::list("").send(&stand_in).await.node("TotalCount"), Some("0"));
}

#[tokio::test]
async fn a_service_that_is_off_is_switched_off_again() {
    let stand_in = start(settings()).await;
    for _ in 0..2 {
        let closed = Call::delete().send(&stand_in).await;
        assert_eq!((closed.status(), closed.node("BucketName")), (200, Some("test-1234567890")), "{closed:?}");
        assert!(closed.node("RequestId").is_some_and(|id| !id.is_empty()));
    }
}

#[tokio::test]
async fn a_second_post_answers_with_the_time_of_the_first() {
    let stand_in = start(settings()).await;
    stand_in.set_faults(Fault::Skew(jiff::SignedDuration::from_secs(-100)));
    let first = Call::post().window(-200, 200).send(&stand_in).await;
    stand_in.set_faults(crate::stand_in::Faults::none());
    let second = Call::post().send(&stand_in).await;
    assert_eq!(first.node("CreateTime"), second.node("CreateTime"));
    assert_eq!((first.status(), second.status()), (200, 200));
    assert_ne!(first.node("RequestId"), second.node("RequestId"));
}

#[tokio::test]
async fn the_headers_are_spelt_as_the_official_python_sdk_needs_them() {
    let stand_in = start(settings()).await;
    let reply = Call::post().send(&stand_in).await;
    assert_eq!(reply.header("Content-Type"), Some("application/xml"));
    assert_eq!(reply.header("Content-Length"), Some(reply.body().len().to_string().as_str()));
    assert_eq!(reply.header("Server"), Some("tencent-ci"));
    assert_eq!(reply.header("X-Ci-Request-Id"), reply.node("RequestId"));
    assert!(reply.header("Date").unwrap().ends_with(" GMT"));
}

#[tokio::test]
async fn the_six_services_are_kept_apart() {
    let stand_in = start(settings()).await;
    for (path, node) in [
        ("/mediabucket", "MediaBucket"),
        ("/docbucket", "DocBucket"),
        ("/picbucket", "PicBucket"),
        ("/ai_bucket", "AiBucket"),
        ("/file_bucket", "FileBucket"),
        ("/asrbucket", "AsrBucket"),
    ] {
        let before = Call::new("GET", path, LIST_HOST).send(&stand_in).await;
        assert_eq!(before.node("TotalCount"), Some("0"), "{path}");
        let opened = Call::new("POST", path, BUCKET_HOST).send(&stand_in).await;
        assert!(opened.node(node).is_some(), "{opened:?}");
        let after = Call::new("GET", path, LIST_HOST).send(&stand_in).await;
        assert!(after.node(&format!("{node}List")).is_some(), "{after:?}");
    }
}

#[tokio::test]
async fn a_list_is_filtered_and_cut_into_pages() {
    let stand_in = start(settings()).await;
    for n in 10..22 {
        Call::post().to(&format!("b{n}-1.ci.ap-chongqing.myqcloud.com")).send(&stand_in).await;
    }
    Call::post().to("b99-1.ci.ap-beijing.myqcloud.com").send(&stand_in).await;
    for (query, total, items) in [
        ("", "12", 10),
        ("pageNumber=2", "12", 2),
        ("pageNumber=3", "12", 0),
        ("pageSize=100", "12", 12),
        ("pageSize=5&pageNumber=3", "12", 2),
        ("regions=All&pageSize=100", "13", 13),
        ("regions=ap-beijing,ap-tokyo", "1", 1),
        ("bucketName=b2", "2", 2),
        ("bucketNames=b10-1,b11-1,other-1", "2", 2),
        ("regions=&bucketNames=&bucketName=&pageNumber=&pageSize=", "12", 10),
    ] {
        let reply = Call::list(query).send(&stand_in).await;
        assert_eq!(reply.node("TotalCount"), Some(total), "{query}");
        assert_eq!(reply.text.matches("<AsrBucketList>").count(), items, "{query}");
    }
    for query in ["pageSize=101", "pageSize=0", "pageNumber=0", "pageNumber=x", "pageSize=-1"] {
        let reply = Call::list(query).send(&stand_in).await;
        assert_eq!((reply.status(), reply.node("Code")), (400, Some("InvalidArgument")), "{query}");
    }
}

#[tokio::test]
async fn the_captured_requests_of_the_python_sdk_verify_byte_for_byte() {
    let file: Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/signing.json"))).unwrap();
    let mut captured = 0;
    for vector in file["vectors"].as_array().unwrap() {
        let Some(raw) = vector["raw_request"].as_str() else { continue };
        let token = vector["headers"]["x-ci-security-token"].as_str();
        let text = |field: &str| vector[field].as_str().unwrap();
        let stand_in = start(Settings::with_key(KnownKey::new(text("secret_id"), text("secret_key"), token))).await;
        // Its clock goes back to the day of the capture.
        let skew = 1_660_033_391 - jiff::Timestamp::now().as_second();
        stand_in.set_faults(Fault::Skew(jiff::SignedDuration::from_secs(skew)));
        let raw = raw.replace("Connection: keep-alive", "Connection: close");
        assert_eq!(send(&stand_in, &raw).await.status(), 200, "{raw}");
        assert!(stand_in.requests()[0].verified);
        captured += 1;
    }
    assert_eq!(captured, 4);
}

#[tokio::test]
async fn an_absolute_target_is_answered_like_an_origin_one() {
    let stand_in = start(settings()).await;
    let call = Call::new("POST", &format!("http://{BUCKET_HOST}/asrbucket"), BUCKET_HOST);
    assert_eq!(call.send(&stand_in).await.status(), 200);
}

#[tokio::test]
async fn the_ledger_shows_what_came_and_hides_what_is_secret() {
    let stand_in = start(settings()).await;
    assert!(stand_in.requests().is_empty());
    Call::post().header("x-ci-security-token", "marker").header("X-Plain", "shown").send(&stand_in).await;
    Call::post().by(KnownKey::new("AKIDOTHER", "k", None)).send(&stand_in).await;
    let requests = stand_in.requests();
    assert_eq!((requests.len(), stand_in.request_count()), (2, 2));
    let first = &requests[0];
    assert_eq!((&*first.method, &*first.host, &*first.path), ("POST", BUCKET_HOST, "/asrbucket"));
    assert_eq!((first.verified, first.applied, first.answer), (true, true, Answered::Status(200, None)));
    assert_eq!(requests[1].answer, Answered::Status(403, Some("InvalidAccessKeyId")));
    assert!(!requests[1].verified && !requests[1].applied);
    let shown = format!("{requests:?}");
    assert!(!shown.contains("marker") && !shown.contains("q-signature") && shown.contains("\"shown\""), "{shown}");
}

#[tokio::test]
async fn the_set_of_buckets_can_be_given() {
    let only = KnownBuckets::Only(vec!["here-1".parse().unwrap()]);
    let stand_in = start(Settings { buckets: only, ..Settings::with_key(key()) }).await;
    assert_eq!(Call::post().to("here-1.ci.ap-x.myqcloud.com").send(&stand_in).await.status(), 200);
    assert_eq!(Call::post().send(&stand_in).await.node("Code"), Some("NoSuchBucket"));
}
