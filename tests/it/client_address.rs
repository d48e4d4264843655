//! Where a request comes from: the peer's address, and what trusted proxies say; no header of anyone else's.

use ci_gateway::domain::Code;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::gateway::{Ask, PATH, Setup, World};
use crate::support::process::{Call, Cloud, Folder, SMART_AUDIO, Served};

/// Alice may do everything from one network, which no test is in.
const POLICY: &str = r#"
    version = "2.0"
    [[statement]]
    id = "alice-from-the-office"
    effect = "allow"
    principal = "user:alice"
    action = "ci:*"
    resource = "*"
    condition = { ip_equal = { "qcs:ip" = ["203.0.113.0/24"] } }
"#;

async fn world(trusted: &str) -> World {
    Setup::new().policy(POLICY).set("server.trusted_proxies", trusted).start().await
}

/// Names under which some program or other says where a request comes from.
const NAMES: [&str; 38] = [
    "X-Forwarded-For",
    "x-forwarded-for",
    "X-FORWARDED-FOR",
    "X_Forwarded_For",
    "X-Forwarded_For",
    "X-Forwarded",
    "Forwarded-For",
    "Forwarded-For-IP",
    "X-Forwarded-By",
    "X-Original-Forwarded-For",
    "X-Envoy-External-Address",
    "X-Real-IP",
    "X_Real_IP",
    "X-Client-IP",
    "Client-IP",
    "X-Cluster-Client-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "Remote-Addr",
    "REMOTE_ADDR",
    "X-Originating-IP",
    "X-Host",
    "X-ProxyUser-Ip",
    "WL-Proxy-Client-IP",
    "Proxy-Client-IP",
    "HTTP_X_FORWARDED_FOR",
    "True-Client-IP",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "Fastly-Client-IP",
    "Akamai-Client-IP",
    "X-Azure-ClientIP",
    "X-Azure-SocketIP",
    "X-Appengine-User-IP",
    "X-Tencent-Client-IP",
    "Ali-CDN-Real-IP",
    "qcs-ip",
    "Via",
];

/// Those, and two ways of the standard.
fn claims() -> Vec<(&'static str, &'static str)> {
    let plain = NAMES.map(|name| (name, "203.0.113.7"));
    let forwarded = [("Forwarded", "for=203.0.113.7"), ("Forwarded", "for=\"203.0.113.7:80\";proto=https")];
    plain.into_iter().chain(forwarded).collect()
}

/// Class C2 of security.md: what a caller claims is not taken for what is.
#[tokio::test]
async fn no_header_of_a_caller_changes_where_the_request_comes_from() {
    let claims = claims();
    assert_eq!(claims.len(), 40);
    let nobody_is_trusted = World::start().await;
    for trusted in ["", "192.0.2.0/24,127.0.0.2"] {
        let world = if trusted.is_empty() { Setup::new().policy(POLICY).start().await } else { world(trusted).await };
        for (name, value) in &claims {
            let ask = Ask::post(PATH).header(name, value);
            world.refuses(&ask, 403, Code::Forbidden).await;
            assert_eq!(nobody_is_trusted.answer(&ask).await.status, 200, "{name} is no reason to refuse");
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_last_client_before_it() {
    let world = world("127.0.0.1,10.0.0.0/8").await;
    let said = |lines: &[&str]| lines.iter().fold(Ask::post(PATH), |ask, line| ask.header("X-Forwarded-For", line));
    for lines in [
        &["203.0.113.7"][..],
        &["198.51.100.1, 203.0.113.7"],
        &["198.51.100.1", "203.0.113.7, 10.1.1.1"],
        &["::ffff:203.0.113.7"],
        &["203.0.113.7,127.0.0.1"],
        &["unknown, 203.0.113.7"],
    ] {
        assert_eq!(world.answer(&said(lines)).await.status, 200, "{lines:?}");
    }
    for lines in [
        &["203.0.113.7, 198.51.100.1"][..],
        &["203.0.113.7", "198.51.100.1"],
        &["203.0.113.7, unknown"],
        &["203.0.113.7:80"],
        &["203.0.113.7,"],
        &["10.1.1.1"],
        &[""],
        &[],
    ] {
        world.refuses(&said(lines), 403, Code::Forbidden).await;
    }
    for (name, value) in claims().into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("x-forwarded-for")) {
        world.refuses(&Ask::post(PATH).header(name, value), 403, Code::Forbidden).await;
    }
    // Another machine on the same wire is not the proxy.
    let before = world.stand_in().request_count();
    assert_eq!(world.answer_from(2, &said(&["203.0.113.7"])).await.status, 403);
    assert_eq!(world.stand_in().request_count(), before);
}

#[test]
fn the_log_has_the_clients_address_where_it_is_not_the_peers() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "[admin]", "trusted_proxies = [\"127.0.0.1\"]\n[admin]");
    let served = Served::from(&folder);
    let call = Call::get(SMART_AUDIO).token(&folder.token("alice"));
    for header in ["203.0.113.7", "whoever", "127.0.0.1"] {
        call.clone().header("X-Forwarded-For", header).make(served.address()).unwrap().expect(200);
    }
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<Value> =
        lines.filter(|line| line["message"] == "request").map(|line| line["client_ip"].clone()).collect();
    assert_eq!(told, ["203.0.113.7", "unknown", "unknown"]);
    assert!(!log.contains("whoever"), "{log}");
}
