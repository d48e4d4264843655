//! Tests: each rule of the language and each mistake, as a sentence.

mod attachments;
mod conditions;

use super::*;
use crate::domain::{Bucket, Mistake, Region};

const HEAD: &str = "version = \"2.0\"\n";
const AUDIO: &str = "ci:CreateAsrBucket";

fn toml(text: &str) -> Policy {
    Policy::parse(text, "p.toml", Format::Toml).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn json(text: &str) -> Policy {
    Policy::parse(text, "p.json", Format::Json).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn statement(effect: &str, principal: &str, action: &str, resource: &str) -> String {
    format!(
        "[[statement]]\neffect = \"{effect}\"\nprincipal = {principal}\naction = \"{action}\"\nresource = \"{resource}\"\n"
    )
}

fn at(time: &str) -> Context {
    Context { now: time.parse().unwrap(), ip: None }
}

fn decide(policy: &Policy, caller: &Caller, action: &str, bucket: &str) -> Decision {
    let (bucket, region): (Bucket, Region) = (bucket.parse().unwrap(), "ap-chongqing".parse().unwrap());
    let resource = Resource::bucket(&bucket, &region);
    policy.decide(caller, action.parse().unwrap(), resource, &at("2026-11-22T00:00:00Z"))
}

fn caller(name: &str, groups: &[&str]) -> Caller {
    Caller::new(name, groups.iter().copied(), "https://issuer.example").unwrap()
}

/// The verdict for alice without groups, about enabling audio on `test-1`.
fn alice(policy: &Policy) -> Verdict {
    decide(policy, &caller("alice", &[]), AUDIO, "test-1").verdict()
}

/// Every mistake of a TOML policy, without place and column: `LINE: what (hint: …)`.
fn mistakes(text: &str) -> Vec<String> {
    listed(Policy::parse(text, "p", Format::Toml))
}

fn json_mistakes(text: &str) -> Vec<String> {
    listed(Policy::parse(text, "p", Format::Json))
}

fn listed(result: Result<Policy, Mistakes>) -> Vec<String> {
    let mistakes = result.expect_err("the policy was accepted");
    mistakes.iter().map(without_column).collect()
}

fn without_column(mistake: &Mistake) -> String {
    let column = format!(":{}: ", mistake.column().unwrap());
    mistake.to_string().strip_prefix("p:").unwrap().replacen(&column, ": ", 1)
}

/// Asserts that each part stands in the one mistake that there is.
fn says(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "`{part}` is not in: {}", found[0]);
    }
}

/// A statement of which one line is replaced; the mistakes stand on the line that follows `HEAD`'s.
fn with(key: &str, value: &str) -> String {
    let mut lines = vec![("effect", "\"allow\""), ("principal", "\"*\""), ("action", "\"*\""), ("resource", "\"*\"")];
    lines.retain(|(known, _)| *known != key);
    let rest: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("{HEAD}[[statement]]\n{key} = {value}\n{rest}")
}

#[test]
fn the_sample_parses_and_means_what_its_comments_say() {
    let policy = toml(include_str!("../../config/policy.example.toml"));
    assert_eq!(policy.statements(), 7);
    let ask = |name: &str, groups: &[&str], action: &str, bucket: &str| {
        let decision = decide(&policy, &caller(name, groups), action, bucket);
        (decision.verdict(), decision.statement().map(str::to_owned))
    };
    let permit = |statement: &str| (Verdict::Permit, Some(statement.to_owned()));
    assert_eq!(ask("alice", &[], AUDIO, "test-1234567890"), permit("speech-team-enables-audio"));
    assert_eq!(ask("zoe", &["speech-team"], AUDIO, "test-1234567890"), permit("speech-team-enables-audio"));
    assert_eq!(ask("zoe", &[], "ci:DescribeAiProcessBucket", "shared-7"), permit("everyone-looks"));
    assert_eq!(ask("carol", &[], "ci:DescribeAsrBuckets", "any-1"), permit("users.carol"));
    assert_eq!(ask("erin", &[], "ci:DeleteAsrBucket", "test-1"), permit("migration-by-erin"));
    let fenced = (Verdict::DeniedByStatement, Some("nobody-switches-off-production".to_owned()));
    assert_eq!(ask("erin", &[], "ci:DeleteAsrBucket", "prod-1"), fenced);
    assert_eq!(ask("zoe", &[], AUDIO, "test-1234567890"), (Verdict::DeniedByDefault, None));
}

