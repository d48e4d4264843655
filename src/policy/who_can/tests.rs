//! Tests: who can, and what is said of it.

use proptest::prelude::*;

use super::*;
use crate::domain::Caller;
use crate::policy::{Context, Format, Verdict};

const NOW: &str = "2027-01-01T00:00:00Z";

/// Statements of one line each: effect, principals, action, resource, and what else there is.
fn policy(head: &str, statements: &[(&str, &str, &str, &str, &str)]) -> Policy {
    let mut text = format!("version = '2.0'\n{head}\n");
    for (n, (effect, principals, action, resource, more)) in statements.iter().enumerate() {
        text += &format!(
            "[[statement]]\nid = 's{n}'\neffect = '{effect}'\nprincipal = [{principals}]\naction = '{action}'\n\
             resource = [{resource}]\n{more}\n"
        );
    }
    Policy::parse(&text, "p", Format::Toml).unwrap()
}

/// Each holder as `principal: statement …`, each deny as `!principal: statement …`, each member as `group > member`.
fn told(policy: &Policy, region: Option<&str>, ip: Option<&str>, at: Option<&str>) -> Vec<String> {
    let (bucket, region): (Bucket, Option<Region>) = ("a-1".parse().unwrap(), region.map(|text| text.parse().unwrap()));
    let now = NOW.parse().unwrap();
    let wish = Wish {
        action: "ci:CreateAsrBucket".parse().unwrap(),
        bucket: &bucket,
        region: region.as_ref(),
        now,
        at: at.map(|text| text.parse().unwrap()),
        ip: ip.map(|text| text.parse().unwrap()),
    };
    let answer = policy.who_can(&wish);
    let mut told = Vec::new();
    for Holder { principal, grants, members } in &answer.allowed {
        for Grant { said, unless } in grants {
            let unless: String = unless.iter().map(|deny| format!(" unless {}", said_of(deny))).collect();
            told.push(format!("{principal}: {}{unless}", said_of(said)));
        }
        for Member { name, denied_by } in members {
            told.push(format!("{principal} > {name}{}", denied_by.map_or(String::new(), |by| format!(" not: {by}"))));
        }
    }
    told.extend(answer.denied.iter().map(|Denial { principal, said }| format!("!{principal}: {}", said_of(said))));
    told
}

fn said_of(Said { statement, regions, conditions, until, .. }: &Said<'_>) -> String {
    let regions: String = regions.iter().map(|region| format!(" in {region}")).collect();
    let conditions: String = conditions.iter().map(|test| format!(" if {test}")).collect();
    format!("{statement}{regions}{conditions}{}", until.map_or(String::new(), |end| format!(" until {end}")))
}

fn in_any_region(policy: &Policy) -> Vec<String> {
    told(policy, None, None, None)
}

#[test]
fn every_kind_of_principal_is_listed_with_its_statements_and_groups_with_their_members() {
    let head = "[users]\ncarol = 'ci:*'\ndan = 'ci:Describe*'\n[groups]\nred = ['bob', 'alice']\nnone = ['eve']\n";
    let policy = policy(
        head,
        &[
            ("allow", "'user:zoe', 'group:red'", "ci:*", "'*'", ""),
            ("allow", "'*'", "ci:CreateAsrBucket", "'*'", ""),
            ("allow", "'user:zoe'", "ci:CreateAsrBucket", "'qcs::ci:::bucket/a-*/*'", ""),
            ("allow", "'user:yan'", "ci:CreateAsrBucket", "'qcs::ci:::bucket/b-*/*'", ""),
            ("allow", "'user:yan'", "ci:DeleteAsrBucket", "'*'", ""),
        ],
    );
    let expected = [
        "*: s1",
        "group:red: s0",
        "group:red > alice",
        "group:red > bob",
        "user:carol: users.carol",
        "user:zoe: s0",
        "user:zoe: s2",
    ];
    assert_eq!(in_any_region(&policy), expected);
}

