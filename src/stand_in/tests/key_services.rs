//! The services that give keys, spoken to in raw bytes; and Cloud Infinite with the keys that they gave.

use std::time::Duration;

use hyper::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{Call, Reply, key, send, settings, start};
use crate::stand_in::tc3::authorize;
use crate::stand_in::{Answered, KeyServiceSettings, KnownKey, Settings, StandIn, Strike};

const ROLES: &str = "/latest/meta-data/cam/security-credentials/";

/// A question to the Security Token Service that is right unless a test says otherwise.
struct Ask {
    action: &'static str,
    body: Value,
    headers: Vec<(&'static str, String)>,
    names: &'static str,
    key: KnownKey,
}

impl Ask {
    fn new(action: &'static str, body: Value) -> Self {
        let at = Timestamp::now().as_second().to_string();
        let headers = [
            ("Host", "sts.tencentcloudapi.com"),
            ("Content-Type", "application/json"),
            ("X-TC-Action", action),
            ("X-TC-Version", "2018-08-13"),
            ("X-TC-Region", "ap-guangzhou"),
            ("X-TC-Timestamp", &at),
        ];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { action, body, headers, names: "content-type;host", key: key() }
    }

    fn role() -> Self {
        Self::new("AssumeRole", json!({"RoleArn": "qcs::cam::uin/1:roleName/ci", "RoleSessionName": "tests"}))
    }

