//! One caller under two policies: where the answers differ.

use std::collections::{BTreeMap, BTreeSet};

use super::Difference;
use super::guard::Access;
use super::roster::{Rule, Set, Terms};
use super::samples::Samples;
use crate::domain::{Action, Bucket, Region};
use crate::policy::actions::Actions;
use crate::policy::resource::{Pattern, path_of};

/// The sets of one caller, or of a part of one, under the old policy and the new.
pub(super) type Pair = (Set, Set);

/// An example of a region and of a bucket, by their numbers.
pub(super) type Place = (usize, usize);

/// What a caller has at a place before and after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change<'p> {
    pub(super) old: Access<'p>,
    pub(super) new: Access<'p>,
}

impl Change<'_> {
    /// Which way it goes.
    pub(super) fn kind(&self) -> Difference {
        match (self.old.is_never(), self.new.is_never()) {
            (true, false) => Difference::Gains,
            (false, true) => Difference::Loses,
            (true, true) | (false, false) => Difference::Changes,
        }
    }

    /// Whether whoever is told of this knows of `other` too: it is of the same kind, and no request is decided
    /// otherwise by it that is not by this.
    fn tells(&self, other: &Self) -> bool {
        let wider = |other: &Self, this: &Self| {
            other.new.is_within(&other.old) || (other.new.is_within(&this.new) && this.old.is_within(&other.old))
        };
        let narrower = |other: &Self, this: &Self| {
            other.old.is_within(&other.new) || (other.old.is_within(&this.old) && this.new.is_within(&other.new))
        };
        self.kind() == other.kind() && wider(other, self) && narrower(other, self)
    }
}

/// A difference: for this action at this place.
#[derive(Debug)]
pub(super) struct Cell<'p> {
    pub(super) action: Action,
    pub(super) place: Place,
    pub(super) change: Change<'p>,
}

/// The ground on which a caller's two sets are compared: patterns that matter, and examples that tell them apart.
pub(super) struct Ground<'p> {
    pub(super) patterns: Vec<&'p Pattern>,
    pub(super) regions: Vec<Region>,
    pub(super) buckets: Vec<Bucket>,
    /// For each region, and for each bucket, whether it fits each pattern.
    region_fits: Vec<Vec<bool>>,
    bucket_fits: Vec<Vec<bool>>,
    /// Whether there is an example for every case.
    pub(super) complete: bool,
    changed: Vec<bool>,
    actions: Actions,
    numbers: Vec<usize>,
}

/// The rules of one side, by the ground's patterns.
type ByPattern<'t> = Vec<Vec<&'t Rule>>;

impl<'p> Ground<'p> {
    /// `None` if the two sets are the same in all that matters.
    pub(super) fn new(terms: &Terms<'p>, samples: &mut Samples<'p>, (old, new): Pair) -> Option<Self> {
        let changed = changed(terms.rules(old), terms.rules(new));
        let actions = changed.values().copied().fold(Actions::default(), Actions::and);
        let named = |number: usize| terms.patterns.get(number).copied();
        let changed_patterns: Vec<&Pattern> = changed.keys().filter_map(|number| named(*number)).collect();
        let rules = terms.rules(old).iter().chain(terms.rules(new)).filter(|rule| rule.actions.meets(actions));
        let all: BTreeSet<usize> = rules.map(|rule| rule.pattern).collect();
        let matters = |number: &usize| {
            changed.contains_key(number)
                || named(*number).is_some_and(|pattern| changed_patterns.iter().any(|other| pattern.may_meet(other)))
        };
        let numbers: Vec<usize> = all.into_iter().filter(matters).collect();
        let patterns: Vec<&Pattern> = numbers.iter().filter_map(|number| named(*number)).collect();
        if changed.is_empty() {
            return None;
        }
        let (regions, buckets) = (samples.regions(&patterns), samples.buckets(&patterns));
        let fits_region = |region| patterns.iter().map(|pattern| pattern.matches_region(region)).collect();
        let fits_bucket = |bucket| {
            let path = path_of(bucket);
            patterns.iter().map(|pattern| pattern.matches_bucket(bucket, &path)).collect()
        };
        Some(Self {
            region_fits: regions.examples.iter().map(fits_region).collect(),
            bucket_fits: buckets.examples.iter().map(fits_bucket).collect(),
            complete: regions.complete && buckets.complete,
            changed: numbers.iter().map(|number| changed.contains_key(number)).collect(),
            regions: regions.examples.to_vec(),
            buckets: buckets.examples.to_vec(),
            patterns,
            actions,
            numbers,
        })
    }

