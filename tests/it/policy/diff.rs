//! `policy diff`: the program itself, over two files.

use serde_json::{Value, json};

use crate::support::process::{Ended, run};

const OLD: &str = r#"version = "2.0"

[groups]
speech = ["alice"]

[users]
carol = ["ci:CreateAsrBucket"]

[[statement]]
id = "speech"
effect = "allow"
principal = ["group:speech", "user:dan"]
action = "ci:*Asr*"
resource = "qcs::ci:ap-chongqing::bucket/test-*/*"

[[statement]]
id = "readers"
effect = "allow"
principal = "user:erin"
action = "ci:Describe*"
resource = "*"
"#;

/// The same in other words: another order, another name, a statement in two, the long spelling, a line of `[users]`.
const SAME: &str = r#"version = "2.0"

[groups]
speech = ["alice"]

[[statement]]
effect = "allow"
principal = "user:carol"
action = "name/ci:CreateAsrBucket"
resource = "qcs::ci:::bucket/*"

[[statement]]
effect = "allow"
principal = "user:erin"
action = ["ci:Describe*Bucket", "ci:Describe*Buckets"]
resource = "*"

[[statement]]
id = "speech-1"
effect = "allow"
principal = "user:dan"
action = ["ci:CreateAsrBucket", "ci:DescribeAsrBuckets", "ci:DeleteAsrBucket"]
resource = "qcs:::ap-chongqing:uid/*:bucket/test-*/*"

[[statement]]
id = "speech-2"
effect = "allow"
principal = "group:speech"
action = "ci:*Asr*"
resource = "qcs::ci:ap-chongqing::bucket/test-*/*"
"#;

fn diff(old: &str, new: &str, options: &[&str]) -> (Ended, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let files = [("old.toml", old), ("new.toml", new)].map(|(name, text)| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    });
    (run(&[&["policy", "diff", &files[0], &files[1]], options].concat()), files)
}