#[test]
fn an_empty_policy_denies_everything() {
    for policy in [toml(""), toml(HEAD), json("{}"), json(r#"{"version":"2.0","statement":[]}"#)] {
        assert_eq!(alice(&policy), Verdict::DeniedByDefault);
        assert_eq!(policy.statements(), 0);
    }
}

#[test]
fn three_lines_are_a_policy() {
    let policy = toml("[users]\nalice = [\"ci:CreateAsrBucket\"]\nbob = \"ci:Describe*\"\n");
    assert_eq!(policy.statements(), 2);
    let permit = decide(&policy, &caller("alice", &[]), AUDIO, "any-1").permit().unwrap();
    assert_eq!((permit.statement(), permit.action().as_str()), ("users.alice", AUDIO));
    assert_eq!(permit.policy_digest(), policy.digest());
    let denied = decide(&policy, &caller("bob", &[]), AUDIO, "any-1").permit().unwrap_err();
    assert_eq!(denied.statement(), None);
    assert_eq!(denied.to_string(), "the policy does not allow `ci:CreateAsrBucket` here");
}

#[test]
fn a_deny_wins_over_every_allow_wherever_it_stands() {
    let allow = statement("allow", "\"user:alice\"", AUDIO, "*");
    let deny = statement("deny", "\"*\"", "ci:Create*", "qcs::ci:::bucket/test-1/*");
    for text in [format!("{HEAD}{allow}{deny}"), format!("{HEAD}{deny}{allow}[users]\nalice = [\"*\"]\n")] {
        let policy = toml(&text);
        assert_eq!(alice(&policy), Verdict::DeniedByStatement);
        assert_eq!(decide(&policy, &caller("alice", &[]), AUDIO, "test-2").verdict(), Verdict::Permit);
        assert_eq!(decide(&policy, &caller("bob", &[]), AUDIO, "test-2").verdict(), Verdict::DeniedByDefault);
    }
}

#[test]
fn a_deny_that_is_written_without_its_star_still_denies() {
    let deny = statement("deny", "\"*\"", "*", "qcs::ci:::bucket/test-1");
    assert_eq!(alice(&toml(&format!("{HEAD}{deny}[users]\nalice = \"*\"\n"))), Verdict::DeniedByStatement);
}

#[test]
fn groups_come_from_the_token_and_from_the_policy() {
    let text = format!("{HEAD}[groups]\nspeech = [\"alice\"]\nunused = [\"bob\"]\n")
        + &statement("allow", "[\"group:speech\"]", AUDIO, "*");
    let policy = toml(&text);
    assert_eq!(alice(&policy), Verdict::Permit);
    assert_eq!(decide(&policy, &caller("bob", &["speech"]), AUDIO, "test-1").verdict(), Verdict::Permit);
    assert_eq!(decide(&policy, &caller("bob", &["other"]), AUDIO, "test-1").verdict(), Verdict::DeniedByDefault);
    // A user's and a group's name are two things, even if they read the same.
    assert_eq!(decide(&policy, &caller("speech", &["alice"]), AUDIO, "test-1").verdict(), Verdict::DeniedByDefault);
}

#[test]
fn a_decision_names_the_first_statement_in_the_file_and_the_short_form_last() {
    let by = |principal: &str| statement("allow", principal, AUDIO, "*");
    let text = format!("{HEAD}{}id = \"mine\"\n{}[users]\nalice = \"*\"\n", by("\"user:alice\""), by("\"*\""));
    let named = |text: &str, groups: &[&str]| {
        decide(&toml(text), &caller("alice", groups), AUDIO, "test-1").statement().map(str::to_owned)
    };
    assert_eq!(named(&text, &[]).as_deref(), Some("mine"));
    let text = format!("{HEAD}{}{}{}", by("\"user:bob\""), by("\"group:b\""), by("\"group:a\""));
    assert_eq!(named(&text, &["a", "b"]).as_deref(), Some("statement 2"));
    assert_eq!(named(&text, &["b", "a"]).as_deref(), Some("statement 2"));
}

#[test]
fn a_statement_takes_part_up_to_its_not_after_and_no_longer() {
    let time = "2027-01-31T08:00:00+08:00";
    let ends = |effect: &str| statement(effect, "\"*\"", "*", "*") + &format!("not_after = {time}\n");
    let (bucket, region): (Bucket, Region) = ("test-1".parse().unwrap(), "ap-chongqing".parse().unwrap());
    let verdict = |policy: &Policy, now: &str| {
        let resource = Resource::bucket(&bucket, &region);
        policy.decide(&caller("alice", &[]), AUDIO.parse().unwrap(), resource, &at(now)).verdict()
    };
    let (last, after) = ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00.000000001Z");
    let allow = toml(&format!("{HEAD}{}", ends("allow")));
    assert_eq!((verdict(&allow, last), verdict(&allow, after)), (Verdict::Permit, Verdict::DeniedByDefault));
    let deny = toml(&format!("{HEAD}{}[users]\nalice = \"*\"\n", ends("deny")));
    assert_eq!((verdict(&deny, last), verdict(&deny, after)), (Verdict::DeniedByStatement, Verdict::Permit));
}

#[test]
fn json_says_the_same_as_toml() {
    let policy = json(
        r#"{"version": "2.0",
            "groups": {"team": ["alice"]},
            "users": {"bob": "ci:*", "li\u002elei": ["*"]},
            "statement": [{"id": "s", "effect": "allow", "principal": "group:team",
                           "action": ["name/ci:CreateAsrBucket"], "resource": "*",
                           "not_after": "2027-01-31T00:00:00Z"}]}"#,
    );
    assert_eq!(policy.statements(), 3);
    for (name, statement) in [("alice", "s"), ("bob", "users.bob"), ("li.lei", "users.li.lei")] {
        let decision = decide(&policy, &caller(name, &[]), AUDIO, "test-1");
        assert_eq!((decision.verdict(), decision.statement()), (Verdict::Permit, Some(statement)));
    }
    let single = r#"{"version":"2.0","statement":{"effect":"allow","principal":"*","action":"*","resource":"*"}}"#;
    assert_eq!(alice(&json(single)), Verdict::Permit);
}

