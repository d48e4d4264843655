//! When a statement holds, apart from caller, action and resource; and what a set of them comes to.

use jiff::Timestamp;

use crate::policy::statement::{Effect, Statement};

/// Tests that all have to hold, and a last moment.
///
/// Tests are known by their texts and taken as independent of each other, so conditions that only happen to mean the
/// same count as different.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Guard<'p> {
    /// In order, each once.
    tests: Vec<&'p str>,
    until: Option<Timestamp>,
}

impl<'p> Guard<'p> {
    fn new(tests: impl Iterator<Item = &'p str>, until: Option<Timestamp>) -> Self {
        let mut tests: Vec<&str> = tests.collect();
        tests.sort_unstable();
        tests.dedup();
        Self { tests, until }
    }

    /// Of a line of `[users]`.
    pub(super) fn always() -> Self {
        Self { tests: Vec::new(), until: None }
    }

    pub(super) fn of(statement: &'p Statement) -> Self {
        Self::new(statement.tests().iter().map(|test| test.text()), statement.not_after)
    }

    /// Whether `wider` holds whenever this does.
    fn is_within(&self, wider: &Self) -> bool {
        let as_long = wider.until.is_none_or(|end| self.until.is_some_and(|ours| ours <= end));
        as_long && wider.tests.iter().all(|test| self.tests.binary_search(test).is_ok())
    }

    /// What holds when both do.
    fn and(&self, other: &Self) -> Self {
        let tests = self.tests.iter().chain(&other.tests).copied();
        Self::new(tests, self.until.into_iter().chain(other.until).min())
    }

    /// `if …`, `until …`, both, or `always`.
    fn told(&self) -> String {
        if self.tests.is_empty() && self.until.is_none() {
            return "always".to_owned();
        }
        let conditions = (!self.tests.is_empty()).then(|| format!("if {}", self.tests.join(" and ")));
        let until = self.until.map(|end| format!("until {end}"));
        conditions.into_iter().chain(until).collect::<Vec<_>>().join(" ")
    }
}

/// When a caller may do something: the guards of the allows and of the denies that match.
///
/// INVARIANT: no allow is within another or within a deny, no deny is within another, and both are in order. Without an
/// allow there are only the denies that have taken one. As guards
/// only grow narrower by more tests and earlier ends, this form is the only one of its kind for the allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Access<'p> {
    allows: Vec<Guard<'p>>,
    denies: Vec<Guard<'p>>,
}

impl<'p> Access<'p> {
    pub(super) fn new(allows: Vec<Guard<'p>>, denies: Vec<Guard<'p>>) -> Self {
        let mut denies = widest(denies);
        let mut allows = widest(allows);
        let is_taken = |allow: &Guard<'p>| denies.iter().any(|deny| allow.is_within(deny));
        let taken: Vec<_> = allows.extract_if(.., |allow| is_taken(allow)).collect();
        if allows.is_empty() {
            denies.retain(|deny| taken.iter().any(|allow| allow.is_within(deny)));
        }
        Self { allows, denies }
    }

    /// Whether a statement of this effect and guard is one of those that make it what it is.
    pub(super) fn is_by(&self, effect: Effect, guard: &Guard<'p>) -> bool {
        match effect {
            Effect::Allow => self.allows.contains(guard),
            Effect::Deny => self.denies.contains(guard),
        }
    }

    pub(super) fn is_never(&self) -> bool {
        self.allows.is_empty()
    }

    /// Whether both permit the same requests.
    pub(super) fn permits_as(&self, other: &Self) -> bool {
        self.is_within(other) && other.is_within(self)
    }

    /// Whether `wider` permits every request that this does. Denies count as far as something is allowed.
    pub(super) fn is_within(&self, wider: &Self) -> bool {
        let is_denied = |guard: &Guard<'p>| self.denies.iter().any(|deny| guard.is_within(deny));
        self.allows.iter().all(|allow| {
            let allowed = wider.allows.iter().any(|theirs| allow.is_within(theirs));
            allowed && wider.denies.iter().all(|deny| is_denied(&allow.and(deny)))
        })
    }

    /// In words: `always`, `never`, or on what it depends.
    pub(super) fn told(&self) -> String {
        let allows: Vec<String> = self.allows.iter().map(Guard::told).collect();
        let denies: Vec<String> = self.denies.iter().map(Guard::told).collect();
        match (allows.is_empty(), denies.is_empty()) {
            (true, _) => "never".to_owned(),
            (false, true) => allows.join(", or "),
            (false, false) => format!("{}, but not {}", allows.join(", or "), denies.join(", nor ")),
        }
    }
}

/// Those that are not within another, in order.
fn widest(mut guards: Vec<Guard<'_>>) -> Vec<Guard<'_>> {
    guards.sort_unstable();
    guards.dedup();
    let within = |guard: &Guard<'_>| guards.iter().any(|other| other != guard && guard.is_within(other));
    let keep: Vec<bool> = guards.iter().map(|guard| !within(guard)).collect();
    guards.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(guard, _)| guard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(tests: &[&'static str], until: Option<i64>) -> Guard<'static> {
        Guard::new(tests.iter().copied(), until.map(|second| Timestamp::from_second(second).unwrap()))
    }

    fn access(allows: &[&Guard<'static>], denies: &[&Guard<'static>]) -> Access<'static> {
        let cloned = |guards: &[&Guard<'static>]| guards.iter().map(|guard| (*guard).clone()).collect();
        Access::new(cloned(allows), cloned(denies))
    }

    #[test]
    fn what_is_within_another_says_nothing_more() {
        let always = guard(&[], None);
        let (a, ab) = (guard(&["a"], None), guard(&["a", "b"], Some(7)));
        assert_eq!(access(&[&ab, &always, &a], &[]), access(&[&always], &[]));
        assert_eq!(access(&[&a, &ab], &[]), access(&[&a], &[]));
        assert!(access(&[&a, &ab], &[&a]).is_never());
        assert_eq!(access(&[&always], &[]).told(), "always");
        assert_eq!(access(&[&ab], &[]).told(), "if a and b until 1970-01-01T00:00:07Z");
        assert_eq!(access(&[&always], &[&a]).told(), "always, but not if a");
    }

    #[test]
    fn a_deny_counts_as_far_as_something_is_allowed() {
        let (a, b, ab) = (guard(&["a"], None), guard(&["b"], None), guard(&["a", "b"], None));
        assert!(access(&[&a], &[&b]).permits_as(&access(&[&a], &[&ab])));
        assert!(!access(&[&a], &[&b]).permits_as(&access(&[&a], &[])));
        assert!(access(&[], &[&ab]).permits_as(&access(&[], &[&a])));
    }

    #[test]
    fn access_is_within_another_if_that_permits_all_of_it() {
        let (always, a, b) = (guard(&[], None), guard(&["a"], None), guard(&["b"], None));
        let (early, late) = (guard(&[], Some(1)), guard(&[], Some(2)));
        let within = |narrow: Access<'_>, wide: Access<'_>| narrow.is_within(&wide) && !wide.is_within(&narrow);
        assert!(within(access(&[], &[]), access(&[&a], &[])));
        assert!(within(access(&[&a], &[]), access(&[&always], &[])));
        assert!(within(access(&[&early], &[]), access(&[&late], &[])));
        assert!(within(access(&[&always], &[&a]), access(&[&always], &[])));
        assert!(within(access(&[&a], &[&b]), access(&[&always], &[&b])));
        let (one, other) = (access(&[&a], &[&b]), access(&[&b], &[&a]));
        assert!(!one.is_within(&other) && !other.is_within(&one));
    }
}
