//! Regions and buckets that stand for all others, as far as given patterns can tell them apart.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::words::{Language, Machine};
use crate::domain::{Bucket, Region};
use crate::policy::resource::{APP_ID, Pattern, ROOT};

const LONGEST_REGION: usize = 32;
const LONGEST_BUCKET: usize = 63;

/// Examples, and whether there is one for every case.
#[derive(Clone)]
pub(super) struct Found<T> {
    pub(super) examples: Rc<[T]>,
    pub(super) complete: bool,
}

/// An account and a path, as patterns write them.
type AccountAndPath<'p> = (Option<&'p str>, Option<&'p str>);

/// Finds examples, and remembers them: many callers have the same patterns.
#[derive(Default)]
pub(super) struct Samples<'p> {
    regions: HashMap<BTreeSet<&'p str>, Found<Region>>,
    buckets: HashMap<BTreeSet<AccountAndPath<'p>>, Found<Bucket>>,
}

impl<'p> Samples<'p> {
    pub(super) fn regions(&mut self, patterns: &[&'p Pattern]) -> Found<Region> {
        let texts: BTreeSet<&str> = patterns.iter().filter_map(|pattern| pattern.region()).collect();
        self.regions.entry(texts).or_insert_with_key(regions).clone()
    }

    pub(super) fn buckets(&mut self, patterns: &[&'p Pattern]) -> Found<Bucket> {
        let key = patterns.iter().map(|pattern| (pattern.app_id(), pattern.path())).collect();
        self.buckets.entry(key).or_insert_with(|| buckets(patterns)).clone()
    }
}

fn regions(texts: &BTreeSet<&str>) -> Found<Region> {
    let (globs, literals): (Vec<&str>, Vec<&str>) = texts.iter().partition(|text| text.contains('*'));
    let machines = globs.iter().map(|glob| Machine::new(glob, APP_ID));
    found(Language {
        whole: machines.flatten().collect(),
        before: "",
        number: Vec::new(),
        literals: literals.into_iter().collect(),
        longest: LONGEST_REGION,
        is_word: |word| word.parse::<Region>().is_ok(),
    })
}

fn buckets(patterns: &[&Pattern]) -> Found<Bucket> {
    let (single, wide): (Vec<&Pattern>, Vec<&Pattern>) =
        patterns.iter().partition(|pattern| pattern.one_bucket().is_some());
    let paths: BTreeSet<&str> = wide.iter().filter_map(|pattern| pattern.path()).collect();
    let accounts: BTreeSet<&str> = wide.iter().filter_map(|pattern| pattern.app_id()).collect();
    let all_regular = paths.iter().all(|path| is_regular(path));
    let mut found = found(Language {
        whole: paths.iter().filter_map(|path| Machine::new(path, APP_ID)).collect(),
        before: ROOT,
        number: accounts.iter().filter_map(|account| Machine::new(account, APP_ID)).collect(),
        literals: single.iter().filter_map(|pattern| pattern.one_bucket()).collect(),
        longest: LONGEST_BUCKET,
        is_word: |word| word.parse::<Bucket>().is_ok(),
    });
    found.complete &= all_regular;
    found
}

/// Whether the account's variable stands where it is the rest of the bucket's name, so that it is any number.
fn is_regular(path: &str) -> bool {
    match path.split(APP_ID).collect::<Vec<_>>().as_slice() {
        [_] => true,
        [before, after] => before.ends_with('-') && ["", "/", "/*"].contains(after),
        _ => false,
    }
}

fn found<T: std::str::FromStr>(language: Language<'_>) -> Found<T> {
    let (words, complete) = language.samples();
    let examples = words.iter().filter_map(|word| word.parse().ok()).collect();
    Found { examples, complete }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::resource::path_of;

    fn pattern(path: &str) -> Option<Pattern> {
        Pattern::parse(path).ok()
    }

    fn names(patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<Pattern> = patterns.iter().map(|text| pattern(text).unwrap()).collect();
        let patterns: Vec<&Pattern> = patterns.iter().collect();
        let found = buckets(&patterns);
        assert!(found.complete);
        found.examples.iter().map(Bucket::to_string).collect()
    }

    #[test]
    fn each_case_has_one_example() {
        assert_eq!(names(&["*"]), ["a-0"]);
        assert_eq!(names(&["qcs::ci:::bucket/b-1"]), ["a-1", "b-1"]);
        assert_eq!(names(&["qcs::ci:::bucket/b*", "qcs::ci:::bucket/b-0/*"]), ["a-0", "b-0", "b-1"]);
        assert_eq!(names(&["qcs::ci::uid/7:*"]), ["a-0", "a-7"]);
        assert_eq!(names(&["qcs::ci:::bucket/b-${app_id}/*"]), ["a-0", "b-0"]);
    }

    #[test]
    fn a_variable_that_stands_elsewhere_is_not_promised_to_be_told_apart() {
        let pattern = pattern("qcs::ci:::bucket/${app_id}-x-*").unwrap();
        assert!(!buckets(&[&pattern]).complete);
    }

    fn fits(patterns: &[Pattern], bucket: &Bucket) -> Vec<bool> {
        patterns.iter().map(|pattern| pattern.matches_bucket(bucket, &path_of(bucket))).collect()
    }

    proptest! {
        /// Whatever a bucket fits, an example fits too.
        #[test]
        fn every_bucket_has_an_example_that_fits_the_same_patterns(
            texts in prop::collection::vec(
                ("(uid/(1|2|\\*1|1\\*))?", "(b|bucket/)[ab*-]{0,3}(-(1|2|\\*|\\$\\{app_id\\}))?(/|/\\*)?"), 1..4),
            bucket in "[ab]([ab12-]{0,3}[ab12])?-[12]{1,2}",
        ) {
            let texts = texts.iter().map(|(account, path)| format!("qcs::ci::{account}:{path}"));
            let patterns: Vec<Pattern> = texts.filter_map(|text| pattern(&text)).collect();
            let found = buckets(&patterns.iter().collect::<Vec<_>>());
            if let Ok(bucket) = bucket.parse::<Bucket>() {
                let same = |example: &Bucket| fits(&patterns, example) == fits(&patterns, &bucket);
                prop_assert!(!found.complete || found.examples.iter().any(same), "{:?} {}", patterns, bucket);
            }
        }

        #[test]
        fn every_region_has_an_example_that_fits_the_same_patterns(
            texts in prop::collection::vec("[a*-]{0,3}[ab*]", 1..5), region in "[abc]([abc-]{0,3}[abc])?",
        ) {
            let patterns: Vec<Pattern> = texts.iter().filter_map(|text| pattern(&format!("qcs::ci:{text}::*"))).collect();
            let found = Samples::default().regions(&patterns.iter().collect::<Vec<_>>());
            let of = |region: &Region| patterns.iter().map(|pattern| pattern.matches_region(region)).collect::<Vec<_>>();
            let region: Region = region.parse().unwrap();
            prop_assert!(found.complete && found.examples.iter().any(|example| of(example) == of(&region)));
        }
    }
}
