//! The sources that ask over HTTP, against the stand-in and against servers that answer nonsense.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::stand_in::{Faults, KeyServiceSettings, KnownKey, Settings, StandIn, Strike};

const KEY: (&str, &str) = ("AKIDOFTESTS", "marker-of-the-secret");

async fn stand_in(key_services: KeyServiceSettings) -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    StandIn::start(listener, Settings { key_services, ..Settings::with_key(KnownKey::new(KEY.0, KEY.1, None)) })
}

async fn usual() -> StandIn {
    stand_in(KeyServiceSettings::default()).await
}

fn with_roles(names: &[&str]) -> KeyServiceSettings {
    let roles = names.iter().map(|name| (*name).to_owned()).collect();
    KeyServiceSettings { roles, ..KeyServiceSettings::default() }
}

fn url<T: std::str::FromStr<Err: std::fmt::Debug>>(address: std::net::SocketAddr) -> Option<T> {
    Some(format!("http://{address}").parse().unwrap())
}

fn machine(address: std::net::SocketAddr, role_name: Option<&str>) -> CvmRoleSettings {
    CvmRoleSettings { role_name: role_name.map(|name| name.parse().unwrap()), endpoint: url(address) }
}

fn role(address: std::net::SocketAddr, base: BaseSettings) -> AssumeRoleSettings {
    AssumeRoleSettings {
        base,
        role_arn: "qcs::cam::uin/1:roleName/ci-gateway".parse().unwrap(),
        role_session_name: "ci-gateway".parse().unwrap(),
        duration: Duration::from_secs(900),
        external_id: Some("word".to_owned()),
        region: "ap-beijing".parse().unwrap(),
        endpoint: url(address),
    }
}

fn pod(address: std::net::SocketAddr, token_file: &Path) -> SourceSettings {
    SourceSettings::WebIdentity(WebIdentitySettings {
        region: Some("ap-beijing".parse().unwrap()),
        provider_id: Some("cls-1".to_owned()),
        token_file: Some(token_file.to_owned()),
        role_arn: Some("qcs::cam::uin/1:roleName/ci-gateway".parse().unwrap()),
        role_session_name: "ci-gateway".parse().unwrap(),
        duration: Duration::from_secs(900),
        endpoint: url(address),
    })
}

fn key_file(key: (&str, &str)) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(file.path(), format!("secret_id = {}\nsecret_key = {}\n", key.0, key.1)).unwrap();
    file
}

/// What the source of these settings answers now; of a mistake, the whole text.
async fn asked(settings: SourceSettings) -> Result<Issued, String> {
    settings.open().unwrap().keys().await.map_err(|why| why.to_string())
}

#[track_caller]
fn assert_good_for(issued: &Issued, seconds: i64) {
    let left = issued.expires.unwrap().as_second() - Timestamp::now().as_second();
    assert!((seconds - 10..=seconds).contains(&left), "{left}");
    assert!(issued.keys.secret_id().starts_with("AKID") && issued.keys.token().is_some());
}

#[track_caller]
fn assert_says(answer: Result<Issued, String>, words: &[&str]) {
    let why = answer.unwrap_err();
    assert!(words.iter().all(|word| why.contains(word)), "{words:?}: {why}");
    assert!(!why.contains("marker"), "{why}");
}

#[tokio::test]
async fn a_machine_gives_the_keys_of_its_one_role_or_of_the_named_one() {
    let stand_in = stand_in(with_roles(&["one"])).await;
    for name in [None, Some("one")] {
        assert_good_for(&asked(SourceSettings::CvmRole(machine(stand_in.address(), name))).await.unwrap(), 7200);
    }
    assert_eq!(stand_in.metadata_requests().len(), 3);
}

