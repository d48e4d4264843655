//! Statements that have ended, or soon will.

use jiff::{SignedDuration, Timestamp};

use super::{Placed, Weight, about};
use crate::policy::Policy;
use crate::policy::findings::{Flaw, quoted};
use crate::policy::statement::{Effect, Statement};

/// How long before its end a statement is worth a note.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn remarks(policy: &Policy, now: Timestamp) -> Vec<Placed> {
    policy.statements.iter().filter_map(|statement| remark(statement, statement.ends()?, now)).collect()
}

fn remark(statement: &Statement, end: Timestamp, now: Timestamp) -> Option<Placed> {
    let name = quoted(&statement.name);
    let left = end.duration_since(now);
    if left.is_negative() {
        let what = match statement.effect {
            Effect::Allow => format!("{name} ended at {end}: it allows nothing any more"),
            Effect::Deny => format!("{name} ended at {end}: it denies nothing any more"),
        };
        return Some(about(statement, Weight::Warning, Flaw::new(what, "remove it, or give it a later end")));
    }
    let hint = match statement.effect {
        Effect::Allow => "give it a later end if it is still needed then",
        Effect::Deny => "what it denies may then be allowed by others; give it a later end if it must not be",
    };
    let what = format!("{name} ends at {end}, in {} days", left.as_hours() / 24);
    (left <= SOON).then(|| about(statement, Weight::Note, Flaw::new(what, hint)))
}
