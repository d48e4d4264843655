//! What answers teach about Cloud Infinite's clock, and how it is told.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::signing::Window;
use crate::telemetry::Metrics;
use crate::upstream::{Clock, Exchange, Moved};

/// Clocks drift, and those of several servers differ a little: so small a change is counted and not told.
const WORTH_A_LINE: SignedDuration = SignedDuration::from_secs(5);

/// Learns from an answer that says that it was `told` o'clock; a change is counted, and one of some seconds a line in the log. `most` is
/// the largest difference that is corrected.
pub(super) fn learn(clock: &Clock, metrics: &Metrics, told: Timestamp, exchange: Exchange, most: Duration) {
    let Some(Moved { from, to }) = clock.learn(told, exchange) else { return };
    metrics.clock_skew_seconds.set(to.as_secs());
    let (before, seconds) = (from.as_secs_f64(), to.as_secs_f64());
    if to.unsigned_abs() <= most {
        metrics.clock_corrections.inc();
        if (to - from).abs() < WORTH_A_LINE {
            return;
        }
        tracing::warn!(
            seconds,
            before,
            "signatures follow Cloud Infinite's clock, which differs from ours by so many seconds"
        );
    } else if !is_harmless(to) {
        let hint = HINT;
        tracing::error!(
            seconds,
            before,
            most = most.as_secs_f64(),
            hint,
            "Cloud Infinite's clock differs too far from ours: nothing is corrected"
        );
    }
}

fn is_harmless(difference: SignedDuration) -> bool {
    difference.abs() <= SignedDuration::from_secs(Window::HARMLESS_SECONDS)
}

const HINT: &str = "set this machine's clock by NTP; [ci] max_clock_correction is how far signatures follow";

/// The clock for a page of checks: what is corrected, or why it is not.
pub(super) fn state(clock: &Clock, most: Duration) -> Result<String, String> {
    let difference = clock.difference();
    let seconds = difference.as_secs_f64();
    if difference == SignedDuration::ZERO {
        Ok(String::new())
    } else if clock.correction(most) == difference {
        Ok(format!("signatures are corrected by {seconds} s"))
    } else if is_harmless(difference) {
        Ok(format!("Cloud Infinite's clock is {seconds} s from ours, which no signature suffers from"))
    } else {
        Err(format!("Cloud Infinite's clock is {seconds} s from ours, and nothing is corrected: {HINT}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differing(seconds: i64) -> Clock {
        let (clock, now) = (Clock::default(), Timestamp::UNIX_EPOCH);
        clock.learn(now + SignedDuration::from_secs(seconds), Exchange { sent: now, received: now });
        clock
    }

    #[test]
    fn a_difference_that_no_signature_suffers_from_is_no_failure_where_nothing_is_corrected() {
        for seconds in [0, 5, -5, 30, -30] {
            assert!(state(&differing(seconds), Duration::ZERO).is_ok(), "{seconds}");
        }
        for seconds in [31, -31, 600] {
            assert!(
                state(&differing(seconds), Duration::ZERO).unwrap_err().contains("nothing is corrected"),
                "{seconds}"
            );
        }
    }
}
