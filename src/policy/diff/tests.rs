//! Tests: what differs, and what only looks different.

use super::*;
use crate::policy::Format;

fn policy(text: &str) -> Policy {
    Policy::parse(&format!("version = '2.0'\n{text}"), "p", Format::Toml).unwrap()
}

fn statement(effect: &str, principals: &str, actions: &str, resources: &str, more: &str) -> String {
    format!(
        "[[statement]]\neffect = '{effect}'\nprincipal = [{principals}]\naction = [{actions}]\nresource = [{resources}]\n{more}\n"
    )
}

fn allow(principals: &str, actions: &str, resources: &str) -> String {
    statement("allow", principals, actions, resources, "")
}

fn deny(principals: &str, actions: &str, resources: &str) -> String {
    statement("deny", principals, actions, resources, "")
}

fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

/// Each row as `kind principals (with others): actions on resources: old -> new`.
fn told(old: &str, new: &str) -> Vec<String> {
    let diff = policy(old).diff(&policy(new), now(), &mut |_, _| {});
    assert!(diff.complete);
    diff.rows.iter().map(line).collect()
}

fn line(Row { kind, principals, together_with, actions, resources, old, new }: &Row) -> String {
    let with = if together_with.is_empty() { String::new() } else { format!(" with {}", together_with.join(", ")) };
    let actions = match actions.len() {
        18 => "*".to_owned(),
        _ => actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", "),
    };
    let resource = |Resources { pattern, except, example }: &Resources| {
        let except: String = except.iter().map(|other| format!(" but {other}")).collect();
        format!("{}{pattern}{except}", if *example { "such as " } else { "" })
    };
    let resources: Vec<String> = resources.iter().map(resource).collect();
    let ruling = |Ruling { when, statements }: &Ruling| format!("{when} [{}]", statements.join(", "));
    let (old, new) = (ruling(old), ruling(new));
    format!("{} {}{with}: {actions} on {}: {old} -> {new}", kind.as_str(), principals.join(", "), resources.join(", "))
}

#[track_caller]
fn same(old: &str, new: &str) {
    for (old, new) in [(old, new), (new, old)] {
        assert_eq!(told(old, new), [""; 0]);
    }
}

const CREATE: &str = "'ci:CreateAsrBucket'";
const A: &str = "'qcs::ci:::bucket/a-1/*'";

#[test]
fn another_text_with_the_same_meaning_is_no_difference() {
    let (one, two) = (allow("'user:a'", CREATE, A), deny("'group:g'", "'*'", "'*'"));
    same(&format!("{one}{two}"), &format!("{two}{one}"));
    same(&one, &format!("{one}id = 'named'\n"));
    same(&one, &one.replace("ci:", "name/ci:").replace("qcs::name/ci", "qcs::ci"));
    same(&one, &one.replace("bucket/a-1/*", "bucket/a-1"));
    same(
        &allow("'user:a', 'user:b'", "'ci:*'", "'*'"),
        &(allow("'user:b'", "'*'", "'*'") + &allow("'user:a'", "'ci:*'", "'*'")),
    );
    same(
        &allow("'user:a'", "'ci:*'", "'*'"),
        &(allow("'user:a'", "'ci:*Asr*'", "'*'") + &allow("'user:a'", "'ci:*'", "'*'")),
    );
    same(&allow("'user:a'", "'ci:*'", "'*'"), &allow("'user:a'", "'ci:*'", "'qcs::ci:*:uid/*:bucket/*/*'"));
    same(&allow("'user:a'", CREATE, "'*'"), "[users]\na = 'ci:CreateAsrBucket'\n");
    same(&allow("'user:a'", CREATE, "'*'"), &(allow("'user:a'", CREATE, "'*'") + &allow("'user:a'", CREATE, A)));
    same(&allow("'*'", CREATE, "'*'"), &(allow("'*'", CREATE, "'*'") + &allow("'user:a', 'group:g'", CREATE, A)));
    // A deny of what nobody may, and a group that has nobody to take from.
    same("", &deny("'*'", "'*'", "'*'"));
    same(
        &allow("'user:a'", CREATE, A),
        &(allow("'user:a'", CREATE, A) + &deny("'user:a', 'group:g'", "'ci:Delete*'", "'*'")),
    );
    // Buckets of one pattern are those of two.
    let whole = "'qcs::ci:::bucket/a-1'";
    let apart = "'qcs::ci::uid/1:bucket/a-*', 'qcs::ci:::bucket/a-1'";
    same(&deny("'user:a'", "'*'", "'qcs::ci:::bucket/a-*'"), &deny("'user:a'", "'*'", "'qcs::ci:::bucket/a-*'"));
    same(
        &(allow("'user:a'", "'*'", "'qcs::ci::uid/1:bucket/a-*'") + &allow("'user:a'", "'*'", whole)),
        &allow("'user:a'", "'*'", apart),
    );
    same(&allow("'user:a'", "'*'", "'qcs::ci::uid/1:bucket/*'"), &allow("'user:a'", "'*'", "'qcs::ci:::bucket/*-1'"));
}

