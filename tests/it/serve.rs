//! `serve`: what keeps it from starting, what only keeps it from being ready, and how it is asked.

use std::net::TcpListener;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{
    Cloud, Ended, Folder, Process, SECRET_ID, SECRET_KEY, Served, program, run, write_with_mode,
};

fn serve(folder: &Folder) -> Ended {
    run(&["serve", "--config", &folder.config()])
}

/// A gateway that refuses to start over `folder` with status 64, and says all of `told`.
#[track_caller]
fn assert_refused(folder: &Folder, told: &[&str]) {
    let ended = serve(folder).expect(64);
    assert_eq!(ended.stdout, "");
    for part in told {
        assert!(ended.stderr.contains(part), "{part:?} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("\"serving\""), "{}", ended.stderr);
    assert!(!ended.stderr.contains(SECRET_KEY), "{}", ended.stderr);
}

fn open_to_others(path: &Path) {
    write_with_mode(path, &std::fs::read(path).unwrap(), 0o644);
}

#[test]
fn an_unknown_key_keeps_it_from_starting() {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "drain_delay", "drain_dealy");
    assert_refused(
        &folder,
        &["gateway.toml:4: unknown key `server.drain_dealy`", "did you mean `server.drain_delay`?"],
    );
}

#[test]
fn a_policy_that_cannot_be_read_or_understood_keeps_it_from_starting() {
    let folder = Folder::without_cloud();
    folder.change("policy.toml", "effect = \"deny\"", "effect = \"denied\"");
    assert_refused(&folder, &["policy.toml:11:", "unknown effect `denied`", "did you mean `deny`?"]);
    std::fs::remove_file(folder.path("policy.toml")).unwrap();
    assert_refused(&folder, &["policy.toml: the policy cannot be read", "`policy.file` names it"]);
    std::fs::create_dir(folder.path("policy.toml")).unwrap();
    assert_refused(&folder, &["policy.toml: the policy cannot be read"]);
}

#[test]
fn a_secret_that_others_can_read_keeps_it_from_starting() {
    for name in ["jwt.secret", "keys"] {
        let folder = Folder::without_cloud();
        open_to_others(&folder.path(name));
        assert_refused(&folder, &[&format!("{name}: holds a secret, and its mode 0644"), "chmod 600"]);
    }
}

#[test]
fn a_tls_key_that_others_can_read_or_that_does_not_fit_keeps_it_from_starting() {
    let folder = Folder::without_cloud();
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    folder.write("server.pem", &certificate.pem());
    folder.write("server.key", &pair.serialize_pem());
    let tls = "tls = { certificate = \"server.pem\", private_key = \"server.key\" }\n[admin]";
    folder.change("gateway.toml", "[admin]", tls);
    assert_refused(&folder, &["server.key: holds a secret, and its mode 0644", "chmod 600"]);
    folder.write_secret("server.key", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    assert_refused(&folder, &["server.pem: the certificate cannot be used with its private key"]);
}

#[test]
fn every_mistake_is_told_before_it_gives_up() {
    let folder = Folder::without_cloud();
    open_to_others(&folder.path("jwt.secret"));
    open_to_others(&folder.path("keys"));
    folder.change("policy.toml", "version = \"2.0\"", "version = \"3.0\"");
    assert_refused(&folder, &["jwt.secret: ", "keys: ", "policy.toml:2:11: "]);
    assert_eq!(serve(&folder).stderr.lines().filter(|line| line.starts_with("ci-gateway: ")).count(), 3);
}

#[test]
fn an_audit_file_that_cannot_be_opened_keeps_it_from_starting() {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "\"audit.jsonl\"", "\"nowhere/audit.jsonl\"");
    assert_refused(&folder, &["nowhere/audit.jsonl: the audit file cannot be appended to"]);
}

#[test]
fn without_keys_in_the_environment_it_starts_and_is_not_ready() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.take_keys_from_environment();
    let served = Served::from(&folder);
    let readiness = served.admin_get("/readyz?verbose").expect(503);
    assert!(readiness.body.contains("[-] keys failed") && readiness.body.ends_with("unready\n"), "{readiness:?}");
    let reasons = readiness.body.matches("the variable TENCENTCLOUD_SECRET_ID is not set").count();
    assert_eq!(reasons, 1, "{readiness:?}");
    assert_eq!(served.get("/healthz").expect(503).body, "unready");
    assert_eq!(served.admin_get("/livez").expect(200).body, "live\n");
    let answer = served.enable(&folder.token("alice"));
    assert_eq!(answer.refusal(), (503, "credentials_unavailable".to_owned(), "not_sent".to_owned()));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(served.metric("keys_usable"), 0);
    assert!(cloud.requests().is_empty());
    assert!(served.ended_by(Signal::TERM).expect(0).stderr.contains("TENCENTCLOUD_SECRET_ID"));
}

