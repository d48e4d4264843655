//! What a policy may say, but hardly means, or soon means no longer.

mod end;
mod reach;
mod shadow;

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;

use super::Policy;
use super::findings::Flaw;
use super::statement::Statement;
use crate::domain::Mistake;

/// Something that whoever looks after a policy should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How much it matters.
    pub weight: Weight,
    /// Where it is, what it is, and what to do.
    pub mistake: Mistake,
}

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It may be meant, and is worth knowing.
    Note,
    /// It has no effect, or one that is hardly meant.
    Warning,
}

impl Weight {
    /// `note` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mistake.fmt(f)
    }
}

/// A remark and the position of the statement that it is about; lines of `[users]` come last.
type Placed = (usize, Remark);

fn about(statement: &Statement, weight: Weight, flaw: Flaw) -> Placed {
    let mistake = flaw.at(&statement.place).at_line(statement.line);
    (statement.position, Remark { weight, mistake })
}

impl Policy {
    /// Everything that is worth a look at `now`: what was noticed while the policy was read, then, in the order of the
    /// file, statements without effect, with an end, or with a wide reach.
    ///
    /// Takes time in the statements times the denies that concern the same callers.
    #[must_use]
    pub fn review(&self, now: Timestamp) -> Vec<Remark> {
        let found = [end::remarks(self, now), shadow::remarks(self, now), reach::remarks(self)];
        let mut found: Vec<Placed> = found.into_iter().flatten().collect();
        found.sort_by_key(|(position, _)| *position);
        self.remarks.iter().cloned().chain(found.into_iter().map(|(_, remark)| remark)).collect()
    }
}