#[test]
fn what_groups_give_their_members_counts_as_theirs() {
    let group = allow("'group:g'", CREATE, "'*'");
    let members = |names: &str| format!("[groups]\ng = [{names}]\n{group}");
    same(&members("'a', 'b'"), &members("'b', 'a'"));
    same(&(members("'b'") + &allow("'user:a'", CREATE, "'*'")), &members("'b', 'a'"));
    assert_eq!(
        told(&members("'a', 'b'"), &members("'b'")),
        ["loses user:a: ci:CreateAsrBucket on *: always [statement 1] -> never []"]
    );
    // A group that no statement named had no members.
    assert_eq!(
        told("[groups]\ng = ['a', 'b']\n", &members("'a', 'b'")),
        ["gains group:g, user:a, user:b: ci:CreateAsrBucket on *: never [] -> always [statement 1]"]
    );
    // What the group gains is told of its members with it.
    assert_eq!(
        told(&members("'a', 'b'"), &(members("'a', 'b'") + &allow("'group:g'", "'ci:DeleteAsrBucket'", "'*'"))),
        ["gains group:g: ci:DeleteAsrBucket on *: never [] -> always [statement 2]"]
    );
}

#[test]
fn callers_and_actions_with_the_same_difference_stand_in_one_row() {
    assert_eq!(
        told(&allow("'user:a', 'user:b', 'user:c'", "'ci:*'", A), &allow("'user:b'", "'ci:*'", A)),
        ["loses user:a, user:c: * on qcs::ci:::bucket/a-1/*: always [statement 1] -> never []"]
    );
    assert_eq!(
        told(&allow("'*'", "'ci:CreateAsrBucket'", A), &(allow("'*', 'user:z'", "'ci:*AsrBucket'", A))),
        ["gains *: ci:DeleteAsrBucket on qcs::ci:::bucket/a-1/*: never [] -> always [statement 1]"]
    );
}

#[test]
fn callers_with_other_grants_and_the_same_difference_stand_in_one_row_too() {
    let old = allow("'user:a', 'user:b'", CREATE, A) + &allow("'user:b'", "'ci:DeleteAsrBucket'", "'*'");
    assert_eq!(
        told(&old, &(old.clone() + &deny("'*'", CREATE, A))),
        [
            "loses user:a, user:b: ci:CreateAsrBucket on qcs::ci:::bucket/a-1/*: always [statement 1] -> never [statement 3]"
        ]
    );
}

#[test]
fn places_are_told_by_the_patterns_of_the_policies() {
    let wide = "'qcs::ci:ap-*::bucket/a-*/*'";
    let line = |what: &str| format!("loses user:u: * on {what}: always [statement 1] -> never");
    assert_eq!(told(&allow("'user:u'", "'*'", "'*'"), ""), [line("*") + " []"]);
    assert_eq!(
        told(&allow("'user:u'", "'*'", "'*'"), &(allow("'user:u'", "'*'", "'*'") + &deny("'user:u'", "'*'", wide))),
        [line("qcs::ci:ap-*::bucket/a-*/*") + " [statement 2]"]
    );
    assert_eq!(
        told(&allow("'user:u'", "'*'", "'*'"), &allow("'user:u'", "'*'", wide)),
        [line("* but qcs::ci:ap-*::bucket/a-*/*") + " []"]
    );
    // The part that two patterns share is none of them.
    let crossed = told(
        &allow("'user:u'", "'*'", "'qcs::ci:::bucket/a-*'"),
        &(allow("'user:u'", "'*'", "'qcs::ci:::bucket/a-*'") + &deny("'user:u'", "'*'", "'qcs::ci:ap-x::*'")),
    );
    assert_eq!(crossed, [line("such as qcs::ci:ap-x:uid/0:bucket/a-0/*") + " [statement 2]"]);
}