#[test]
fn the_verdict_is_one_of_two_words() {
    let words = [Verdict::Permit, Verdict::DeniedByStatement, Verdict::DeniedByDefault].map(Verdict::as_str);
    assert_eq!(words, ["permit", "denied", "denied"]);
}

#[test]
fn the_digest_tells_texts_apart_and_debug_shows_no_content() {
    let (one, two) = (toml("[users]\nalice = \"*\""), toml("[users]\nalice = \"*\"\n"));
    assert_eq!(one.digest().len(), 16);
    assert_ne!(one.digest(), two.digest());
    assert_eq!(toml("").digest(), "e3b0c44298fc1c14");
    assert_eq!(format!("{one:?}"), format!("Policy({}, 1 statements)", one.digest()));
}

#[test]
fn a_policy_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Policy>();
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let text = "version = \"2.0\"\nuser = 1\nzzz = 2\n\n[[statement]]\neffect = \"allow\"\nprincipals = \"*\"\naction = \"*\"\nresource = \"*\"\n";
    assert_eq!(
        mistakes(text),
        [
            "2: unknown key `user` (hint: did you mean `users`?)",
            "3: unknown key `zzz` (hint: known here: `version`, `groups`, `users`, `statement`, `attachment`)",
            "5: the statement has no `principal` (hint: write `user:NAME`, `group:NAME`, or `*` for every caller)",
            "7: unknown key `principals` (hint: did you mean `principal`?)",
        ]
    );
}

