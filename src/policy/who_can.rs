//! Who may do something: the index, read from the other end.
//!
//! Nothing is known of a request but what is asked, so a grant that depends on more is shown with what it depends on.

#[cfg(test)]
mod tests;

use core::net::IpAddr;
use std::collections::HashMap;

use jiff::Timestamp;

use super::Policy;
use super::condition::Met;
use super::glob;
use super::index::{Entry, User, Via};
use super::resource::path_of;
use super::statement::{Effect, Statement};
use crate::domain::{Action, Bucket, Region};

/// What is asked: who can do this?
#[derive(Clone, Copy, Debug)]
pub struct Wish<'q> {
    /// The action.
    pub action: Action,
    /// The bucket.
    pub bucket: &'q Bucket,
    /// Its region; `None` if any counts.
    pub region: Option<&'q Region>,
    /// What has ended by then is passed over.
    pub now: Timestamp,
    /// The time by which conditions are decided; `None` leaves them open.
    pub at: Option<Timestamp>,
    /// The address by which conditions are decided; `None` leaves them open.
    pub ip: Option<IpAddr>,
}

/// Who can, and who is kept from it.
#[derive(Debug)]
pub struct WhoCan<'p> {
    /// Everyone, then groups, then users, each by name. Whom a deny covers is not among them.
    pub allowed: Vec<Holder<'p>>,
    /// The denies, in the same order: they hold also for those above who are one of these.
    pub denied: Vec<Denial<'p>>,
}

/// A principal that can.
#[derive(Debug)]
pub struct Holder<'p> {
    /// Who.
    pub principal: Via<'p>,
    /// Through which statements, at least one.
    pub grants: Vec<Grant<'p>>,
    /// Of a group, its members by `[groups]`.
    pub members: Vec<Member<'p>>,
}

/// A member of a group that can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'p> {
    /// The user's name.
    pub name: &'p str,
    /// The deny for which the member cannot after all: it takes all that the group has, alone or with others.
    pub denied_by: Option<&'p str>,
}

/// A statement that allows.
#[derive(Debug)]
pub struct Grant<'p> {
    /// The statement.
    pub said: Said<'p>,
    /// The denies that concern the same principal and sometimes hold.
    pub unless: Vec<Said<'p>>,
}

/// A statement that denies.
#[derive(Debug)]
pub struct Denial<'p> {
    /// Whom.
    pub principal: Via<'p>,
    /// The statement.
    pub said: Said<'p>,
}

/// A statement, as far as it concerns what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<'p> {
    /// Its name.
    pub statement: &'p str,
    /// Its file and line; `None` for a line of `[users]`.
    pub stands: Option<(&'p str, usize)>,
    /// Where it holds, if no region is asked about; empty for everywhere.
    pub regions: Vec<&'p str>,
    /// What else has to hold, as it is written.
    pub conditions: Vec<&'p str>,
    /// The last moment at which it holds.
    pub until: Option<Timestamp>,
}

impl Policy {
    /// Every principal that can do what is asked, and through which statements.
    ///
    /// Takes time in the size of the policy.
    #[must_use]
    pub fn who_can(&self, wish: &Wish<'_>) -> WhoCan<'_> {
        Reading { wish, path: path_of(wish.bucket), policy: self }.answer()
    }
}

impl<'p> Said<'p> {
    /// Whether it holds for every request there.
    fn holds_always(&self) -> bool {
        self.conditions.is_empty()
    }

    fn holds_everywhere(&self) -> bool {
        self.regions.is_empty()
    }

    /// Whether it takes away all that `grant` gives in `region`.
    fn covers(&self, region: Option<&str>) -> bool {
        let inside = |theirs: &str| self.regions.iter().any(|ours| glob::fits(ours, theirs));
        self.holds_always() && (self.holds_everywhere() || region.is_some_and(inside))
    }

    /// Whether there may be a region in which both hold.
    fn meets(&self, other: &Self) -> bool {
        let any = || self.regions.iter().any(|ours| other.regions.iter().any(|theirs| glob::meet(ours, theirs)));
        self.holds_everywhere() || other.holds_everywhere() || any()
    }

    /// What the denies leave of it.
    fn less(mut self, denies: &[&Self]) -> Option<Grant<'p>> {
        if self.holds_everywhere() {
            if denies.iter().any(|deny| deny.covers(None)) {
                return None;
            }
        } else {
            self.regions.retain(|region| !denies.iter().any(|deny| deny.covers(Some(region))));
            if self.regions.is_empty() {
                return None;
            }
        }
        let unless = denies.iter().filter(|deny| deny.meets(&self)).map(|deny| (*deny).clone()).collect();
        Some(Grant { said: self, unless })
    }
}

/// A policy while it is read for one wish.
struct Reading<'w, 'p> {
    wish: &'w Wish<'w>,
    /// The bucket's path.
    path: String,
    policy: &'p Policy,
}

/// What concerns one principal, by effect.
#[derive(Default)]
struct Sides<'p> {
    allows: Vec<Said<'p>>,
    denies: Vec<Said<'p>>,
}

