//! How a decision came about, for people.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::Decision;
use super::index::Via;
use super::statement::{Effect, Part, Statement};

/// A decision, and how each statement that concerns the caller took part in it.
///
/// Made by the evaluation that also decides requests, so the two never differ.
#[derive(Debug)]
pub struct Explanation {
    decision: Decision,
    parts: Vec<Participation>,
}

/// How one statement took part in a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participation {
    /// The statement's name.
    pub statement: Arc<str>,
    /// Its file and line; `None` for a line of `[users]`.
    pub stands: Option<(Arc<str>, usize)>,
    /// Whether it gives or takes away.
    pub effect: Effect,
    /// The principal by which it concerns the caller, as a policy writes it.
    pub via: Box<str>,
    /// Its part.
    pub how: How,
    /// Whether it has a say: what is unclear denies, and permits nothing.
    pub takes_part: bool,
    /// Whether it has a say and is the one that the decision names.
    pub decides: bool,
}

/// What became of a statement in a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It matches.
    Matches,
    /// It is about other actions.
    OtherAction,
    /// It is about other resources.
    OtherResource,
    /// It ended then.
    Ended(Timestamp),
    /// This part of its condition does not hold.
    NotMet(Box<str>),
    /// This part of its condition asks for what the request does not have: an allow grants nothing, a deny denies.
    Unclear(Box<str>),
}

impl How {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::OtherAction => "other_action",
            Self::OtherResource => "other_resource",
            Self::Ended(_) => "ended",
            Self::NotMet(_) => "condition_not_met",
            Self::Unclear(_) => "condition_unclear",
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matches => f.write_str("matches"),
            Self::OtherAction => f.write_str("is about other actions"),
            Self::OtherResource => f.write_str("is about other resources"),
            Self::Ended(end) => write!(f, "ended at {end}"),
            Self::NotMet(test) => write!(f, "condition not met: {test}"),
            Self::Unclear(test) => write!(f, "condition cannot be evaluated: {test}"),
        }
    }
}

impl From<Part<'_>> for How {
    fn from(part: Part<'_>) -> Self {
        match part {
            Part::Matches => Self::Matches,
            Part::OtherAction => Self::OtherAction,
            Part::OtherResource => Self::OtherResource,
            Part::Ended(end) => Self::Ended(end),
            Part::NotMet(test) => Self::NotMet(test.text().into()),
            Part::Unclear(test) => Self::Unclear(test.text().into()),
        }
    }
}

impl Explanation {
    /// In the order of the file; a line of `[users]`, which comes with whether it allows the action, is last.
    pub(super) fn new(
        decision: Decision,
        parts: &[(Via<'_>, Arc<Statement>, Part<'_>)],
        short_form: Option<(&Arc<str>, bool)>,
    ) -> Self {
        let mut ordered: Vec<_> = parts.iter().collect();
        ordered.sort_by_key(|(via, statement, _)| (statement.position, *via));
        // A group of the token may be one of `[groups]` too.
        ordered.dedup_by_key(|(via, statement, _)| (statement.position, *via));
        // Positions tell statements apart: a document that is attached twice gives each of its names twice.
        let decisive = ordered.iter().find(|(_, statement, part)| {
            part.counts(statement.effect) && decision.statement() == Some(&*statement.name)
        });
        let decisive = decisive.map(|(_, statement, _)| statement.position);
        let of_statements = ordered.into_iter().map(|(via, statement, part)| {
            let takes_part = part.counts(statement.effect);
            Participation {
                statement: Arc::clone(&statement.name),
                stands: Some((Arc::clone(&statement.place), statement.line)),
                effect: statement.effect,
                via: via.to_string().into(),
                how: (*part).into(),
                takes_part,
                decides: takes_part && decisive == Some(statement.position),
            }
        });
        let of_users = short_form.map(|(name, allows)| Participation {
            statement: Arc::clone(name),
            stands: None,
            effect: Effect::Allow,
            via: name.replacen(super::index::SHORT_FORM, "user:", 1).into(),
            how: if allows { How::Matches } else { How::OtherAction },
            takes_part: allows,
            decides: allows && decision.statement() == Some(&**name),
        });
        let parts = of_statements.chain(of_users).collect();
        Self { decision, parts }
    }

    /// The decision. It gives no permit from here: explaining sends nothing.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Every statement that concerns the caller, in the order of the file.
    #[must_use]
    pub fn parts(&self) -> &[Participation] {
        &self.parts
    }
}
