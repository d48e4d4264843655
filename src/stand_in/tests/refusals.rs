//! Every way to do it wrong is refused, with its status and code, and leaves nothing behind.

use sha1::{Digest, Sha1};

use super::client::{BUCKET_HOST, Call, LIST_HOST, key, send, settings, start};
use crate::stand_in::{KnownKey, Settings, StandIn};

async fn refused(stand_in: &StandIn, raw: &str, status: u16, code: &str) {
    let reply = send(stand_in, raw).await;
    assert_eq!((reply.status(), reply.node("Code")), (status, Some(code)), "{raw}\n{reply:?}");
    for node in ["Message", "Resource", "RequestId", "TraceId"] {
        assert!(reply.node(node).is_some_and(|text| !text.is_empty()), "{node} in {reply:?}");
    }
    assert!(reply.body().starts_with("<?xml version='1.0' encoding='utf-8' ?>\n<Error>"), "{reply:?}");
    assert_eq!(reply.header("X-Ci-Trace-Id"), reply.node("TraceId"));
    assert!(stand_in.requests().iter().all(|arrival| !arrival.applied), "{raw}");
}

#[tokio::test]
async fn a_wrong_signature_is_shown_what_was_signed() {
    let stand_in = start(settings()).await;
    let raw = Call::post().by(KnownKey::new(key().secret_id(), "another secret", None)).raw();
    refused(&stand_in, &raw, 403, "SignatureDoesNotMatch").await;
    let reply = send(&stand_in, &raw).await;
    assert_eq!(reply.node("FormatString"), Some(format!("post\n/asrbucket\n\nhost={BUCKET_HOST}\n").as_str()));
    assert!(reply.node("StringToSign").unwrap().starts_with("sha1\n"));
    assert_eq!(reply.node("Resource"), Some(format!("{BUCKET_HOST}/asrbucket").as_str()));
}

/// Sends a POST that is refused with this code, and looks for the two nodes over the headers `signed`.
async fn refused_over(stand_in: &StandIn, raw: &str, code: &str, signed: &str) {
    let reply = send(stand_in, raw).await;
    assert_eq!(reply.node("Code"), Some(code), "{raw}\n{reply:?}");
    let shown = format!("post\n/asrbucket\n\n{signed}\n");
    assert_eq!(reply.node("FormatString"), Some(shown.replace('&', "&amp;").as_str()), "{raw}");
    let window = raw.split("q-sign-time=").nth(1).unwrap().split('&').next().unwrap();
    let digest = hex::encode(Sha1::digest(shown));
    assert_eq!(reply.node("StringToSign"), Some(format!("sha1\n{window}\n{digest}\n").as_str()), "{raw}");
}

#[tokio::test]
async fn every_refusal_of_a_signature_shows_what_was_signed() {
    let stand_in = start(settings()).await;
    let host = format!("host={BUCKET_HOST}");
    let moved = Call::post().raw().replace("test-1234567890.ci", "prod-1234567890.ci");
    let moved_host = host.replace("test", "prod");
    for (raw, code, signed) in [
        (Call::post().by(KnownKey::new(key().secret_id(), "k", None)).raw(), "SignatureDoesNotMatch", host.as_str()),
        (Call::post().by(KnownKey::new("AKIDOTHER", "k", None)).raw(), "InvalidAccessKeyId", &host),
        (Call::post().window(-600, -10).raw(), "AccessDenied", &host),
        (Call::post().window(60, 600).raw(), "RequestTimeTooSkewed", &host),
        (Call::post().signing("content-length").raw(), "AccessDenied", "content-length=0"),
        (Call::post().signing("").raw(), "AccessDenied", ""),
        (moved, "SignatureDoesNotMatch", &moved_host),
    ] {
        refused_over(&stand_in, &raw, code, signed).await;
    }
}

#[tokio::test]
async fn a_bad_list_of_headers_shows_what_of_it_is_there() {
    let stand_in = start(settings()).await;
    let good = Call::post().signing("content-length;host");
    let (in_order, turned) =
        (format!("content-length=0&host={BUCKET_HOST}"), format!("host={BUCKET_HOST}&content-length=0"));
    for (list, code, signed) in [
        ("list=host;content-length", "InvalidArgument", turned.as_str()),
        ("list=Content-Length;Host", "InvalidArgument", &in_order),
        ("list=content-length;host;host", "InvalidArgument", &in_order),
        ("list=;<host>;content-length;;host;", "InvalidArgument", &in_order),
        ("list=content-length;host;range", "AccessDenied", &in_order),
        ("lost=content-length;host", "InvalidArgument", ""),
    ] {
        let raw = good.raw().replace("list=content-length;host", list);
        refused_over(&stand_in, &raw, code, signed).await;
    }
    refused_over(&stand_in, &good.raw().replace("sha1", "md5"), "InvalidArgument", &in_order).await;
}

