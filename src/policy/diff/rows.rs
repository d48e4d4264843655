//! Differences, told in few rows: like callers, like actions, and places by the patterns that describe them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::compare::{Cell, Change, Ground, Place};
use super::guard::{Access, Guard};
use super::{Resources, Row, Ruling, Subject};
use crate::domain::{Action, Bucket, Region};
use crate::policy::index::{Entry, Via};
use crate::policy::resource::{ALL, path_of};
use crate::policy::statement::{Effect, Statement};
use crate::policy::{Policy, Resource};

/// Of callers with like grants, for how many the statements are looked up.
const MOST_CALLERS: usize = 4;
/// Of places that no pattern describes, how many are told.
const MOST_EXAMPLES: usize = 5;

/// In place of the other statements.
const MORE: &str = "…";

type Places = BTreeSet<Place>;

pub(super) fn of<'p>(
    policies: (&'p Policy, &'p Policy),
    subject: &Subject<'_>,
    ground: &Ground<'_>,
    cells: Vec<Cell<'p>>,
) -> Vec<Row> {
    let mut by_action: BTreeMap<(Change<'p>, usize), (Action, Places)> = BTreeMap::new();
    for Cell { action, place, change } in cells {
        by_action.entry((change, action.index())).or_insert((action, Places::new())).1.insert(place);
    }
    let mut alike: BTreeMap<(Change<'p>, Places), Vec<Action>> = BTreeMap::new();
    for ((change, _), (action, places)) in by_action {
        alike.entry((change, places)).or_default().push(action);
    }
    let mut rows: Vec<Row> = alike
        .into_iter()
        .map(|((change, places), actions)| {
            let answer = |policy, access: &Access<'p>| Ruling {
                when: access.told(),
                statements: actions
                    .first()
                    .zip(places.first().and_then(|place| ground.names(*place)))
                    .map(|(action, (region, bucket))| through(policy, subject, *action, region, bucket, access))
                    .unwrap_or_default(),
            };
            Row {
                kind: change.kind(),
                principals: subject.principals.iter().map(Via::to_string).collect(),
                together_with: subject.together_with.iter().map(Via::to_string).collect(),
                resources: described(ground, &places),
                old: answer(policies.0, &change.old),
                new: answer(policies.1, &change.new),
                actions,
            }
        })
        .collect();
    rows.sort_by_key(|row| row.kind);
    rows
}

/// Rows that differ in their callers alone become one; the first keeps its place.
pub(super) fn merged(rows: Vec<Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    let mut known = HashMap::new();
    for row in rows {
        let who = if row.together_with.is_empty() { Vec::new() } else { row.principals.clone() };
        let what = (row.kind, row.actions.clone(), row.resources.clone(), row.old.when.clone(), row.new.when.clone());
        let place = *known.entry((who, what)).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(same) => same.take_in(row),
            None => merged.push(row),
        }
    }
    merged
}

impl Row {
    /// Takes in the callers of another that is otherwise alike.
    fn take_in(&mut self, other: Self) {
        if other.together_with.is_empty() {
            self.principals.extend(other.principals);
        }
        self.together_with.extend(other.together_with);
        self.old.take_in(other.old);
        self.new.take_in(other.new);
    }
}

impl Ruling {
    fn take_in(&mut self, other: Self) {
        for statement in other.statements {
            if !self.statements.contains(&statement) {
                match self.statements.len() {
                    few if few < MOST_CALLERS => self.statements.push(statement),
                    MOST_CALLERS => self.statements.push(MORE.to_owned()),
                    _ => {}
                }
            }
        }
    }
}

/// The places by patterns that take in nothing else; then by one without others; then by examples.
fn described(ground: &Ground<'_>, places: &Places) -> Vec<Resources> {
    let mut extents: Vec<(String, Places)> =
        ground.patterns.iter().enumerate().map(|(n, pattern)| (pattern.to_string(), ground.extent(n))).collect();
    extents.push((ALL.to_string(), ground.places().collect()));
    extents.sort_by_key(|(pattern, extent)| (std::cmp::Reverse(extent.len()), pattern.len()));
    let mut told = Vec::new();
    let mut left = places.clone();
    for (pattern, extent) in extents.iter().filter(|(_, extent)| extent.is_subset(places)) {
        if !extent.is_disjoint(&left) {
            left.retain(|place| !extent.contains(place));
            told.push(Resources { pattern: pattern.clone(), except: Vec::new(), example: false });
        }
    }
    if left.is_empty() {
        return told;
    }
    match all_but(&extents, places, &left) {
        Some(resources) => told.push(resources),
        None => told.extend(left.iter().take(MOST_EXAMPLES).filter_map(|place| example(ground, *place))),
    }
    told
}

