//! `policy test`: as expected is 0, not as expected 2, what cannot be read 64.

use super::{Ended, Folder, run, sample, told};

/// About the folder's own policy: alice may do everything, but nobody anything in production.
const CASES: &str = r#"
region = "ap-chongqing"

[[case]]
name = "alice may"
caller = "alice"
action = "ci:CreateAsrBucket"
bucket = "test-1"
expect = "permit"
statement = "alice-may"

[[case]]
name = "not in production"
caller = "alice"
action = "ci:CreateAsrBucket"
bucket = "prod-1"
expect = "denied"
statement = "not-in-production"
"#;

fn folder() -> Folder {
    let folder = Folder::without_cloud();
    folder.write("cases.toml", CASES);
    folder
}

fn test(folder: &Folder, more: &[&str]) -> Ended {
    let (policy, cases) = (folder.path_text("policy.toml"), folder.path_text("cases.toml"));
    run(&[&["policy", "test", &policy, "--cases", &cases], more].concat())
}

#[test]
fn cases_that_are_all_as_expected_are_counted_and_so_are_the_statements_that_they_touch() {
    let folder = folder();
    let ended = test(&folder, &["--require-coverage"]).expect(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("2 of 2 cases as expected; 2 of 2 statements touched\n", "")
    );
    let json = told(&test(&folder, &["--json"]).expect(0));
    assert_eq!((&json["ok"], &json["failures"], &json["untouched"]), (&true.into(), &0.into(), &serde_json::json!([])));
    assert_eq!(
        json["cases"][1]["decided"],
        serde_json::json!({"decision": "denied", "statement": "not-in-production"})
    );
}

#[test]
fn a_failure_says_what_was_expected_what_was_decided_and_why() {
    let folder = folder();
    folder.change("policy.toml", "bucket/prod-*/*", "bucket/prd-*/*");
    folder.change("cases.toml", "\"alice-may\"", "\"alice-my\"");
    let ended = test(&folder, &[]).expect(2);
    let (policy, cases) = (folder.path_text("policy.toml"), folder.path_text("cases.toml"));
    for part in [
        format!("failed  alice may  {cases}:4\n"),
        "  expected  permit by `alice-my`\n".to_owned(),
        "  decided   permit by `alice-may`: a statement allows it and none denies it\n".to_owned(),
        "  hint      no statement is called `alice-my`; did you mean `alice-may`?\n".to_owned(),
        format!("failed  not in production  {cases}:12\n"),
        "  expected  denied by `not-in-production`\n".to_owned(),
        format!("  deny not-in-production  *           is about other resources  {policy}:9\n"),
        format!("no case touches\n  not-in-production  {policy}:9\n"),
        "0 of 2 cases as expected; 1 of 2 statements touched\n".to_owned(),
    ] {
        assert!(ended.stdout.contains(&part), "{part} in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\x1b') && ended.stderr.is_empty(), "{ended:?}");
    let json = told(&test(&folder, &["--json"]).expect(2));
    assert_eq!((&json["ok"], &json["failures"]), (&false.into(), &2.into()));
    assert_eq!(json["untouched"][0]["statement"], "not-in-production");
    let parts = json["cases"][1]["parts"].as_array().unwrap();
    assert!(parts.iter().any(|part| part["part"] == "other_resource" && part["decides"] == false), "{json}");
}

#[test]
fn a_statement_that_no_case_touches_fails_where_coverage_is_required() {
    let folder = folder();
    folder.change("cases.toml", "prod-1", "test-2");
    folder.change("cases.toml", "\"denied\"\nstatement = \"not-in-production\"", "\"permit\"");
    let ended = test(&folder, &[]).expect(0);
    assert!(ended.stdout.contains("no case touches\n  not-in-production"), "{ended:?}");
    test(&folder, &["--require-coverage"]).expect(2);
    assert_eq!(told(&test(&folder, &["--require-coverage", "--json"]).expect(2))["ok"], false);
}

#[test]
fn mistakes_of_the_policy_and_of_the_cases_are_told_together() {
    let folder = folder();
    folder.change("policy.toml", "\"ci:*\"", "\"ci:CreateAsrBuckt\"");
    folder.change("cases.toml", "expect = \"permit\"", "expcet = \"permit\"");
    let ended = test(&folder, &[]).expect(64);
    let (policy, cases) = (folder.path_text("policy.toml"), folder.path_text("cases.toml"));
    assert!(ended.stderr.contains(&format!("{policy}:7:10: `ci:CreateAsrBuckt` is no known action")), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("{cases}:9:1: unknown key `expcet` (hint: did you mean `expect`?)")),
        "{ended:?}"
    );
    assert!(ended.stdout.is_empty() && ended.stderr.ends_with("3 problems\n"), "{ended:?}");
    assert_eq!(told(&test(&folder, &["--json"]).expect(64))["mistakes"].as_array().unwrap().len(), 3);
}

#[test]
fn cases_that_are_not_there_are_bad_usage() {
    let folder = folder();
    std::fs::remove_file(folder.path("cases.toml")).unwrap();
    let ended = test(&folder, &[]).expect(64);
    assert!(ended.stderr.contains("cases.toml: cannot be read") && ended.stderr.contains("--cases"), "{ended:?}");
    assert!(run(&["policy", "test", &folder.path_text("policy.toml")]).expect(64).stderr.contains("--cases <FILE>"));
}

#[test]
fn the_sample_policy_passes_the_sample_cases_with_every_statement_touched() {
    let (policy, cases) = (sample("policy.example.toml"), sample("policy-cases.example.toml"));
    let ended = run(&["policy", "test", &policy, "--cases", &cases, "--require-coverage"]).expect(0);
    assert_eq!(ended.stdout, "11 of 11 cases as expected; 7 of 7 statements touched\n");
}