#[test]
fn whom_a_deny_covers_cannot_and_the_deny_is_shown() {
    let policy = policy(
        "[groups]\nred = ['alice', 'bob', 'carol']\nblue = ['carol']",
        &[
            ("allow", "'group:red', 'user:alice', 'user:dan'", "*", "'*'", ""),
            ("deny", "'user:alice', 'group:blue'", "ci:Create*", "'qcs::ci:::bucket/a-*'", ""),
            ("deny", "'user:dan'", "ci:Create*", "'*'", "not_after = 2026-12-31T00:00:00Z"),
        ],
    );
    let expected = [
        "group:red: s0",
        "group:red > alice not: s1",
        "group:red > bob",
        "group:red > carol not: s1",
        "user:dan: s0",
        "!group:blue: s1",
        "!user:alice: s1",
    ];
    assert_eq!(in_any_region(&policy), expected);
}

#[test]
fn a_deny_for_everyone_leaves_no_one() {
    let policy = policy(
        "[users]\nalice = '*'\n[groups]\nred = ['bob']",
        &[("allow", "'*', 'group:red'", "*", "'*'", ""), ("deny", "'*'", "*", "'*'", "")],
    );
    assert_eq!(in_any_region(&policy), ["!*: s1"]);
}

#[test]
fn what_a_grant_depends_on_is_shown_and_settled_by_what_is_asked() {
    let ip = "condition = { ip_equal = { 'qcs:ip' = '10.0.0.0/8' } }";
    let until = "not_after = 2028-01-01T00:00:00Z\ncondition = { date_less_than = { 'qcs:current_time' = '2027-06-01T00:00:00Z' } }";
    let team = "condition = { string_not_equal = { 'token:team' = 'red' } }";
    let policy = policy(
        "",
        &[
            ("allow", "'user:a'", "*", "'*'", ip),
            ("allow", "'user:b'", "*", "'*'", until),
            ("allow", "'user:c'", "*", "'*'", ""),
            ("deny", "'user:c'", "*", "'*'", team),
        ],
    );
    let open = in_any_region(&policy);
    assert_eq!(
        open,
        [
            "user:a: s0 if ip_equal qcs:ip = [\"10.0.0.0/8\"]",
            "user:b: s1 if date_less_than qcs:current_time = [\"2027-06-01T00:00:00Z\"] until 2028-01-01T00:00:00Z",
            "user:c: s2 unless s3 if string_not_equal token:team = [\"red\"]",
            "!user:c: s3 if string_not_equal token:team = [\"red\"]",
        ]
    );
    let settled = told(&policy, None, Some("10.1.1.1"), Some(NOW));
    assert_eq!(settled[..2], ["user:a: s0", "user:b: s1 until 2028-01-01T00:00:00Z"]);
    let refused = told(&policy, None, Some("192.0.2.1"), Some("2027-07-01T00:00:00Z"));
    assert!(refused.iter().all(|line| line.contains("user:c")), "{refused:#?}");
}

#[test]
fn without_a_region_every_region_counts_and_is_shown() {
    let policy = policy(
        "",
        &[
            ("allow", "'user:a'", "*", "'qcs::ci:ap-beijing::*', 'qcs::ci:ap-c*::*', 'qcs::ci:eu-*::bucket/b-*'", ""),
            ("allow", "'user:b'", "*", "'qcs::ci:ap-beijing::*', '*'", ""),
            ("deny", "'user:a'", "*", "'qcs::ci:ap-b*::*'", ""),
            ("deny", "'user:b'", "*", "'qcs::ci:ap-x::*'", ""),
        ],
    );
    assert_eq!(
        in_any_region(&policy),
        ["user:a: s0 in ap-c*", "user:b: s1 unless s3 in ap-x", "!user:a: s2 in ap-b*", "!user:b: s3 in ap-x",]
    );
    assert_eq!(told(&policy, Some("ap-beijing"), None, None), ["user:b: s1", "!user:a: s2"]);
    assert_eq!(told(&policy, Some("ap-chongqing"), None, None), ["user:a: s0", "user:b: s1"]);
}

