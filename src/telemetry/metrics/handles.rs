//! Series found without a lock: a `Vec` of metrics hashes its labels under one, several times in each request.
//!
//! A handle is made when its series is first counted, so that the text shows only what has happened.

use std::sync::OnceLock;

use prometheus::IntCounter;

/// More words than any label has; see [`Words`].
const MOST_WORDS: usize = 64;

/// Handles by a small number.
#[derive(Debug)]
pub(super) struct Cells<T, const N: usize>([OnceLock<T>; N]);

impl<T, const N: usize> Default for Cells<T, N> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; N])
    }
}

impl<T, const N: usize> Cells<T, N> {
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        N
    }

    /// Lends the handle at `index`, made on first need; beyond the last cell it is made anew each time.
    pub(super) fn with(&self, index: usize, make: impl FnOnce() -> T, then: impl FnOnce(&T)) {
        match self.0.get(index) {
            Some(cell) => then(cell.get_or_init(make)),
            None => then(&make()),
        }
    }
}

/// Counters by the words of one closed set, in the order in which they were first counted.
#[derive(Debug, Default)]
pub(super) struct Words(Cells<(&'static str, IntCounter), MOST_WORDS>);

impl Words {
    /// Adds one to the counter of `word`, which is made on first need.
    pub(super) fn count(&self, word: &'static str, make: impl Fn() -> IntCounter) {
        for cell in &self.0.0 {
            // Another thread may have put another word here meanwhile: then the next cell is the one to try.
            let (held, counter) = cell.get_or_init(|| (word, make()));
            if *held == word {
                counter.inc();
                return;
            }
        }
        make().inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, Opts};

    use super::*;

    #[test]
    fn words_are_counted_apart_and_made_on_first_need() {
        let vec = IntCounterVec::new(Opts::new("a", "a"), &["word"]).unwrap();
        let words = Words::default();
        let names: Vec<&'static str> = (0..MOST_WORDS + 2).map(|n| &*format!("w{n}").leak()).collect();
        for _ in 0..3 {
            for name in &names {
                words.count(name, || vec.with_label_values(&[name]));
            }
        }
        for name in &names {
            assert_eq!(vec.with_label_values(&[name]).get(), 3, "{name}");
        }
    }

    #[test]
    fn threads_that_begin_at_once_lose_no_count() {
        let vec = IntCounterVec::new(Opts::new("a", "a"), &["word"]).unwrap();
        let words = Words::default();
        std::thread::scope(|scope| {
            for first in 0..8_usize {
                let (vec, words) = (&vec, &words);
                scope.spawn(move || {
                    for round in 0..400 {
                        let word = ["a", "b", "c", "d"][(first + round) % 4];
                        words.count(word, || vec.with_label_values(&[word]));
                    }
                });
            }
        });
        for word in ["a", "b", "c", "d"] {
            assert_eq!(vec.with_label_values(&[word]).get(), 800);
        }
    }

    #[test]
    fn an_index_beyond_the_cells_still_counts() {
        let counter = IntCounter::new("a", "a").unwrap();
        let cells = Cells::<IntCounter, 2>::default();
        for index in [0, 1, 1, 2, 9] {
            cells.with(index, || counter.clone(), IntCounter::inc);
        }
        assert_eq!(counter.get(), 5);
    }
}
