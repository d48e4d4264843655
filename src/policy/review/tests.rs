use super::*;
use crate::policy::{Document, Format};

const NOW: &str = "2026-11-22T00:00:00Z";

/// What is remarked upon in a policy: weight, line and what it is.
fn remarks(text: &str) -> Vec<(&'static str, usize, String)> {
    remarks_with(text, "")
}

/// The same for a policy that may attach `a.json`.
fn remarks_with(text: &str, document: &str) -> Vec<(&'static str, usize, String)> {
    let text = format!("version = '2.0'\n{text}");
    let mut documents = |name: &str| Ok(Document { place: name.to_owned(), text: document.to_owned() });
    let policy =
        Policy::parse_with(&text, "p", Format::Toml, &mut documents).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let remarks = policy.review(NOW.parse().unwrap());
    assert!(remarks.iter().all(|remark| remark.mistake.hint_text().is_some()), "{remarks:#?}");
    remarks
        .iter()
        .map(|remark| (remark.weight.as_str(), remark.mistake.line().unwrap_or(0), remark.mistake.what().to_owned()))
        .collect()
}

fn statement(id: &str, effect: &str, principal: &str, action: &str, resource: &str, more: &str) -> String {
    format!(
        "[[statement]]\nid = '{id}'\neffect = '{effect}'\nprincipal = {principal}\naction = '{action}'\nresource = '{resource}'\n{more}\n"
    )
}

fn allow(principal: &str, action: &str, resource: &str, more: &str) -> String {
    statement("grant", "allow", principal, action, resource, more)
}

fn deny(principal: &str, action: &str, resource: &str, more: &str) -> String {
    statement("fence", "deny", principal, action, resource, more)
}

#[track_caller]
fn assert_one(text: &str, weight: &str, line: usize, what: &str) {
    assert_eq!(remarks(text), [(weight, line, what.to_owned())], "{text}");
}

#[track_caller]
fn assert_none(text: &str) {
    assert_eq!(remarks(text), [], "{text}");
}

const A1: &str = "qcs::ci:::bucket/a-1/*";
const CREATE: &str = "ci:CreateAsrBucket";

#[test]
fn nothing_is_remarked_upon_in_a_policy_that_says_what_it_means() {
    assert_none(&(allow("['group:team', 'user:bob']", CREATE, A1, "") + &deny("'*'", "ci:Delete*", "*", "")));
    assert_none("[users]\nalice = 'ci:Create*'\n");
}

#[test]
fn what_has_ended_is_a_warning_and_what_soon_will_is_a_note() {
    let ending =
        |effect: &str, end: &str| statement("s", effect, "'user:a'", CREATE, A1, &format!("not_after = {end}"));
    assert_one(
        &ending("allow", "2026-11-21T23:59:59Z"),
        "warning",
        2,
        "`s` ended at 2026-11-21T23:59:59Z: it allows nothing any more",
    );
    assert_one(
        &ending("deny", "2026-11-21T23:59:59Z"),
        "warning",
        2,
        "`s` ended at 2026-11-21T23:59:59Z: it denies nothing any more",
    );
    assert_one(&ending("allow", "2026-11-22T00:00:00Z"), "note", 2, "`s` ends at 2026-11-22T00:00:00Z, in 0 days");
    assert_one(&ending("deny", "2026-12-22T00:00:00Z"), "note", 2, "`s` ends at 2026-12-22T00:00:00Z, in 30 days");
    assert_none(&ending("allow", "2026-12-22T00:00:01Z"));
}

#[test]
fn a_condition_on_the_time_ends_a_statement_too() {
    let until = |condition: &str| allow("'user:a'", CREATE, A1, &format!("condition = {{ {condition} }}"));
    for (condition, end) in [
        (
            "date_less_than = { 'qcs:current_time' = ['2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'] }",
            "2026-02-01T00:00:00Z",
        ),
        ("date_equal = { 'qcs:current_time' = '2026-01-01T00:00:00Z' }", "2026-01-01T00:00:00Z"),
        (
            "date_less_than_equal = { 'qcs:current_time' = '2026-01-01T00:00:00Z' }, bool_equal = { 'token:mfa' = true }",
            "2026-01-01T00:00:00Z",
        ),
    ] {
        assert_one(&until(condition), "warning", 2, &format!("`grant` ended at {end}: it allows nothing any more"));
    }
    for condition in [
        "date_greater_than = { 'qcs:current_time' = '2026-01-01T00:00:00Z' }",
        "date_not_equal = { 'qcs:current_time' = '2026-01-01T00:00:00Z' }",
        "date_less_than = { 'token:trained' = '2026-01-01T00:00:00Z' }",
    ] {
        assert_none(&until(condition));
    }
}

