//! `ci-gateway doctor`: each thing that may be wrong is found, named and comes with what to do; and nothing is changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use ci_gateway::stand_in::{Fault, KnownKey};
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::process::{
    Authority, Cloud, Ended, Folder, JWT_SECRET, Process, SECRET_ID, SECRET_KEY, program, run,
};

/// What the doctor says of a folder, one finding a line, and its status; no secret is among it.
struct Told {
    findings: Vec<Value>,
    status: Option<i32>,
}

fn doctor(folder: &Folder, more: &[&str]) -> Told {
    doctor_trusting(folder, more, "")
}

/// The same where the authorities in this file are the platform's.
fn doctor_trusting(folder: &Folder, more: &[&str], authorities: &str) -> Told {
    let config = folder.config();
    let mut command = program(&[&["doctor", "--json", "--config", &config], more].concat());
    command.env("SSL_CERT_FILE", authorities);
    let Ended { status, stdout, stderr } = Process::start(command).ended();
    let findings = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(![SECRET_KEY, SECRET_ID, JWT_SECRET].iter().any(|secret| format!("{stdout}{stderr}").contains(secret)));
    assert!(!stdout.contains("q-signature") && !stderr.contains("q-signature"));
    Told { findings, status }
}

impl Told {
    /// The findings of a section with this verdict, as text.
    fn of(&self, section: &str, verdict: &str) -> Vec<String> {
        let of = self.findings.iter().filter(|one| one["section"] == section && one["verdict"] == verdict);
        of.map(|one| format!("{} → {}", one["seen"].as_str().unwrap(), one["hint"].as_str().unwrap_or_default()))
            .collect()
    }

    #[track_caller]
    fn says(&self, section: &str, verdict: &str, words: &[&str]) {
        let found = self.of(section, verdict);
        let has_all = |text: &String| words.iter().all(|word| text.contains(word));
        assert!(found.iter().any(has_all), "{section} {verdict} {words:?}: {:#?}", self.findings);
        assert!(verdict == "ok" || found.iter().all(|text| !text.ends_with("→ ")), "{found:?} has no hint");
    }

    /// Exactly the sections with a problem.
    #[track_caller]
    fn problems(&self, sections: &[&str]) {
        let mut found: Vec<_> = self
            .findings
            .iter()
            .filter(|one| one["verdict"] == "problem")
            .map(|one| one["section"].as_str().unwrap())
            .collect();
        found.dedup();
        assert_eq!(found, sections, "{:#?}", self.findings);
        assert_eq!(self.status, Some(if sections.is_empty() { 0 } else { 2 }));
    }
}

#[test]
fn where_all_is_well_every_section_says_so_and_nothing_is_changed() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let told = doctor(&folder, &[]);
    told.problems(&[]);
    told.says("config", "ok", &["gateway.toml"]);
    told.says("permissions", "ok", &["keys", "mode 0600"]);
    told.says("permissions", "ok", &["jwt.secret", "mode 0600"]);
    told.says("clock", "ok", &["agrees"]);
    told.says("dns", "ok", &["127.0.0.1"]);
    told.says("tls", "warning", &["without TLS"]);
    told.says("keys", "ok", &["Cloud Infinite takes it", "not on for doctor-1250000000"]);
    told.says("jwks", "ok", &["https://issuer.invalid"]);
    told.says("audit", "ok", &["will be made"]);
    assert!(!folder.path("audit.jsonl").exists());
    let asked: Vec<_> =
        cloud.requests().iter().map(|one| (one.method.to_string(), one.verified, one.applied)).collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((asked[0].0.as_str(), asked[0].1), ("GET", true));
    let before = "{\"v\":1}\n{\"v\":2";
    folder.write("audit.jsonl", before);
    let told = doctor(&folder, &["--bucket", "mine-1234567890"]);
    told.says("audit", "warning", &["the last record has no end"]);
    told.says("keys", "ok", &["not on for mine-1234567890"]);
    assert_eq!(folder.read("audit.jsonl"), before);
}

#[test]
fn people_get_a_table_without_colours_where_there_is_no_terminal() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let ended = run(&["doctor", "--config", &folder.config()]).expect(0);
    assert!(ended.stdout.contains("keys         ok       key ") && ended.stdout.ends_with("no problems, 1 warning\n"));
    assert!(!ended.stdout.contains('\x1b') && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_key_that_is_not_the_right_one_is_told_from_one_that_is_not_known() {
    for (id, key, words) in [
        (SECRET_ID, "another-secret-key", ["SignatureDoesNotMatch", "the SecretKey is not the one of this SecretId"]),
        ("AKIDofSomebodyElse", SECRET_KEY, ["InvalidAccessKeyId", "copy it anew"]),
    ] {
        let cloud = Cloud::with_keys(vec![KnownKey::new(id, key, None)]);
        let told = doctor(&Folder::of(&cloud), &[]);
        told.problems(&["keys"]);
        told.says("keys", "problem", &words);
        told.says("clock", "ok", &["agrees"]);
    }
}

#[test]
fn a_clock_that_differs_is_a_warning_as_far_as_signatures_follow_it_and_a_problem_beyond() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    for seconds in [600, -600] {
        cloud.set_faults(Fault::Skew(SignedDuration::from_secs(seconds)));
        let told = doctor(&folder, &[]);
        told.problems(&[]);
        told.says("clock", "warning", &["from ours; signatures follow it", "NTP"]);
        told.says("keys", "ok", &["Cloud Infinite takes it"]);
    }
    cloud.set_faults(Fault::Skew(SignedDuration::from_hours(2)));
    let told = doctor(&folder, &[]);
    told.problems(&["clock", "keys"]);
    told.says("clock", "problem", &["more than max_clock_correction", "NTP"]);
    told.says("keys", "problem", &["see what the section clock says"]);
}

