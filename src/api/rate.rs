//! Rates: so many in a period, over a table that does not grow with those who ask.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So many requests in a period, as in `"100/1s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many requests may come at once and within `period`; at least 1.
    pub requests: u32,
    /// The period, at least a millisecond.
    pub period: Duration,
}

/// What those over a rate are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverRate {
    pub(super) rate: Rate,
    pub(super) wait: Duration,
}

/// Cells of a table: half a megabyte, whatever the number of those who ask.
const CELLS: usize = 1 << 16;

/// A rate for each of many.
///
/// The cell of each is chosen by a keyed hash, so nobody can aim at another's. Two that fall into one cell share its
/// rate: with a thousand active ones, one in sixty-five does. That is the price of a table that does not grow and takes
/// no lock.
#[derive(Debug)]
pub(super) struct Rates {
    rate: Rate,
    cells: Box<[Cell]>,
    hasher: RandomState,
    started: Instant,
}

impl Rates {
    pub(super) fn new(rate: Rate) -> Self {
        let cells = std::iter::repeat_with(Cell::default).take(CELLS).collect();
        Self { rate, cells, hasher: RandomState::new(), started: Instant::now() }
    }

    /// Counts one more of `whose`, unless that is over the rate.
    pub(super) fn admit(&self, whose: impl Hash) -> Result<(), OverRate> {
        self.admit_at(whose, self.started.elapsed())
    }

    /// Whether one more of `whose` would be admitted; counts nothing.
    pub(super) fn look(&self, whose: impl Hash) -> Result<(), OverRate> {
        let now = self.started.elapsed();
        self.cell(whose).map_or(Ok(()), |cell| cell.look(self.rate, now))
    }

    fn admit_at(&self, whose: impl Hash, now: Duration) -> Result<(), OverRate> {
        self.cell(whose).map_or(Ok(()), |cell| cell.admit(self.rate, now))
    }

    /// There always is one: the index is below the length by the remainder.
    fn cell(&self, whose: impl Hash) -> Option<&Cell> {
        let index = usize::try_from(self.hasher.hash_one(whose) % CELLS as u64).ok()?;
        self.cells.get(index)
    }
}

/// The generic cell rate algorithm (ITU-T I.371): when the cell will be empty again, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Cell(AtomicU64);

impl Cell {
    /// Counts one more, unless that is over the rate; `now` is counted from any moment, always the same one.
    pub(super) fn admit(&self, rate: Rate, now: Duration) -> Result<(), OverRate> {
        let (share, tolerance, now) = parts(rate, now);
        let admitted = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
            let empty_at = empty_at.max(now);
            (empty_at - now <= tolerance).then_some(empty_at + share)
        });
        admitted.map(drop).map_err(|empty_at| over(rate, empty_at, now + tolerance))
    }

    fn look(&self, rate: Rate, now: Duration) -> Result<(), OverRate> {
        let (_, tolerance, now) = parts(rate, now);
        let empty_at = self.0.load(Ordering::Relaxed);
        if empty_at.saturating_sub(now) <= tolerance { Ok(()) } else { Err(over(rate, empty_at, now + tolerance)) }
    }
}

/// The share of the period that each one takes, what may be taken ahead, and the time.
fn parts(rate: Rate, now: Duration) -> (u64, u64, u64) {
    let period = nanoseconds(rate.period);
    let share = (period / u64::from(rate.requests.max(1))).max(1);
    (share, period - share, nanoseconds(now))
}

fn over(rate: Rate, empty_at: u64, until: u64) -> OverRate {
    OverRate { rate, wait: Duration::from_nanos(empty_at.saturating_sub(until)) }
}

/// 584 years of nanoseconds fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rates(requests: u32, period: Duration) -> Rates {
        Rates::new(Rate { requests, period })
    }

    #[test]
    fn a_burst_of_the_whole_rate_passes_and_the_next_waits_for_one_share() {
        let rates = rates(5, Duration::from_secs(10));
        for _ in 0..5 {
            assert_eq!(rates.admit_at("alice", Duration::from_secs(1)), Ok(()));
        }
        let over = rates.admit_at("alice", Duration::from_secs(1)).unwrap_err();
        assert_eq!(over.wait, Duration::from_secs(2));
        assert_eq!(rates.admit_at("alice", Duration::from_secs(3)), Ok(()));
    }

    #[test]
    fn one_callers_burst_does_not_spend_anothers_rate() {
        let rates = rates(1, Duration::from_secs(60));
        let admitted = (0..100).filter(|n| rates.admit_at(n.to_string(), Duration::ZERO).is_ok()).count();
        // Two of a hundred may share a cell of 65 536; that ten do will not be seen.
        assert!(admitted > 90, "{admitted}");
        assert!(rates.admit_at("0", Duration::ZERO).is_err());
    }

    proptest! {
        #[test]
        fn no_schedule_gets_more_than_a_burst_and_its_share_of_the_time(
            requests in 1u32..50,
            steps in proptest::collection::vec(0u64..500, 1..200),
        ) {
            let cell = Cell::default();
            let rate = Rate { requests, period: Duration::from_secs(1) };
            let (mut now, mut admitted) = (Duration::ZERO, 0u64);
            for step in steps {
                now += Duration::from_millis(step);
                let look = cell.look(rate, now);
                prop_assert_eq!(look, cell.look(rate, now), "a look counts nothing");
                let admit = cell.admit(rate, now);
                prop_assert_eq!(look, admit, "a look tells what an admission would");
                admitted += u64::from(admit.is_ok());
            }
            let share = now.as_nanos() * u128::from(requests) / 1_000_000_000;
            prop_assert!(u128::from(admitted) <= share + u128::from(requests) + 1);
        }
    }
}
