//! Allows that a deny takes back whole.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::{Placed, Weight, about};
use crate::policy::Policy;
use crate::policy::actions::Actions;
use crate::policy::findings::{Flaw, quoted};
use crate::policy::index::{Entry, User};
use crate::policy::resource::Pattern;
use crate::policy::statement::{Effect, Statement};

const HINT: &str = "remove it, or make the deny narrower";

/// The allows of all principals, as far as they have been looked at.
#[derive(Default)]
struct Shadows<'p> {
    /// By position, with the deny that takes back what one principal was given.
    fallen: BTreeMap<usize, (&'p Statement, &'p Statement)>,
    /// Those that some principal can use.
    standing: HashSet<usize>,
    /// Lines of `[users]`.
    lines: Vec<Placed>,
}

pub(super) fn remarks(policy: &Policy, now: Timestamp) -> Vec<Placed> {
    let mut shadows = Shadows::default();
    let general: Vec<&Statement> = denies(policy.index.everyone()).collect();
    shadows.look_at(policy.index.everyone(), &general, now);
    for group in policy.index.groups() {
        let of_group: Vec<_> = general.iter().copied().chain(denies(&group.entries)).collect();
        shadows.look_at(&group.entries, &of_group, now);
    }
    for (name, user) in policy.index.users() {
        let of_groups = user.groups.iter().flat_map(|group| denies(&group.entries));
        let of_user: Vec<_> = general.iter().copied().chain(denies(&user.entries)).chain(of_groups).collect();
        shadows.look_at(&user.entries, &of_user, now);
        shadows.look_at_line(name, user, &of_user);
    }
    shadows.into_remarks()
}

/// The denies that always hold: a condition may let something through.
fn denies(entries: &[Entry]) -> impl Iterator<Item = &Statement> {
    let denies = entries.iter().filter(|entry| entry.effect() == Effect::Deny).map(|entry| &**entry.statement());
    denies.filter(|deny| deny.condition.is_none())
}

impl<'p> Shadows<'p> {
    fn look_at(&mut self, entries: &'p [Entry], denies: &[&'p Statement], now: Timestamp) {
        let allows = entries.iter().filter(|entry| entry.effect() == Effect::Allow).map(|entry| &**entry.statement());
        for allow in allows.filter(|allow| allow.ends().is_none_or(|end| end >= now)) {
            match denies.iter().find(|deny| deny.takes_back(allow)) {
                Some(deny) => self.fallen_by(allow, deny),
                None => drop(self.standing.insert(allow.position)),
            }
        }
    }

    /// Of several denies the first in the file is told: groups come in no order.
    fn fallen_by(&mut self, allow: &'p Statement, deny: &'p Statement) {
        let (_, first) = self.fallen.entry(allow.position).or_insert((allow, deny));
        if deny.position < first.position {
            *first = deny;
        }
    }

    fn look_at_line(&mut self, name: &str, user: &User, denies: &[&Statement]) {
        let always = |deny: &&&Statement| deny.not_after.is_none();
        let deny = denies.iter().filter(always).find(|deny| deny.covers(user.short_form, [&Pattern::default()]));
        if let Some(deny) = deny.filter(|_| !user.short_form.is_empty()) {
            let (user, deny_name) = (quoted(name), quoted(&deny.name));
            let what = format!("the line of {user} in `[users]` allows nothing: {deny_name} denies all of it");
            let (_, remark) = about(deny, Weight::Warning, Flaw::new(what, HINT));
            self.lines.push((usize::MAX, remark));
        }
    }

    fn into_remarks(self) -> Vec<Placed> {
        let Self { fallen, standing, mut lines } = self;
        lines.sort_by(|(_, a), (_, b)| a.mistake.what().cmp(b.mistake.what()));
        let fallen = fallen.into_iter().filter(|(position, _)| !standing.contains(position));
        let remark = |(_, (allow, deny)): (usize, (&Statement, &Statement))| {
            let what =
                format!("{} can never allow anything: {} denies all of it", quoted(&allow.name), quoted(&deny.name));
            about(allow, Weight::Warning, Flaw::new(what, HINT))
        };
        fallen.map(remark).chain(lines).collect()
    }
}

impl Statement {
    /// Whether this deny, which has no condition, leaves nothing of `allow` to those whom both concern.
    fn takes_back(&self, allow: &Statement) -> bool {
        let as_long = self.not_after.is_none_or(|end| allow.ends().is_some_and(|allowed| allowed <= end));
        as_long && self.covers(allow.actions, allow.resources.iter().map(AsRef::as_ref))
    }

    /// Whether these actions on these resources are all among its own.
    fn covers<'r>(&self, actions: Actions, resources: impl IntoIterator<Item = &'r Pattern>) -> bool {
        let among = |theirs: &Pattern| self.resources.iter().any(|ours| ours.covers(theirs));
        self.actions.contains_all(actions) && resources.into_iter().all(among)
    }
}