impl<'p> Sides<'p> {
    /// The deny for which nothing of what is allowed is left to someone whom all of `denies` concern.
    fn lost_to(&self, denies: &[&Said<'p>]) -> Option<&'p str> {
        let leave_nothing = |denies: &[&Said<'p>]| self.allows.iter().all(|allow| allow.clone().less(denies).is_none());
        if !leave_nothing(denies) {
            return None;
        }
        // It may take several; then one of them stands for all.
        let alone = denies.iter().find(|deny| leave_nothing(&[**deny]));
        let takes_some = |deny: &&&Said<'p>| deny.holds_always() && self.allows.iter().any(|allow| deny.meets(allow));
        alone.or_else(|| denies.iter().find(takes_some)).map(|deny| deny.statement)
    }
}

/// The members of groups, by the groups' names.
type Members<'p> = HashMap<&'p str, Vec<Member<'p>>>;

impl<'p> Reading<'_, 'p> {
    fn answer(&self) -> WhoCan<'p> {
        let index = &self.policy.index;
        let everyone = self.sides(index.everyone());
        let groups: HashMap<&str, Sides<'p>> =
            index.groups().map(|group| (&*group.name, self.sides(&group.entries))).collect();
        let mut answer = WhoCan { allowed: Vec::new(), denied: Vec::new() };
        let mut members = Members::new();
        answer.add(Via::Everyone, &everyone, Vec::new(), &[]);
        for (name, user) in index.users() {
            self.user(name, user, &everyone, &groups, &mut members, &mut answer);
        }
        for (name, sides) in &groups {
            let members = members.remove(name).unwrap_or_default();
            answer.add(Via::Group(name), sides, members, &everyone.denies);
        }
        answer.in_order()
    }

    fn user(
        &self,
        name: &'p str,
        user: &'p User,
        everyone: &Sides<'p>,
        groups: &HashMap<&str, Sides<'p>>,
        members: &mut Members<'p>,
        answer: &mut WhoCan<'p>,
    ) {
        let mut own = self.sides(&user.entries);
        if user.short_form.contains(self.wish.action) {
            own.allows.extend(self.policy.index.line_of(name).map(|line| Said::line_of_users(line)));
        }
        let of_groups = user.groups.iter().filter_map(|group| groups.get(&*group.name));
        let others: Vec<Said<'p>> =
            everyone.denies.iter().chain(of_groups.flat_map(|sides| &sides.denies)).cloned().collect();
        let denies: Vec<&Said<'p>> = others.iter().chain(&own.denies).collect();
        for group in &user.groups {
            let denied_by = groups.get(&*group.name).and_then(|sides| sides.lost_to(&denies));
            members.entry(&group.name).or_default().push(Member { name, denied_by });
        }
        answer.add(Via::User(name), &own, Vec::new(), &others);
    }

    fn sides(&self, entries: &'p [Entry]) -> Sides<'p> {
        let mut sides = Sides::default();
        for entry in entries.iter().filter(|entry| entry.is_about(self.wish.action)) {
            let side = match entry.effect() {
                Effect::Allow => &mut sides.allows,
                Effect::Deny => &mut sides.denies,
            };
            side.extend(self.said(entry.statement()));
        }
        sides
    }

    /// The statement, unless it cannot take part.
    fn said(&self, statement: &'p Statement) -> Option<Said<'p>> {
        if statement.ends().is_some_and(|end| self.wish.now > end) {
            return None;
        }
        let regions = self.regions(statement)?;
        let conditions = self.conditions(statement)?;
        let stands = Some((&*statement.place, statement.line));
        Some(Said { statement: &statement.name, stands, regions, conditions, until: statement.not_after })
    }

    fn regions(&self, statement: &'p Statement) -> Option<Vec<&'p str>> {
        let fitting = statement.resources.iter().filter(|pattern| {
            pattern.matches_bucket(self.wish.bucket, &self.path)
                && self.wish.region.is_none_or(|region| pattern.matches_region(region))
        });
        fitting.clone().next()?;
        // One pattern for all regions is enough for all.
        let regions: Option<Vec<&str>> = fitting.map(|pattern| pattern.region()).collect();
        let mut regions = regions.filter(|_| self.wish.region.is_none()).unwrap_or_default();
        regions.sort_unstable();
        regions.dedup();
        Some(regions)
    }

    /// The parts of the condition that are open; `None` if one keeps the statement out.
    fn conditions(&self, statement: &'p Statement) -> Option<Vec<&'p str>> {
        let mut open = Vec::new();
        for test in statement.tests() {
            match (test.settled(self.wish.ip, self.wish.at), statement.effect) {
                (Some(Met::Yes), _) | (Some(Met::Unclear), Effect::Deny) => {}
                (Some(Met::No), _) | (Some(Met::Unclear), Effect::Allow) => return None,
                (None, _) => open.push(test.text()),
            }
        }
        Some(open)
    }
}

impl<'p> WhoCan<'p> {
    /// Adds a principal and what concerns it; `others` are the denies that surely concern it besides its own.
    fn add(&mut self, principal: Via<'p>, sides: &Sides<'p>, members: Vec<Member<'p>>, others: &[Said<'p>]) {
        let denies: Vec<&Said<'p>> = others.iter().chain(&sides.denies).collect();
        let grants: Vec<_> = sides.allows.iter().filter_map(|allow| allow.clone().less(&denies)).collect();
        if !grants.is_empty() {
            self.allowed.push(Holder { principal, grants, members });
        }
        self.denied.extend(sides.denies.iter().map(|said| Denial { principal, said: said.clone() }));
    }

    fn in_order(mut self) -> Self {
        self.allowed.sort_by(|a, b| a.principal.rank().cmp(&b.principal.rank()));
        self.denied.sort_by(|a, b| a.principal.rank().cmp(&b.principal.rank()));
        for holder in &mut self.allowed {
            holder.members.sort_by_key(|member| member.name);
        }
        self
    }
}

impl<'p> Said<'p> {
    fn line_of_users(name: &'p str) -> Self {
        Self { statement: name, stands: None, regions: Vec::new(), conditions: Vec::new(), until: None }
    }
}