#[test]
fn a_mistake_knows_its_column() {
    let found = Policy::parse("[users]\nalice = [\"ci:*\", \"ci:CreateAsrBuckt\"]\n", "p", Format::Toml).unwrap_err();
    assert!(found.to_string().starts_with("p:2:18: `ci:CreateAsrBuckt` is no known action"), "{found}");
    for (text, place) in [
        ("{\"version\": \"2.0\",\n  \"users\" {}}", "p:2:11: not JSON"),
        ("{\"usrs\":\n\n {}}", "p:1:2: unknown key `usrs`"),
        ("{\"users\": {\"a\": \"*\", \"a\": \"*\"}}", "p:1:22: the key `a` stands here a second time"),
    ] {
        let found = Policy::parse(text, "p", Format::Json).unwrap_err();
        assert!(found.to_string().starts_with(place), "{found}");
    }
    assert!(Policy::parse("\u{feff}{}", "p", Format::Json).is_ok());
    let found = Policy::parse("{\"users\":\n{\"é\": [\"ci:*\", 7]}}", "p", Format::Json).unwrap_err();
    assert!(found.to_string().starts_with("p:2:16: `é` is a number, not a string"), "{found}");
}

#[test]
fn an_unknown_action_is_refused_with_the_nearest_known_one() {
    for (action, parts) in [
        ("ci:CreateAsrBuckets", ["3: `ci:CreateAsrBuckets` is no known action", "did you mean `ci:CreateAsrBucket`?"]),
        ("name/ci:CreateAsrBuckt", ["3: `name/ci:CreateAsrBuckt` is no known", "did you mean `ci:CreateAsrBucket`?"]),
        ("ci:createasrbucket", ["3: `ci:createasrbucket` is no known action", "did you mean `ci:CreateAsrBucket`?"]),
        ("CreateAsrBucket", ["3: `CreateAsrBucket` is no known action", "did you mean `ci:CreateAsrBucket`?"]),
        ("ci:Descibe*", ["3: `ci:Descibe*` matches no action", "did you mean `ci:Describe"]),
        ("cos:*", ["3: `cos:*` matches no action that this gateway knows", "the gateway knows `ci:CreateAsrBucket`, "]),
        ("", ["3: `` is no known action", "the gateway knows `ci:CreateAsrBucket`, "]),
    ] {
        says(&mistakes(&with("action", &format!("[\"{action}\"]"))), &parts);
    }
    says(&mistakes("[users]\nalice = [\n  \"ci:*\",\n  \"ci:CreateAsrBuckt\",\n]\n"), &["4: `ci:CreateAsrBuckt` is"]);
}

#[test]
fn the_version_is_required_as_soon_as_there_is_a_statement() {
    let text = statement("allow", "\"*\"", "*", "*");
    says(&mistakes(&text), &["1: a policy with statements needs its `version`", "write `version = \"2.0\"`"]);
    says(&mistakes("\nversion = \"1.0\"\n"), &["2: unknown version `1.0`", "the language has one version"]);
    says(&mistakes("version = 2.0\n"), &["1: `version` is a number, not a string", "write `version = \"2.0\"`"]);
}

#[test]
fn effects_are_allow_and_deny() {
    says(&mistakes(&with("effect", "\"Allow\"")), &["3: unknown effect `Allow`", "did you mean `allow`?"]);
    says(&mistakes(&with("effect", "\"permit\"")), &["3: unknown effect `permit`", "known here: `allow`, `deny`"]);
    says(&mistakes(&with("effect", "true")), &["3: `effect` is true or false, not a string", "`allow` or `deny`"]);
}

