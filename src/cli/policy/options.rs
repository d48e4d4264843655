//! What is asked of a policy, from the command line: read whole, with every mistake named.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::{Action, Bucket, Caller, Claim, Claims, Mistake, Mistakes, Region, nearest};
use crate::policy::Policy;

/// Nobody vouches for a caller who is only asked about.
const ISSUER: &str = "command line";
const CLAIM: &str = "write it as `--claim NAME=VALUE`";

/// Reads options and keeps what is wrong with them.
pub(super) struct Options<'p> {
    policy: &'p Policy,
    mistakes: Vec<Mistake>,
}

impl<'p> Options<'p> {
    /// Options of questions to `policy`, which knows the names to suggest.
    pub(super) fn new(policy: &'p Policy) -> Self {
        Self { policy, mistakes: Vec::new() }
    }

    pub(super) fn action(&mut self, text: &str) -> Option<Action> {
        self.parsed("--action", text, Action::all().map(Action::as_str))
    }

    pub(super) fn bucket(&mut self, text: &str) -> Option<Bucket> {
        self.parsed("--bucket", text, self.policy.places_named())
    }

    pub(super) fn region(&mut self, text: &str) -> Option<Region> {
        self.parsed("--region", text, self.policy.places_named())
    }

    pub(super) fn ip(&mut self, text: Option<&str>) -> Option<IpAddr> {
        self.parsed("--ip", text?, [])
    }

    /// The moment, if there is one that can be read.
    pub(super) fn at(&mut self, text: Option<&str>) -> Option<Timestamp> {
        let text = text?;
        let parsed = text.parse();
        if parsed.is_err() {
            let hint = "write it with its offset from UTC, as in `2027-01-31T00:00:00Z`";
            self.mistakes.push(Mistake::new("--at", format!("{text:?} is not one moment for everyone")).hint(hint));
        }
        parsed.ok()
    }

    pub(super) fn caller(&mut self, name: &str, groups: &[String], claims: &[String]) -> Option<Caller> {
        let claims: Claims = claims.iter().filter_map(|text| self.claim(text)).collect();
        match Caller::new(name, groups.iter().map(String::as_str), ISSUER) {
            Ok(caller) => Some(caller.with_usual_claims(claims)),
            Err(why) => {
                let what = format!("no caller can be called {name:?} and have the groups {groups:?}");
                self.mistakes.push(Mistake::new("--caller", what).hint(why.to_string()));
                None
            }
        }
    }

    fn claim(&mut self, text: &str) -> Option<(Box<str>, Claim)> {
        let named = text.split_once('=').filter(|(name, _)| !name.is_empty());
        if named.is_none() {
            self.mistakes.push(Mistake::new("--claim", format!("{text:?} has no name and value")).hint(CLAIM));
        }
        named.map(|(name, value)| (name.into(), claim(value)))
    }

    /// The value; of what cannot be read the nearest of `known` is suggested.
    fn parsed<'k, T>(&mut self, option: &str, text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let why = match text.parse() {
            Ok(value) => return Some(value),
            Err(why) => why,
        };
        let mistake = Mistake::new(option, format!("{text:?}: {why}"));
        // Only what can be read is worth a suggestion: a bucket is none for a region.
        let near = nearest(text, known.into_iter().filter(|known| known.parse::<T>().is_ok()));
        self.mistakes.push(match near {
            Some(near) => mistake.hint(format!("did you mean `{near}`?")),
            None => mistake,
        });
        None
    }

    /// What was made of them.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn finish<T>(self, made: Option<T>) -> Result<T, Mistakes> {
        let incomplete = || Mistake::new("command line", "the question is not complete").into();
        Mistakes::unless_any(self.mistakes, made).and_then(|made| made.ok_or_else(incomplete))
    }
}

/// A string, unless it is JSON for something that conditions compare.
fn claim(text: &str) -> Claim {
    match serde_json::from_str(text) {
        Ok(value) => from_json(value),
        Err(_) => Claim::Text(text.into()),
    }
}

fn from_json(value: Value) -> Claim {
    match value {
        Value::String(text) => Claim::Text(text.into()),
        Value::Number(number) => number.as_f64().map_or(Claim::Other, Claim::Number),
        Value::Bool(is) => Claim::Bool(is),
        Value::Array(items) => list(items.into_iter().map(from_json).collect()),
        Value::Object(_) | Value::Null => Claim::Other,
    }
}

fn list(items: Box<[Claim]>) -> Claim {
    let flat = |item: &Claim| !matches!(item, Claim::List(_) | Claim::Other);
    if items.iter().all(flat) { Claim::List(items) } else { Claim::Other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Format;

    #[test]
    fn a_claim_is_json_where_it_can_be_and_else_a_string() {
        for (text, expected) in [
            ("red", Claim::Text("red".into())),
            ("\"7\"", Claim::Text("7".into())),
            ("7", Claim::Number(7.0)),
            ("true", Claim::Bool(true)),
            ("[\"a\",1]", Claim::List([Claim::Text("a".into()), Claim::Number(1.0)].into())),
            ("[[]]", Claim::Other),
            ("{}", Claim::Other),
            ("[a]", Claim::Text("[a]".into())),
        ] {
            assert_eq!(claim(text), expected, "{text}");
        }
    }

    #[test]
    fn every_option_that_cannot_be_read_is_named_with_the_nearest_name() {
        let text = "version = '2.0'\n[[statement]]\neffect = 'allow'\nprincipal = '*'\naction = '*'\n\
                    resource = 'qcs::ci:ap-chongqing::bucket/test-1/*'\n";
        let policy = Policy::parse(text, "p", Format::Toml).unwrap();
        let mut options = Options::new(&policy);
        assert_eq!(options.action("ci:CreateAsrBuckt"), None);
        assert_eq!((options.bucket("Test-1"), options.region("AP-chongqing")), (None, None));
        assert_eq!((options.ip(Some("10.1")), options.at(Some("2027-01-31T00:00:00"))), (None, None));
        assert_eq!(options.caller("a", &["b\n".to_owned()], &["=1".to_owned()]), None);
        let shown = options.finish(None::<()>).unwrap_err().to_string();
        let lines: Vec<&str> = shown.lines().collect();
        for (line, parts) in lines.iter().zip([
            ["--action: ", "did you mean `ci:CreateAsrBucket`?"],
            ["--bucket: ", "did you mean `test-1`?"],
            ["--region: ", "did you mean `ap-chongqing`?"],
            ["--ip: ", "\"10.1\""],
            ["--at: ", "`2027-01-31T00:00:00Z`"],
            ["--claim: ", "`--claim NAME=VALUE`"],
            ["--caller: ", "1 to 256 bytes"],
        ]) {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        }
        assert_eq!(lines.len(), 7, "{shown}");
    }
}
