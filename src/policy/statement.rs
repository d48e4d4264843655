//! A statement, compiled.

use std::sync::Arc;

use jiff::Timestamp;
use toml::value::Datetime;

use super::findings::{Flaw, quoted};
use super::index::SHORT_FORM;
use super::resource::{Pattern, Resource};

/// Whether a statement gives or takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

impl Effect {
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

/// What is left of a statement once its principals, actions and effect stand in the index.
#[derive(Debug)]
pub(super) struct Statement {
    name: Arc<str>,
    position: usize,
    resources: Box<[Arc<Pattern>]>,
    not_after: Option<Timestamp>,
}

impl Statement {
    /// `position` counts from 1, in the order of the file.
    pub(super) fn new(
        name: Arc<str>,
        position: usize,
        resources: Vec<Arc<Pattern>>,
        not_after: Option<Timestamp>,
    ) -> Self {
        Self { name, position, resources: resources.into(), not_after }
    }

    /// The `id`, or a name made of the position.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Whether the statement takes part in a decision about `resource` at `now`. `not_after` is the last
    /// moment at which it does, whether it allows or denies.
    pub(super) fn applies(&self, resource: &Resource<'_>, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now <= end) && self.resources.iter().any(|pattern| pattern.matches(resource))
    }
}

/// Ids end up in records and on terminals, and must not look like the names that the gateway makes.
pub(super) fn check_id(id: &str) -> Result<&str, Flaw> {
    let made = id.strip_prefix("statement ").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    if made || id.starts_with(SHORT_FORM) {
        let what = format!("the id {} is of the kind that the gateway gives to statements without one", quoted(id));
        return Err(Flaw::new(what, "choose an id that neither begins with `users.` nor reads `statement N`"));
    }
    if id.is_empty() || id.len() > 256 || id.chars().any(char::is_control) {
        let what = format!("the id {} cannot be shown", quoted(id));
        return Err(Flaw::new(what, "an id has 1 to 256 bytes and no control character"));
    }
    Ok(id)
}

/// The moment that a date and time with an offset names.
pub(super) fn instant(time: &Datetime) -> Option<Timestamp> {
    // The same text is a moment of its own for each reader if it lacks the offset, or the day, or the time.
    (time.date.is_some() && time.time.is_some() && time.offset.is_some()).then(|| time.to_string().parse().ok())?
}