#[test]
fn conditions_and_ends_are_told_and_the_wider_one_counts() {
    let ip = "condition = { ip_equal = { 'qcs:ip' = ['10.0.0.0/8', '::1'] } }";
    let turned = "condition = { ip_equal = { 'qcs:ip' = ['::1', '10.0.0.0/8'] } }";
    let end = |year: u32| format!("not_after = {year}-01-01T00:00:00Z");
    let with = |more: &str| statement("allow", "'user:a'", CREATE, "'*'", more);
    same(&with(ip), &with(turned));
    same(&with(""), &(with("") + &with(ip) + &with(&end(2030))));
    same(&with(&end(2031)), &(with(&end(2030)) + &with(&end(2031))));
    let row = |kind: &str, old: &str, new: &str| {
        [format!("{kind} user:a: ci:CreateAsrBucket on *: {old} [statement 1] -> {new} [statement 1]")]
    };
    let if_ip = "if ip_equal qcs:ip = [\"10.0.0.0/8\", \"::1\"]";
    assert_eq!(told(&with(""), &with(ip)), row("changes", "always", if_ip));
    assert_eq!(
        told(&with(&end(2030)), &with(&end(2031))),
        row("changes", "until 2030-01-01T00:00:00Z", "until 2031-01-01T00:00:00Z")
    );
    let denied = statement("deny", "'user:a'", CREATE, "'*'", ip);
    assert_eq!(
        told(&(with("") + &denied), &with("")),
        [format!(
            "changes user:a: ci:CreateAsrBucket on *: always, but not {if_ip} [statement 1, statement 2] -> always [statement 1]"
        )]
    );
}

#[test]
fn a_deny_that_takes_from_callers_who_are_also_someone_else_is_told_with_both() {
    let allowed = allow("'group:staff'", CREATE, "'*'");
    assert_eq!(
        told(&allowed, &(allowed.clone() + &deny("'group:guests', 'user:eve'", "'*'", A))),
        [
            "loses group:guests with group:staff: ci:CreateAsrBucket on qcs::ci:::bucket/a-1/*: always [statement 1] -> never [statement 2]",
            "loses user:eve with group:staff: ci:CreateAsrBucket on qcs::ci:::bucket/a-1/*: always [statement 1] -> never [statement 2]",
        ]
    );
}

#[test]
fn what_has_ended_makes_no_difference() {
    let until = |effect: &str, end: &str| statement(effect, "'user:a'", CREATE, "'*'", &format!("not_after = {end}"));
    let before = |end: &str| {
        let condition = format!("condition = {{ date_less_than = {{ 'qcs:current_time' = '{end}' }} }}");
        statement("allow", "'user:a'", CREATE, "'*'", &condition)
    };
    let granted = allow("'user:a'", CREATE, "'*'");
    same("", &until("allow", "2026-12-31T23:59:59Z"));
    same("", &before("2020-01-01T00:00:00Z"));
    same(&granted, &(granted.clone() + &until("deny", "2020-01-01T00:00:00Z")));
    // The last moment is part of it.
    assert_eq!(
        told(&until("allow", "2027-01-01T00:00:00Z"), ""),
        ["loses user:a: ci:CreateAsrBucket on *: until 2027-01-01T00:00:00Z [statement 1] -> never []"]
    );
}

