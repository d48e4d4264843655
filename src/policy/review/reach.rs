//! Allows that reach far.

use std::collections::HashSet;

use super::{Placed, Weight, about};
use crate::policy::Policy;
use crate::policy::findings::{Flaw, quoted};
use crate::policy::resource::Pattern;
use crate::policy::statement::{Effect, Statement};

pub(super) fn remarks(policy: &Policy) -> Vec<Placed> {
    let everyone = policy.index.everyone().iter().map(|entry| entry.statement().position);
    let everyone: HashSet<usize> = everyone.collect();
    let allows = policy.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    allows.filter_map(|allow| remark(allow, everyone.contains(&allow.position))).collect()
}

fn remark(allow: &Statement, everyone: bool) -> Option<Placed> {
    let name = quoted(&allow.name);
    let (weight, what, hint) = match (everyone, allow.is_unbounded()) {
        (true, true) => (
            Weight::Warning,
            format!("{name} allows every caller every action on every bucket"),
            "name the users or groups, the actions and the buckets that are meant",
        ),
        (true, false) => (
            Weight::Note,
            format!("{name} allows every caller something"),
            "name users or groups if not everyone who has proved who he is is meant",
        ),
        (false, true) => (
            Weight::Note,
            format!("{name} allows every action on every bucket"),
            "name the actions and the buckets that are needed",
        ),
        (false, false) => return None,
    };
    Some(about(allow, weight, Flaw::new(what, hint)))
}

impl Statement {
    /// Whether it asks for nothing but its principal.
    fn is_unbounded(&self) -> bool {
        let everywhere = self.resources.iter().any(|pattern| pattern.covers(&Pattern::default()));
        everywhere && self.actions.is_every() && self.condition.is_none()
    }
}