#[test]
fn a_principal_that_nobody_can_be_is_refused() {
    for (principal, parts) in [
        ("\"alice\"", ["3: the principal `alice` is neither a user nor a group", "did you mean `user:alice`?"]),
        ("[\"role:admin\"]", ["3: unknown kind of principal `role:admin`", "write `user:NAME`, `group:NAME`, or `*`"]),
        ("\"user:\"", ["3: no caller can be called ``", "1 to 256 bytes"]),
        ("\"user:a\\nb\"", ["3: no caller can be called `a\\nb`", "invisible, control or direction character"]),
        ("\"user:svc-*\"", ["3: the name `svc-*` holds a `*`, which is no wildcard", "`*` alone as principal"]),
        ("[]", ["3: the list of `principal` is empty", "write `user:NAME`"]),
        ("[1]", ["3: `principal` is a number, not a string", "write `user:NAME`"]),
        ("{ user = \"alice\" }", ["3: `principal` is a table, not a string or a list of strings", "write `user:NAME`"]),
    ] {
        says(&mistakes(&with("principal", principal)), &parts);
    }
}

#[test]
fn names_that_stand_alone_carry_no_prefix() {
    for (line, name) in [
        ("[users]\n\"user:alice\" = \"*\"\n", "user:alice"),
        ("[users]\n\"group:a\" = \"*\"\n", "group:a"),
        ("[groups]\n\"group:a\" = [\"alice\"]\n", "group:a"),
        ("[groups]\na = [\"group:b\"]\n", "group:b"),
    ] {
        let what = format!("2: `{name}` has a prefix that only principals have");
        says(&mistakes(line), &[&what, "write the bare name: users in `[users]`", "in a `[[statement]]`"]);
    }
    says(&mistakes("[users]\n\"*\" = \"*\"\n"), &["2: the name `*` holds a `*`", "`*` alone as principal"]);
    says(&mistakes("[groups]\n\"a\\u0007\" = []\n"), &["2: no caller can be called `a\\u{7}`"]);
    for section in ["users", "groups"] {
        let text = format!("[{section}]\nalice.smith = [\"ci:*\"]\n");
        says(&mistakes(&text), &["2: `alice` is a table, not a list", "in quotes, as in `\"alice.smith\" = […]`"]);
    }
}

#[test]
fn a_resource_that_cannot_match_is_refused_with_the_reason() {
    for (resource, parts) in [
        ("bucket/test-1/*", ["3: `bucket/test-1/*` is no resource", "write `*`, or six parts"]),
        ("qcs::cos:::bucket/*", ["can never match: its service is `cos`", "write `ci`"]),
        ("qcs:7:ci:::bucket/*", ["names the project `7`", "leave the second part empty"]),
        ("qcs::ci::uin/100:bucket/*", ["the account `uin/100` of the resource", "write `uid/<APPID>`"]),
        ("qcs::ci::100:bucket/*", ["can never match: no account is called `100`", "write `uid/<APPID>`"]),
        ("qcs::ci:AP::bucket/*", ["can never match: no region is called `AP`", "leave it empty for all"]),
        ("qcs::ci:::test-1/*", ["can never match: `test-1/*` is not below `bucket/`", "write `bucket/NAME-APPID/*`"]),
        ("qcs::ci:::bucket/test/*", ["can never match: `test` is no bucket's full name", "APPID"]),
        ("qcs::ci:::bucket/a-1/job/*", ["`bucket/a-1/job/*` is a part of a bucket", "write `bucket/NAME-APPID/*`"]),
        ("qcs::ci:::bucket/A*", ["no bucket's name fits `bucket/A*`", "`bucket/*` for all"]),
        ("qcs::ci::uid/2:bucket/a-1/*", ["`a-1` does not belong to `uid/2`", "write `uid/1`"]),
    ] {
        says(&mistakes(&with("resource", &format!("\"{resource}\""))), &parts);
    }
    says(&mistakes(&with("resource", "[]")), &["3: the list of `resource` is empty"]);
}

#[test]
fn a_broken_resource_is_reported_wherever_it_stands() {
    let broken = statement("deny", "\"*\"", "*", "qcs::cos:::*");
    let found = mistakes(&format!("{HEAD}{broken}{broken}"));
    assert_eq!(found.iter().map(|mistake| mistake.split(':').next().unwrap()).collect::<Vec<_>>(), ["6", "11"]);
}