fn as_json(ended: &Ended) -> Value {
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn policies_that_mean_the_same_have_no_difference_and_status_0() {
    let (ended, _) = diff(OLD, SAME, &["--exit-code"]);
    let ended = ended.expect(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("No difference: every caller may do what it could before.\n", "")
    );
    let told = as_json(&diff(OLD, SAME, &["--json"]).0.expect(0));
    assert_eq!((&told["same"], &told["complete"], &told["differences"]), (&json!(true), &json!(true), &json!([])));
}

#[test]
fn who_gains_who_loses_and_what_changes_is_told_with_status_0_and_with_2_for_whoever_asks_for_it() {
    let new = OLD
        .replace("\"user:dan\"", "\"user:fay\"")
        .replace("carol = [\"ci:CreateAsrBucket\"]", "carol = [\"ci:*\"]")
        .replace(
            "action = \"ci:Describe*\"\nresource = \"*\"",
            "action = \"ci:Describe*\"\nresource = \"*\"\nnot_after = 2030-01-01T00:00:00Z",
        );
    diff(OLD, &new, &["--exit-code"]).0.expect(2);
    let (ended, _) = diff(OLD, &new, &[]);
    let ended = ended.expect(0);
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = ended.stdout.lines().map(squeezed).collect();
    assert_eq!(rows[0], "who action resource old new", "{ended:?}");
    let asr = "ci:CreateAsrBucket, ci:DescribeAsrBuckets, ci:DeleteAsrBucket";
    let resource = "qcs::ci:ap-chongqing::bucket/test-*/*";
    for (mark, who, rest) in [
        ("-", "user:dan", format!("{asr} {resource} always (speech) never")),
        ("+", "user:fay", format!("{asr} {resource} never always (speech)")),
    ] {
        assert!(rows.contains(&format!("{mark} {who} {rest}")), "{rows:#?}");
    }
    assert!(
        rows.iter().any(|row| row.starts_with("+ user:carol ci:DescribeAsrBuckets, ")
            && row.ends_with("* never always (users.carol)")),
        "{rows:#?}"
    );
    assert!(
        rows.iter().any(|row| row.starts_with("~ user:erin ")
            && row.ends_with("* always (readers) until 2030-01-01T00:00:00Z (readers)")),
        "{rows:#?}"
    );
    assert_eq!(rows.last().unwrap(), "principals that gain: 2, that lose: 1, whose conditions change: 1");
    assert!(!ended.stdout.contains('\x1b'), "{ended:?}");
}

#[test]
fn programs_are_told_the_same() {
    let (ended, _) = diff(OLD, &OLD.replace(", \"user:dan\"", ""), &["--json"]);
    let told = as_json(&ended.expect(0));
    assert_eq!(told["same"], false);
    let expected = json!([{
        "kind": "loses",
        "principals": ["user:dan"],
        "together_with": [],
        "actions": ["ci:CreateAsrBucket", "ci:DescribeAsrBuckets", "ci:DeleteAsrBucket"],
        "resources": [{ "pattern": "qcs::ci:ap-chongqing::bucket/test-*/*", "except": [], "example": false }],
        "old": { "access": "always", "statements": ["speech"] },
        "new": { "access": "never", "statements": [] },
    }]);
    assert_eq!(told["differences"], expected);
}

#[test]
fn a_grant_that_has_ended_may_go_and_is_no_difference() {
    let ended = OLD.replace("resource = \"*\"", "resource = \"*\"\nnot_after = 2020-01-01T00:00:00Z");
    let gone = ended.split("[[statement]]\nid = \"readers\"").next().unwrap();
    assert!(diff(&ended, gone, &["--exit-code"]).0.expect(0).stdout.starts_with("No difference: "));
}

#[test]
fn of_many_buckets_people_are_told_some_and_programs_all() {
    let policy = |effect: &str, n: usize| {
        let buckets: Vec<String> = (0..n).map(|n| format!("'qcs::ci:::bucket/b{n}-1/*'")).collect();
        let resources = buckets.join(", ");
        format!("[[statement]]\neffect = '{effect}'\nprincipal = 'user:a'\naction = '*'\nresource = [{resources}]\n")
    };
    let all = "version = '2.0'\n[[statement]]\neffect = 'allow'\nprincipal = 'user:a'\naction = '*'\nresource = '*'\n";
    let all_but = format!("{all}{}", policy("deny", 20));
    for (old, new, more) in [
        (format!("version = '2.0'\n{}", policy("allow", 20)), "version = '2.0'\n".to_owned(), "and 14 more "),
        (all_but, "version = '2.0'\n".to_owned(), "* except "),
    ] {
        let told = diff(&old, &new, &[]).0.expect(0).stdout;
        assert!(told.contains(more) && told.contains("and 14 more"), "{told}");
        assert_eq!(told.matches("bucket/b").count(), 6, "{told}");
        let told = as_json(&diff(&old, &new, &["--json"]).0.expect(0));
        let resources = &told["differences"][0]["resources"];
        let named = resources.as_array().unwrap().len().max(resources[0]["except"].as_array().unwrap().len());
        assert_eq!(named, 20, "{told}");
    }
}

#[test]
fn a_comparison_that_cannot_be_complete_is_no_yes() {
    let odd = |resource: &str| {
        format!(
            "version = '2.0'\n[[statement]]\neffect = 'allow'\nprincipal = '*'\naction = '*'\nresource = [{resource}]\n"
        )
    };
    let variable = "'*', 'qcs::ci:::bucket/${app_id}-x-*'";
    let (ended, _) = diff(&odd("'*'"), &odd(variable), &[]);
    let said = "No difference was found.\nNot every case could be compared: there may be more differences.\n";
    assert_eq!(ended.expect(1).stdout, said);
}

#[test]
fn mistakes_of_both_files_are_told_with_status_64() {
    let (ended, [old, new]) = diff("[users]\na = 7\n", "version = \"3.0\"\n", &[]);
    let ended = ended.expect(64);
    assert!(ended.stderr.contains(&format!("{old}:2:")) && ended.stderr.contains(&format!("{new}:1:")), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let (ended, _) = diff("[users]\na = 7\n", "version = \"3.0\"\n", &["--json"]);
    assert_eq!(as_json(&ended.expect(64))["mistakes"].as_array().unwrap().len(), 2);
}
