//! Sets of actions.

use crate::domain::{Action, nearest};

use super::findings::{Flaw, quoted};
use super::glob;

/// A set of the gateway's actions: bit `n` stands for the action whose index is `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Actions(u32);

impl Actions {
    /// The actions that a policy means by `pattern`: `ci:Name`, `name/ci:Name`, or either with `*`.
    ///
    /// Upper and lower case count: CAM's pages do not say that they do not, and a name in the wrong case is
    /// reported, not ignored.
    ///
    /// # Errors
    /// A [`Flaw`] if the pattern means no action that the gateway knows.
    pub(super) fn parse(pattern: &str) -> Result<Self, Flaw> {
        if let Ok(action) = pattern.parse() {
            return Ok(Self::one(action));
        }
        let actions = Self::among(pattern);
        let name = pattern.strip_prefix("name/").unwrap_or(pattern);
        if actions.is_empty() { Err(unknown(pattern, name)) } else { Ok(actions) }
    }

    /// The gateway's actions among those that a document written for CAM means by `pattern`; there are many others.
    pub(super) fn among(pattern: &str) -> Self {
        let name = pattern.strip_prefix("name/").unwrap_or(pattern);
        Action::all().filter(|action| glob::fits(name, action.as_str())).fold(Self::default(), Self::with)
    }

    /// The same if upper and lower case did not count.
    pub(super) fn among_in_any_case(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let fits = |action: &Action| glob::fits(&name, &action.as_str().to_ascii_lowercase());
        Action::all().filter(fits).fold(Self::default(), Self::with)
    }

    /// Whether `action` is in the set.
    pub(super) fn contains(self, action: Action) -> bool {
        self.0 & Self::one(action).0 != 0
    }

    /// The actions of both sets.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The actions of one set and not of the other.
    pub(super) fn unlike(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// Whether the sets have an action in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether every action of `other` is in the set.
    pub(super) fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is the set of all actions.
    pub(super) fn is_every(self) -> bool {
        Action::all().all(|action| self.contains(action))
    }

    fn with(self, action: Action) -> Self {
        self.and(Self::one(action))
    }

    fn one(action: Action) -> Self {
        Self(1 << action.index())
    }
}

fn unknown(pattern: &str, name: &str) -> Flaw {
    let names = || Action::all().map(Action::as_str);
    // A name without its service is the likeliest slip; compared bare, it is found exactly.
    let bare = |known: &&str| known.strip_prefix("ci:") == Some(name);
    let hint = match names().find(bare).or_else(|| nearest(name, names())) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the gateway knows {}", names().map(quoted).collect::<Vec<_>>().join(", ")),
    };
    let what = if pattern.contains('*') { "matches no action that this gateway knows" } else { "is no known action" };
    Flaw::new(format!("{} {what}", quoted(pattern)), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Service, Verb};

    fn names(pattern: &str) -> Vec<&'static str> {
        let set = Actions::parse(pattern).unwrap();
        Action::all().filter(|action| set.contains(*action)).map(Action::as_str).collect()
    }

    #[test]
    fn a_name_in_either_spelling_is_one_action() {
        assert_eq!(names("ci:CreateAsrBucket"), ["ci:CreateAsrBucket"]);
        assert_eq!(names("name/ci:CreateAsrBucket"), ["ci:CreateAsrBucket"]);
    }

    #[test]
    fn a_star_takes_in_every_name_that_fits() {
        for everything in ["*", "ci:*", "name/ci:*", "name/*"] {
            assert_eq!(names(everything).len(), 18, "{everything}");
        }
        assert_eq!(names("ci:*Asr*"), ["ci:CreateAsrBucket", "ci:DescribeAsrBuckets", "ci:DeleteAsrBucket"]);
        let describing = Action::all().filter(|action| action.verb() == Verb::Describe).map(Action::as_str);
        assert_eq!(names("ci:Describe*"), describing.collect::<Vec<_>>());
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let create = Action::new(Service::SmartAudio, Verb::Create);
        let delete = Action::new(Service::Files, Verb::Delete);
        let both = Actions::one(create).and(Actions::one(delete));
        assert_eq!(Action::all().filter(|action| both.contains(*action)).collect::<Vec<_>>(), [create, delete]);
    }
}
