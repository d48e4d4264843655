//! Step 3: a place in flight, if the caller keeps to its rate and there is one.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Error;
use crate::domain::Caller;

/// Bounds on the work in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests past authentication at once, over all callers.
    pub in_flight: usize,
    /// Requests of one caller; `None` sets no rate.
    pub per_caller: Option<Rate>,
}

/// So many requests in a period, as in `"100/1s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many requests may come at once and within `period`; at least 1.
    pub requests: u32,
    /// The period, at least a millisecond.
    pub period: Duration,
}

/// The limits at work.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    rates: Option<Rates>,
}

/// A place in flight, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    in_flight: IntGauge,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        let places = limits.in_flight.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), rates: limits.per_caller.map(Rates::new) }
    }

    /// A place for a request of `caller`.
    pub(super) fn admit(&self, caller: &Caller, in_flight: &IntGauge) -> Result<Place, Error> {
        if let Some(rates) = &self.rates {
            rates.admit(caller, rates.started.elapsed()).map_err(Error::OverRate)?;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        in_flight.inc();
        Ok(Place { _place: place, in_flight: in_flight.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

/// Cells of the table of rates: half a megabyte, whatever the number of callers.
const CELLS: usize = 1 << 16;

/// The generic cell rate algorithm (ITU-T I.371) over a table of fixed size.
///
/// A caller's cell is chosen by a keyed hash, so nobody can aim at another's. Two callers that fall into one cell
/// share its rate: with a thousand active callers, one in sixty-five does. That is the price of a table that does
/// not grow and takes no lock.
#[derive(Debug)]
struct Rates {
    rate: Rate,
    /// For each cell, when it will be empty again: nanoseconds since `started`.
    empty_at: Box<[AtomicU64]>,
    hasher: RandomState,
    started: Instant,
}

/// What a caller over its rate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverRate {
    pub(super) rate: Rate,
    pub(super) wait: Duration,
}

impl Rates {
    fn new(rate: Rate) -> Self {
        let empty_at = std::iter::repeat_with(AtomicU64::default).take(CELLS).collect();
        Self { rate, empty_at, hasher: RandomState::new(), started: Instant::now() }
    }

    fn admit(&self, caller: &Caller, now: Duration) -> Result<(), OverRate> {
        let hash = self.hasher.hash_one((caller.issuer(), caller.name()));
        let index = usize::try_from(hash % CELLS as u64).unwrap_or_default();
        // The index is below the length by the remainder; without a cell there is no rate to be over.
        let Some(cell) = self.empty_at.get(index) else { return Ok(()) };
        let (now, period) = (nanoseconds(now), nanoseconds(self.rate.period));
        let each = (period / u64::from(self.rate.requests.max(1))).max(1);
        let tolerance = period - each;
        let admitted = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
            let empty_at = empty_at.max(now);
            (empty_at - now <= tolerance).then_some(empty_at + each)
        });
        admitted.map(drop).map_err(|empty_at| OverRate {
            rate: self.rate,
            wait: Duration::from_nanos(empty_at.saturating_sub(now + tolerance)),
        })
    }
}

/// 584 years of nanoseconds fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::new(name, Vec::<&str>::new(), "issuer").unwrap()
    }

    fn rates(requests: u32, period: Duration) -> Rates {
        Rates::new(Rate { requests, period })
    }

    #[test]
    fn a_burst_of_the_whole_rate_passes_and_the_next_waits_for_one_share() {
        let rates = rates(5, Duration::from_secs(10));
        for _ in 0..5 {
            assert_eq!(rates.admit(&caller("alice"), Duration::from_secs(1)), Ok(()));
        }
        let over = rates.admit(&caller("alice"), Duration::from_secs(1)).unwrap_err();
        assert_eq!(over.wait, Duration::from_secs(2));
        assert_eq!(rates.admit(&caller("alice"), Duration::from_secs(3)), Ok(()));
    }

    #[test]
    fn one_callers_burst_does_not_spend_anothers_rate() {
        let rates = rates(1, Duration::from_secs(60));
        let admitted = (0..100).filter(|n| rates.admit(&caller(&n.to_string()), Duration::ZERO).is_ok()).count();
        // Two of a hundred may share a cell of 65 536; that ten do will not be seen.
        assert!(admitted > 90, "{admitted}");
        assert!(rates.admit(&caller("0"), Duration::ZERO).is_err());
    }

    #[test]
    fn places_come_back_and_no_more_are_given_than_there_are() {
        let gate = Gate::new(&Limits { in_flight: 2, per_caller: None });
        let gauge = IntGauge::new("g", "g").unwrap();
        let first = gate.admit(&caller("a"), &gauge).unwrap();
        let _second = gate.admit(&caller("a"), &gauge).unwrap();
        assert!(matches!(gate.admit(&caller("b"), &gauge), Err(Error::Overloaded)));
        assert_eq!(gauge.get(), 2);
        drop(first);
        assert_eq!(gauge.get(), 1);
        assert!(gate.admit(&caller("b"), &gauge).is_ok());
    }

    proptest! {
        #[test]
        fn no_schedule_gets_more_than_a_burst_and_its_share_of_the_time(
            requests in 1u32..50,
            steps in proptest::collection::vec(0u64..500, 1..200),
        ) {
            let rates = rates(requests, Duration::from_secs(1));
            let (mut now, mut admitted) = (Duration::ZERO, 0u64);
            for step in steps {
                now += Duration::from_millis(step);
                admitted += u64::from(rates.admit(&caller("alice"), now).is_ok());
            }
            let share = now.as_nanos() * u128::from(requests) / 1_000_000_000;
            prop_assert!(u128::from(admitted) <= share + u128::from(requests) + 1);
        }
    }
}
