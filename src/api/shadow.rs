//! What the candidate policy would change: counted, and told now and then; whatever it says, nothing is done.

use std::time::{Duration, Instant};

use super::rate::{Cell, Rate};
use super::route::Target;
use super::shared::{Shared, Snapshot};
use crate::domain::{Caller, Mistake, Mistakes};
use crate::policy::{Candidate, Change, Context, Decision, Opinion, Resource};

/// A second policy, which is asked beside the one in force.
#[derive(Debug)]
pub enum Shadow {
    /// None is configured.
    Off,
    /// One that is asked.
    On(Candidate),
    /// One that cannot be read, and why; nothing is asked instead of it.
    Unreadable(Mistakes),
}

impl Shadow {
    /// Whether the candidate could be read; `None` if there is none.
    pub(super) fn is_loaded(&self) -> Option<bool> {
        match self {
            Self::Off => None,
            Self::On(_) => Some(true),
            Self::Unreadable(_) => Some(false),
        }
    }

    /// What is wrong with the candidate.
    pub fn mistakes(&self) -> impl Iterator<Item = &Mistake> {
        match self {
            Self::Off | Self::On(_) => None,
            Self::Unreadable(mistakes) => Some(mistakes.iter()),
        }
        .into_iter()
        .flatten()
    }
}

/// Lines about differences: a candidate that changes everything would otherwise fill the log with the traffic.
const LINES: Rate = Rate { requests: 10, period: Duration::from_secs(1) };

/// The pace of the lines.
#[derive(Debug)]
pub(super) struct Pace {
    cell: Cell,
    began: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { cell: Cell::default(), began: Instant::now() }
    }

    fn allows_a_line(&self) -> bool {
        self.cell.admit(LINES, self.began.elapsed()).is_ok()
    }
}

/// Compares `decision`, which was made of the same question, with what the candidate would say.
pub(super) fn compare(
    shared: &Shared,
    snapshot: &Snapshot,
    caller: &Caller,
    target: &Target,
    context: &Context,
    decision: &Decision,
) {
    let Shadow::On(candidate) = &snapshot.candidate else { return };
    let action = target.operation.action();
    let resource = Resource::bucket(&target.bucket, &target.region);
    let opinion = candidate.opinion(caller, action, resource, context);
    if let Some(change) = opinion.change_from(decision) {
        shared.metrics().candidate_difference(action, change.as_str());
        if shared.shadow_pace().allows_a_line() {
            tell(caller, target, decision, &opinion, change);
        }
    }
}

fn tell(caller: &Caller, target: &Target, decision: &Decision, opinion: &Opinion, change: Change) {
    tracing::info!(
        caller = caller.name(),
        action = target.operation.action().as_str(),
        bucket = target.bucket.as_str(),
        region = target.region.as_str(),
        decision = decision.verdict().as_str(),
        statement = decision.statement(),
        candidate_decision = opinion.verdict().as_str(),
        candidate_statement = opinion.statement(),
        change = change.as_str(),
        "the candidate policy differs"
    );
}