#[test]
fn a_member_who_is_denied_wherever_the_group_may_is_no_one_who_can() {
    let (x, y) = ("'qcs::ci:ap-x::*'", "'qcs::ci:ap-y::*'");
    let policy = policy(
        "[groups]\ng = ['alice', 'bob', 'carol']",
        &[
            ("allow", "'group:g'", "*", "'qcs::ci:ap-x::*', 'qcs::ci:ap-y::*'", ""),
            ("deny", "'user:alice', 'user:bob'", "*", x, ""),
            ("deny", "'user:alice'", "*", y, ""),
            ("deny", "'user:carol'", "*", "'qcs::ci:ap-*::*'", ""),
        ],
    );
    let told = in_any_region(&policy);
    assert_eq!(
        told[..4],
        ["group:g: s0 in ap-x in ap-y", "group:g > alice not: s1", "group:g > bob", "group:g > carol not: s3"]
    );
}

#[test]
fn what_has_ended_by_its_condition_is_passed_over_too() {
    let ended = "condition = { date_less_than = { 'qcs:current_time' = '2020-01-01T00:00:00Z' } }";
    let policy =
        policy("", &[("allow", "'user:a', 'user:b'", "*", "'*'", ended), ("allow", "'user:b'", "*", "'*'", "")]);
    assert_eq!(in_any_region(&policy), ["user:b: s1"]);
}

const PRINCIPALS: [&str; 5] = ["*", "user:a", "user:b", "group:g", "group:h"];
const RESOURCES: [&str; 4] =
    ["'*'", "'qcs::ci:ap-x::*'", "'qcs::ci:::bucket/b-1'", "'qcs::ci:ap-*::bucket/a-*', 'qcs::ci:ap-y::*'"];

proptest! {
    /// With nothing left open, who is listed is who is permitted.
    #[test]
    fn who_can_agrees_with_what_is_decided(
        statements in prop::collection::vec(
            (any::<bool>(), prop::sample::select(&PRINCIPALS), prop::sample::select(&RESOURCES)), 0..8),
        region in prop::sample::select(&["ap-x", "ap-y", "eu-z"]),
    ) {
        let owned: Vec<_> = statements.iter().map(|(allow, who, what)| {
            (if *allow { "allow" } else { "deny" }, format!("'{who}'"), *what)
        }).collect();
        let lines: Vec<_> = owned.iter().map(|(effect, who, what)| (*effect, who.as_str(), "*", *what, "")).collect();
        let policy = policy("[groups]\ng = ['a']", &lines);
        let told = told(&policy, Some(region), None, None);
        for (name, token, member) in [("a", None, Some("g")), ("b", None, None), ("z", Some("g"), None), ("z", Some("h"), None)] {
            let caller = Caller::new(name, token, "i").unwrap();
            let (bucket, region): (Bucket, Region) = ("a-1".parse().unwrap(), region.parse().unwrap());
            let context = Context { now: NOW.parse().unwrap(), ip: None };
            let resource = super::super::Resource::bucket(&bucket, &region);
            let decided = policy.decide(&caller, "ci:CreateAsrBucket".parse().unwrap(), resource, &context).verdict();
            let of = |prefix: String| told.iter().any(|line| line.starts_with(&prefix));
            let mut names = vec!["*".to_owned(), format!("user:{name}")];
            names.extend(token.or(member).map(|group| format!("group:{group}")));
            let denied = names.iter().any(|name| of(format!("!{name}:")));
            let allowed = names.iter().any(|name| of(format!("{name}:")));
            prop_assert_eq!(allowed && !denied, decided == Verdict::Permit, "{} {:?} {:#?}", name, token, told);
        }
    }
}