#[test]
fn an_allow_that_a_deny_takes_back_whole_is_a_warning_wherever_the_deny_stands() {
    let told = "`grant` can never allow anything: `fence` denies all of it";
    let grant = allow("['user:a', 'group:team']", "ci:Create*", A1, "");
    for fence in [
        deny("'*'", "*", "*", ""),
        deny("'*'", "ci:*", "qcs::ci:::bucket/a-*/*", ""),
        deny("['group:team', 'user:a']", "ci:Create*", "qcs::ci:::bucket/a-1", ""),
    ] {
        assert_one(&format!("{grant}{fence}"), "warning", 2, told);
        assert_one(&format!("{fence}{grant}"), "warning", 9, told);
    }
    let member = "[groups]\nteam = ['a']\n";
    assert_one(
        &format!("{}{}{member}", allow("'user:a'", CREATE, A1, ""), deny("'group:team'", "*", "*", "")),
        "warning",
        2,
        told,
    );
}

#[test]
fn a_deny_that_leaves_something_of_an_allow_is_as_it_should_be() {
    let grant = allow("['user:a', 'group:team']", "ci:Create*", A1, "");
    for fence in [
        deny("'group:team'", "*", "*", ""),
        deny("'user:a'", "*", "*", ""),
        deny("'*'", CREATE, "*", ""),
        deny("'*'", "*", "qcs::ci:ap-beijing::*", ""),
        deny("'*'", "*", "qcs::ci:::bucket/a-12/*", ""),
        deny("'*'", "*", "*", "condition = { ip_not_equal = { 'qcs:ip' = '10.0.0.0/8' } }"),
        deny("'*'", "*", "*", "not_after = 2028-01-01T00:00:00Z"),
    ] {
        assert_none(&format!("{grant}{fence}"));
    }
    let (until_2027, until_2028) = ("not_after = 2027-06-01T00:00:00Z", "not_after = 2028-06-01T00:00:00Z");
    let both = |grant: &str, fence: &str| allow("'user:a'", CREATE, A1, grant) + &deny("'*'", "*", "*", fence);
    assert_none(&both(until_2028, until_2027));
    assert_eq!(remarks(&both(until_2027, until_2028)).len(), 1);
}

#[test]
fn a_line_of_users_that_a_deny_takes_back_whole_is_told_at_the_deny() {
    let fence = deny("'user:mallory'", "*", "*", "");
    let told = "the line of `mallory` in `[users]` allows nothing: `fence` denies all of it";
    assert_one(&format!("{fence}[users]\nmallory = 'ci:Create*'\n"), "warning", 2, told);
    assert_none(&format!("{}[users]\nmallory = 'ci:Create*'\n", deny("'user:mallory'", CREATE, "*", "")));
    assert_none(&format!("{}[users]\nmallory = 'ci:Create*'\n", deny("'user:mallory'", "*", A1, "")));
    assert_none(&format!("{fence}[users]\nalice = 'ci:Create*'\n"));
}

#[test]
fn an_allow_of_everything_to_everyone_is_a_warning_and_half_of_that_a_note() {
    let everyone = "`grant` allows every caller every action on every bucket";
    for resource in ["*", "qcs::ci:::bucket/*"] {
        assert_one(&allow("['user:a', '*']", "ci:*", resource, ""), "warning", 2, everyone);
    }
    assert_one(&allow("'*'", "ci:*", A1, ""), "note", 2, "`grant` allows every caller something");
    assert_one(&allow("'*'", CREATE, "*", ""), "note", 2, "`grant` allows every caller something");
    let mfa = "condition = { bool_equal = { 'token:mfa' = true } }";
    assert_one(&allow("'*'", "*", "*", mfa), "note", 2, "`grant` allows every caller something");
    assert_one(&allow("'group:admins'", "*", "*", ""), "note", 2, "`grant` allows every action on every bucket");
    assert_none(&allow("'group:admins'", "*", "*", mfa));
    assert_none(&deny("'*'", "*", "*", ""));
}

