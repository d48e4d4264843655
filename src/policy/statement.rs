//! A statement, compiled.

use std::sync::Arc;

use jiff::Timestamp;
use toml::value::Datetime;

use super::actions::Actions;
use super::condition::{Condition, Obstacle, Test};
use super::findings::{Flaw, quoted};
use super::index::SHORT_FORM;
use super::question::Question;
use super::resource::Pattern;
use crate::domain::is_printable;

/// Whether a statement gives or takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It permits.
    Allow,
    /// It denies, whatever else permits.
    Deny,
}

impl Effect {
    /// The word of the language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// # Errors
    /// A [`Flaw`] for anything but `allow` and `deny`, which CAM writes in lower case.
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            unknown => Err(Flaw::unknown("effect", unknown, &["allow", "deny"])),
        }
    }
}

/// What one statement says of its principals, who stand in the index.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) name: Arc<str>,
    /// Counted from 1 over the policy and what is attached to it; earlier ones are named first.
    pub(super) position: usize,
    /// The file in which it stands, and its line there.
    pub(super) place: Arc<str>,
    pub(super) line: usize,
    pub(super) effect: Effect,
    pub(super) actions: Actions,
    pub(super) resources: Box<[Arc<Pattern>]>,
    pub(super) condition: Option<Box<Condition>>,
    pub(super) not_after: Option<Timestamp>,
}

/// How a statement takes part in a decision, if its principal is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'p> {
    /// It decides, or would if no other did.
    Matches,
    /// It is about other actions.
    OtherAction,
    /// It is about other resources.
    OtherResource,
    /// It has ended.
    Ended(Timestamp),
    /// This part of its condition does not hold.
    NotMet(&'p Test),
    /// This part of its condition asks for something that the request does not have.
    Unclear(&'p Test),
}

impl Part<'_> {
    /// Whether the statement has a say: what is unclear denies, and permits nothing.
    pub(super) fn counts(self, effect: Effect) -> bool {
        match self {
            Self::Matches => true,
            Self::Unclear(_) => effect == Effect::Deny,
            Self::OtherAction | Self::OtherResource | Self::Ended(_) | Self::NotMet(_) => false,
        }
    }
}

impl Statement {
    /// The last moment at which it can take part, if there is one.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        let by_condition = self.condition.as_ref().and_then(|condition| condition.ends());
        self.not_after.into_iter().chain(by_condition).min()
    }

    /// The parts of its condition, all of which have to hold.
    pub(super) fn tests(&self) -> &[Test] {
        self.condition.as_ref().map_or(&[], |condition| condition.tests())
    }

    /// How it takes part in a decision about an action that is one of its own. `not_after` is the last moment at which
    /// it does, whether it allows or denies.
    pub(super) fn part(&self, question: &Question<'_>) -> Part<'_> {
        if !self.resources.iter().any(|pattern| pattern.matches(question.resource)) {
            return Part::OtherResource;
        }
        if let Some(end) = self.not_after.filter(|end| question.context.now > *end) {
            return Part::Ended(end);
        }
        match self.condition.as_ref().map(|condition| condition.met(question)) {
            Some(Err(Obstacle::NotMet(test))) => Part::NotMet(test),
            Some(Err(Obstacle::Unclear(test))) => Part::Unclear(test),
            Some(Ok(())) | None => Part::Matches,
        }
    }
}

/// Ids end up in records and on terminals, and must not look like the names that the gateway makes.
pub(super) fn check_id(id: &str) -> Result<&str, Flaw> {
    let numbered = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    let made = id.rsplit_once("statement ").is_some_and(|(_, n)| numbered(n));
    if made || id.starts_with(SHORT_FORM) {
        let what = format!("the id {} is of the kind that the gateway gives to statements without one", quoted(id));
        return Err(Flaw::new(what, "choose an id that neither begins with `users.` nor ends with `statement N`"));
    }
    if id.is_empty() || id.len() > 256 || !id.chars().all(is_printable) {
        let what = format!("the id {} cannot be shown", quoted(id));
        return Err(Flaw::new(what, "an id has 1 to 256 bytes, all of them of printable characters"));
    }
    Ok(id)
}

/// The moment that a date and time with an offset names.
pub(super) fn instant(time: &Datetime) -> Option<Timestamp> {
    // The same text is a moment of its own for each reader if it lacks the offset, or the day, or the time.
    if time.date.is_none() || time.time.is_none() || time.offset.is_none() {
        return None;
    }
    // `9999-12-31T23:59:59Z` is how people write "never"; our clock ends a day before.
    let never = time.date.is_some_and(|date| (date.year, date.month) == (9999, 12) && (30..=31).contains(&date.day));
    time.to_string().parse().ok().or(never.then_some(Timestamp::MAX))
}