#[test]
fn with_keys_in_the_environment_it_is_ready_and_serves() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.take_keys_from_environment();
    let keys = [("TENCENTCLOUD_SECRET_ID", SECRET_ID), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];
    let served = Served::from_with(&folder, &keys);
    assert_eq!(served.admin_get("/readyz").expect(200).body, "ready\n");
    assert_eq!(served.get("/healthz").expect(200).body, "ready");
    served.enable(&folder.token("alice")).expect(200);
    assert_eq!(served.metric("requests_total{code=\"ok\",operation=\"CreateAsrBucket\"}"), 1);
    assert!(cloud.requests().iter().all(|request| request.verified && request.applied));
    let ended = served.ended_by(Signal::TERM).expect(0);
    assert_eq!(ended.stdout, "");
    for line in ended.stderr.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    }
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let folder = Folder::without_cloud();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for variable in ["CI_GATEWAY__SERVER__LISTEN", "CI_GATEWAY__ADMIN__LISTEN"] {
        let mut command = program(&["serve", "--config", &folder.config()]);
        command.env(variable, &address);
        let ended = Process::start(command).ended().expect(1);
        assert!(ended.stderr.contains(&format!("cannot listen on `{address}`: the port is in use")), "{ended:?}");
        assert!(ended.stderr.contains("hint: is another ci-gateway running?"), "{ended:?}");
    }
}

#[test]
fn healthcheck_tells_ready_from_not_ready_from_not_there() {
    let folder = Folder::without_cloud();
    folder.take_keys_from_environment();
    let healthcheck = |admin: &str| {
        let mut command = program(&["healthcheck", "--config", &folder.config()]);
        command.env("CI_GATEWAY__ADMIN__LISTEN", admin);
        Process::start(command).ended()
    };
    let keys = [("TENCENTCLOUD_SECRET_ID", SECRET_ID), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];
    let ready = Served::from_with(&folder, &keys);
    let fine = healthcheck(&ready.admin().to_string()).expect(0);
    assert_eq!((fine.stdout.as_str(), fine.stderr.as_str()), ("", ""));

    // The file of the other one is locked.
    let unready = Served::from_with(&folder, &[("CI_GATEWAY__AUDIT__FILE", "other.jsonl")]);
    let told = healthcheck(&unready.admin().to_string()).expect(1).stderr;
    assert!(told.contains("503"), "{told}");

    let address = unready.admin().to_string();
    unready.ended_by(Signal::TERM).expect(0);
    let told = healthcheck(&address).expect(1).stderr;
    assert!(told.contains(&format!("`{address}` does not answer")), "{told}");

    let told = run(&["healthcheck", "--config", "/nowhere/gateway.toml"]).expect(64).stderr;
    assert!(told.contains("/nowhere/gateway.toml: cannot be read"), "{told}");
}

#[test]
fn what_was_not_meant_as_a_command_is_bad_usage_and_help_is_fine() {
    for (arguments, told) in [
        (&[][..], "Usage: ci-gateway"),
        (&["srve"], "'serve'"),
        (&["serve"], "--config <FILE>"),
        (&["serve", "--config"], "--config <FILE>"),
        (&["serve", "--config", "a", "--config", "b"], "cannot be used multiple times"),
        (&["serve", "--conf", "a"], "--config"),
        (&["serve", "gateway.toml"], "gateway.toml"),
        (&["dev", "--listen", "localhost"], "invalid socket address"),
        (&["stand-in", "--fault", "sleep"], "delay:250ms"),
    ] {
        let ended = run(arguments).expect(64);
        assert!(ended.stdout.is_empty() && ended.stderr.contains(told), "{told:?} for {arguments:?}: {ended:?}");
    }
    for command in [&[][..], &["serve"], &["check"], &["dev"], &["sign"], &["verify"], &["token"], &["stand-in"]] {
        let ended = run(&[command, &["--help"]].concat()).expect(0);
        assert!(ended.stdout.contains("Usage: ci-gateway") && ended.stderr.is_empty(), "{ended:?}");
    }
    assert!(run(&["--version"]).expect(0).stdout.starts_with("ci-gateway "));
}
