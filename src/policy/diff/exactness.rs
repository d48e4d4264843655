//! Tests: there is no difference exactly where every caller is decided alike, and each is told by a row, held against all
//! questions of a small world.

use proptest::prelude::*;

use super::{Difference, Resources, Row};
use crate::domain::{Action, Bucket, Caller, Claim, Region};
use crate::policy::resource::Pattern;
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
const ACTIONS_ASKED: [&str; 3] = ["ci:CreateAsrBucket", "ci:DeleteAsrBucket", "ci:DescribeAsrBuckets"];
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

/// What is asked: who, with which groups of its token, what, where and under which circumstances.
#[derive(Clone, Copy, Debug)]
struct Asked {
    user: &'static str,
    groups: &'static [&'static str],
    team: &'static str,
    action: &'static str,
    place: (&'static str, &'static str),
    now: &'static str,
    ip: &'static str,
}

impl Asked {
    /// Every question.
    fn all() -> impl Iterator<Item = Self> {
        let callers = USERS.iter().flat_map(|user| GROUPS.iter().map(move |groups| (*user, *groups)));
        let places = REGIONS.iter().flat_map(|region| BUCKETS.iter().map(move |bucket| (*region, *bucket)));
        let with = TIMES.iter().flat_map(|now| ADDRESSES.iter().map(move |ip| (*now, *ip)));
        let with = with.flat_map(|(now, ip)| TEAMS.iter().map(move |team| (now, ip, *team)));
        callers.flat_map(move |(user, groups)| {
            let with = with.clone();
            places.clone().flat_map(move |place| {
                with.clone().flat_map(move |(now, ip, team)| {
                    ACTIONS_ASKED.iter().map(move |action| Self { user, groups, team, action, place, now, ip })
                })
            })
        })
    }

    fn is_permitted(&self, policy: &Policy) -> bool {
        let claims = [("team".into(), Claim::Text(self.team.into()))].into();
        let caller = Caller::new(self.user, self.groups.iter().copied(), "i").unwrap().with_claims(claims);
        let context = Context { now: self.now.parse().unwrap(), ip: Some(self.ip.parse().unwrap()) };
        let (region, bucket): (Region, Bucket) = (self.place.0.parse().unwrap(), self.place.1.parse().unwrap());
        let action: Action = self.action.parse().unwrap();
        policy.decide(&caller, action, Resource::bucket(&bucket, &region), &context).verdict() == Verdict::Permit
    }

    fn is_decided_otherwise(&self, old: &Policy, new: &Policy) -> bool {
        self.is_permitted(old) != self.is_permitted(new)
    }

    /// The same, asked by someone who is no more than `principals`.
    fn by(self, principals: &[&str]) -> Self {
        let user = USERS.into_iter().find(|user| principals.contains(&format!("user:{user}").as_str()));
        let is_in = |group: &str| principals.contains(&format!("group:{group}").as_str());
        let groups = GROUPS.into_iter().find(|groups| ["g", "h"].iter().all(|one| groups.contains(one) == is_in(one)));
        Self { user: user.unwrap_or("z"), groups: groups.unwrap(), ..self }
    }

    fn is(&self, principal: &str) -> bool {
        principal == "*"
            || principal.strip_prefix("user:") == Some(self.user)
            || principal
                .strip_prefix("group:")
                .is_some_and(|group| self.groups.contains(&group) || (self.user, group) == ("b", "g"))
    }

    fn is_about(&self, row: &Row) -> bool {
        let (region, bucket): (Region, Bucket) = (self.place.0.parse().unwrap(), self.place.1.parse().unwrap());
        let fits = |pattern: &String| Pattern::parse(pattern).unwrap().matches(&Resource::bucket(&bucket, &region));
        let inside = |Resources { pattern, except, example }: &Resources| {
            // An example stands for places that no pattern describes.
            *example || (fits(pattern) && !except.iter().any(fits))
        };
        row.actions.iter().any(|action| action.as_str() == self.action) && row.resources.iter().any(inside)
    }

    /// Whether a row says so: by callers who are no more than this one, and are decided otherwise in the same way.
    fn is_told_by(&self, row: &Row, old: &Policy, new: &Policy) -> bool {
        let alone = String::from("*");
        let others = if row.together_with.is_empty() { vec![&alone] } else { row.together_with.iter().collect() };
        let both = row.principals.iter().flat_map(|one| others.iter().map(move |other| [one.as_str(), other.as_str()]));
        let right_way = |both: &[&str; 2]| {
            let those = self.by(both);
            both.iter().all(|one| self.is(one))
                && those.is_decided_otherwise(old, new)
                && those.is_permitted(new) == self.is_permitted(new)
        };
        let right_kind = match row.kind {
            Difference::Gains => self.is_permitted(new),
            Difference::Loses => self.is_permitted(old),
            Difference::Changes => true,
        };
        right_kind && self.is_about(row) && both.into_iter().any(|both| right_way(&both))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn there_is_no_difference_exactly_if_every_question_is_decided_alike_and_else_a_row_says_so(
        old in prop::collection::vec(said(), 0..6),
        added in prop::collection::vec(said(), 0..3),
        now in prop::sample::select(&TIMES),
        dropped in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut statements = old.clone();
        if let Some(dropped) = dropped.filter(|_| !statements.is_empty()) {
            statements.remove(dropped.index(old.len()));
        }
        statements.extend(added);
        statements.reverse();
        let (old, new) = (policy(&old), policy(&statements));
        let diff = old.diff(&new, now.parse().unwrap(), &mut |_, _| {});
        prop_assert!(diff.complete);
        let otherwise: Vec<Asked> = Asked::all().filter(|asked| asked.now >= now && asked.is_decided_otherwise(&old, &new)).collect();
        prop_assert_eq!(diff.rows.is_empty(), otherwise.is_empty(), "{:#?} {:?}", diff.rows, otherwise.first());
        for asked in otherwise {
            let told = diff.rows.iter().any(|row| asked.is_told_by(row, &old, &new));
            prop_assert!(told, "{:#?} {:?}", diff.rows, asked);
        }
    }
}
