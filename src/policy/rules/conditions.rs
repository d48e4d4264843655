//! Tests: conditions. The table `tests/vectors/policy.json` has a case for each operator; here are the edges.

use std::net::IpAddr;

use super::*;
use crate::domain::{Claim, Claims};

/// What alice's token says besides her name.
fn claims() -> Claims {
    let text = |text: &str| Claim::Text(text.into());
    [
        ("department", text("speech")),
        ("level", Claim::Number(5.0)),
        ("mfa", Claim::Bool(true)),
        ("teams", Claim::List([text("a"), text("b")].into())),
        ("none", Claim::List([].into())),
        ("nested", Claim::Other),
        ("mixed", Claim::List([text("7"), Claim::Other].into())),
    ]
    .map(|(name, claim)| (name.into(), claim))
    .into()
}

/// Whether an allow and a deny with this condition take part in a request of alice's.
fn takes_part(condition: &str) -> (bool, bool) {
    let allow = toml(&with("condition", condition));
    let deny = toml(&(with("condition", condition).replace("allow", "deny") + "[users]\nalice = \"*\"\n"));
    let caller = caller("alice", &[]).with_claims(claims());
    let context = Context { ip: Some(IpAddr::from([10, 1, 2, 3])), ..at("2026-11-22T12:00:00Z") };
    let (bucket, region): (Bucket, Region) = ("test-1".parse().unwrap(), "ap-chongqing".parse().unwrap());
    let resource = || Resource::bucket(&bucket, &region);
    let verdict = |policy: &Policy| policy.decide(&caller, AUDIO.parse().unwrap(), resource(), &context).verdict();
    (verdict(&allow) == Verdict::Permit, verdict(&deny) == Verdict::DeniedByStatement)
}

const MET: (bool, bool) = (true, true);
const NOT_MET: (bool, bool) = (false, false);
/// An allow grants nothing and a deny denies.
const UNCLEAR: (bool, bool) = (false, true);

#[test]
fn what_the_request_does_not_have_is_not_guessed() {
    for (condition, expected) in [
        ("{ string_equal = { \"token:absent\" = \"x\" } }", NOT_MET),
        ("{ string_not_equal = { \"token:absent\" = \"x\" } }", UNCLEAR),
        ("{ string_equal_if_exist = { \"token:absent\" = \"x\" } }", MET),
        ("{ string_not_equal_if_exist = { \"token:absent\" = \"x\" } }", MET),
        ("{ string_equal_if_exist = { \"token:department\" = \"x\" } }", NOT_MET),
        ("{ string_equal = { \"token:none\" = \"x\" } }", NOT_MET),
        ("{ null_equal = { \"token:absent\" = true } }", MET),
        ("{ null_equal = { \"token:none\" = \"true\" } }", MET),
        ("{ null_equal = { \"token:department\" = \"true\" } }", NOT_MET),
        ("{ null_equal = { \"token:nested\" = false } }", MET),
        ("{ string_equal = { \"token:nested\" = \"x\" } }", UNCLEAR),
        ("{ numeric_equal = { \"token:department\" = 5 } }", UNCLEAR),
        ("{ date_less_than = { \"token:department\" = 2027-01-01T00:00:00Z } }", UNCLEAR),
        ("{ bool_equal = { \"token:level\" = true } }", UNCLEAR),
        ("{ ip_equal = { \"token:department\" = \"10.0.0.0/8\" } }", UNCLEAR),
        // What does not hold settles it, whatever is unclear beside it.
        ("{ string_equal = { \"token:nested\" = \"x\", \"token:department\" = \"y\" } }", NOT_MET),
    ] {
        assert_eq!(takes_part(condition), expected, "{condition}");
    }
}

#[test]
fn several_values_are_or_for_equal_and_and_for_not_equal() {
    for (condition, expected) in [
        ("{ string_equal = { \"token:department\" = [\"x\", \"speech\"] } }", MET),
        ("{ string_not_equal = { \"token:department\" = [\"x\", \"speech\"] } }", NOT_MET),
        ("{ string_not_equal = { \"token:department\" = [\"x\", \"y\"] } }", MET),
        ("{ string_equal = { \"token:teams\" = \"b\" } }", MET),
        ("{ string_not_equal = { \"token:teams\" = \"b\" } }", NOT_MET),
        ("{ \"for_all_value:string_equal\" = { \"token:teams\" = [\"a\", \"c\"] } }", NOT_MET),
        ("{ \"for_all_value:string_equal\" = { \"token:teams\" = [\"a\", \"b\", \"c\"] } }", MET),
        ("{ \"for_any_value:string_not_equal\" = { \"token:teams\" = \"b\" } }", MET),
        ("{ \"for_all_value:string_not_equal\" = { \"token:teams\" = \"b\" } }", NOT_MET),
        ("{ \"for_all_value:string_equal\" = { \"token:absent\" = \"b\" } }", NOT_MET),
        ("{ \"for_all_value:string_equal_if_exist\" = { \"token:absent\" = \"b\" } }", MET),
        ("{ numeric_less_than = { \"token:mixed\" = 8 } }", MET),
        ("{ numeric_less_than = { \"token:mixed\" = 7 } }", UNCLEAR),
        ("{ string_equal = { \"token:department\" = \"speech\", \"token:level\" = \"5\" } }", MET),
        ("{ string_equal = { \"token:department\" = \"speech\", \"token:level\" = \"6\" } }", NOT_MET),
        ("{ bool_equal = { \"token:mfa\" = true }, ip_equal = { \"qcs:ip\" = \"10.0.0.0/8\" } }", MET),
        ("{ bool_equal = { \"token:mfa\" = true }, ip_equal = { \"qcs:ip\" = \"192.0.2.1\" } }", NOT_MET),
    ] {
        assert_eq!(takes_part(condition), expected, "{condition}");
    }
}