#[tokio::test]
async fn a_refusal_shows_no_stages_where_there_are_none_or_they_are_right() {
    let stand_in = start(settings()).await;
    let missing = Call::post().to("missing-1.ci.ap-x.myqcloud.com").raw();
    let basic = Call::post().signed_with("Basic dXNlcjpwYXNz");
    let timeless = Call::post().raw().replace("q-sign-time", "q-sign-tide");
    let twice = Call::post().header("Authorization", "q").raw();
    for raw in [missing, basic, timeless, twice] {
        let reply = send(&stand_in, &raw).await;
        assert!(reply.status() >= 400, "{reply:?}");
        assert_eq!((reply.node("StringToSign"), reply.node("FormatString")), (None, None), "{raw}");
    }
}

#[tokio::test]
async fn keys_and_tokens_that_are_not_ours_are_refused() {
    let stand_in = start(settings()).await;
    refused(&stand_in, &Call::post().by(KnownKey::new("AKIDOTHER", "k", None)).raw(), 403, "InvalidAccessKeyId").await;

    let temporary = KnownKey::new("AKIDTEMPORARY", "k", Some("the-token"));
    let stand_in = start(Settings::with_key(temporary.clone())).await;
    let call = || Call::post().by(temporary.clone());
    refused(&stand_in, &call().raw(), 403, "AccessDenied").await;
    refused(&stand_in, &call().header("x-ci-security-token", "other").raw(), 403, "AccessDenied").await;
    for header in ["x-ci-security-token", "x-cos-security-token"] {
        assert_eq!(call().header(header, "the-token").send(&stand_in).await.status(), 200);
    }
}

#[tokio::test]
async fn windows_are_judged_by_the_clock() {
    let stand_in = start(settings()).await;
    let expired = Call::post().window(-600, -10);
    refused(&stand_in, &expired.raw(), 403, "AccessDenied").await;
    let reply = expired.send(&stand_in).await;
    assert_eq!(reply.node("Message"), Some("Request has expired"));
    assert!(reply.node("ServerTime").is_some());
    refused(&stand_in, &Call::post().window(60, 600).raw(), 403, "RequestTimeTooSkewed").await;
    let now = jiff::Timestamp::now().as_second();
    let empty = Call::post().authorization();
    let window = empty.split("q-sign-time=").nth(1).unwrap().split('&').next().unwrap();
    for other in [format!("{now};{now}"), format!("{};{}", now + 10, now - 10)] {
        let raw = Call::post().signed_with(&empty.replace(window, &other));
        refused(&stand_in, &raw, 400, "InvalidArgument").await;
    }
}

#[tokio::test]
async fn malformed_authorizations_are_refused() {
    let stand_in = start(settings()).await;
    let good = Call::post().signing("content-length;host").authorization();
    for (from, to) in [
        (good.as_str(), "Basic dXNlcjpwYXNz"),
        (good.as_str(), ""),
        ("sha1", "md5"),
        ("&q-signature=", "&q-signature=0"),
        ("q-key-time=", "q-key-time=1"),
        ("content-length;host", "host;content-length"),
        ("content-length;host", "host;host"),
        ("content-length;host", "Content-Length;Host"),
        ("q-url-param-list=", "q-url-param-list=b;a"),
    ] {
        refused(&stand_in, &Call::post().signed_with(&good.replace(from, to)), 400, "InvalidArgument").await;
    }
    let twice = Call::post().header("Authorization", "q").raw();
    refused(&stand_in, &twice, 400, "InvalidArgument").await;
    let none = Call::post().raw();
    let none = none.split("Authorization").next().unwrap().to_owned() + "Connection: close\r\n\r\n";
    refused(&stand_in, &none, 403, "AccessDenied").await;
}

