//! `check`: fine, or every problem with its place, its line and what to do.

use serde_json::{Value, json};

use crate::support::process::{Ended, Folder, Process, program, run, until, write_with_mode};

fn check(folder: &Folder) -> Ended {
    run(&["check", "--config", &folder.config()])
}

/// The problems of the JSON form.
fn problems(folder: &Folder) -> Vec<Value> {
    let ended = run(&["check", "--json", "--config", &folder.config()]).expect(64);
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended:?}");
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["ok"], false);
    found["problems"].as_array().unwrap().clone()
}

fn is_at(problem: &Value, place: &str, line: Option<u64>) -> bool {
    problem["place"] == place && problem["line"] == json!(line)
}

#[test]
fn a_good_configuration_is_summed_up_with_status_0() {
    let folder = Folder::without_cloud();
    let ended = check(&folder).expect(0);
    assert_eq!(ended.stderr, "");
    for part in
        ["ready to serve", "127.0.0.1:0", "https://issuer.invalid", "policy.toml", "ap-chongqing", "http://127.0.0.1:9"]
    {
        assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\x1b'), "{ended:?}");
    let ended = run(&["check", "--json", "--config", &folder.config()]).expect(0);
    assert_eq!(ended.stdout, "{\"ok\":true,\"problems\":[]}\n");
    assert!(!folder.path("audit.jsonl").exists(), "looking made the audit file");
}

#[test]
fn every_problem_of_the_configuration_is_told_at_once_with_file_line_and_hint() {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "listen = \"127.0.0.1:0\"\ndrain", "lisen = \"127.0.0.1:0\"\ndrain");
    folder.change("gateway.toml", "\"HS256\"", "\"HS265\"");
    folder.change("gateway.toml", "default_region = \"ap-chongqing\"", "default_region = \"Chongqing\"");
    let ended = check(&folder).expect(64);
    assert_eq!(ended.stdout, "");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let config = folder.config();
    for (line, (place, what, hint)) in lines.iter().zip([
        (3, "unknown key `server.lisen`", "did you mean `server.listen`?"),
        (10, "`auth.jwt[0].algorithms[0]` is `HS265`", "one of `HS256`, `RS256`, `ES256`, `EdDSA`"),
        (18, "`ci.default_region` is `Chongqing`", "ap-chongqing"),
    ]) {
        assert!(line.starts_with(&format!("{config}:{place}: ")), "{line}");
        assert!(line.contains(what) && line.contains("(hint: ") && line.contains(hint), "{line}");
    }
    assert_eq!(lines[3..], ["3 problems"]);

    let told = problems(&folder);
    assert_eq!(told.iter().map(|problem| problem["line"].as_u64()).collect::<Vec<_>>(), [Some(3), Some(10), Some(18)]);
    for problem in told {
        assert!(problem["what"].is_string() && problem["hint"].is_string() && problem["place"] == config, "{problem}");
    }
}

#[test]
fn every_file_that_others_can_read_or_that_is_missing_is_told_with_the_cure() {
    let folder = Folder::without_cloud();
    for (name, mode) in [("keys", 0o644), ("jwt.secret", 0o640)] {
        write_with_mode(&folder.path(name), folder.read(name).as_bytes(), mode);
    }
    std::fs::remove_file(folder.path("policy.toml")).unwrap();
    folder.change("gateway.toml", "\"audit.jsonl\"", "\"nowhere/audit.jsonl\"");
    let told = problems(&folder);
    assert_eq!(told.len(), 4, "{told:#?}");
    for (name, what, hint) in [
        ("keys", "its mode 0644 lets others", "chmod 600"),
        ("jwt.secret", "its mode 0640 lets others", "chmod 600"),
        ("policy.toml", "cannot be read", "gateway.toml:13 `policy.file` names it"),
        ("nowhere/audit.jsonl", "cannot be appended to", "its folder must exist"),
    ] {
        let problem = told.iter().find(|problem| is_at(problem, &folder.path_text(name), None));
        let problem = problem.unwrap_or_else(|| panic!("{name} is not in {told:#?}"));
        assert!(problem["what"].as_str().unwrap().contains(what), "{problem}");
        assert!(problem["hint"].as_str().unwrap().contains(hint), "{problem}");
    }
}

