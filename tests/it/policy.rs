//! `policy …`: the policy as an artefact, looked at without a gateway.

mod check;
mod diff;
mod questions;
mod test;

use serde_json::Value;

use crate::support::process::{Ended, Folder, run};

/// The one JSON object on standard output; nothing stands on standard error.
fn told(ended: &Ended) -> Value {
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// A file of the repository.
fn sample(name: &str) -> String {
    format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_command_tells_programs_whether_it_is_ok_and_which_policy_answered() {
    let (policy, cases) = (sample("policy.example.toml"), sample("policy-cases.example.toml"));
    let question = ["--action", "ci:CreateAsrBucket", "--bucket", "test-1", "--region", "ap-chongqing", "--json"];
    let asked = |command: &[&str], more: &[&str]| told(&run(&[&["policy"], command, more].concat()).expect(0));
    let check = asked(&["check", &policy], &["--json"]);
    let test = asked(&["test", &policy, "--cases", &cases], &["--json"]);
    let explain = asked(&["explain", &policy, "--caller", "zoe"], &question);
    let who_can = asked(&["who-can", &policy], &question);
    let diff = asked(&["diff", &policy, &policy], &["--json"]);
    for answer in [&check, &test, &explain, &who_can] {
        assert_eq!((&answer["ok"], &answer["policy"]), (&true.into(), &diff["old"]), "{answer}");
    }
    assert_eq!((&diff["ok"], &diff["old"]), (&true.into(), &diff["new"]));
    assert!(diff["old"].is_string() && check["statements"] == test["statements"], "{diff} {check}");
    assert!(explain["parts"].is_array() && test["cases"][0]["parts"].is_array(), "{explain}");
}