#[tokio::test]
async fn a_signature_covers_exactly_what_it_lists() {
    let stand_in = start(settings()).await;
    let absent = Call::post().authorization().replace("q-header-list=host", "q-header-list=host;range");
    refused(&stand_in, &Call::post().signed_with(&absent), 403, "AccessDenied").await;
    let list = Call::list("pageSize=5&regions=All");
    for lists in ["pagesize", "", "pagesize;regions;zone"] {
        let authorization = list.authorization().replace("list=pagesize;regions", &format!("list={lists}"));
        refused(&stand_in, &list.signed_with(&authorization), 403, "AccessDenied").await;
    }
    let more = list.raw().replace("pageSize=5&", "pageSize=5&bucketName=&");
    refused(&stand_in, &more, 403, "AccessDenied").await;
    let other = list.raw().replace("pageSize=5", "pageSize=6");
    refused(&stand_in, &other, 403, "SignatureDoesNotMatch").await;
    let twice =
        Call::post().header("X-Ci-A", "1").signing("host;x-ci-a").raw().replace("X-Ci-A: 1", "X-Ci-A: 1\r\nX-Ci-A: 1");
    refused(&stand_in, &twice, 403, "AccessDenied").await;
    let moved = Call::delete().raw().replacen("DELETE", "POST", 1);
    refused(&stand_in, &moved, 403, "SignatureDoesNotMatch").await;
    let elsewhere = Call::post().raw().replacen("/asrbucket", "/mediabucket", 1);
    refused(&stand_in, &elsewhere, 403, "SignatureDoesNotMatch").await;
}

#[tokio::test]
async fn the_host_is_signed_unless_the_settings_say_otherwise() {
    let stand_in = start(settings()).await;
    let unsigned = Call::post().signing("").raw();
    refused(&stand_in, &unsigned, 403, "AccessDenied").await;
    let other = Call::post().raw().replace("test-1234567890.ci", "prod-1234567890.ci");
    refused(&stand_in, &other, 403, "SignatureDoesNotMatch").await;

    let lenient = start(Settings { require_signed_host: false, ..settings() }).await;
    assert_eq!(send(&lenient, &unsigned).await.status(), 200);
}

#[tokio::test]
async fn a_target_and_a_host_that_disagree_are_refused() {
    let stand_in = start(settings()).await;
    let raw = Call::post().raw().replacen("/asrbucket", "http://other-1.ci.ap-x.myqcloud.com/asrbucket", 1);
    refused(&stand_in, &raw, 400, "InvalidRequest").await;
    let two = Call::post().raw().replacen("Host:", "Host: other\r\nHost:", 1);
    refused(&stand_in, &two, 400, "InvalidRequest").await;
    let none = Call::post().raw().replacen(&format!("Host: {BUCKET_HOST}\r\n"), "", 1);
    refused(&stand_in, &none, 400, "InvalidRequest").await;
}

#[tokio::test]
async fn calls_that_do_not_exist_are_refused() {
    let stand_in = start(settings()).await;
    for (call, status, code) in [
        (Call::post().to("missing-1.ci.ap-x.myqcloud.com"), 404, "NoSuchBucket"),
        (Call::delete().to("missing-1.ci.ap-x.myqcloud.com"), 404, "NoSuchBucket"),
        (Call::post().without("Content-Length"), 411, "MissingContentLength"),
        (Call::post().without("Content-Length").header("Transfer-Encoding", "chunked"), 411, "MissingContentLength"),
        (Call::new("PUT", "/asrbucket", BUCKET_HOST), 405, "MethodNotAllowed"),
        (Call::new("POST", "/asrqueue", BUCKET_HOST), 404, "NoSuchKey"),
        (Call::new("POST", "/%3Casr%3E&", BUCKET_HOST), 404, "NoSuchKey"),
        (Call::post().to(LIST_HOST), 400, "InvalidRequest"),
        (Call::new("GET", "/asrbucket", BUCKET_HOST), 400, "InvalidRequest"),
        (Call::post().to("127.0.0.1:8000"), 400, "InvalidRequest"),
        (Call::post().to("nodigits.ci.ap-x.myqcloud.com"), 400, "InvalidBucketName"),
        (Call::post().to("a-1.ci.AP_X.myqcloud.com"), 400, "InvalidRegionName"),
    ] {
        let chunked = if call.raw().contains("chunked") { "0\r\n\r\n" } else { "" };
        refused(&stand_in, &format!("{}{chunked}", call.raw()), status, code).await;
        assert!(stand_in.requests().last().unwrap().verified);
    }
    let unreadable = Call::post().raw().replacen("/asrbucket", "/%ff", 1);
    refused(&stand_in, &unreadable, 400, "InvalidURI").await;
    let large = Call::post().raw().replace("Content-Length: 0", "Content-Length: 70000") + &"x".repeat(70_000);
    refused(&stand_in, &large, 400, "EntityTooLarge").await;
}