#[test]
fn a_line_of_users_that_allows_everything_is_a_note_and_an_empty_one_a_warning_and_no_statement() {
    for all in ["'*'", "['ci:Create*', 'ci:Describe*', 'ci:Delete*']"] {
        let told = "the line of `root` in `[users]` allows every action on every bucket";
        assert_one(&format!("[users]\na = '{CREATE}'\nroot = {all}\n"), "note", 4, told);
    }
    let empty = "[users]\na = 'ci:Create*'\nb = []\n";
    assert_one(empty, "warning", 4, "the line of `b` in `[users]` is empty: it allows nothing");
    let policy = Policy::parse(empty, "p", Format::Toml).unwrap();
    assert_eq!((policy.statements(), policy.index.short_forms().count()), (1, 1));
}

#[test]
fn a_group_that_no_statement_names_is_a_warning_with_the_nearest_that_one_does() {
    let text = format!("[groups]\nspeech-team = ['alice']\n{}", allow("'group:speach-team'", CREATE, A1, ""));
    assert_one(&text, "warning", 3, "no statement names the group `speech-team`: its members gain nothing by it");
    let policy = Policy::parse(&format!("version = '2.0'\n{text}"), "p", Format::Toml).unwrap();
    let hint = |policy: &Policy| policy.remarks()[0].mistake.hint_text().unwrap().to_owned();
    assert_eq!(hint(&policy), "did you mean `speach-team`, which statements name?");
    let policy = Policy::parse("[groups]\nx = ['alice']\n", "p", Format::Toml).unwrap();
    assert!(hint(&policy).starts_with("write it as a `principal`"));
}

#[test]
fn what_of_an_attached_document_does_nothing_is_told_where_it_stands() {
    let attached = "[[attachment]]\nprincipal = 'group:platform'\ndocument = 'a.json'\n";
    let of = |statements: &str| {
        remarks_with(attached, &format!("{{\"version\": \"2.0\", \"statement\": [\n{statements}]}}"))
    };
    let audio = r#"{"effect": "allow", "action": "ci:CreateAsrBucket", "resource": "*"}"#;
    let tagged =
        r#"{"effect": "allow", "action": "ci:*", "resource": "*", "condition": {"string_equal": {"qcs:tag": "a&b"}}}"#;
    let foreign = r#"{"effect": "allow", "action": "cos:*", "resource": "*"}"#;
    assert_eq!(of(&format!("{audio},{foreign}")), []);
    let noted = of(&format!("{audio},\n{tagged}"));
    assert_eq!(noted.len(), 1, "{noted:#?}");
    assert!(noted[0].0 == "note" && noted[0].1 == 3 && noted[0].2.starts_with("this allow grants nothing here: "));
    assert_eq!(of(foreign), [("warning", 4, "nothing in the document `a.json` means anything here".to_owned())]);
}

#[test]
fn remarks_come_in_the_order_of_the_file_after_those_of_reading_it() {
    let text = allow("'*'", CREATE, A1, "")
        + &statement("old", "allow", "'user:a'", CREATE, A1, "not_after = 2020-01-01T00:00:00Z")
        + &statement("all", "allow", "'user:a'", "*", "*", "")
        + "[groups]\nunused = []\n";
    let lines: Vec<usize> = remarks(&text).into_iter().map(|(_, line, _)| line).collect();
    assert_eq!(lines, [24, 2, 9, 16]);
}

#[test]
fn the_sample_is_worth_notes_and_no_warning_until_its_grant_ends() {
    let sample = include_str!("../../../config/policy.example.toml");
    let policy = Policy::parse(sample, "policy.toml", Format::Toml).unwrap();
    let weights =
        |now: &str| policy.review(now.parse().unwrap()).iter().map(|remark| remark.weight).collect::<Vec<_>>();
    assert_eq!(weights(NOW), [Weight::Note]);
    assert_eq!(weights("2027-01-15T00:00:00Z"), [Weight::Note, Weight::Note]);
    assert_eq!(weights("2027-02-01T00:00:00Z"), [Weight::Note, Weight::Warning]);
}
