//! A file of cases becomes [`Case`]s: every key checked, every mistake noted where it stands.

use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;

use super::{Case, Expected};
use crate::domain::{Action, Bucket, Caller, Claim, Claims, Mistakes, Region, is_printable};
use crate::policy::document::{self, Field, Node, Texts, Value};
use crate::policy::findings::{Findings, Flaw, quoted};
use crate::policy::statement::instant;
use crate::policy::{Context, Format, Verdict};

const SECTIONS: [&str; 4] = ["region", "ip", "at", "case"];
const KEYS: [&str; 11] =
    ["name", "caller", "groups", "claims", "action", "bucket", "region", "ip", "at", "expect", "statement"];

const NAME: &str = "write a sentence that is this case's alone: `name = \"bob may not switch off production\"`";
const CALLER: &str = "write the caller's name, as in `caller = \"alice\"`";
const GROUPS: &str = "write the groups of the caller's token, as in `groups = [\"speech-team\"]`";
const ACTION: &str = "write one action, as in `action = \"ci:CreateAsrBucket\"`";
const BUCKET: &str = "write the bucket's full name, as in `bucket = \"test-1234567890\"`";
const REGION: &str = "write the region here, or once at the top for all cases: `region = \"ap-chongqing\"`";
const IP: &str = "write an address, as in `ip = \"10.1.2.3\"`; without it the address is not known";
const AT: &str = "write a moment with its offset from UTC, as in `at = 2027-01-31T00:00:00Z`";
const EXPECT: &str = "write `expect = \"permit\"` or `expect = \"denied\"`";
const STATEMENT: &str = "write the name of the statement that decides, or leave it out";
/// Nobody vouches for the caller of a case.
const ISSUER: &str = "case";

pub(super) fn read(text: &str, place: &str, format: Format, now: Timestamp) -> Result<Vec<Case>, Mistakes> {
    let mut findings = Findings::new(text, place);
    let root = document::read(text, format, &mut findings);
    let mut reader =
        Reader { findings: &mut findings, names: HashMap::new(), usual: Usual { region: None, ip: None, at: now } };
    let cases = root.map(|root| reader.root(root)).unwrap_or_default();
    let (mistakes, _) = findings.into_parts();
    Mistakes::unless_any(mistakes, cases)
}

/// What holds for the cases that do not say otherwise.
struct Usual {
    region: Option<Region>,
    ip: Option<IpAddr>,
    at: Timestamp,
}

struct Reader<'f, 'p> {
    findings: &'f mut Findings<'p>,
    /// The names so far, and where they stand.
    names: HashMap<Box<str>, usize>,
    usual: Usual,
}

/// The keys of one table, each taken once.
struct Keys<'t> {
    at: usize,
    fields: Vec<Field<'t>>,
}

impl<'t> Keys<'t> {
    fn take(&mut self, key: &str) -> Option<Node<'t>> {
        let n = self.fields.iter().position(|field| field.key == key)?;
        Some(self.fields.swap_remove(n).node)
    }
}

impl Reader<'_, '_> {
    fn root(&mut self, root: Node<'_>) -> Vec<Case> {
        let mut keys = self.keys(root, "the file", &SECTIONS);
        self.usual.region = self.region(&mut keys);
        self.usual.ip = self.ip(&mut keys);
        self.usual.at = self.at(&mut keys).unwrap_or(self.usual.at);
        let cases = match keys.take("case").map(|node| node.value) {
            Some(Value::List(cases)) => cases,
            Some(value) => vec![Node { at: keys.at, value }],
            None => Vec::new(),
        };
        if cases.is_empty() {
            self.findings.add(keys.at, Flaw::new("the file has no case", "write each below a line `[[case]]`"));
        }
        cases.into_iter().filter_map(|case| self.case(case)).collect()
    }

    /// Every part is read before one that is missing ends it: all mistakes are told at once.
    fn case(&mut self, node: Node<'_>) -> Option<Case> {
        let (line, _) = self.findings.position(node.at);
        let mut keys = self.keys(node, "case", &KEYS);
        let name = self.name(&mut keys);
        let caller = self.caller(&mut keys);
        let action = self.action(&mut keys);
        let bucket = self.required(&mut keys, "bucket", BUCKET);
        let bucket = bucket.and_then(|(at, text)| self.parsed::<Bucket>(at, "bucket", &text, BUCKET));
        let region = self.region(&mut keys).or_else(|| self.usual.region.clone());
        if region.is_none() {
            self.findings.add(keys.at, Flaw::new("the case has no `region`", REGION));
        }
        let ip = self.ip(&mut keys).or(self.usual.ip);
        let now = self.at(&mut keys).unwrap_or(self.usual.at);
        let expected = self.expected(&mut keys);
        Some(Case {
            name: name?,
            line,
            caller: caller?,
            action: action?,
            bucket: bucket?,
            region: region?,
            context: Context { now, ip },
            expected: expected?,
        })
    }

