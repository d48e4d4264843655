//! Keys that come over HTTP and end by themselves: from the machine's role, from a role of other keys, from a pod's token.

use std::time::Duration;

use ci_gateway::stand_in::{Faults, KeyServiceSettings, Strike};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{Cloud, Folder, Served, run, until, write_with_mode};

const ROLE: &str = "qcs::cam::uin/100000000001:roleName/ci-gateway";
const TOKEN: &str = "eyJ.the-token-of-the-pod";

/// A cloud whose keys for a while are good for so many seconds.
fn lasting(seconds: u64) -> Cloud {
    let session_lifetime = Duration::from_secs(seconds);
    Cloud::with_key_services(KeyServiceSettings { session_lifetime, ..KeyServiceSettings::default() })
}

/// A folder whose gateway takes its keys as these lines say; `CLOUD` in them is where the cloud is.
fn folder(cloud: &Cloud, credentials: &str) -> Folder {
    let folder = Folder::of(cloud);
    let credentials = credentials.replace("CLOUD", &cloud.endpoint());
    folder.change("gateway.toml", "source = \"file\"\nfile = \"keys\"\n", &format!("{credentials}\n"));
    folder
}

fn of_machine(cloud: &Cloud) -> Folder {
    folder(cloud, "source = \"cvm_role\"\nmetadata_endpoint = \"CLOUD\"")
}

fn of_role(cloud: &Cloud, base: &str) -> Folder {
    let role = format!("role_arn = \"{ROLE}\"\nsts_region = \"ap-beijing\"\nsts_endpoint = \"CLOUD\"");
    folder(cloud, &format!("source = \"assume_role\"\n{role}\n{base}"))
}

fn ready(served: &Served) {
    until("it is not ready", || (served.admin_get("/readyz").status() == 200).then_some(()));
}

/// What `/readyz?verbose` says, once it says this.
fn readiness_with(served: &Served, words: &str) -> String {
    until(words, || Some(served.admin_get("/readyz?verbose").body).filter(|text| text.contains(words)))
}

/// The generation of the default account's current keys, counted from 1.
fn generation(served: &Served) -> i64 {
    let keys: Value = served.admin_get("/keys").expect(200).json();
    keys["accounts"][0]["generations"][0]["number"].as_i64().unwrap_or(0)
}

#[track_caller]
fn assert_serves(cloud: &Cloud, folder: &Folder, served: &Served) {
    ready(served);
    served.enable(&folder.token("alice")).expect(200);
    let calls = cloud.requests();
    let has_token = |name: &str| calls[0].headers.iter().any(|(other, _)| &**other == name);
    assert!(calls.len() == 1 && calls[0].verified && has_token("x-ci-security-token"), "{calls:?}");
}

#[test]
fn a_call_is_signed_with_the_keys_of_the_machines_role() {
    let cloud = lasting(3600);
    let folder = of_machine(&cloud);
    assert_serves(&cloud, &folder, &Served::from(&folder));
    assert_eq!((cloud.stand_in().metadata_requests().len(), cloud.stand_in().sts_requests().len()), (2, 0));
}

#[test]
fn a_call_is_signed_with_the_keys_of_a_role_that_other_keys_take_on() {
    for (base, asked_machine) in [
        ("base = \"file\"\nfile = \"keys\"", 0),
        ("base = \"cvm_role\"\nmetadata_endpoint = \"CLOUD\"\nrole_name = \"ci-gateway\"", 1),
    ] {
        let cloud = lasting(3600);
        let folder = of_role(&cloud, base);
        assert_serves(&cloud, &folder, &Served::from(&folder));
        let asked = cloud.stand_in().sts_requests();
        assert!(asked.len() == 1 && asked[0].verified && asked[0].action() == Some("AssumeRole"), "{asked:?}");
        assert_eq!(cloud.stand_in().metadata_requests().len(), asked_machine);
    }
}

#[test]
fn a_call_is_signed_with_the_keys_of_a_pods_role_by_the_variables_of_tke() {
    let key_services =
        KeyServiceSettings { web_identity_token: Some(TOKEN.to_owned()), ..KeyServiceSettings::default() };
    let cloud = Cloud::with_key_services(key_services);
    let folder = folder(&cloud, "source = \"web_identity\"\nsts_endpoint = \"CLOUD\"");
    folder.write("token", &format!("{TOKEN}\n"));
    let variables = [
        ("TKE_REGION", "ap-beijing"),
        ("TKE_PROVIDER_ID", "cls-12345678"),
        ("TKE_WEB_IDENTITY_TOKEN_FILE", &folder.path_text("token")),
        ("TKE_ROLE_ARN", ROLE),
    ];
    let served = Served::from_with(&folder, &variables);
    assert_serves(&cloud, &folder, &served);
    let asked = cloud.stand_in().sts_requests();
    let region = asked[0].headers.iter().find(|(name, _)| &**name == "x-tc-region").unwrap();
    assert_eq!((asked.len(), asked[0].action(), &*region.1), (1, Some("AssumeRoleWithWebIdentity"), "ap-beijing"));
    let ended = served.ended_by(rustix::process::Signal::TERM);
    assert!(!format!("{ended:?}").contains(TOKEN));

    let served = Served::from_with(&folder, &variables[..2]);
    let told = readiness_with(&served, "TKE_WEB_IDENTITY_TOKEN_FILE, TKE_ROLE_ARN is not set");
    assert!(told.contains("hint: TKE sets them in pods"), "{told}");
}

