//! Tests: there is no difference exactly where every caller is decided alike, held against all questions of a small world.

use proptest::prelude::*;

use crate::domain::{Action, Bucket, Caller, Claim, Region};
use crate::policy::{Context, Format, Policy, Resource, Verdict};

const PRINCIPALS: [&str; 5] = ["*", "user:a", "user:b", "group:g", "group:h"];
const ACTIONS: [&str; 3] = ["*", "ci:CreateAsrBucket", "ci:*AsrBucket"];
const RESOURCES: [&str; 6] = [
    "*",
    "qcs::ci:ap-x::*",
    "qcs::ci:ap-*::bucket/a-*",
    "qcs::ci:::bucket/a-1/*",
    "qcs::ci::uid/1:*",
    "qcs::ci:::bucket/a-${app_id}",
];
/// Conditions that do not depend on each other, and an end.
const MORE: [&str; 5] = [
    "",
    "",
    "condition = { ip_equal = { 'qcs:ip' = '10.0.0.0/8' } }",
    "condition = { string_equal = { 'token:team' = 'red' } }",
    "not_after = 2027-01-01T00:00:00Z",
];

/// Every case that the above can tell apart.
const USERS: [&str; 3] = ["a", "b", "z"];
const GROUPS: [&[&str]; 4] = [&[], &["g"], &["h"], &["g", "h"]];
const ASKED: [&str; 3] = ["ci:CreateAsrBucket", "ci:DeleteAsrBucket", "ci:DescribeAsrBuckets"];
const REGIONS: [&str; 3] = ["ap-x", "ap-y", "eu-x"];
const BUCKETS: [&str; 6] = ["a-1", "a-2", "a-b-1", "a-b-2", "b-1", "b-2"];
const TIMES: [&str; 2] = ["2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z"];
const ADDRESSES: [&str; 2] = ["10.1.2.3", "192.0.2.1"];
const TEAMS: [&str; 2] = ["red", "blue"];

type Said = (bool, &'static str, &'static str, &'static str, &'static str);

fn said() -> impl Strategy<Value = Said> {
    let sample = |all: &'static [&'static str]| prop::sample::select(all);
    (prop::bool::weighted(0.7), sample(&PRINCIPALS), sample(&ACTIONS), sample(&RESOURCES), sample(&MORE))
}

fn policy(statements: &[Said]) -> Policy {
    let mut text = String::from("version = '2.0'\n[groups]\ng = ['b']\n");
    for (allows, principal, action, resource, more) in statements {
        let effect = if *allows { "allow" } else { "deny" };
        text += &format!(
            "[[statement]]\neffect = '{effect}'\nprincipal = '{principal}'\naction = '{action}'\nresource = '{resource}'\n{more}\n"
        );
    }
    Policy::parse(&text, "p", Format::Toml).unwrap()
}

/// The first question that is decided otherwise.
fn decided_otherwise(old: &Policy, new: &Policy) -> Option<String> {
    let callers = USERS.iter().flat_map(|user| GROUPS.iter().map(move |groups| (user, groups)));
    let callers = callers.flat_map(|(user, groups)| TEAMS.iter().map(move |team| (user, groups, team)));
    let places = REGIONS.iter().flat_map(|region| BUCKETS.iter().map(move |bucket| (region, bucket)));
    for (user, groups, team) in callers {
        let claims = [("team".into(), Claim::Text((*team).into()))].into();
        let caller = Caller::new(user, groups.iter().copied(), "i").unwrap().with_claims(claims);
        for (region, bucket) in places.clone() {
            let place: (Bucket, Region) = (bucket.parse().unwrap(), region.parse().unwrap());
            for (now, ip) in TIMES.iter().flat_map(|now| ADDRESSES.iter().map(move |ip| (now, ip))) {
                let context = Context { now: now.parse().unwrap(), ip: Some(ip.parse().unwrap()) };
                for action in ASKED {
                    let permits = |policy: &Policy| {
                        let action: Action = action.parse().unwrap();
                        let resource = Resource::bucket(&place.0, &place.1);
                        policy.decide(&caller, action, resource, &context).verdict() == Verdict::Permit
                    };
                    if permits(old) != permits(new) {
                        return Some(format!("{user} {groups:?} {team} {action} {bucket} {region} {now} {ip}"));
                    }
                }
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn there_is_no_difference_exactly_if_every_question_is_decided_alike(
        old in prop::collection::vec(said(), 0..6),
        added in prop::collection::vec(said(), 0..2),
        dropped in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut statements = old.clone();
        if let Some(dropped) = dropped.filter(|_| !statements.is_empty()) {
            statements.remove(dropped.index(old.len()));
        }
        statements.extend(added);
        statements.reverse();
        let (old, new) = (policy(&old), policy(&statements));
        let diff = old.diff(&new, &mut |_, _| {});
        let otherwise = decided_otherwise(&old, &new);
        prop_assert!(diff.complete);
        prop_assert_eq!(diff.rows.is_empty(), otherwise.is_none(), "{:#?} {:?}", diff.rows, otherwise);
    }
}