    fn pod(token: &str) -> Self {
        let body = json!({
            "ProviderId": "cls-1", "WebIdentityToken": token, "RoleArn": "qcs::cam::uin/1:roleName/ci",
            "RoleSessionName": "tests", "DurationSeconds": 900,
        });
        Self::new("AssumeRoleWithWebIdentity", body)
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.body[field] = value;
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    fn by(mut self, key: KnownKey) -> Self {
        self.key = key;
        self
    }

    fn authorization(&self) -> String {
        let mut request = Request::post("/");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        authorize(&head, self.body.to_string().as_bytes(), self.names, &self.key)
    }

    async fn send(&self, stand_in: &StandIn) -> Value {
        let unsigned = self.action == "AssumeRoleWithWebIdentity";
        self.send_as(stand_in, &if unsigned { "SKIP".to_owned() } else { self.authorization() }).await
    }

    async fn send_as(&self, stand_in: &StandIn, authorization: &str) -> Value {
        let (headers, body) = (&self.headers, self.body.to_string());
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let raw = format!(
            "POST / HTTP/1.1\r\n{headers}Authorization: {authorization}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        let reply = send(stand_in, &raw).await;
        assert_eq!((reply.status(), reply.header("Content-Type")), (200, Some("application/json")), "{reply:?}");
        let mut value: Value = serde_json::from_str(reply.body()).unwrap();
        value["Response"].take()
    }
}

fn code(response: &Value) -> &str {
    response["Error"]["Code"].as_str().unwrap_or("none")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn temporary(credentials: &Value) -> KnownKey {
    let token = text(&credentials["Token"]);
    KnownKey::new(text(&credentials["TmpSecretId"]), text(&credentials["TmpSecretKey"]), Some(token))
}

async fn get(stand_in: &StandIn, path: &str) -> Reply {
    send(stand_in, &format!("GET {path} HTTP/1.1\r\nHost: metadata.tencentyun.com\r\nConnection: close\r\n\r\n")).await
}

fn lasting(lifetime: Duration) -> Settings {
    let key_services = KeyServiceSettings { session_lifetime: lifetime, ..KeyServiceSettings::default() };
    Settings { key_services, ..settings() }
}

#[tokio::test]
async fn a_role_gives_keys_that_cloud_infinite_takes_with_their_token_alone() {
    let stand_in = start(settings()).await;
    let given = Ask::role().with("DurationSeconds", 900.into()).send(&stand_in).await;
    let ends = given["ExpiredTime"].as_i64().unwrap() - Timestamp::now().as_second();
    assert!((890..=900).contains(&ends) && given["RequestId"].is_string(), "{given}");
    let key = temporary(&given["Credentials"]);
    assert_eq!(Call::post().by(key.clone()).send(&stand_in).await.node("Code"), Some("AccessDenied"));
    let token = text(&given["Credentials"]["Token"]);
    let called = Call::post().by(key.clone()).header("x-ci-security-token", token).send(&stand_in).await;
    assert_eq!(called.status(), 200, "{called:?}");
    // Questions for keys are counted by themselves, and show no secret.
    assert_eq!((stand_in.request_count(), stand_in.sts_requests().len()), (2, 1));
    let asked = &stand_in.sts_requests()[0];
    assert_eq!((asked.verified, asked.applied, asked.answer), (true, true, Answered::Status(200, None)));
    // They may ask further, with their token.
    let further = Ask::role().by(key.clone()).header("X-TC-Token", token).send(&stand_in).await;
    assert_eq!(code(&further), "none");
    assert!(!format!("{:?}", stand_in.sts_requests()).contains(token));
    assert_eq!(code(&Ask::role().by(key).send(&stand_in).await), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn keys_end_when_they_were_said_to() {
    let stand_in = start(lasting(Duration::ZERO)).await;
    let given = Ask::role().send(&stand_in).await;
    let token = text(&given["Credentials"]["Token"]);
    let key = temporary(&given["Credentials"]);
    let call = Call::post().by(key.clone()).header("x-ci-security-token", token);
    let called = call.send(&stand_in).await;
    assert_eq!((called.status(), called.node("Code")), (400, Some("ExpiredToken")));
    let further = Ask::role().by(key).header("X-TC-Token", token).send(&stand_in).await;
    assert_eq!(code(&further), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn a_question_that_is_not_signed_rightly_is_refused_by_its_reason() {
    let stand_in = start(settings()).await;
    let now = Timestamp::now().as_second();
    let other = |id: &str| KnownKey::new(id, "another", None);
    for (ask, expected) in [
        (Ask::role().by(other(key().secret_id())), "AuthFailure.SignatureFailure"),
        (Ask::role().by(other("AKIDNOBODY")), "AuthFailure.SecretIdNotFound"),
        (Ask::role().header("X-TC-Timestamp", &(now - 400).to_string()), "AuthFailure.SignatureExpire"),
        (Ask::role().header("X-TC-Timestamp", &(now + 400).to_string()), "AuthFailure.SignatureExpire"),
        (Ask::role().header("X-TC-Version", "2019-01-01"), "NoSuchVersion"),
        (Ask::role().header("X-TC-Region", ""), "MissingParameter"),
        (Ask::new("Unknown", json!({})), "InvalidAction"),
        (Ask::role().with("RoleArn", "role".into()), "InvalidParameter.ParamError"),
        (Ask::role().with("RoleArn", 1.into()), "InvalidParameter.ParamError"),
        (Ask::role().with("RoleArn", "qcs::cam::uin/1:roleName/missing-1".into()), "ResourceNotFound.RoleNotFound"),
        (Ask::role().with("RoleSessionName", "a b".into()), "InvalidParameter.ParamError"),
        (Ask::role().with("DurationSeconds", 43_201.into()), "InvalidParameter.OverTimeError"),
    ] {
        let said = ask.send(&stand_in).await;
        assert_eq!(code(&said), expected, "{said}");
        assert!(said["Credentials"].is_null() && said["RequestId"].is_string(), "{said}");
    }
    let signed = Ask::role().authorization();
    let changed = Ask::role().with("ExternalId", "more".into());
    assert_eq!(code(&changed.send_as(&stand_in, &signed).await), "AuthFailure.SignatureFailure");
    let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
    for (from, to, expected) in [
        ("/sts/", "/cvm/", "AuthFailure.SignatureFailure"),
        (today.as_str(), "2019-02-25", "AuthFailure.SignatureFailure"),
        ("content-type;host", "host", "AuthFailure.InvalidAuthorization"),
        ("TC3", "TC2", "AuthFailure.InvalidAuthorization"),
    ] {
        let said = Ask::role().send_as(&stand_in, &signed.replace(from, to)).await;
        assert_eq!(code(&said), expected, "{from} -> {to}");
    }
    assert!(stand_in.sts_requests().iter().all(|asked| !asked.applied));
    assert_eq!(stand_in.request_count(), 0);
}

#[tokio::test]
async fn a_pod_shows_its_token_and_signs_nothing() {
    let stand_in = start(settings()).await;
    assert_eq!(code(&Ask::pod("eyJ").send(&stand_in).await), "none");
    assert_eq!(code(&Ask::pod("").send(&stand_in).await), "InvalidParameter.WebIdentityTokenError");
    assert_eq!(code(&Ask::pod("eyJ").send_as(&stand_in, "Bearer x").await), "AuthFailure.InvalidAuthorization");
    let key_services =
        KeyServiceSettings { web_identity_token: Some("this".to_owned()), ..KeyServiceSettings::default() };
    let strict = start(Settings { key_services, ..settings() }).await;
    assert_eq!(code(&Ask::pod("this").send(&strict).await), "none");
    assert_eq!(code(&Ask::pod("that").send(&strict).await), "InvalidParameter.WebIdentityTokenError");
}

#[tokio::test]
async fn who_asks_is_told_who_it_is() {
    let stand_in = start(settings()).await;
    let said = Ask::new("GetCallerIdentity", json!({})).send(&stand_in).await;
    assert_eq!((said["Type"].as_str(), said["AccountId"].is_string()), (Some("CAMUser"), true), "{said}");
}

#[tokio::test]
async fn a_machine_lists_its_roles_and_gives_keys_of_each() {
    let stand_in = start(settings()).await;
    assert_eq!(get(&stand_in, ROLES).await.body(), "ci-gateway");
    let given: Value = serde_json::from_str(get(&stand_in, &format!("{ROLES}ci-gateway")).await.body()).unwrap();
    assert_eq!(given["Code"], "Success");
    let call = Call::post().by(temporary(&given)).header("x-ci-security-token", text(&given["Token"]));
    assert_eq!(call.send(&stand_in).await.status(), 200);
    for path in ["another", "ci-gateway/more", "../"] {
        assert_eq!(get(&stand_in, &format!("{ROLES}{path}")).await.status(), 404, "{path}");
    }
    assert_eq!((stand_in.request_count(), stand_in.metadata_requests().len()), (1, 5));
    let bare = KeyServiceSettings { roles: Vec::new(), ..KeyServiceSettings::default() };
    let bare = start(Settings { key_services: bare, ..settings() }).await;
    assert_eq!(get(&bare, ROLES).await.status(), 404);
}

#[tokio::test]
async fn its_faults_meet_the_service_that_they_are_for() {
    let stand_in = start(settings()).await;
    for (fault, status, kind) in [
        ("metadata:status:503", 503, "text/html"),
        ("metadata:not-json", 200, "text/html"),
        ("metadata:not-found", 404, "text/html"),
        ("sts:status:503", 200, "text/plain"),
        ("status:503", 200, "text/plain"),
        ("metadata:delay:1ms", 200, "text/plain"),
    ] {
        stand_in.set_faults(fault.parse::<Strike>().unwrap());
        let reply = get(&stand_in, ROLES).await;
        assert_eq!((reply.status(), reply.header("Content-Type")), (status, Some(kind)), "{fault}");
    }
    stand_in.set_faults("metadata:reset".parse::<Strike>().unwrap());
    assert!(get(&stand_in, ROLES).await.reset);
    stand_in.set_faults("sts:skew:-600".parse::<Strike>().unwrap());
    assert_eq!(code(&Ask::role().send(&stand_in).await), "AuthFailure.SignatureExpire");
}