#[test]
fn every_mistake_of_the_policy_is_told_with_its_line() {
    let folder = Folder::without_cloud();
    folder.change("policy.toml", "action = \"ci:*\"", "action = \"ci:CreateAsrBuckte\"");
    folder.change("policy.toml", "effect = \"deny\"", "efect = \"deny\"");
    let told = problems(&folder);
    let policy = folder.path_text("policy.toml");
    assert!(told.iter().all(|problem| problem["place"] == policy), "{told:#?}");
    let at = |line: u64| told.iter().find(|problem| is_at(problem, &policy, Some(line)));
    assert!(at(7).unwrap()["hint"].as_str().unwrap().contains("ci:CreateAsrBucket"), "{told:#?}");
    assert!(at(11).unwrap()["hint"].as_str().unwrap().contains("effect"), "{told:#?}");
}

/// A folder in which the configuration has mistakes, and each file that it names another.
fn spoilt() -> Folder {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "drain_delay", "tls = { certificate = \"c.pem\", private_key = \"k.pem\" }\ntypo");
    folder.change("gateway.toml", "\"HS256\"", "\"HS265\"");
    folder.change("gateway.toml", "\"audit.jsonl\"", "\"nowhere/audit.jsonl\"");
    folder.change("policy.toml", "effect = \"deny\"", "effect = \"dney\"");
    std::fs::remove_file(folder.path("jwt.secret")).unwrap();
    write_with_mode(&folder.path("keys"), folder.read("keys").as_bytes(), 0o644);
    folder
}

#[test]
fn a_mistake_of_the_configuration_hides_none_of_the_files_that_it_names() {
    let folder = spoilt();
    let told = problems(&folder);
    let of = |name: &str| told.iter().filter(|problem| problem["place"] == folder.path_text(name)).count();
    for (name, times) in [
        ("gateway.toml", 2),
        ("policy.toml", 1),
        ("jwt.secret", 1),
        ("keys", 1),
        ("c.pem", 1),
        ("k.pem", 1),
        ("nowhere/audit.jsonl", 1),
    ] {
        assert_eq!(of(name), times, "{name} in {told:#?}");
    }
    assert!(told.iter().all(|problem| problem["hint"].is_string()), "{told:#?}");
    let refused = run(&["serve", "--config", &folder.config()]).expect(64);
    assert_eq!(refused.stderr.lines().count(), told.len(), "{refused:?}");
}

#[test]
fn serve_names_the_problems_of_all_files_at_once_too() {
    let folder = spoilt();
    folder.change("gateway.toml", "typo = \"0s\"\n", "");
    folder.change("gateway.toml", "\"HS265\"", "\"HS256\"");
    let told = problems(&folder);
    assert_eq!(told.len(), 6, "{told:#?}");
    let refused = run(&["serve", "--config", &folder.config()]).expect(64);
    assert_eq!(refused.stderr.lines().filter(|line| line.contains("(hint: ")).count(), 6, "{refused:?}");
}

#[test]
fn a_file_that_is_missing_is_told_with_the_key_and_the_line_that_name_it() {
    let folder = Folder::without_cloud();
    std::fs::remove_file(folder.path("jwt.secret")).unwrap();
    let config = folder.config();
    let hint =
        format!("{config}:11 `auth.jwt[0].secret_file` names it; relative paths begin at the configuration's folder");
    assert_eq!(problems(&folder)[0]["hint"], hint);
}

#[test]
fn a_file_in_another_format_than_its_own_is_told_with_what_to_write() {
    let folder = Folder::without_cloud();
    folder.change("gateway.toml", "\"HS256\"", "\"RS256\"");
    folder.change("gateway.toml", "secret_file = \"jwt.secret\"", "jwks_file = \"issuer.json\"");
    folder.write("issuer.json", "-----BEGIN PUBLIC KEY-----\n");
    folder.write("policy.toml", "{\"version\": \"2.0\"}\n");
    let hint_at = |name: &str| {
        let told = problems(&folder);
        let problem = told.iter().find(|problem| is_at(problem, &folder.path_text(name), Some(1)));
        problem.unwrap_or_else(|| panic!("{name} is not in {told:#?}"))["hint"].as_str().unwrap().to_owned()
    };
    assert!(hint_at("issuer.json").contains("jwks_uri"));
    assert!(hint_at("policy.toml").contains("ends in .json"));
    folder.change("gateway.toml", "policy.toml", "policy.json");
    folder.write("policy.json", "{'version': '2.0'}\n");
    assert!(hint_at("policy.json").contains("double quotes"));
}

