//! How far Cloud Infinite's clock is from ours, learned from its answers.
//!
//! A signature holds within a window, and it is Cloud Infinite's clock that the window is held against. The rules are
//! those of AWS' specification tests for clock skew (the test below runs all ten), with two of our own: a difference
//! that the way there and back or the whole seconds of `Date` explain is none, and beyond a bound nothing is corrected.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ci::FaultKind;
use crate::signing::Window;

/// An answer that took longer says little about the time now.
const LONGEST_TRUSTED: SignedDuration = SignedDuration::from_mins(15);
/// `Date` is cut to whole seconds, and no clock is exact.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// Cloud Infinite's clock less ours, as its answers tell it: none until one of them does.
///
/// Signatures alone go by it; tokens, policy and records have our own clock.
#[derive(Debug, Default)]
pub struct Clock {
    /// In milliseconds. One value that nothing else has to agree with, so the order of memory does not matter.
    difference: AtomicI64,
}

/// When an attempt began and when its answer was whole, by our clock.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// Before the request was handed over.
    pub sent: Timestamp,
    /// After the answer's last byte.
    pub received: Timestamp,
}

/// A difference that replaced another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The difference before.
    pub from: SignedDuration,
    /// The difference now.
    pub to: SignedDuration,
}

impl Clock {
    /// Cloud Infinite's clock less ours.
    #[must_use]
    pub fn difference(&self) -> SignedDuration {
        SignedDuration::from_millis(self.difference.load(Ordering::Relaxed))
    }

    /// What is added to our time before it is signed: the difference, or nothing if that is more than `most`.
    #[must_use]
    pub fn correction(&self, most: Duration) -> SignedDuration {
        let difference = self.difference();
        if difference.unsigned_abs() <= most { difference } else { SignedDuration::ZERO }
    }

    /// Learns from an answer that says that it was `told` o'clock when it was made. Says what changed, if anything did.
    ///
    /// The server looked at its clock somewhere between the two moments of `exchange`; the middle is off by half of the
    /// time between them at most, so a smaller difference to what is known is none.
    pub fn learn(&self, told: Timestamp, exchange: Exchange) -> Option<Moved> {
        let took = exchange.received.duration_since(exchange.sent);
        if took > LONGEST_TRUSTED || took.is_negative() {
            return None;
        }
        let middle = exchange.sent.saturating_add(took / 2).ok()?;
        let (from, to) = (self.difference(), told.duration_since(middle));
        if (to - from).abs() <= TOLERANCE + took / 2 {
            return None;
        }
        self.difference.store(i64::try_from(to.as_millis()).ok()?, Ordering::Relaxed);
        Some(Moved { from, to })
    }
}