#[test]
fn the_statements_that_are_named_are_those_that_make_it_so() {
    let with = |effect: &str, more: &str| statement(effect, "'user:a'", CREATE, "'*'", more);
    let (expired, nightly) = ("not_after = 2020-01-01T00:00:00Z", "condition = { ip_equal = { 'qcs:ip' = '::1' } }");
    let granted = with("allow", expired) + &with("allow", "");
    let (kept, blocked) = (with("deny", nightly), with("deny", nightly) + &with("deny", ""));
    let row = |old: &str, new: &str| [format!("loses user:a: ci:CreateAsrBucket on *: {old} -> {new}")];
    assert_eq!(told(&granted, &kept), row("always [statement 2]", "never []"));
    assert_eq!(told(&granted, &(granted.clone() + &blocked)), row("always [statement 2]", "never [statement 4]"));
    let line = "[users]\na = 'ci:CreateAsrBucket'\n";
    assert_eq!(told(&(line.to_owned() + &with("allow", nightly)), ""), row("always [users.a]", "never []"));
    // Of two denies, the one that takes what there was.
    let when_red = with("deny", "condition = { string_equal = { 'token:team' = 'red' } }");
    assert_eq!(
        told(&with("allow", nightly), &(with("allow", nightly) + &when_red + &kept)),
        row("if ip_equal qcs:ip = [\"::1\"] [statement 1]", "never [statement 3]")
    );
}

#[test]
fn whoever_is_also_someone_else_is_told_of_what_neither_has_alone() {
    let if_red = |effect: &str, who: &str| {
        statement(effect, who, CREATE, "'*'", "condition = { string_equal = { 'token:team' = 'red' } }")
    };
    let (granted, denied) = (allow("'group:g'", CREATE, "'*'"), deny("'group:h'", "'*'", "'*'"));
    let row = |text: &str| {
        text.replace("CREATE", "ci:CreateAsrBucket on *").replace("RED", "if string_equal token:team = [\"red\"]")
    };
    // The grant is narrowed, and a deny takes all of it.
    assert_eq!(
        told(&granted, &(if_red("allow", "'group:g'") + &denied)),
        [
            row("changes group:g: CREATE: always [statement 1] -> RED [statement 1]"),
            row("loses group:h with group:g: CREATE: always [statement 1] -> never [statement 2]"),
        ]
    );
    // The same the other way.
    assert_eq!(
        told(&(granted.clone() + &denied), &if_red("allow", "'group:g'")),
        [
            row("changes group:g: CREATE: always [statement 1] -> RED [statement 1]"),
            row("gains group:h with group:g: CREATE: never [statement 2] -> RED [statement 1]"),
        ]
    );
    // A deny that goes gives more to those who have more.
    let some = if_red("allow", "'group:h'");
    assert_eq!(
        told(&(some.clone() + &granted + &denied), &(some + &granted)),
        [
            row("gains group:h: CREATE: never [statement 3] -> RED [statement 1]"),
            row("gains group:h with group:g: CREATE: never [statement 3] -> always [statement 2]"),
        ]
    );
    // Less is lost with a deny than without: that is told already.
    let partly = if_red("deny", "'group:h'") + &allow("'group:h'", CREATE, A) + &granted;
    let rows = told(&partly, &(partly.clone() + &deny("'group:g'", "'*'", "'*'")));
    assert!(rows.iter().any(|row| row.starts_with("loses group:g: ")), "{rows:#?}");
    assert!(
        !rows.iter().any(|row| row.starts_with("loses group:g with group:h: ci:CreateAsrBucket on *:")),
        "{rows:#?}"
    );
}

#[test]
fn patterns_too_wild_to_be_told_apart_are_compared_by_samples_and_that_is_said() {
    let wild = |n: usize| {
        let part =
            |n: usize| ["ab", "cd", "ef", "gh"].iter().cycle().skip(n).take(4).copied().collect::<Vec<_>>().join("*");
        let patterns: Vec<String> = (0..n).map(|n| format!("'qcs::ci:::bucket/*{}*{n}*'", part(n))).collect();
        policy(&allow("'user:a'", "'*'", &patterns.join(", ")))
    };
    let diff = wild(11).diff(&wild(12), now(), &mut |_, _| {});
    assert!(!diff.complete);
    assert_eq!(diff.rows.len(), 1);
    assert!(wild(12).diff(&wild(12), now(), &mut |_, _| {}).complete);
}
