//! Tests: `tests/vectors/policy.json`, which says itself how it is read, case by case.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::domain::{Bucket, Claim, Claims, Mistake, Region};

const TABLE: &str = include_str!("../../tests/vectors/policy.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    about: Vec<String>,
    defaults: Defaults,
    groups: Vec<Group>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    caller: Asking,
    action: String,
    bucket: String,
    region: String,
    ip: Option<String>,
    at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    source: String,
    policy: Value,
    #[serde(default)]
    documents: BTreeMap<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    id: String,
    source: String,
    policy: Value,
    #[serde(default)]
    documents: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    caller: Option<Asking>,
    action: Option<String>,
    bucket: Option<String>,
    region: Option<String>,
    /// `Some(None)` is an address that is not known.
    #[serde(default, deserialize_with = "given")]
    ip: Option<Option<String>>,
    at: Option<String>,
    expect: String,
    statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    name: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<String, Value>,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn table() -> Table {
    serde_json::from_str(TABLE).unwrap()
}

fn read(policy: &Value, documents: &BTreeMap<String, Value>) -> Result<Policy, Mistakes> {
    let text = serde_json::to_string_pretty(policy).unwrap();
    Policy::parse_with(&text, "policy.json", Format::Json, &mut |name| {
        let document = documents.get(name).ok_or("it is not there")?;
        Ok(Document { place: name.to_owned(), text: document.to_string() })
    })
}

fn claim(value: &Value) -> Claim {
    match value {
        Value::String(text) => Claim::Text(text.as_str().into()),
        Value::Number(number) => Claim::Number(number.as_f64().unwrap()),
        Value::Bool(is) => Claim::Bool(*is),
        Value::Array(items) => Claim::List(items.iter().map(claim).collect()),
        Value::Object(_) | Value::Null => Claim::Other,
    }
}

fn caller(asking: &Asking) -> Caller {
    let claims: Claims = asking.claims.iter().map(|(name, value)| (name.as_str().into(), claim(value))).collect();
    Caller::new(&asking.name, asking.groups.iter().map(String::as_str), "table").unwrap().with_claims(claims)
}

/// What is wrong with the answer to a case; it is asked twice, once with the reasons.
fn wrong(policy: &Policy, case: &Case, defaults: &Defaults) -> Option<String> {
    let text = |own: &Option<String>, default: &String| own.clone().unwrap_or(default.clone());
    let caller = caller(case.caller.as_ref().unwrap_or(&defaults.caller));
    let action: Action = text(&case.action, &defaults.action).parse().unwrap();
    let bucket: Bucket = text(&case.bucket, &defaults.bucket).parse().unwrap();
    let region: Region = text(&case.region, &defaults.region).parse().unwrap();
    let ip = case.ip.as_ref().unwrap_or(&defaults.ip).as_ref().map(|ip| ip.parse().unwrap());
    let context = Context { now: text(&case.at, &defaults.at).parse().unwrap(), ip };
    let resource = Resource::bucket(&bucket, &region);
    let explained = policy.explain(&caller, action, &resource, &context);
    let decision = policy.decide(&caller, action, resource, &context);
    let told = |decision: &Decision| (decision.verdict().as_str().to_owned(), decision.statement().map(str::to_owned));
    let (decided, explained) = (told(&decision), told(explained.decision()));
    let expected = (case.expect.clone(), case.statement.clone());
    (decided != expected || explained != expected)
        .then(|| format!("{}: expected {expected:?}, decided {decided:?}, explained {explained:?}", case.id))
}

#[test]
fn every_case_of_the_table_is_decided_and_explained_as_it_says() {
    let Table { about, defaults, groups, .. } = table();
    assert!(!about.is_empty());
    let mut found = Vec::new();
    for Group { name, policy, documents, cases, .. } in &groups {
        let policy = read(policy, documents).unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
        found.extend(
            cases.iter().filter_map(|case| wrong(&policy, case, &defaults)).map(|why| format!("{name}: {why}")),
        );
    }
    assert!(found.is_empty(), "{} wrong\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_policy_that_the_table_refuses_is_refused_with_one_located_mistake_and_a_hint() {
    for Refused { id, policy, documents, .. } in table().refused {
        let mistakes = read(&policy, &documents).err().unwrap_or_else(|| panic!("accepted: {id}"));
        let told: Vec<_> = mistakes.iter().collect();
        let located = |mistake: &Mistake| mistake.line().zip(mistake.column()).is_some();
        assert!(matches!(told[..], [one] if located(one) && one.hint_text().is_some()), "{id}: {mistakes}");
    }
}

#[test]
fn the_table_is_as_large_as_it_is_said_to_be_and_names_each_case_once() {
    let Table { groups, refused, .. } = table();
    let ids: Vec<&str> = groups.iter().flat_map(|group| &group.cases).map(|case| &*case.id).collect();
    assert!(ids.len() >= 400 && refused.len() >= 40, "{} cases, {} refused", ids.len(), refused.len());
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    let sources = groups.iter().map(|group| &group.source).chain(refused.iter().map(|refused| &refused.source));
    for source in sources {
        assert!(source == "gateway" || source.starts_with("https://"), "{source}");
    }
}
