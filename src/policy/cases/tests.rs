use super::*;
use crate::policy::Format;

const POLICY: &str = "version = '2.0'\n[users]\ncarol = 'ci:Describe*'\n\
    [[statement]]\nid = 'team'\neffect = 'allow'\nprincipal = 'group:team'\naction = 'ci:*'\nresource = '*'\n\
    condition = { ip_equal = { 'qcs:ip' = '10.0.0.0/8' }, bool_equal = { 'token:mfa' = true } }\n\
    [[statement]]\nid = 'fence'\neffect = 'deny'\nprincipal = '*'\naction = 'ci:Delete*'\nresource = '*'\n\
    condition = { string_not_equal = { 'token:role' = 'admin' } }\n\
    [[statement]]\nid = 'gone'\neffect = 'allow'\nprincipal = '*'\naction = '*'\nresource = '*'\nnot_after = 2020-01-01T00:00:00Z\n";
const TOP: &str = "region = 'ap-chongqing'\nip = '10.1.2.3'\nat = 2026-11-22T00:00:00Z\n";
const CASE: &str = "[[case]]\nname = 'one'\ncaller = 'zoe'\ngroups = 'team'\nclaims = { mfa = true }\n\
    action = 'ci:CreateAsrBucket'\nbucket = 'test-1'\nexpect = 'permit'\n";

fn now() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

fn policy() -> Policy {
    Policy::parse(POLICY, "policy.toml", Format::Toml).unwrap()
}

fn cases(text: &str) -> Cases {
    Cases::parse(text, "cases.toml", Format::Toml, now()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Cases::parse(text, "c", Format::Toml, now()).err().unwrap_or_else(|| panic!("accepted: {text}"));
    mistakes.iter().map(ToString::to_string).collect()
}

/// Names of the failures, and of the statements that no case touches.
fn outcome(text: &str) -> (Vec<String>, Vec<String>) {
    let cases = cases(text);
    let report = cases.ask(&policy());
    let failures = report.failures().map(|answer| answer.case.name().to_owned()).collect();
    (failures, report.untouched.iter().map(|listed| listed.name.to_string()).collect())
}

#[test]
fn a_case_holds_if_the_decision_and_the_named_statement_are_as_expected() {
    let case = |more: &str| CASE.replace("expect = 'permit'\n", more);
    for (more, holds) in [
        ("expect = 'permit'\n", true),
        ("expect = 'denied'\n", false),
        ("expect = 'permit'\nstatement = 'team'\n", true),
        ("expect = 'permit'\nstatement = 'fence'\n", false),
        ("expect = 'denied'\nip = '192.0.2.1'\n", true),
        ("expect = 'permit'\nip = '192.0.2.1'\n", false),
        ("expect = 'permit'\nregion = 'ap-beijing'\nat = '2019-01-01T00:00:00Z'\n", true),
    ] {
        assert_eq!(outcome(&format!("{TOP}{}", case(more))).0.is_empty(), holds, "{more}");
    }
}

#[test]
fn a_statement_is_touched_by_having_a_say_and_not_by_being_named() {
    assert_eq!(outcome(&format!("{TOP}{CASE}")).1, ["fence", "gone", "users.carol"]);
    // The deny cannot be evaluated without the claim, and so has a say.
    let delete = CASE.replace("Create", "Delete").replace("permit", "denied").replace("'one'", "'two'");
    assert_eq!(outcome(&format!("{TOP}{CASE}{delete}")), (vec![], vec!["gone".to_owned(), "users.carol".to_owned()]));
    let carol = "[[case]]\nname = 'three'\ncaller = 'carol'\naction = 'ci:DescribeAsrBuckets'\nbucket = 'test-1'\nexpect = 'permit'\n";
    assert_eq!(outcome(&format!("{TOP}{carol}")).1, ["team", "fence", "gone"]);
    let early = CASE.replace("expect", "at = 2019-01-01T00:00:00Z\nexpect");
    assert_eq!(outcome(&format!("{TOP}{early}")).1, ["fence", "users.carol"]);
}

#[test]
fn claims_are_read_as_a_token_would_carry_them() {
    let condition = "condition = { string_equal = { 'token:a' = 't' }, numeric_equal = { 'token:b' = 1.5 }, \
        'for_all_value:string_equal' = { 'token:c' = ['x', 'y'] }, date_less_than = { 'token:d' = 2027-01-01T00:00:00Z }, \
        null_equal = { 'token:e' = false } }";
    let text = format!(
        "version = '2.0'\n[[statement]]\neffect = 'allow'\nprincipal = '*'\naction = '*'\nresource = '*'\n{condition}\n"
    );
    let policy = Policy::parse(&text, "p", Format::Toml).unwrap();
    let claims = "{ a = 't', b = 1.5, c = ['x'], d = 2026-01-01T00:00:00Z, e = { f = 1 } }";
    let cases = cases(&format!("{TOP}{}", CASE.replace("{ mfa = true }", claims)));
    assert!(cases.ask(&policy).failures().next().is_none(), "{:#?}", cases.ask(&policy));
}

#[test]
fn without_a_time_or_an_address_of_its_own_a_case_has_the_usual_ones_or_now_and_none() {
    let cases = cases(&CASE.replace("expect", "region = 'ap-beijing'\nexpect"));
    assert_eq!((cases.0[0].context.now, cases.0[0].context.ip), (now(), None));
    assert_eq!((cases.0[0].line(), cases.0[0].region.as_str()), (1, "ap-beijing"));
}

#[test]
fn a_statement_that_the_policy_does_not_have_is_told_with_the_nearest_name() {
    let case = |name: &str| format!("{TOP}{CASE}statement = '{name}'\n");
    for (name, hint) in [
        ("teem", Some("no statement is called `teem`; did you mean `team`?")),
        ("zzz", Some("no statement is called `zzz`")),
        ("users.carol", None),
    ] {
        let cases = cases(&case(name));
        let report = cases.ask(&policy());
        assert!(!report.answers[0].is_as_expected());
        assert_eq!(report.answers[0].hint.as_deref(), hint, "{name}");
    }
}

#[test]
fn of_equally_near_names_the_same_is_told_each_time() {
    let text = "[users]\nteam-c = '*'\nteam-a = '*'\nteam-b = '*'\n";
    let cases = cases(&format!("{TOP}{CASE}statement = 'users.team-x'\n"));
    for _ in 0..20 {
        let report = cases.ask(&Policy::parse(text, "p", Format::Toml).unwrap());
        let hint = report.answers.first().and_then(|answer| answer.hint.as_deref());
        assert_eq!(hint, Some("no statement is called `users.team-x`; did you mean `users.team-c`?"));
    }
}

#[test]
fn json_says_the_same_as_toml() {
    let json = r#"{"region": "ap-chongqing", "case": [{"name": "one", "caller": "zoe", "groups": ["team"], "ip": "10.0.0.1",
        "claims": {"mfa": true}, "action": "ci:CreateAsrBucket", "bucket": "test-1", "at": "2026-11-22T00:00:00Z",
        "expect": "permit", "statement": "team"}]}"#;
    let cases = Cases::parse(json, "cases.json", Format::Json, now()).unwrap();
    assert!(cases.ask(&policy()).failures().next().is_none());
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one_and_their_place() {
    assert_eq!(
        mistakes(&format!("{TOP}{CASE}statment = 'team'\n")),
        ["c:12:1: unknown key `statment` (hint: did you mean `statement`?)"]
    );
    assert!(
        mistakes(&format!("zone = 'x'\n{TOP}{CASE}"))[0]
            .starts_with("c:1:1: unknown key `zone` (hint: known here: `region`")
    );
    assert_eq!(
        mistakes(&format!("{TOP}cases = []\n{CASE}")),
        ["c:4:1: unknown key `cases` (hint: did you mean `case`?)"]
    );
}