    /// The keys of a table, those that are unknown noted and left out.
    fn keys<'t>(&mut self, node: Node<'t>, name: &str, known: &[&str]) -> Keys<'t> {
        let at = node.at;
        let mut fields = node.fields(name, self.findings);
        fields.retain(|field| {
            let is_known = known.contains(&&*field.key);
            if !is_known {
                self.findings.add(field.at, Flaw::unknown("key", &field.key, known));
            }
            is_known
        });
        Keys { at, fields }
    }

    fn required<'t>(&mut self, keys: &mut Keys<'t>, key: &str, hint: &str) -> Option<(usize, Cow<'t, str>)> {
        let node = keys.take(key);
        if node.is_none() {
            self.findings.add(keys.at, Flaw::new(format!("the case has no `{key}`"), hint));
        }
        node?.text(key, hint, self.findings)
    }

    fn parsed<T: std::str::FromStr>(&mut self, at: usize, kind: &str, text: &str, hint: &str) -> Option<T> {
        let flaw = |_| Flaw::new(format!("{} is no {kind}", quoted(text)), hint);
        self.findings.check(at, text.parse().map_err(flaw))
    }

    fn name(&mut self, keys: &mut Keys<'_>) -> Option<Box<str>> {
        let (at, name) = self.required(keys, "name", NAME)?;
        let name = self.shown(at, name)?;
        let first = self.names.insert(name.as_ref().into(), at);
        if let Some(first) = first {
            let (line, _) = self.findings.position(first);
            let what = format!("the name {} is used a second time", quoted(&name));
            self.findings.add(at, Flaw::new(what, format!("the first is on line {line}; names are unique")));
        }
        Some(name.into())
    }

    /// A text that ends up on terminals.
    fn shown<'t>(&mut self, at: usize, text: Cow<'t, str>) -> Option<Cow<'t, str>> {
        let flaw = || Flaw::new(format!("{} cannot be shown", quoted(&text)), "write it in printable characters");
        let shown = if text.is_empty() || !text.chars().all(is_printable) { Err(flaw()) } else { Ok(()) };
        self.findings.check(at, shown).map(|()| text)
    }

    fn caller(&mut self, keys: &mut Keys<'_>) -> Option<Caller> {
        let groups = keys.take("groups").map(|node| node.texts("groups", GROUPS, self.findings)).unwrap_or_default();
        let claims = keys.take("claims").map(|node| self.claims(node)).unwrap_or_default();
        let (at, name) = self.required(keys, "caller", CALLER)?;
        let caller = Caller::new(&name, names(&groups), ISSUER);
        let flaw = |why: crate::domain::InvalidCaller| {
            Flaw::new(format!("no caller can be called {} with these groups", quoted(&name)), why.to_string())
        };
        self.findings.check(at, caller.map_err(flaw)).map(|caller| caller.with_usual_claims(claims))
    }

    fn claims(&mut self, node: Node<'_>) -> Claims {
        let claims = node.fields("claims", self.findings);
        claims.into_iter().map(|Field { key, node, .. }| (key.into(), claim(node.value))).collect()
    }

    fn action(&mut self, keys: &mut Keys<'_>) -> Option<Action> {
        let (at, text) = self.required(keys, "action", ACTION)?;
        let known: Vec<&str> = Action::all().map(Action::as_str).collect();
        self.findings.check(at, text.parse().map_err(|_| Flaw::unknown("action", &text, &known)))
    }

    fn region(&mut self, keys: &mut Keys<'_>) -> Option<Region> {
        let (at, text) = keys.take("region")?.text("region", REGION, self.findings)?;
        self.parsed(at, "region", &text, REGION)
    }

    fn ip(&mut self, keys: &mut Keys<'_>) -> Option<IpAddr> {
        let (at, text) = keys.take("ip")?.text("ip", IP, self.findings)?;
        self.parsed(at, "address", &text, IP)
    }

    /// A TOML date and time, or a string with one: JSON has no other way.
    fn at(&mut self, keys: &mut Keys<'_>) -> Option<Timestamp> {
        let node = keys.take("at")?;
        let time = match &node.value {
            Value::Time(time) => instant(time),
            Value::Text(text) => text.parse().ok().and_then(|time| instant(&time)),
            Value::Number(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => None,
        };
        let flaw = || Flaw::new("`at` is not one moment for everyone", AT);
        self.findings.check(node.at, time.ok_or_else(flaw))
    }

    fn expected(&mut self, keys: &mut Keys<'_>) -> Option<Expected> {
        let statement = keys.take("statement").and_then(|node| node.text("statement", STATEMENT, self.findings));
        let statement = statement.and_then(|(at, name)| self.shown(at, name));
        let (at, text) = self.required(keys, "expect", EXPECT)?;
        let words = [Verdict::Permit, Verdict::DeniedByDefault].map(Verdict::as_str);
        let permit = words.iter().position(|word| *word == text).map(|n| n == 0);
        let permit = self.findings.check(at, permit.ok_or_else(|| Flaw::unknown("decision", &text, &words)))?;
        Some(Expected { permit, statement: statement.map(Into::into) })
    }
}

fn names<'t>(texts: &'t Texts<'_>) -> impl Iterator<Item = &'t str> {
    texts.iter().map(|(_, text)| &**text)
}

/// As a token would carry it: a time is a text there, and what conditions cannot compare is [`Claim::Other`].
fn claim(value: Value<'_>) -> Claim {
    match value {
        Value::Text(text) => Claim::Text(text.into()),
        Value::Number(text) => text.parse().map_or(Claim::Other, Claim::Number),
        Value::Bool(is) => Claim::Bool(is),
        Value::Time(time) => Claim::Text(time.to_string().into()),
        Value::List(items) => {
            let items: Vec<Claim> = items.into_iter().map(|item| claim(item.value)).collect();
            let flat = items.iter().all(|item| matches!(item, Claim::Text(_) | Claim::Number(_) | Claim::Bool(_)));
            if flat { Claim::List(items.into()) } else { Claim::Other }
        }
        Value::Table(_) | Value::Other(_) => Claim::Other,
    }
}
