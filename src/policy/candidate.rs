//! A policy that is not in force: asked beside the one that is, to learn what it would change.

use std::sync::Arc;

use super::{Context, Decision, Policy, Resource, Verdict};
use crate::domain::{Action, Caller};

/// A policy that can be asked and never obeyed: what it answers is an [`Opinion`], and of that no permit is made.
#[derive(Debug)]
pub struct Candidate(Policy);

/// What a candidate would have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    verdict: Verdict,
    statement: Option<Arc<str>>,
}

/// How the caller's answer would change if the candidate were in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is denied now would be permitted.
    WouldPermit,
    /// What is permitted now would be denied.
    WouldDeny,
}

impl Candidate {
    /// The candidate that `policy` is.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self(policy)
    }

    /// What the candidate would decide of a question that [`Policy::decide`] is asked too.
    #[must_use]
    pub fn opinion(&self, caller: &Caller, action: Action, resource: Resource<'_>, context: &Context) -> Opinion {
        let decision = self.0.decide(caller, action, resource, context);
        Opinion { verdict: decision.verdict(), statement: decision.into_statement() }
    }

    /// How many statements it has.
    #[must_use]
    pub fn statements(&self) -> usize {
        self.0.statements()
    }

    /// As [`Policy::digest`].
    #[must_use]
    pub fn digest(&self) -> &str {
        self.0.digest()
    }
}

impl Opinion {
    /// Permit or denied.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The statement that it rests on.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }

    /// How the answer would be another one than `decision`; `None` if it would be the same, by whatever statement.
    #[must_use]
    pub fn change_from(&self, decision: &Decision) -> Option<Change> {
        match (decision.verdict().is_permit(), self.verdict.is_permit()) {
            (false, true) => Some(Change::WouldPermit),
            (true, false) => Some(Change::WouldDeny),
            (true, true) | (false, false) => None,
        }
    }
}

impl Change {
    /// The word in the log and in a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WouldPermit => "would_permit",
            Self::WouldDeny => "would_deny",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Format;

    fn policy(effect: Option<&str>) -> Policy {
        let statement = |effect: &str| {
            format!(
                "[[statement]]\nid = \"{effect}\"\neffect = \"{effect}\"\nprincipal = \"*\"\naction = \"*\"\nresource = \"*\"\n"
            )
        };
        let text = format!("version = \"2.0\"\n{}", effect.map(statement).unwrap_or_default());
        Policy::parse(&text, "p", Format::Toml).unwrap()
    }

    #[test]
    fn a_change_is_what_the_caller_would_notice() {
        let caller = Caller::new("alice", Vec::<&str>::new(), "issuer").unwrap();
        let (bucket, region) = ("test-1".parse().unwrap(), "ap-a".parse().unwrap());
        let (action, resource) = (Action::all().next().unwrap(), || Resource::bucket(&bucket, &region));
        let context = Context { now: jiff::Timestamp::UNIX_EPOCH, ip: None };
        let (permit, deny) = (Some(Change::WouldPermit), Some(Change::WouldDeny));
        for (active, candidate, change) in [
            (Some("allow"), Some("allow"), None),
            (Some("allow"), Some("deny"), deny),
            (Some("allow"), None, deny),
            (Some("deny"), Some("allow"), permit),
            (None, Some("allow"), permit),
            (None, Some("deny"), None),
            (Some("deny"), None, None),
        ] {
            let decision = policy(active).decide(&caller, action, resource(), &context);
            let opinion = Candidate::new(policy(candidate)).opinion(&caller, action, resource(), &context);
            assert_eq!(opinion.change_from(&decision), change, "{active:?} {candidate:?}");
            assert_eq!(opinion.statement(), candidate, "{active:?}");
        }
    }
}
