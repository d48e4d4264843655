//! `policy check`: mistakes are 64, warnings 2, notes alone 0.

use super::{Ended, Folder, run, sample, told};

const HEAD: &str = "version = \"2.0\"\n";
const GRANT: &str = "[[statement]]\nid = \"grant\"\neffect = \"allow\"\nprincipal = \"user:alice\"\naction = \"ci:*\"\nresource = \"*\"\n";

fn check(folder: &Folder, more: &[&str]) -> Ended {
    run(&[&["policy", "check", &folder.path_text("policy.toml")], more].concat())
}

#[test]
fn a_policy_that_says_what_it_means_is_fine() {
    let folder = Folder::without_cloud();
    let policy = "[users]\nalice = [\"ci:CreateAsrBucket\"]\nbob = \"ci:Describe*\"\n";
    folder.write("policy.toml", policy);
    let ended = check(&folder, &[]).expect(0);
    let place = folder.path_text("policy.toml");
    assert_eq!(ended.stdout, format!("{place}  2 statements, no mistake\nno warnings, no notes\n"));
    let json = told(&check(&folder, &["--json"]).expect(0));
    assert_eq!(
        (&json["ok"], &json["statements"], &json["findings"]),
        (&true.into(), &2.into(), &serde_json::json!([]))
    );
}

#[test]
fn every_mistake_is_told_with_file_line_column_and_hint_and_the_status_is_64() {
    let folder = Folder::without_cloud();
    folder.write(
        "policy.toml",
        &format!("{HEAD}{}", GRANT.replace("ci:*", "ci:CreateAsrBuckt").replace("effect", "efect")),
    );
    let ended = check(&folder, &[]).expect(64);
    assert_eq!(ended.stdout, "");
    let place = folder.path_text("policy.toml");
    for told in [
        format!("{place}:2:1: the statement has no `effect` (hint: write `allow` or `deny`)\n"),
        format!("{place}:4:1: unknown key `efect` (hint: did you mean `effect`?)\n"),
        format!("{place}:6:10: `ci:CreateAsrBuckt` is no known action (hint: did you mean `ci:CreateAsrBucket`?)\n"),
    ] {
        assert!(ended.stderr.contains(&told), "{told} in {}", ended.stderr);
    }
    assert!(ended.stderr.ends_with("3 problems\n"), "{}", ended.stderr);
    let json = told(&check(&folder, &["--json"]).expect(64));
    assert_eq!((&json["ok"], json["mistakes"].as_array().map(Vec::len)), (&false.into(), Some(3)));
    assert_eq!((&json["mistakes"][2]["line"], &json["mistakes"][2]["column"]), (&6.into(), &10.into()));
}

#[test]
fn a_warning_is_a_no_with_status_2_and_says_where_it_is_and_what_to_do() {
    let folder = Folder::without_cloud();
    let ended_grant = format!("{GRANT}not_after = 2020-01-01T00:00:00Z\n");
    folder.write("policy.toml", &format!("{HEAD}[groups]\nspeech-team = [\"bob\"]\n{ended_grant}"));
    let ended = check(&folder, &[]).expect(2);
    let place = folder.path_text("policy.toml");
    for part in [
        format!("warning  {place}:3  no statement names the group `speech-team`"),
        format!("warning  {place}:4  `grant` ended at 2020-01-01T00:00:00Z: it allows nothing any more"),
        "hint: remove it, or give it a later end\n".to_owned(),
    ] {
        assert!(ended.stdout.contains(&part), "{part} in {}", ended.stdout);
    }
    assert!(ended.stdout.ends_with("\n2 warnings, 1 note\n") && !ended.stdout.contains('\x1b'), "{}", ended.stdout);
    let json = told(&check(&folder, &["--json"]).expect(2));
    let weights: Vec<_> =
        json["findings"].as_array().unwrap().iter().map(|found| found["weight"].as_str().unwrap()).collect();
    assert_eq!((&json["ok"], weights), (&false.into(), vec!["warning", "warning", "note"]));
}

#[test]
fn notes_alone_are_no_no() {
    let folder = Folder::without_cloud();
    folder.write("policy.toml", &format!("{HEAD}{GRANT}"));
    let ended = check(&folder, &[]).expect(0);
    assert!(ended.stdout.contains("note  ") && ended.stdout.ends_with("\nno warnings, 1 note\n"), "{}", ended.stdout);
}

#[test]
fn attached_documents_are_read_from_the_policys_folder_and_their_places_told() {
    let folder = Folder::without_cloud();
    folder.write(
        "policy.toml",
        &format!("{HEAD}[[attachment]]\nprincipal = \"group:platform\"\ndocument = \"audio.json\"\n"),
    );
    let missing = check(&folder, &[]).expect(64);
    assert!(
        missing.stderr.contains("the document `audio.json` cannot be read")
            && missing.stderr.contains("policy.toml:4:")
    );
    let statement = |condition: &str| {
        format!(
            "{{\"version\": \"2.0\", \"statement\": [\n{{\"effect\": \"allow\", \"action\": \"ci:Create*\", \"resource\": \"*\"}},\n\
            {{\"effect\": \"EFFECT\", \"action\": \"ci:*\", \"resource\": \"*\", \"condition\": {condition}}}]}}\n"
        )
    };
    let tagged = statement("{\"string_equal\": {\"qcs:tag\": \"a&b\"}}");
    folder.write("audio.json", &tagged.replace("EFFECT", "allow"));
    let noted = check(&folder, &[]).expect(0);
    assert!(
        noted.stdout.contains("audio.json:3") && noted.stdout.contains("this allow grants nothing here"),
        "{noted:?}"
    );
    folder.write("audio.json", &tagged.replace("EFFECT", "deny"));
    let refused = check(&folder, &[]).expect(64);
    assert!(
        refused.stderr.contains("audio.json:3:") && refused.stderr.contains("this deny would deny nothing"),
        "{refused:?}"
    );
}

#[test]
fn the_sample_has_no_mistake() {
    let ended = run(&["policy", "check", "--json", &sample("policy.example.toml")]);
    assert_eq!(told(&ended)["mistakes"], serde_json::json!([]));
}

#[test]
fn a_file_that_is_not_there_and_a_missing_argument_are_bad_usage() {
    let ended = run(&["policy", "check", "/nowhere/policy.toml"]).expect(64);
    assert!(ended.stderr.contains("/nowhere/policy.toml: the policy cannot be read"), "{ended:?}");
    run(&["policy", "check"]).expect(64);
    run(&["policy"]).expect(64);
}