#[tokio::test]
async fn a_machine_with_no_role_or_several_says_what_to_do() {
    let ask = async |roles: &[&str], name| {
        asked(SourceSettings::CvmRole(machine(stand_in(with_roles(roles)).await.address(), name))).await
    };
    assert_says(ask(&[], None).await, &["no role is bound to this instance", "hint: bind"]);
    assert_says(ask(&["one"], Some("two")).await, &["no role `two`", "hint: bind"]);
    assert_says(ask(&["one", "two", "three"], None).await, &["several roles: one, two, three", "role_name"]);
    assert_good_for(&ask(&["one", "two"], Some("two")).await.unwrap(), 7200);
}

#[tokio::test]
async fn a_metadata_service_that_fails_gives_no_keys_and_says_how() {
    let stand_in = usual().await;
    for (fault, words) in [
        ("metadata:status:500", "status 500"),
        ("metadata:not-json", "no name"),
        ("metadata:not-found", "no role is bound"),
        ("metadata:reset", "no answer"),
    ] {
        stand_in.set_faults(fault.parse::<Strike>().unwrap());
        assert_says(asked(SourceSettings::CvmRole(machine(stand_in.address(), None))).await, &[words]);
    }
    stand_in.set_faults("metadata:not-json".parse::<Strike>().unwrap());
    let named = SourceSettings::CvmRole(machine(stand_in.address(), Some("ci-gateway")));
    assert_says(asked(named.clone()).await, &["not the JSON of keys", "proxy"]);
    let address = stand_in.address();
    stand_in.stop().await;
    assert_says(asked(named).await, &["metadata service at", &address.to_string(), "no answer"]);
}

#[tokio::test]
async fn a_role_is_taken_on_with_the_keys_of_each_base() {
    let stand_in = usual().await;
    let file = key_file(KEY);
    let of_file = BaseSettings::File(file.path().to_owned());
    let of_machine = BaseSettings::CvmRole(machine(stand_in.address(), None));
    for base in [of_file, of_machine] {
        let settings = SourceSettings::AssumeRole(role(stand_in.address(), base));
        assert_good_for(&asked(settings).await.unwrap(), 900);
    }
    let questions = stand_in.sts_requests();
    assert!(questions.len() == 2 && questions.iter().all(|question| question.verified && question.applied));
    let region = questions[0].headers.iter().find(|(name, _)| &**name == "x-tc-region").unwrap();
    assert_eq!(&*region.1, "ap-beijing");
}

#[tokio::test]
async fn a_refusal_of_sts_comes_with_its_code_and_what_to_do() {
    let stand_in = usual().await;
    let with_key = |key| {
        let file = key_file(key);
        let settings = role(stand_in.address(), BaseSettings::File(file.path().to_owned()));
        (file, settings)
    };
    let (_wrong, settings) = with_key((KEY.0, "marker-of-another"));
    assert_says(
        asked(SourceSettings::AssumeRole(settings)).await,
        &["AssumeRole at 127.0.0.1:", "AuthFailure.SignatureFailure", "RequestId ", "hint: the SecretKey"],
    );
    let (_unknown, settings) = with_key(("AKIDNOBODY", KEY.1));
    assert_says(asked(SourceSettings::AssumeRole(settings)).await, &["AuthFailure.SecretIdNotFound", "hint"]);
    let (_right, settings) = with_key(KEY);
    let missing =
        AssumeRoleSettings { role_arn: "qcs::cam::uin/1:roleName/missing-1".parse().unwrap(), ..settings.clone() };
    assert_says(asked(SourceSettings::AssumeRole(missing)).await, &["ResourceNotFound.RoleNotFound", "no such role"]);
    for (fault, words) in [
        ("sts:skew:-600", "let NTP set it"),
        ("sts:status:503", "status 503"),
        ("sts:not-json", "not the JSON"),
        ("sts:not-found", "status 404"),
        ("sts:reset", "no answer"),
    ] {
        stand_in.set_faults(fault.parse::<Strike>().unwrap());
        assert_says(asked(SourceSettings::AssumeRole(settings.clone())).await, &[words]);
    }
    stand_in.set_faults(Faults::none());
    assert_good_for(&asked(SourceSettings::AssumeRole(settings)).await.unwrap(), 900);
    let (file, settings) = with_key(KEY);
    drop(file);
    assert_says(asked(SourceSettings::AssumeRole(settings)).await, &["cannot be read"]);
}