#[test]
fn keys_are_renewed_before_they_end_and_no_call_notices() {
    let cloud = lasting(3);
    let folder = of_machine(&cloud);
    let served = Served::from(&folder);
    ready(&served);
    let token = folder.token("alice");
    until("the keys are not renewed", || {
        served.enable(&token).expect(200);
        (generation(&served) >= 4).then_some(())
    });
    assert!(cloud.requests().iter().all(|call| call.verified && call.applied));
}

// F40: the last good keys serve until their real end, and then nothing does; an unsigned request never.
#[test]
fn without_the_metadata_service_the_last_keys_serve_until_their_end_and_then_none() {
    let cloud = lasting(4);
    let folder = of_machine(&cloud);
    let served = Served::from(&folder);
    ready(&served);
    let token = folder.token("alice");
    cloud.set_faults("metadata:status:500".parse::<Strike>().unwrap());
    readiness_with(&served, "answers with status 500");
    served.enable(&token).expect(200);

    until("the keys do not end", || (served.admin_get("/readyz").status() == 503).then_some(()));
    let before = cloud.requests();
    assert!(before.iter().all(|call| call.verified && call.applied), "{before:?}");
    let refused = served.enable(&token).expect(503);
    assert_eq!(
        (&refused.json()["code"], &refused.json()["outcome"]),
        (&"credentials_unavailable".into(), &"not_sent".into())
    );
    assert_eq!(cloud.requests().len(), before.len(), "a call went upstream without keys");

    cloud.set_faults(Faults::none());
    ready(&served);
    served.enable(&token).expect(200);
}

#[test]
fn a_refusal_of_sts_is_told_with_its_hint_in_log_and_readiness_and_nothing_goes_upstream() {
    let cloud = lasting(3600);
    let folder = of_role(&cloud, "base = \"file\"\nfile = \"keys\"");
    folder.write_secret("keys", "secret_id = AKIDOFTHEPROCESSTESTS\nsecret_key = marker-of-another-key\n");
    let served = Served::from(&folder);
    let told = readiness_with(&served, "AuthFailure.SignatureFailure");
    assert!(told.contains("AssumeRole at 127.0.0.1:") && told.contains("hint: the SecretKey is not the one"), "{told}");
    let refused = served.enable(&folder.token("alice")).expect(503);
    assert_eq!(refused.json()["code"], "credentials_unavailable");
    assert!(cloud.requests().is_empty());
    served.process().stderr().find_line(|line| line.contains("AuthFailure.SignatureFailure").then_some(())).unwrap();
    let ended = served.ended_by(rustix::process::Signal::TERM);
    assert!(!format!("{ended:?}{told}").contains("marker"), "{ended:?}");
}

#[test]
fn a_machine_without_a_role_or_with_several_says_so_and_nothing_goes_upstream() {
    for (roles, words) in [(vec![], "no role is bound to this instance"), (vec!["a", "b"], "several roles: a, b")] {
        let roles = roles.into_iter().map(str::to_owned).collect();
        let cloud = Cloud::with_key_services(KeyServiceSettings { roles, ..KeyServiceSettings::default() });
        let folder = of_machine(&cloud);
        let served = Served::from(&folder);
        readiness_with(&served, words);
        served.enable(&folder.token("alice")).expect(503);
        assert!(cloud.requests().is_empty());
    }
}

#[test]
fn keys_are_asked_for_at_tencents_own_hosts_or_on_this_machine_alone() {
    let cloud = Cloud::start();
    for (line, hint) in [
        ("sts_endpoint = \"https://sts.tencentcloudapi.com.evil.test\"", "tencentcloudapi.com, or 127.0.0.1"),
        ("sts_endpoint = \"http://sts.tencentcloudapi.com\"", "tencentcloudapi.com, or 127.0.0.1"),
        ("metadata_endpoint = \"http://10.0.0.1\"", "169.254.0.0/16"),
    ] {
        let source = if line.starts_with("sts") { "web_identity" } else { "cvm_role" };
        let folder = folder(&cloud, &format!("source = \"{source}\"\n{line}"));
        let ended = run(&["check", "--config", &folder.config()]).expect(64);
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains(hint), "{ended:?}");
    }
    assert!(cloud.stand_in().sts_requests().is_empty() && cloud.stand_in().metadata_requests().is_empty());
}

#[test]
fn a_start_that_waits_for_the_first_keys_logs_no_error_and_tells_when_they_end() {
    let cloud = lasting(3600);
    let served = Served::from(&of_machine(&cloud));
    ready(&served);
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    let in_force = log.lines().find(|line| line.contains("keys are in force")).unwrap();
    assert!(!log.contains("ERROR") && !in_force.contains("Some(") && in_force.contains("expires"), "{log}");
}

// Invariant 7: what asks for the keys of a role is looked at as every other key file is.
#[test]
fn a_base_file_that_others_can_read_and_a_token_file_that_is_not_there_are_refused_at_the_start() {
    let cloud = Cloud::start();
    let open = of_role(&cloud, "base = \"file\"\nfile = \"keys\"");
    write_with_mode(&open.path("keys"), open.read("keys").as_bytes(), 0o644);
    let absent = folder(&cloud, "source = \"web_identity\"\nsts_endpoint = \"CLOUD\"\ntoken_file = \"pod.token\"");
    for (folder, words) in
        [(open, ["/keys: ", "chmod 600"]), (absent, ["/pod.token: ", "`credentials.token_file` names it"])]
    {
        for command in ["check", "serve"] {
            let ended = run(&[command, "--config", &folder.config()]).expect(64);
            assert!(words.iter().all(|word| ended.stderr.contains(word)), "{ended:?}");
        }
    }
    assert!(cloud.stand_in().sts_requests().is_empty());
}