#[test]
fn every_part_of_a_case_that_is_missing_or_wrong_is_told_at_once() {
    let missing = mistakes("\n[[case]]\nip = 'here'\n");
    for part in ["name", "caller", "action", "bucket", "region", "expect"] {
        let told = format!("c:2:1: the case has no `{part}` (hint: write ");
        assert!(missing.iter().any(|mistake| mistake.starts_with(&told)), "{part} in {missing:#?}");
    }
    assert!(missing.iter().any(|mistake| mistake.starts_with("c:3:6: `here` is no address (hint: ")), "{missing:#?}");
    assert_eq!(missing.len(), 7, "{missing:#?}");
    for (from, to, told) in [
        (
            "ci:CreateAsrBucket",
            "ci:CreateAsrBuckt",
            "unknown action `ci:CreateAsrBuckt` (hint: did you mean `ci:CreateAsrBucket`?)",
        ),
        ("ci:CreateAsrBucket", "ci:*", "unknown action `ci:*` (hint: known here: `ci:CreateAsrBucket`, "),
        ("test-1", "Test_1", "`Test_1` is no bucket (hint: write the bucket's full name"),
        ("'permit'", "'allow'", "unknown decision `allow` (hint: known here: `permit`, `denied`)"),
        ("'permit'", "true", "`expect` is true or false, not a string (hint: write `expect = \"permit\"`"),
        ("'one'", "\"a\\u001b[2J\"", "`a\\u{1b}[2J` cannot be shown (hint: write it in printable characters"),
        ("'one'", "\"a\\u202eb\"", "`a\\u{202e}b` cannot be shown (hint: "),
        ("'permit'", "'permit'\nstatement = ''", "`` cannot be shown (hint: "),
        ("'zoe'", "''", "no caller can be called `` with these groups (hint: "),
        ("'team'", "[1]", "`groups` is a number, not a string (hint: write the groups"),
        ("{ mfa = true }", "true", "`claims` is true or false, not a table"),
        ("expect", "at = 2026-11-22\nexpect", "`at` is not one moment for everyone (hint: write a moment"),
        ("expect", "at = 7\nexpect", "`at` is not one moment for everyone (hint: write a moment"),
        ("expect", "region = 'AP'\nexpect", "`AP` is no region (hint: write the region here"),
    ] {
        let found = mistakes(&format!("{TOP}{}", CASE.replace(from, to)));
        assert!(found.len() == 1 && found[0].contains(told), "{told} in {found:#?}");
    }
}

#[test]
fn names_are_unique_and_a_file_has_at_least_one_case() {
    assert_eq!(
        mistakes(&format!("{TOP}{CASE}{CASE}")),
        ["c:13:8: the name `one` is used a second time (hint: the first is on line 5; names are unique)"]
    );
    for text in ["", TOP, "case = []\n"] {
        assert_eq!(mistakes(text), ["c:1:1: the file has no case (hint: write each below a line `[[case]]`)"]);
    }
    assert!(mistakes("[[case]\n")[0].contains("not TOML"));
}

#[test]
fn the_sample_of_cases_holds_for_the_sample_policy_and_touches_all_of_it() {
    let policy = include_str!("../../../config/policy.example.toml");
    let policy = Policy::parse(policy, "policy.toml", Format::Toml).unwrap();
    let cases = cases(include_str!("../../../config/policy-cases.example.toml"));
    let report = cases.ask(&policy);
    assert_eq!(report.failures().map(|answer| answer.case.name()).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!((report.untouched, cases.0.len()), (vec![], 11));
}