#[tokio::test]
async fn a_pods_token_is_read_anew_for_each_question() {
    let key_services =
        KeyServiceSettings { web_identity_token: Some("eyJ.second".to_owned()), ..KeyServiceSettings::default() };
    let stand_in = stand_in(key_services).await;
    let file = NamedTempFile::new().unwrap();
    let source = pod(stand_in.address(), file.path()).open().unwrap();
    std::fs::write(file.path(), "eyJ.marker-of-the-first\n").unwrap();
    let why = source.keys().await.map_err(|why| why.to_string());
    assert_says(why, &["AssumeRoleWithWebIdentity at", "InvalidParameter.WebIdentityTokenError"]);
    std::fs::write(file.path(), "eyJ.second\n").unwrap();
    assert_good_for(&source.keys().await.unwrap(), 900);
    let authorization = &stand_in.sts_requests()[1];
    assert!(authorization.verified && authorization.applied);
}

/// Asks a server that answers everything with this body.
async fn told(body: String, settings: impl Fn(std::net::SocketAddr) -> SourceSettings) -> Result<Issued, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 8192]).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
        }
    });
    let answer = asked(settings).await;
    serving.abort();
    answer
}

#[tokio::test]
async fn an_answer_that_is_not_whole_or_not_keys_is_refused_and_not_shown() {
    let file = key_file(KEY);
    let sts = |address| SourceSettings::AssumeRole(role(address, BaseSettings::File(file.path().to_owned())));
    let of_machine = |address| SourceSettings::CvmRole(machine(address, Some("one")));
    let keys = r#""TmpSecretId":"AKIDmarker","TmpSecretKey":"marker","Token":"marker""#;
    for (body, words) in [
        (format!(r#"{{"Response":{{"Credentials":{{{keys}}},"RequestId":"r"}}}}"#), "does not say when"),
        (format!(r#"{{"Response":{{"Credentials":{{{keys},"x":}}"#), "not the JSON"),
        (r#"{"Response":{"RequestId":"marker"}}"#.to_owned(), "neither keys nor an error"),
        (r#"{"marker":1}"#.to_owned(), "not the JSON"),
        (format!(r#"{{"Response":{{"Credentials":{{{keys}}},"ExpiredTime":"marker"}}}}"#), "not the JSON"),
        (
            format!(r#"{{"Response":{{"Credentials":{{{keys}}},"ExpiredTime":9}}}}"#)
                .replace("AKIDmarker", "mar\\nker"),
            "cannot be used",
        ),
        ("x".repeat(65 * 1024), "too large"),
    ] {
        assert_says(told(body, sts).await, &[words]);
    }
    for (body, words) in [
        (format!(r#"{{{keys},"Code":"Success"}}"#), "does not say when"),
        (format!(r#"{{{keys},"ExpiredTime":9}}"#), "not the JSON of keys"),
        (r#"{"Code":"Success","ExpiredTime":9,"TmpSecretKey":"marker"}"#.to_owned(), "not the JSON of keys"),
        (r#"{"Code":"Failed\u0007"}"#.to_owned(), "its Code is `Failed `"),
        ("x".repeat(65 * 1024), "too large"),
    ] {
        assert_says(told(body, of_machine).await, &[words]);
    }
    let unnamed = |address| SourceSettings::CvmRole(machine(address, None));
    for (body, words) in [("../x", "no name"), ("one\n<html>", "no name"), ("\n \n", "no role is bound")] {
        assert_says(told(body.to_owned(), unnamed).await, &[words]);
    }
}
