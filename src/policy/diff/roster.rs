//! A policy as sets of rules, one for each principal: what is left of statements without their names, order and lines.

use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;

use super::guard::Guard;
use crate::policy::Policy;
use crate::policy::actions::Actions;
use crate::policy::index::Entry;
use crate::policy::resource::{ALL, Pattern};
use crate::policy::statement::Effect;

/// One effect on one pattern under one guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Rule {
    pub(super) denies: bool,
    pub(super) pattern: usize,
    pub(super) guard: usize,
    pub(super) actions: Actions,
}

/// The number of a set of rules; equal sets have the same.
pub(super) type Set = usize;

/// No rules.
pub(super) const NONE: Set = 0;

/// The patterns, guards and sets of both policies, each under one number.
pub(super) struct Terms<'p> {
    now: Timestamp,
    pub(super) patterns: Vec<&'p Pattern>,
    pub(super) guards: Vec<Guard<'p>>,
    sets: Vec<Rc<[Rule]>>,
    pattern_numbers: HashMap<&'p Pattern, usize>,
    guard_numbers: HashMap<Guard<'p>, usize>,
    set_numbers: HashMap<Rc<[Rule]>, Set>,
    unions: HashMap<Vec<Set>, Set>,
}

/// The set of each principal.
pub(super) struct Roster<'p> {
    pub(super) everyone: Set,
    pub(super) groups: HashMap<&'p str, Set>,
    /// With what `[groups]` gives them.
    pub(super) users: HashMap<&'p str, Set>,
}

impl<'p> Terms<'p> {
    /// For policies as they are from `now` on: what has ended by then is left out.
    pub(super) fn new(now: Timestamp) -> Self {
        let mut terms = Self {
            now,
            patterns: Vec::new(),
            guards: Vec::new(),
            sets: Vec::new(),
            pattern_numbers: HashMap::new(),
            guard_numbers: HashMap::new(),
            set_numbers: HashMap::new(),
            unions: HashMap::new(),
        };
        terms.set(Vec::new());
        terms
    }

    pub(super) fn roster(&mut self, policy: &'p Policy) -> Roster<'p> {
        let index = &policy.index;
        let everyone = self.of(index.everyone(), Actions::default());
        let groups: HashMap<&str, Set> =
            index.groups().map(|group| (&*group.name, self.of(&group.entries, Actions::default()))).collect();
        let users = index.users().map(|(name, user)| {
            let own = self.of(&user.entries, user.short_form);
            let by_groups = user.groups.iter().filter_map(|group| groups.get(&*group.name)).copied();
            (name, self.union([own].into_iter().chain(by_groups).collect()))
        });
        let users = users.collect();
        Roster { everyone, groups, users }
    }

    pub(super) fn rules(&self, set: Set) -> &[Rule] {
        self.sets.get(set).map(AsRef::as_ref).unwrap_or_default()
    }

    /// The rules of all of `sets`.
    pub(super) fn union(&mut self, mut sets: Vec<Set>) -> Set {
        sets.retain(|set| *set != NONE);
        sets.sort_unstable();
        sets.dedup();
        match (sets.as_slice(), self.unions.get(&sets)) {
            ([], _) => NONE,
            ([one], _) => *one,
            (_, Some(known)) => *known,
            (several, None) => {
                let union = self.set(several.iter().flat_map(|set| self.rules(*set)).copied().collect());
                self.unions.insert(sets, union);
                union
            }
        }
    }

    fn of(&mut self, entries: &'p [Entry], short_form: Actions) -> Set {
        let (mut rules, now) = (Vec::new(), self.now);
        let statements = entries.iter().map(|entry| entry.statement());
        for statement in statements.filter(|statement| statement.ends().is_none_or(|end| now <= end)) {
            let denies = statement.effect == Effect::Deny;
            let guard = self.guard(Guard::of(statement));
            for pattern in &statement.resources {
                rules.push(Rule { denies, pattern: self.pattern(pattern), guard, actions: statement.actions });
            }
        }
        if !short_form.is_empty() {
            let guard = self.guard(Guard::always());
            rules.push(Rule { denies: false, pattern: self.pattern(&ALL), guard, actions: short_form });
        }
        self.set(rules)
    }

    fn pattern(&mut self, pattern: &'p Pattern) -> usize {
        *self.pattern_numbers.entry(pattern).or_insert_with(|| {
            self.patterns.push(pattern);
            self.patterns.len() - 1
        })
    }

    fn guard(&mut self, guard: Guard<'p>) -> usize {
        *self.guard_numbers.entry(guard).or_insert_with_key(|guard| {
            self.guards.push(guard.clone());
            self.guards.len() - 1
        })
    }

    /// Rules that differ in their actions alone become one.
    fn set(&mut self, mut rules: Vec<Rule>) -> Set {
        rules.sort_unstable();
        rules.dedup_by(|next, rule| {
            let same = (next.denies, next.pattern, next.guard) == (rule.denies, rule.pattern, rule.guard);
            if same {
                rule.actions = rule.actions.and(next.actions);
            }
            same
        });
        *self.set_numbers.entry(rules.into()).or_insert_with_key(|rules| {
            self.sets.push(Rc::clone(rules));
            self.sets.len() - 1
        })
    }
}