#[test]
fn a_cloud_that_nobody_answers_for_is_a_problem_of_the_connection_and_not_of_the_keys() {
    let told = doctor(&Folder::without_cloud(), &[]);
    told.problems(&["tls", "keys"]);
    told.says("tls", "problem", &["127.0.0.1:9", "firewall"]);
    told.says("keys", "problem", &["was not asked", "not known"]);
}

#[test]
fn an_audit_folder_that_is_missing_and_a_key_file_that_others_read_are_found_together() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.change("gateway.toml", "audit.jsonl", "nowhere/audit.jsonl");
    fs::set_permissions(folder.path("keys"), Permissions::from_mode(0o644)).unwrap();
    let told = doctor(&folder, &[]);
    told.problems(&["permissions", "keys", "audit"]);
    told.says("permissions", "problem", &["keys", "0644", "chmod 600"]);
    told.says("audit", "problem", &["nowhere/audit.jsonl", "its folder must exist"]);
    assert_eq!(cloud.requests().len(), 0, "without keys nothing goes upstream");
}

#[test]
fn an_issuer_that_does_not_answer_is_named() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let issuer = "[[auth.jwt]]\nissuer = \"https://down.invalid\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\n\
        jwks_url = \"http://127.0.0.1:9/keys\"\n[policy]";
    folder.change("gateway.toml", "[policy]", issuer);
    let told = doctor(&folder, &[]);
    told.problems(&["jwks"]);
    told.says("jwks", "problem", &["http://127.0.0.1:9/keys", "no answer", "curl"]);
    told.says("jwks", "ok", &["https://issuer.invalid"]);
}

#[test]
fn offline_nobody_is_asked_and_it_says_so() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let told = doctor(&folder, &["--offline"]);
    told.problems(&[]);
    told.says("config", "ok", &["were not looked at: --offline"]);
    for section in ["clock", "dns", "tls"] {
        assert!(told.of(section, "ok").is_empty(), "{section}");
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[test]
fn a_configuration_that_is_wrong_is_64_with_every_mistake() {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "[policy]", "[polcy]");
    let told = doctor(&folder, &[]);
    assert_eq!(told.status, Some(64));
    assert!(told.of("config", "problem").len() >= 2, "{:#?}", told.findings);
    let ended = run(&["doctor", "--config", &folder.config()]).expect(64);
    assert!(ended.stderr.contains("polcy") && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn a_certificate_is_looked_at_as_a_call_would() {
    let authority = Authority::new();
    let cloud = authority.paper_for("127.0.0.1").cloud();
    let folder = Folder::of(&cloud);
    folder.write("authority.pem", &authority.pem());
    let told = doctor_trusting(&folder, &[], &folder.path_text("authority.pem"));
    told.problems(&[]);
    told.says("tls", "ok", &["TLS 1.3, and its certificate holds"]);
    folder.write("authority.pem", &Authority::new().pem());
    let told = doctor_trusting(&folder, &[], &folder.path_text("authority.pem"));
    told.problems(&["tls", "keys"]);
    told.says("tls", "problem", &["certificate", "ca-certificates"]);
    assert_eq!(cloud.requests().len(), 1);
}

#[test]
fn a_cloud_that_hangs_is_given_up_and_the_rest_is_told_all_the_same() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    cloud.delay(std::time::Duration::from_secs(60));
    let told = doctor(&folder, &[]);
    told.problems(&["keys"]);
    told.says("keys", "problem", &["no whole answer in time"]);
    told.says("jwks", "ok", &["https://issuer.invalid"]);
}

#[test]
fn every_account_without_keys_is_told_and_not_only_that_of_the_bucket() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let account = |app_id: &str, words: &str| {
        let script = format!("echo {words} >&2; exit 1");
        format!(
            "[[credentials.account]]\napp_id = \"{app_id}\"\nsource = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n"
        )
    };
    let accounts = account("1250000001", "sealed") + &account("1250000002", "locked");
    let file = "[credentials]\nsource = \"file\"\nfile = \"keys\"\n";
    folder.change("gateway.toml", file, &format!("{file}{accounts}"));
    let told = doctor(&folder, &["--bucket", "test-1234567890"]);
    told.says("keys", "problem", &["account 1250000001", "sealed"]);
    told.says("keys", "problem", &["account 1250000002", "locked"]);
    told.says("keys", "ok", &["Cloud Infinite takes it"]);
}
