//! Tests: what holds for every policy, and the policy against a second evaluation written from the definition.

use proptest::prelude::*;

use super::*;
use crate::domain::{Bucket, Claim, Region};

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const GROUPS: [&str; 2] = ["red", "blue"];
const BUCKETS: [&str; 3] = ["a-1", "b-1", "a-2"];
const ACTIONS: [&str; 5] = ["*", "ci:Create*", "ci:CreateAsrBucket", "name/ci:DeleteAsrBucket", "ci:*Asr*"];
const TIMES: [&str; 3] = ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"];

#[derive(Clone, Debug)]
struct Said {
    effect: &'static str,
    principals: Vec<String>,
    action: &'static str,
    /// `None` is `*`.
    bucket: Option<&'static str>,
    not_after: Option<&'static str>,
    condition: Option<Asks>,
}

/// Conditions, each with a second definition below.
#[derive(Clone, Copy, Debug)]
enum Asks {
    FromTen,
    NotFromTen,
    TeamRed,
    TeamNotRed,
    TeamRedIfAny,
}

impl Asks {
    const ALL: [Self; 5] = [Self::FromTen, Self::NotFromTen, Self::TeamRed, Self::TeamNotRed, Self::TeamRedIfAny];

    fn text(self) -> &'static str {
        match self {
            Self::FromTen => "{ ip_equal = { 'qcs:ip' = '10.0.0.0/8' } }",
            Self::NotFromTen => "{ ip_not_equal = { 'qcs:ip' = '10.0.0.0/8' } }",
            Self::TeamRed => "{ string_equal = { 'token:team' = 'red' } }",
            Self::TeamNotRed => "{ string_not_equal = { 'token:team' = 'red' } }",
            Self::TeamRedIfAny => "{ string_equal_if_exist = { 'token:team' = 'red' } }",
        }
    }

    /// Whether a statement takes part; `allows` settles what cannot be known.
    fn defined(self, asked: &Asked, allows: bool) -> bool {
        let from_ten = asked.ip.map(|ip| ip.starts_with("10."));
        let red = asked.team.map(|team| team == "red");
        match self {
            Self::FromTen => from_ten.unwrap_or(!allows),
            Self::NotFromTen => from_ten.map_or(!allows, |is| !is),
            Self::TeamRed => red == Some(true),
            Self::TeamNotRed => red.map_or(!allows, |is| !is),
            Self::TeamRedIfAny => red != Some(false),
        }
    }
}

#[derive(Clone, Debug)]
struct Asked {
    user: &'static str,
    groups: Vec<&'static str>,
    action: Action,
    bucket: &'static str,
    now: &'static str,
    ip: Option<&'static str>,
    team: Option<&'static str>,
}