/// Whether a refusal of this kind, at `told` o'clock, of what was signed for `window` comes of the clocks.
///
/// `RequestTimeTooSkewed` says so. `Request has expired` may also be a request that was long on its way: only if the
/// window does not hold the time that the answer tells.
#[must_use]
pub fn comes_of_clocks(kind: FaultKind, window: Window, told: Timestamp) -> bool {
    match kind {
        FaultKind::ClockSkew => true,
        FaultKind::SignatureExpired => !window.holds(told),
        FaultKind::Denied
        | FaultKind::BucketNotFound
        | FaultKind::Conflict
        | FaultKind::Rejected
        | FaultKind::Redirected
        | FaultKind::Throttled
        | FaultKind::Unavailable => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::ci::{Fault, http_date};

    const HOUR: Duration = Duration::from_secs(3600);
    /// AWS' threshold for errors that need not come of the clock is four minutes: a window that ends then.
    const LIFETIME: Duration = Duration::from_secs(240);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    fn exchange(sent: i64, received: i64) -> Exchange {
        Exchange { sent: at(sent), received: at(received) }
    }

    fn seconds(clock: &Clock) -> i64 {
        clock.difference().as_secs()
    }

    #[test]
    fn the_difference_is_that_of_the_date_to_the_middle_of_the_exchange() {
        let clock = Clock::default();
        let moved = clock.learn(at(301), exchange(0, 2)).unwrap();
        assert_eq!((moved.from.as_secs(), moved.to.as_secs(), seconds(&clock)), (0, 300, 300));
        assert!(clock.learn(at(-599), exchange(0, 2)).is_some());
        assert_eq!(seconds(&clock), -600);
    }

    #[test]
    fn what_the_way_or_whole_seconds_explain_is_no_difference() {
        let clock = Clock::default();
        for (told, sent, received) in [(0, 0, 0), (2, 0, 0), (-2, 0, 0), (-6, -10, -2), (0, 0, 20), (12, 0, 20)] {
            assert_eq!(clock.learn(at(told), exchange(sent, received)), None, "{told} {sent} {received}");
        }
        assert!(clock.learn(at(3), exchange(0, 0)).is_some() && clock.learn(at(0), exchange(0, 0)).is_some());
    }

    #[test]
    fn an_answer_of_more_than_a_quarter_of_an_hour_and_one_from_before_its_question_teach_nothing() {
        let clock = Clock::default();
        assert_eq!(clock.learn(at(9000), exchange(0, 901)), None);
        assert_eq!(clock.learn(at(9000), exchange(1, 0)), None);
        assert!(clock.learn(at(9000), exchange(0, 900)).is_some());
    }

    #[test]
    fn beyond_the_bound_and_without_one_nothing_is_corrected() {
        let clock = Clock::default();
        clock.learn(at(3600), exchange(0, 0));
        assert_eq!(clock.correction(HOUR).as_secs(), 3600);
        clock.learn(at(-3603), exchange(0, 0));
        assert_eq!((clock.correction(HOUR), seconds(&clock)), (SignedDuration::ZERO, -3603));
        assert_eq!(clock.correction(Duration::ZERO), SignedDuration::ZERO);
    }

    #[test]
    fn a_request_that_expired_within_its_window_was_long_on_its_way() {
        let window = Window::around(at(0), LIFETIME);
        assert!(comes_of_clocks(FaultKind::SignatureExpired, window, at(241)));
        assert!(!comes_of_clocks(FaultKind::SignatureExpired, window, at(240)));
        assert!(comes_of_clocks(FaultKind::ClockSkew, window, at(0)));
        assert!(!comes_of_clocks(FaultKind::Denied, window, at(9999)));
    }

    fn moment(attempt: &Value, name: &str) -> Timestamp {
        attempt[name].as_str().unwrap().parse().unwrap()
    }

    /// AWS' words for what CI calls otherwise.
    fn fault(response: &Value) -> Option<Fault> {
        let body = match response["errorCode"].as_str()? {
            "RequestTimeTooSkewed" => "<Error><Code>RequestTimeTooSkewed</Code></Error>",
            "InvalidSignatureException" => {
                "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            }
            other => panic!("{other} is new"),
        };
        Some(Fault::read(403, None, body.as_bytes()))
    }

    /// One attempt; whether there is to be another one, or the operation has succeeded.
    fn attempt(clock: &Clock, attempt: &Value, retry: bool) -> (bool, bool) {
        let sent = moment(attempt, "clientTimeAtSend");
        let used = clock.correction(HOUR);
        let signed = sent.saturating_add(used).unwrap();
        assert_eq!(signed, moment(attempt, "expectedSigningTime"), "{attempt}");
        let response = &attempt["response"];
        let aged = response["headers"].get("Age").is_some();
        let told = response["headers"]["Date"].as_str().filter(|_| !aged).and_then(http_date);
        if let Some(told) = told {
            clock.learn(told, Exchange { sent, received: moment(attempt, "clientTimeAtReceive") });
        }
        let fault = fault(response);
        let window = Window::around(signed, LIFETIME);
        let explained =
            fault.as_ref().zip(told).is_some_and(|(fault, told)| comes_of_clocks(fault.kind(), window, told));
        (explained && retry && clock.correction(HOUR) != used, fault.is_none())
    }

    /// `CI_GATEWAY_CLOCK_SKEW` names the file of AWS' tests, which is no part of this repository; `.ci/run` sets it.
    #[test]
    #[ignore = "needs CI_GATEWAY_CLOCK_SKEW"]
    fn the_ten_specification_tests_of_aws_hold_for_clock_skew() {
        let file = std::env::var_os("CI_GATEWAY_CLOCK_SKEW").expect("CI_GATEWAY_CLOCK_SKEW must name the file");
        let cases: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let cases = cases["tests"].as_array().unwrap();
        assert_eq!(cases.len(), 10);
        for case in cases {
            let clock = Clock::default();
            for operation in case["operations"].as_array().unwrap() {
                let initial = operation["initialClientSkew"].as_i64().unwrap();
                clock.difference.store(initial * 1000, Ordering::Relaxed);
                let attempts = operation["attempts"].as_array().unwrap();
                let most = operation["maxAttempts"].as_u64().unwrap_or(2);
                let mut last = (true, false);
                for (n, one) in attempts.iter().enumerate() {
                    assert!(last.0, "{case}: an attempt too many");
                    last = attempt(&clock, one, (n as u64) + 1 < most);
                }
                assert!(!last.0, "{case}: an attempt is missing");
                assert_eq!(last.1, operation["expectedOutcome"] == "success", "{case}");
                assert_eq!(seconds(&clock), operation["expectedClientSkew"].as_i64().unwrap(), "{case}");
            }
        }
    }
}
