//! Two policies by what they mean: who gains and who loses which access.
//!
//! What is compared are callers: everyone, each group, each user, and, where only a deny has changed, one of them together
//! with another. No caller with more groups can differ if none of these does: an allow and a deny that meet in a caller
//! come from two of its principals at most.

mod compare;
mod guard;
mod roster;
mod rows;
mod samples;
mod words;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod exactness;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use compare::{Ground, Pair};
use roster::{NONE, Roster, Rule, Set, Terms};
use samples::Samples;

use super::Policy;
use super::index::{Rank, Via};
use crate::domain::Action;

/// How many pairs of callers are looked at for denies that matter to both together.
const MOST_PAIRS: usize = 20_000;

/// What differs between two policies.
#[derive(Debug, Default)]
pub struct Diff {
    /// Everyone first, then groups, then users; then those who are two of them at once.
    pub rows: Vec<Row>,
    /// Whether every case was compared; else there may be more differences than these.
    pub complete: bool,
}

/// Callers who have the same difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which way it goes.
    pub kind: Difference,
    /// Who, as a policy writes it.
    pub principals: Vec<String>,
    /// If it concerns only those who are also one of these.
    pub together_with: Vec<String>,
    /// What they want to do.
    pub actions: Vec<Action>,
    /// To what.
    pub resources: Vec<Resources>,
    /// What the old policy says.
    pub old: Ruling,
    /// What the new policy says.
    pub new: Ruling,
}

/// Which way a difference goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// There was no access, and there is.
    Gains,
    /// There was access, and there is none.
    Loses,
    /// There is access under other conditions.
    Changes,
}

impl Difference {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gains => "gains",
            Self::Loses => "loses",
            Self::Changes => "changes",
        }
    }
}

/// The buckets that a difference is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resources {
    /// As a policy writes them.
    pub pattern: String,
    /// Without these.
    pub except: Vec<String>,
    /// Whether it is only an example of them, as no pattern of the policies describes them.
    pub example: bool,
}

/// What one policy says to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// `always`, `never`, or on what it depends.
    pub when: String,
    /// Through which statements, those of the first callers if there are many.
    pub statements: Vec<String>,
}

impl Policy {
    /// What `new` permits otherwise than this policy does from `now` on, by meaning and not by text. `progress` is told
    /// how many of how many groups of like callers are compared.
    ///
    /// Conditions are compared by their texts and taken as independent of each other; all else is compared exactly,
    /// unless [`Diff::complete`] says otherwise. Callers with the same grants are compared once.
    #[must_use]
    pub fn diff(&self, new: &Self, now: Timestamp, progress: &mut dyn FnMut(usize, usize)) -> Diff {
        let mut terms = Terms::new(now);
        let rosters = (terms.roster(self), terms.roster(new));
        let everyone = (rosters.0.everyone, rosters.1.everyone);
        let mut comparison =
            Comparison { policies: (self, new), terms, everyone, samples: Samples::default(), diff: Diff::default() };
        comparison.diff.complete = true;
        let subjects = comparison.subjects(&rosters);
        for (n, subject) in subjects.iter().enumerate() {
            progress(n, subjects.len());
            comparison.compare(subject);
        }
        let Diff { rows, complete } = comparison.diff;
        Diff { rows: rows::merged(rows), complete }
    }
}

/// Callers who are compared as one.
struct Subject<'p> {
    /// Their sets, with those of `*`.
    whole: Pair,
    /// Callers that they are also, who are told of on their own.
    parts: Vec<Pair>,
    principals: Vec<Via<'p>>,
    /// The other half, if it is about two principals that meet in one caller.
    together_with: Vec<Via<'p>>,
}

impl Subject<'_> {
    /// The order in which differences are told, which does not depend on how the policies are held in memory.
    fn rank(&self) -> (bool, Option<Rank<'_>>, Option<Rank<'_>>) {
        let [first, other] = [&self.principals, &self.together_with].map(|all| all.first().map(Via::rank));
        (!self.together_with.is_empty(), first, other)
    }
}

struct Comparison<'p> {
    policies: (&'p Policy, &'p Policy),
    terms: Terms<'p>,
    everyone: Pair,
    samples: Samples<'p>,
    diff: Diff,
}

/// Principals by their own sets.
type Classes<'p> = BTreeMap<Pair, Vec<Via<'p>>>;