/// The narrowest pattern that takes in all of `left`, less others that have nothing of `places`.
fn all_but(extents: &[(String, Places)], places: &Places, left: &Places) -> Option<Resources> {
    let (pattern, extent) = extents.iter().rev().find(|(_, extent)| left.is_subset(extent))?;
    let mut too_much: Places = extent.difference(places).copied().collect();
    let mut except = Vec::new();
    for (other, theirs) in extents.iter().filter(|(_, theirs)| theirs.is_disjoint(places)) {
        if !theirs.is_disjoint(&too_much) {
            too_much.retain(|place| !theirs.contains(place));
            except.push(other.clone());
        }
    }
    too_much.is_empty().then(|| Resources { pattern: pattern.clone(), except, example: false })
}

fn example(ground: &Ground<'_>, place: Place) -> Option<Resources> {
    let (region, bucket) = ground.names(place)?;
    let pattern = Resource::bucket(bucket, region).to_string();
    Some(Resources { pattern, except: Vec::new(), example: true })
}

impl Ground<'_> {
    fn names(&self, (region, bucket): Place) -> Option<(&Region, &Bucket)> {
        self.regions.get(region).zip(self.buckets.get(bucket))
    }
}

/// The first allow and the first deny that make the access what it is, for each of the first callers.
fn through<'p>(
    policy: &'p Policy,
    subject: &Subject<'_>,
    action: Action,
    region: &Region,
    bucket: &Bucket,
    access: &Access<'p>,
) -> Vec<String> {
    let path = path_of(bucket);
    let here = |entry: &&Entry| {
        let patterns = &entry.statement().resources;
        let fits = patterns.iter().any(|one| one.matches_region(region) && one.matches_bucket(bucket, &path));
        entry.is_about(action) && fits
    };
    let mut names: Vec<String> = Vec::new();
    for principal in subject.principals.iter().take(MOST_CALLERS) {
        let both = [Some(principal), subject.together_with.first()];
        let entries: Vec<&Entry> =
            both.into_iter().flatten().flat_map(|via| of_principal(policy, *via)).filter(here).collect();
        let lines = both.into_iter().flatten().filter_map(|via| line(policy, *via, action));
        let mut lines = lines.filter(|_| access.is_by(Effect::Allow, &Guard::always()));
        let allow = first(&entries, Effect::Allow, access).or_else(|| lines.next());
        let told = allow.into_iter().chain(first(&entries, Effect::Deny, access));
        for name in told {
            if !names.iter().any(|known| *known == name) {
                names.push(name.to_owned());
            }
        }
    }
    if subject.principals.len() > MOST_CALLERS && !names.is_empty() {
        names.push(MORE.to_owned());
    }
    names
}

fn of_principal<'p>(policy: &'p Policy, via: Via<'_>) -> Vec<&'p Entry> {
    let index = &policy.index;
    let named: Vec<&Entry> = match via {
        Via::Everyone => Vec::new(),
        Via::Group(name) => index.group(name).into_iter().flat_map(|group| &group.entries).collect(),
        Via::User(name) => index.user(name).map_or(Vec::new(), |user| {
            user.entries.iter().chain(user.groups.iter().flat_map(|group| &group.entries)).collect()
        }),
    };
    index.everyone().iter().chain(named).collect()
}

fn line<'p>(policy: &'p Policy, via: Via<'_>, action: Action) -> Option<&'p str> {
    let Via::User(name) = via else { return None };
    let allowed = policy.index.user(name).is_some_and(|user| user.short_form.contains(action));
    policy.index.line_of(name).filter(|_| allowed).map(AsRef::as_ref)
}

fn first<'p>(entries: &[&'p Entry], effect: Effect, access: &Access<'p>) -> Option<&'p str> {
    let statements = entries.iter().filter(|entry| entry.effect() == effect).map(|entry| &**entry.statement());
    let statements = statements.filter(|statement| access.is_by(effect, &Guard::of(statement)));
    statements.min_by_key(|statement: &&Statement| statement.position).map(|statement| &*statement.name)
}