fn said() -> impl Strategy<Value = Said> {
    let principal = prop_oneof![
        1 => Just("*".to_owned()),
        3 => prop::sample::select(&USERS).prop_map(|name| format!("user:{name}")),
        3 => prop::sample::select(&GROUPS).prop_map(|name| format!("group:{name}")),
    ];
    let effect = prop_oneof![3 => Just("allow"), 1 => Just("deny")];
    let bucket = prop::option::of(prop::sample::select(&BUCKETS));
    let not_after = prop::option::weighted(0.2, prop::sample::select(&TIMES));
    let condition = prop::option::weighted(0.4, prop::sample::select(&Asks::ALL));
    let principals = prop::collection::vec(principal, 1..3);
    (effect, principals, prop::sample::select(&ACTIONS), bucket, not_after, condition).prop_map(
        |(effect, principals, action, bucket, not_after, condition)| Said {
            effect,
            principals,
            action,
            bucket,
            not_after,
            condition,
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let groups = prop::sample::subsequence(GROUPS.to_vec(), 0..=2);
    let action = prop::sample::select(Action::all().collect::<Vec<_>>());
    let ip = prop::option::weighted(0.8, prop::sample::select(&["10.1.2.3", "192.0.2.1"]));
    let team = prop::option::weighted(0.7, prop::sample::select(&["red", "blue"]));
    let (user, bucket) = (prop::sample::select(&USERS), prop::sample::select(&BUCKETS));
    (user, groups, action, bucket, prop::sample::select(&TIMES), ip, team)
        .prop_map(|(user, groups, action, bucket, now, ip, team)| Asked { user, groups, action, bucket, now, ip, team })
}

/// alice is blue by the policy, whatever her token says.
fn policy(statements: &[Said]) -> Policy {
    let mut text = String::from("version = '2.0'\n[groups]\nblue = ['alice']\n");
    for Said { effect, principals, action, bucket, not_after, condition } in statements {
        let resource = bucket.map_or("*".to_owned(), |bucket| format!("qcs::ci:::bucket/{bucket}/*"));
        text += &format!(
            "[[statement]]\neffect = '{effect}'\nprincipal = {principals:?}\naction = '{action}'\nresource = '{resource}'\n"
        );
        text += &not_after.map_or(String::new(), |time| format!("not_after = {time}\n"));
        text += &condition.map_or(String::new(), |asks| format!("condition = {}\n", asks.text()));
    }
    Policy::parse(&text, "p", Format::Toml).unwrap()
}

fn verdict(policy: &Policy, asked: &Asked) -> Verdict {
    ask(asked, |caller, resource, context| policy.decide(caller, asked.action, resource, context).verdict())
}

fn ask<T>(asked: &Asked, answer: impl FnOnce(&Caller, Resource<'_>, &Context) -> T) -> T {
    let (bucket, region): (Bucket, Region) = (asked.bucket.parse().unwrap(), "ap-chongqing".parse().unwrap());
    let claims = asked.team.map(|team| ("team".into(), Claim::Text(team.into()))).into_iter().collect();
    let caller = Caller::new(asked.user, asked.groups.iter().copied(), "i").unwrap().with_claims(claims);
    let context = Context { now: asked.now.parse().unwrap(), ip: asked.ip.map(|ip| ip.parse().unwrap()) };
    answer(&caller, Resource::bucket(&bucket, &region), &context)
}

/// The definition, statement by statement, without index, bit set or pattern.
fn defined(statements: &[Said], asked: &Asked) -> Verdict {
    let matches = |said: &&Said| {
        let who = said.principals.iter().any(|principal| match principal.split_once(':') {
            Some(("user", name)) => name == asked.user,
            Some((_, name)) => asked.groups.contains(&name) || (name == "blue" && asked.user == "alice"),
            None => true,
        });
        let name = asked.action.as_str();
        let what = match said.action {
            "ci:Create*" => name.starts_with("ci:Create"),
            "ci:*Asr*" => name.contains("Asr"),
            "*" => true,
            exact => exact.ends_with(name),
        };
        // These texts sort as the moments do.
        let when = said.condition.is_none_or(|asks| asks.defined(asked, said.effect == "allow"));
        let there = said.bucket.is_none_or(|b| b == asked.bucket) && said.not_after.is_none_or(|t| asked.now <= t);
        who && what && when && there
    };
    let matching: Vec<_> = statements.iter().filter(matches).collect();
    match (matching.iter().any(|said| said.effect == "deny"), matching.is_empty()) {
        (true, _) => Verdict::DeniedByStatement,
        (false, false) => Verdict::Permit,
        (false, true) => Verdict::DeniedByDefault,
    }
}

proptest! {
    #[test]
    fn the_policy_decides_as_the_definition_does(
        statements in prop::collection::vec(said(), 0..8), questions in prop::collection::vec(asked(), 8)
    ) {
        let policy = policy(&statements);
        for asked in questions {
            prop_assert_eq!(verdict(&policy, &asked), defined(&statements, &asked), "{:?}", asked);
        }
    }

    #[test]
    fn what_is_explained_is_what_is_enforced(
        statements in prop::collection::vec(said(), 0..8), asked in asked()
    ) {
        let policy = policy(&statements);
        let (enforced, explanation) = ask(&asked, |caller, resource, context| {
            let explanation = policy.explain(caller, asked.action, &resource, context);
            (policy.decide(caller, asked.action, resource, context), explanation)
        });
        prop_assert_eq!(explanation.decision(), &enforced);
        // And the parts that it shows add up to it.
        let taking_part = |effect| explanation.parts().iter().any(|part| part.effect == effect && part.takes_part);
        let added_up = match (taking_part(Effect::Deny), taking_part(Effect::Allow)) {
            (true, _) => Verdict::DeniedByStatement,
            (false, true) => Verdict::Permit,
            (false, false) => Verdict::DeniedByDefault,
        };
        prop_assert_eq!(added_up, enforced.verdict());
        let deciding: Vec<_> = explanation.parts().iter().filter(|part| part.decides).collect();
        prop_assert_eq!(deciding.first().map(|part| &*part.statement), enforced.statement());
    }

    #[test]
    fn a_matching_deny_wins_over_any_number_of_allows(
        mut statements in prop::collection::vec(said(), 0..8), asked in asked(), place in any::<prop::sample::Index>()
    ) {
        let deny = Said {
            effect: "deny",
            principals: vec![format!("user:{}", asked.user)],
            action: "*",
            bucket: Some(asked.bucket),
            not_after: None,
            condition: None,
        };
        statements.insert(place.index(statements.len() + 1), deny);
        prop_assert_eq!(verdict(&policy(&statements), &asked), Verdict::DeniedByStatement);
    }

    #[test]
    fn the_order_of_statements_means_nothing(
        (statements, shuffled) in prop::collection::vec(said(), 0..8)
            .prop_flat_map(|statements| (Just(statements.clone()), Just(statements).prop_shuffle())),
        asked in asked()
    ) {
        prop_assert_eq!(verdict(&policy(&statements), &asked), verdict(&policy(&shuffled), &asked));
    }

    #[test]
    fn one_more_allow_takes_no_permit_and_one_more_deny_gives_none(
        mut statements in prop::collection::vec(said(), 0..8), more in said(), asked in asked()
    ) {
        let before = verdict(&policy(&statements), &asked) == Verdict::Permit;
        let allows = more.effect == "allow";
        statements.push(more);
        let after = verdict(&policy(&statements), &asked) == Verdict::Permit;
        let never_the_other_way = if allows { after >= before } else { after <= before };
        prop_assert!(never_the_other_way);
    }

    #[test]
    fn any_text_is_read_or_refused_with_lines_that_exist(text in "\\PC{0,60}|[\\[\\]{}\"=,.:#\n a-e0-9\\\\-]{0,80}") {
        for format in [Format::Toml, Format::Json] {
            check_lines(&text, format)?;
        }
    }

    #[test]
    fn any_mixture_of_policy_words_is_read_or_refused_with_lines_that_exist(
        words in prop::collection::vec(prop::sample::select(&WORDS), 0..24)
    ) {
        for format in [Format::Toml, Format::Json] {
            check_lines(&words.concat(), format)?;
        }
    }
}

const WORDS: [&str; 38] = [
    "version",
    "users",
    "groups",
    "statement",
    "attachment",
    "condition",
    "id",
    "effect",
    "principal",
    "action",
    "resource",
    "not_after",
    " = ",
    ": ",
    "\"",
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    "\n",
    "\n",
    "\n",
    "\"2.0\"",
    "\"allow\"",
    "\"deny\"",
    "\"*\"",
    "\"user:alice\"",
    "\"ci:*\"",
    "\"qcs::ci:::bucket/*\"",
    "\"ü\\n\"",
    "1",
    "true",
    "2027-01-31T00:00:00Z",
    "null",
];

fn check_lines(text: &str, format: Format) -> Result<(), TestCaseError> {
    let lines = text.split('\n').count();
    if let Err(mistakes) = Policy::parse(text, "p", format) {
        for mistake in mistakes.iter() {
            prop_assert!(mistake.line().is_some_and(|line| (1..=lines).contains(&line)), "{mistake} of {lines}");
        }
    }
    Ok(())
}