impl<'p> Comparison<'p> {
    fn subjects(&mut self, rosters: &(Roster<'p>, Roster<'p>)) -> Vec<Subject<'p>> {
        let everyone = self.everyone;
        let principals = vec![Via::Everyone];
        let mut subjects = vec![Subject { whole: everyone, parts: Vec::new(), principals, together_with: Vec::new() }];
        let groups = classes(&rosters.0.groups, &rosters.1.groups, Via::Group);
        let users = classes(&rosters.0.users, &rosters.1.users, Via::User);
        for (pair, principals) in &groups {
            let whole = self.with_everyone(*pair);
            subjects.push(Subject {
                whole,
                parts: vec![everyone],
                principals: principals.clone(),
                together_with: vec![],
            });
        }
        let mut by_groups: BTreeMap<(Pair, Vec<Pair>), Vec<Via<'p>>> = BTreeMap::new();
        for (pair, principals) in &users {
            for user in principals {
                by_groups.entry((*pair, self.changed_groups_of(*user, rosters))).or_default().push(*user);
            }
        }
        for ((pair, of_groups), principals) in by_groups {
            let groups = of_groups.into_iter().map(|pair| self.with_everyone(pair));
            let parts = [everyone].into_iter().chain(groups).collect();
            subjects.push(Subject { whole: self.with_everyone(pair), parts, principals, together_with: vec![] });
        }
        let pairs = self.pairs(&groups, &users);
        subjects.extend(pairs);
        subjects.retain(|subject| subject.whole.0 != subject.whole.1);
        subjects.sort_by(|a, b| a.rank().cmp(&b.rank()));
        subjects
    }

    /// Those of the user's groups by both policies that are told of on their own.
    fn changed_groups_of(&self, user: Via<'p>, (old, new): &(Roster<'p>, Roster<'p>)) -> Vec<Pair> {
        let Via::User(name) = user else { return Vec::new() };
        let of = |policy: &'p Policy| -> BTreeSet<&'p str> {
            let groups = policy.index.user(name).into_iter().flat_map(|user| &user.groups);
            groups.map(|group| &*group.name).collect()
        };
        let (before, after) = (of(self.policies.0), of(self.policies.1));
        let pair = |group: &&str| {
            (old.groups.get(group).copied().unwrap_or(NONE), new.groups.get(group).copied().unwrap_or(NONE))
        };
        let mut pairs: Vec<Pair> = before.intersection(&after).map(pair).filter(|(old, new)| old != new).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// A deny that has changed may take from a caller what another of its principals allows.
    fn pairs(&mut self, groups: &Classes<'p>, users: &Classes<'p>) -> Vec<Subject<'p>> {
        let mut subjects = Vec::new();
        let of_groups = groups.iter().map(|class| (class, groups.iter().chain(users).collect::<Vec<_>>()));
        let of_users = users.iter().map(|class| (class, groups.iter().collect::<Vec<_>>()));
        for ((ours, principals), others) in of_groups.chain(of_users) {
            let denies = self.changed_denies(*ours);
            for (theirs, together_with) in others.into_iter().filter(|_| !denies.is_empty()) {
                if ours == theirs || !(self.allows(theirs.0, &denies) || self.allows(theirs.1, &denies)) {
                    continue;
                }
                if subjects.len() == MOST_PAIRS {
                    self.diff.complete = false;
                    return subjects;
                }
                let both = (self.terms.union(vec![ours.0, theirs.0]), self.terms.union(vec![ours.1, theirs.1]));
                let parts = vec![self.everyone, self.with_everyone(*ours), self.with_everyone(*theirs)];
                let (principals, together_with) = (principals.clone(), together_with.clone());
                subjects.push(Subject { whole: self.with_everyone(both), parts, principals, together_with });
            }
        }
        subjects
    }

    /// The denies that stand on one side only.
    fn changed_denies(&self, (old, new): Pair) -> Vec<Rule> {
        let of = |set| self.terms.rules(set).iter().filter(|rule| rule.denies).copied().collect::<BTreeSet<_>>();
        if old == new { Vec::new() } else { of(old).symmetric_difference(&of(new)).copied().collect() }
    }

    /// Whether the set allows something that one of `denies` may take.
    fn allows(&self, set: Set, denies: &[Rule]) -> bool {
        let pattern = |rule: &Rule| self.terms.patterns.get(rule.pattern);
        let meet = |allow: &Rule, deny: &Rule| {
            let patterns = pattern(allow).zip(pattern(deny));
            allow.actions.meets(deny.actions) && patterns.is_some_and(|(ours, theirs)| ours.may_meet(theirs))
        };
        let allows = self.terms.rules(set).iter().filter(|rule| !rule.denies);
        allows.into_iter().any(|allow| denies.iter().any(|deny| meet(allow, deny)))
    }

    fn with_everyone(&mut self, (old, new): Pair) -> Pair {
        let (old_everyone, new_everyone) = self.everyone;
        (self.terms.union(vec![old, old_everyone]), self.terms.union(vec![new, new_everyone]))
    }

    fn compare(&mut self, subject: &Subject<'p>) {
        let Some(ground) = Ground::new(&self.terms, &mut self.samples, subject.whole) else { return };
        self.diff.complete &= ground.complete;
        let exactly = subject.together_with.is_empty();
        let cells = ground.differences(&self.terms, subject.whole, &subject.parts, exactly);
        self.diff.rows.extend(rows::of(self.policies, subject, &ground, cells));
    }
}

/// The principals of either policy; one that a policy does not name has no rules there.
fn classes<'p>(old: &HashMap<&'p str, Set>, new: &HashMap<&'p str, Set>, via: fn(&'p str) -> Via<'p>) -> Classes<'p> {
    let mut classes = Classes::new();
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    for name in names {
        let set = |sets: &HashMap<&'p str, Set>| sets.get(name).copied().unwrap_or(NONE);
        classes.entry((set(old), set(new))).or_default().push(via(name));
    }
    classes
}