#[test]
fn keys_that_are_only_in_the_environment_of_the_service_are_no_problem() {
    let folder = Folder::without_cloud();
    folder.take_keys_from_environment();
    check(&folder).expect(0);
}

#[test]
fn a_variable_that_is_wrong_is_named_and_a_right_one_is_shown() {
    let folder = Folder::without_cloud();
    let with = |name: &str, value: &str| {
        let mut command = program(&["check", "--config", &folder.config()]);
        command.env(name, value);
        Process::start(command).ended()
    };
    let fine = with("CI_GATEWAY__SERVER__LISTEN", "127.0.0.1:18080").expect(0);
    assert!(fine.stdout.contains("127.0.0.1:18080") && fine.stdout.contains("CI_GATEWAY__SERVER__LISTEN"), "{fine:?}");
    let unknown = with("CI_GATEWAY__SERVER__LISTNE", "127.0.0.1:18080").expect(64);
    assert!(unknown.stderr.contains("environment variable CI_GATEWAY__SERVER__LISTNE: unknown key"), "{unknown:?}");
}

#[test]
fn a_missing_configuration_and_a_missing_argument_are_bad_usage() {
    let ended = run(&["check", "--config", "/nowhere/gateway.toml"]).expect(64);
    assert!(
        ended.stderr.contains("/nowhere/gateway.toml: cannot be read") && ended.stderr.contains("hint"),
        "{ended:?}"
    );
    assert!(run(&["check"]).expect(64).stderr.contains("--config <FILE>"));
}

#[test]
fn the_samples_of_the_repository_have_no_problem_but_the_files_that_are_yet_to_come() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.toml");
    let ended = run(&["check", "--json", "--config", sample]).expect(64);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    for problem in found["problems"].as_array().unwrap() {
        assert!(problem["what"].as_str().unwrap().contains("No such file or directory"), "{problem}");
    }
    let folder = Folder::without_cloud();
    folder.write("policy.toml", include_str!("../../config/policy.example.toml"));
    check(&folder).expect(0);
}

// Invariant 2: no core dump of a process that reads keys.
#[test]
fn a_command_that_reads_keys_leaves_no_core_dump() {
    let folder = Folder::without_cloud();
    let pipe = folder.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let pipe = folder.path_text("pipe");
    for arguments in [&["check"][..], &["audit", "key"], &["audit", "reconcile"]] {
        // It waits for what comes out of the pipe.
        let process = Process::start(program(&[arguments, &["--config", &pipe]].concat()));
        until("core dumps are not ruled out", || {
            let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).ok()?;
            let core = limits.lines().find(|line| line.starts_with("Max core file size"))?;
            (core.split_whitespace().filter(|word| *word == "0").count() == 2).then_some(())
        });
    }
}

#[test]
fn keys_in_the_environment_that_cannot_be_used_are_a_mistake_and_their_absence_is_none() {
    let folder = Folder::without_cloud();
    folder.take_keys_from_environment();
    check(&folder).expect(0);
    for (id, key, status) in [("marker id", "key", 64), ("id", "", 0), ("", "key", 0), ("id", "key", 0)] {
        let mut command = program(&["check", "--config", &folder.config()]);
        command.env("TENCENTCLOUD_SECRET_ID", id).env("TENCENTCLOUD_SECRET_KEY", key);
        let ended = Process::start(command).ended().expect(status);
        assert!(
            !ended.stderr.contains("marker") && (status == 0 || ended.stderr.contains("TENCENTCLOUD_SECRET_ID")),
            "{ended:?}"
        );
    }
}

#[test]
fn a_command_that_cannot_be_started_is_told() {
    let folder = Folder::without_cloud();
    folder.change(
        "gateway.toml",
        "source = \"file\"\nfile = \"keys\"\n",
        "source = \"command\"\ncommand = [\"./keys\"]\n",
    );
    let told = problems(&folder);
    assert!(told.len() == 1 && told[0]["what"].as_str().unwrap().contains("cannot be started"), "{told:?}");
    std::fs::remove_file(folder.path("keys")).unwrap();
    write_with_mode(&folder.path("keys"), b"#!/bin/sh\n", 0o700);
    check(&folder).expect(0);
}