    /// Every difference of `whole` that one of its `parts` does not have as well; `exactly`, or so that it is told by
    /// that of the part.
    pub(super) fn differences(&self, terms: &Terms<'p>, whole: Pair, parts: &[Pair], exactly: bool) -> Vec<Cell<'p>> {
        let sides = |(old, new): Pair| (self.by_pattern(terms, old), self.by_pattern(terms, new));
        let (whole, parts) = (sides(whole), parts.iter().map(|part| sides(*part)).collect::<Vec<_>>());
        let mut cells = Vec::new();
        for place in self.places() {
            let here = self.patterns_at(place);
            if !here.iter().any(|n| self.changed.get(*n).copied().unwrap_or(false)) {
                continue;
            }
            for action in Action::all().filter(|action| self.actions.contains(*action)) {
                let change = |(old, new): &(ByPattern<'_>, ByPattern<'_>)| {
                    let (old, new) = (access(terms, old, &here, action), access(terms, new, &here, action));
                    (!old.permits_as(&new)).then_some(Change { old, new })
                };
                let Some(found) = change(&whole) else { continue };
                let told = |part: &_| {
                    change(part).is_some_and(|theirs| if exactly { theirs == found } else { theirs.tells(&found) })
                };
                if !parts.iter().any(told) {
                    cells.push(Cell { action, place, change: found });
                }
            }
        }
        cells
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        (0..self.regions.len()).flat_map(|region| (0..self.buckets.len()).map(move |bucket| (region, bucket)))
    }

    /// The places that the `n`th pattern takes in.
    pub(super) fn extent(&self, n: usize) -> BTreeSet<Place> {
        let fit = |all: &[Vec<bool>]| -> Vec<usize> {
            let fits = |fits: &Vec<bool>| fits.get(n).copied().unwrap_or(false);
            all.iter().enumerate().filter(|(_, one)| fits(one)).map(|(number, _)| number).collect()
        };
        let buckets = fit(&self.bucket_fits);
        fit(&self.region_fits)
            .into_iter()
            .flat_map(|region| buckets.iter().map(move |bucket| (region, *bucket)))
            .collect()
    }

    fn patterns_at(&self, (region, bucket): Place) -> Vec<usize> {
        let none = Vec::new();
        let region = self.region_fits.get(region).unwrap_or(&none);
        let bucket = self.bucket_fits.get(bucket).unwrap_or(&none);
        let both = region.iter().zip(bucket).enumerate();
        both.filter(|(_, (region, bucket))| **region && **bucket).map(|(n, _)| n).collect()
    }

    fn by_pattern<'t>(&self, terms: &'t Terms<'p>, set: Set) -> ByPattern<'t> {
        let mut sorted = vec![Vec::new(); self.numbers.len()];
        for rule in terms.rules(set) {
            if let Some(rules) = self.numbers.binary_search(&rule.pattern).ok().and_then(|n| sorted.get_mut(n)) {
                rules.push(rule);
            }
        }
        sorted
    }
}

/// The patterns of rules that stand on one side only, with the actions for which they do.
fn changed(old: &[Rule], new: &[Rule]) -> BTreeMap<usize, Actions> {
    let mut sides: BTreeMap<(bool, usize, usize), Actions> = BTreeMap::new();
    for rule in old.iter().chain(new) {
        let actions = sides.entry((rule.denies, rule.pattern, rule.guard)).or_default();
        // What stands on both sides cancels out.
        *actions = actions.unlike(rule.actions);
    }
    let mut changed: BTreeMap<usize, Actions> = BTreeMap::new();
    for ((_, pattern, _), actions) in sides.into_iter().filter(|(_, actions)| !actions.is_empty()) {
        let of_pattern = changed.entry(pattern).or_default();
        *of_pattern = of_pattern.and(actions);
    }
    changed
}

fn access<'p>(terms: &Terms<'p>, side: &ByPattern<'_>, here: &[usize], action: Action) -> Access<'p> {
    let rules = here.iter().filter_map(|n| side.get(*n)).flatten().filter(|rule| rule.actions.contains(action));
    let (mut allows, mut denies) = (Vec::new(), Vec::new());
    for rule in rules {
        let side = if rule.denies { &mut denies } else { &mut allows };
        side.extend(terms.guards.get(rule.guard).cloned());
    }
    Access::new(allows, denies)
}