#[test]
fn not_after_is_one_moment_for_everyone() {
    for time in ["2027-01-31T00:00:00", "2027-01-31", "00:00:00", "\"2027-01-31T00:00:00\"", "\"soon\"", "\"\""] {
        says(
            &mistakes(&with("not_after", time)),
            &["3: `not_after` is not one moment", "as in `2027-01-31T00:00:00Z`"],
        );
    }
    says(&mistakes(&with("not_after", "1801353600")), &["3: `not_after` is a number, not a date and time"]);
    toml(&with("not_after", "\"2027-01-31T00:00:00+08:00\""));
    for never in ["9999-12-31T23:59:59Z", "\"9999-12-31T00:00:00+08:00\""] {
        assert_eq!(alice(&toml(&with("not_after", never))), Verdict::Permit);
    }
}

#[test]
fn ids_are_unique_and_are_not_of_the_kind_that_the_gateway_makes() {
    let one = statement("allow", "\"*\"", "*", "*") + "id = \"twice\"\n";
    says(
        &mistakes(&format!("{HEAD}{one}{one}")),
        &["13: the id `twice` is used a second time", "the first is on line 7; ids are unique"],
    );
    says(&mistakes(&with("id", "\"statement 12\"")), &["3: the id `statement 12` is of the kind", "choose an id"]);
    says(&mistakes(&with("id", "\"users.alice\"")), &["3: the id `users.alice` is of the kind", "choose an id"]);
    says(&mistakes(&with("id", "\"\"")), &["3: the id `` cannot be shown", "1 to 256 bytes"]);
    says(&mistakes(&with("id", "\"a\\u001b\"")), &["3: the id `a\\u{1b}` cannot be shown"]);
    says(&mistakes(&with("id", "\"a\\u202eb\"")), &["3: the id `a\\u{202e}b` cannot be shown"]);
    says(&mistakes(&with("id", "7")), &["3: `id` is a number, not a string"]);
    toml(&with("id", "\"statement of intent\""));
}

#[test]
fn everything_that_a_statement_lacks_is_named_at_its_head() {
    let found = mistakes("version = \"2.0\"\n\n[[statement]]\nid = \"x\"\n");
    let keys = ["effect", "principal", "action", "resource"];
    assert_eq!(found.len(), 4, "{found:#?}");
    for (mistake, key) in found.iter().zip(keys) {
        assert!(mistake.starts_with(&format!("3: the statement has no `{key}` (hint: write ")), "{mistake}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_says_what_it_is_and_what_it_should_be() {
    says(&mistakes("users = 1\n"), &["1: `users` is a number, not a table"]);
    says(&mistakes("version = \"2.0\"\nstatement = \"x\"\n")[..1], &["2: `statement` is a string, not a table"]);
    says(&mistakes("[users]\nalice = true\n"), &["2: `alice` is true or false, not a string or a list of strings"]);
    says(&json_mistakes("{\"users\":\n{\"alice\": null}}"), &["2: `alice` is null, not a string or a list of strings"]);
    says(&json_mistakes("[]"), &["1: `policy` is a list, not a table"]);
}

#[test]
fn a_file_that_is_not_well_formed_is_located_too() {
    says(&mistakes("[users]\nalice = [\n"), &[": not TOML: "]);
    says(&mistakes("[users]\nalice = \"*\"\nalice = \"*\"\n"), &["3: not TOML: duplicate key"]);
    says(&json_mistakes("{\n\"users\": {\n\"alice\": \"*\",\n}}"), &["4: not JSON: key must be a string"]);
    says(&json_mistakes("{\n\"users\": {\n\"alice\": \"\\ud800\"\n}}"), &["3: not JSON: "]);
    says(&json_mistakes(""), &["1: not JSON: "]);
}

#[test]
fn a_key_that_stands_twice_is_refused_in_json_as_in_toml() {
    let text = "{\"users\": {\n\"alice\": \"ci:*\",\n\"al\\u0069ce\": \"ci:*\"}}";
    says(&json_mistakes(text), &["3: the key `alice` stands here a second time", "keep one of the two"]);
}

#[test]
fn json_that_nests_without_end_is_refused() {
    says(&json_mistakes(&("[".repeat(100_000) + &"]".repeat(100_000))), &["1: nested too deep"]);
}