#[test]
fn addresses_times_and_patterns_are_compared_as_what_they_are() {
    for (condition, expected) in [
        ("{ ip_equal = { \"qcs:ip\" = \"10.1.9.9/16\" } }", MET),
        ("{ ip_equal = { \"qcs:ip\" = \"::ffff:10.1.0.0/112\" } }", MET),
        ("{ ip_equal = { \"qcs:ip\" = \"::/0\" } }", NOT_MET),
        ("{ ip_not_equal = { \"qcs:ip\" = [\"10.1.2.4\", \"::1\"] } }", MET),
        ("{ date_greater_than = { \"qcs:current_time\" = \"2026-11-22T19:59:59+08:00\" } }", MET),
        ("{ date_greater_than = { \"qcs:current_time\" = 2026-11-22T12:00:00Z } }", NOT_MET),
        ("{ date_less_than_equal = { \"qcs:current_time\" = \"2026-11-22T12:00:00Z\" } }", MET),
        ("{ string_like = { \"token:department\" = \"sp*ch\" } }", MET),
        ("{ string_equal_ignore_case = { \"token:department\" = \"SPEECH\" } }", MET),
        ("{ string_equal = { \"token:department\" = \"SPEECH\" } }", NOT_MET),
    ] {
        assert_eq!(takes_part(condition), expected, "{condition}");
    }
}

#[test]
fn without_an_address_no_allow_by_address_permits() {
    let policy = toml(&with("condition", "{ ip_equal = { \"qcs:ip\" = \"0.0.0.0/0\" } }"));
    assert_eq!(alice(&policy), Verdict::DeniedByDefault);
}

#[test]
fn without_an_address_every_deny_by_address_denies_and_no_allow_permits() {
    for condition in [
        "{ ip_equal = { \"qcs:ip\" = \"192.0.2.0/24\" } }",
        "{ ip_equal_if_exist = { \"qcs:ip\" = \"192.0.2.0/24\" } }",
        "{ ip_not_equal = { \"qcs:ip\" = \"192.0.2.0/24\" } }",
        "{ null_equal = { \"qcs:ip\" = true } }",
    ] {
        let allow = with("condition", condition);
        assert_eq!(alice(&toml(&allow)), Verdict::DeniedByDefault, "{condition}");
        let deny = allow.replace("allow", "deny") + "[users]\nalice = \"*\"\n";
        assert_eq!(alice(&toml(&deny)), Verdict::DeniedByStatement, "{condition}");
    }
}

#[test]
fn numbers_that_cannot_be_told_apart_are_not_compared() {
    let long = "{ numeric_equal = { \"token:n\" = 9007199254740992 } }";
    says(&mistakes(&with("condition", long)), &["`9007199254740992` cannot be compared", "longer ids are texts"]);
    toml(&with("condition", "{ numeric_equal = { \"token:n\" = 9007199254740991 } }"));
}

