//! When keys are refused again and again, others of the account go first for a while.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// So many refusals, without a success between them, open it.
const REFUSALS: usize = 3;
/// In milliseconds: so close together they have to be.
const WITHIN: i64 = 10_000;
/// In milliseconds: so long the others go first.
const OPEN: i64 = 30_000;
/// Of `open_until` while it is closed.
const CLOSED: i64 = 0;

/// The refusals of one pair of keys. It locks nobody out: it says who goes first. Times are Unix milliseconds.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Refusals since the last success.
    run: AtomicU64,
    /// When the latest were, by their number.
    times: [AtomicI64; REFUSALS],
    open_until: AtomicI64,
}

impl Breaker {
    /// Counts a refusal; says whether it is the one that opens it.
    pub(super) fn refused(&self, now: i64) -> bool {
        let run = self.run.fetch_add(1, Ordering::Relaxed) + 1;
        self.time(run).store(now, Ordering::Relaxed);
        // The next place is the oldest one of the ring.
        let first = self.time(run + 1).load(Ordering::Relaxed);
        let opens = run >= REFUSALS as u64 && now.saturating_sub(first) <= WITHIN;
        opens && self.open_until.swap(now.saturating_add(OPEN), Ordering::Relaxed) <= now
    }

    /// Closes it.
    pub(super) fn succeeded(&self) {
        if self.run.load(Ordering::Relaxed) != 0 {
            self.run.store(0, Ordering::Relaxed);
            self.open_until.store(CLOSED, Ordering::Relaxed);
        }
    }

    /// Whether these keys may go first. Once its time is over they may, until a request does: see [`Self::goes_out`].
    pub(super) fn admits(&self, now: i64) -> bool {
        let until = self.open_until.load(Ordering::Relaxed);
        until == CLOSED || now >= until
    }

    /// A request goes upstream with these keys. If the time is over, it is the one that tries them: by its end the breaker is
    /// closed, or so much time goes by again.
    pub(super) fn goes_out(&self, now: i64) {
        let until = self.open_until.load(Ordering::Relaxed);
        if until != CLOSED && now >= until {
            let next = now.saturating_add(OPEN);
            // Whoever was faster has closed it, or tries them already.
            let _ = self.open_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Whether there were refusals since the last success.
    pub(super) fn is_blotted(&self) -> bool {
        self.run.load(Ordering::Relaxed) != 0
    }

    fn time(&self, number: u64) -> &AtomicI64 {
        let [zero, one, two] = &self.times;
        match number % (REFUSALS as u64) {
            0 => zero,
            1 => one,
            _ => two,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_refusals_in_ten_seconds_open_it_and_the_fourth_is_no_news() {
        let breaker = Breaker::default();
        assert_eq!([1, 5_000, 10_001, 10_002].map(|now| breaker.refused(now)), [false, false, true, false]);
        assert!(!breaker.admits(10_003) && breaker.is_blotted());
    }

    #[test]
    fn refusals_that_are_far_apart_or_broken_by_a_success_leave_it_closed() {
        let far = Breaker::default();
        for n in 0..20 {
            assert!(!far.refused(1 + n * 5_001) && far.admits(1 + n * 5_001));
        }
        let broken = Breaker::default();
        for n in 0..20 {
            assert!(!broken.refused(1 + n) && !broken.refused(1 + n));
            broken.succeeded();
        }
        assert!(broken.admits(21) && !broken.is_blotted());
    }

    #[test]
    fn after_its_time_the_request_that_goes_out_tries_and_a_success_closes_it() {
        let breaker = Breaker::default();
        assert_eq!([1, 2, 3].map(|now| breaker.refused(now)), [false, false, true]);
        breaker.goes_out(30_002);
        assert!(!breaker.admits(30_002));
        assert!(breaker.admits(30_003) && breaker.admits(30_003), "to ask takes nothing away");
        breaker.goes_out(30_003);
        assert!(!breaker.admits(30_003) && !breaker.admits(60_002));
        assert!(breaker.admits(60_003), "the first may have ended without a word");
        breaker.goes_out(60_003);
        breaker.succeeded();
        breaker.goes_out(60_004);
        assert!(breaker.admits(60_004) && breaker.admits(60_004));
    }
}