#[test]
fn an_operator_or_key_that_cannot_be_evaluated_is_refused_where_it_stands() {
    for (condition, parts) in [
        (
            "{ string_equals = { \"token:a\" = \"b\" } }",
            ["unknown condition operator `string_equals`", "did you mean `string_equal`?"],
        ),
        (
            "{ \"for_any_value:ip_equals_if_exist\" = { \"token:a\" = \"b\" } }",
            [
                "unknown condition operator `for_any_value:ip_equals_if_exist`",
                "did you mean `for_any_value:ip_equal_if_exist`?",
            ],
        ),
        (
            "{ string_like_if_exists = { \"token:a\" = \"b\" } }",
            ["`string_like_if_exists`", "did you mean `string_like_if_exist`?"],
        ),
        (
            "{ forAnyValue = { \"token:a\" = \"b\" } }",
            ["unknown condition operator `forAnyValue`", "before them `for_all_value:`"],
        ),
        ("{ ip_equal = {} }", ["`ip_equal` compares nothing", "write a key"]),
        (
            "{ null_equal_if_exist = { \"token:a\" = \"b\" } }",
            ["`null_equal_if_exist` makes no sense", "without a prefix or suffix"],
        ),
        ("{ binary_equal = { \"token:a\" = \"b\" } }", ["`binary_equal` is not evaluated here", "`string_equal`"]),
        ("{ ip_equal = { \"qcs:ipp\" = \"::1\" } }", ["unknown condition key `qcs:ipp`", "did you mean `qcs:ip`?"]),
        ("{ ip_equal = { \"token:\" = \"::1\" } }", ["`token:` names no claim", "as in `token:department`"]),
        (
            "{ string_equal = { \"qcs:ip\" = \"::1\" } }",
            ["`qcs:ip` cannot be compared by `string_equal`", "use `ip_equal`"],
        ),
        (
            "{ ip_equal = { \"qcs:current_time\" = \"::1\" } }",
            ["cannot be compared by `ip_equal`", "use `date_less_than`"],
        ),
    ] {
        says(&mistakes(&with("condition", condition)), &[&["3: "], &parts[..]].concat());
    }
}

#[test]
fn a_value_that_cannot_be_compared_is_refused_where_it_stands() {
    for (condition, parts) in [
        ("{ ip_equal = { \"qcs:ip\" = \"10.0.0.0/33\" } }", ["`10.0.0.0/33` cannot be compared", "as in `10.0.0.0/8`"]),
        ("{ ip_equal = { \"qcs:ip\" = [] } }", ["the list of `qcs:ip` is empty", "write a value"]),
        ("{ ip_equal = { \"qcs:ip\" = [[1]] } }", ["`qcs:ip` is a list, not a value", "write a value"]),
        ("{ ip_equal = \"::1\" }", ["`ip_equal` is a string, not a table", "write keys and values"]),
        ("\"::1\"", ["`condition` is a string, not a table", "write keys and values"]),
        ("{ numeric_equal = { \"token:n\" = \"nan\" } }", ["`nan` cannot be compared", "write a number"]),
        (
            "{ date_equal = { \"token:d\" = 2027-01-01 } }",
            ["a time without its offset from UTC", "2027-01-31T00:00:00Z"],
        ),
        ("{ date_equal = { \"token:d\" = \"soon\" } }", ["`soon` cannot be compared", "with its offset from UTC"]),
        ("{ bool_equal = { \"token:b\" = \"yes\" } }", ["`yes` cannot be compared", "\"true\" or \"false\""]),
        ("{ null_equal = { \"token:b\" = [true, false] } }", ["cannot be compared by `null_equal`", "write one value"]),
        ("{ string_like = { \"token:b\" = \"a?\" } }", ["`a?` cannot be compared", "`?` is no wildcard"]),
        ("{ string_equal = { \"token:b\" = \"${app_id}\" } }", ["cannot be compared", "in resources only"]),
    ] {
        says(&mistakes(&with("condition", condition)), &[&["3: "], &parts[..]].concat());
    }
}

#[test]
fn a_condition_that_asks_nothing_is_remarked_upon() {
    let policy = toml(&with("condition", "{}"));
    let remarks: Vec<String> = policy.remarks().iter().map(ToString::to_string).collect();
    assert!(remarks.len() == 1 && remarks[0].starts_with("p.toml:3:13: `condition` asks nothing"), "{remarks:?}");
    assert_eq!(alice(&policy), Verdict::Permit);
}

#[test]
fn the_app_id_in_a_resource_is_the_buckets_own() {
    let policy = toml(&with("resource", "\"qcs::ci::uid/${app_id}:bucket/test-${app_id}/*\""));
    let ask = |bucket| decide(&policy, &caller("alice", &[]), AUDIO, bucket).verdict();
    assert_eq!((ask("test-1"), ask("test-12")), (Verdict::Permit, Verdict::Permit));
    assert_eq!((ask("test-2-1"), ask("atest-1")), (Verdict::DeniedByDefault, Verdict::DeniedByDefault));
    for resource in ["qcs::ci::uin/${uin}:*", "qcs::ci:::bucket/${owner_uin}-1/*"] {
        says(&mistakes(&with("resource", &format!("\"{resource}\""))), &["3: the variable `${", "is not known here"]);
    }
}

#[test]
fn a_claims_name_that_cannot_be_shown_is_refused() {
    let found = mistakes(&with("condition", r#"{ string_equal = { "token:x\u001b[31m" = "r" } }"#));
    says(&found, &["3: ", r"`token:x\u{1b}[31m` cannot be shown", "printable characters"]);
}
