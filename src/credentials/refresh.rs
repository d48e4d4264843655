//! The work that keeps an account's keys fresh: one task asks, and nobody waits for it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{sleep, timeout};

use super::account::Keyring;
use super::source::{Issued, Source};
use crate::domain::Mistake;

/// So long before their end new keys are asked for, as Tencent's own clients do; sooner where they live only shortly.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// After a failure, and doubled with each one that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Wall clocks are set now and then: the time is looked at again after so long at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Each source bounds itself; this holds if one forgets to.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Asks `source` for keys, again before they end, after failures, and when they are refused, for as long as it is let run.
pub(super) async fn keep_fresh(
    keyring: Arc<Keyring>,
    source: Arc<dyn Source>,
    clock: impl Fn() -> Timestamp + Send + Sync,
) {
    let mut failures = 0;
    // How often in a row its keys were refused. It may give the same ones again, or others that are no better.
    let mut refusals = 0;
    loop {
        let answer = answer(source.as_ref(), &clock).await;
        let now = clock();
        let next = match answer {
            Ok(issued) => {
                failures = 0;
                let next = issued.expires.map(|end| renewal(end, now));
                keyring.take(issued, None, now);
                next
            }
            Err(why) => {
                keyring.fail(why, now);
                failures += 1;
                Some(later(now, jittered(pause(failures))))
            }
        };
        let refused = async {
            keyring.current_refused().await;
            until(later(now, pause(failures.max(refusals) + 1)), &clock).await;
        };
        tokio::select! {
            () = until(next.unwrap_or(Timestamp::MAX), &clock) => refusals = 0,
            () = keyring.wanted() => refusals = 0,
            () = refused => refusals += 1,
            () = tell_the_end(&keyring, &clock) => {}
        }
    }
}

/// Tells the log when nothing is left to sign with, and ends no wait.
async fn tell_the_end(keyring: &Keyring, clock: &impl Fn() -> Timestamp) {
    if let Some(end) = keyring.held().end() {
        until(end, clock).await;
        keyring.has_ended(end);
    }
    pending().await
}

/// Asks once, and holds what comes or remembers why nothing does.
pub(super) async fn once(keyring: &Keyring, source: &dyn Source) {
    match answer(source, &Timestamp::now).await {
        Ok(issued) => keyring.take(issued, None, Timestamp::now()),
        Err(why) => keyring.fail(why, Timestamp::now()),
    }
}

async fn answer(source: &dyn Source, clock: &impl Fn() -> Timestamp) -> Result<Issued, Mistake> {
    let asked = timeout(LONGEST_ANSWER, source.keys()).await;
    let answer = asked.unwrap_or_else(|_elapsed| Err(Mistake::new("credentials", "the source does not answer")));
    answer.and_then(|issued| good(issued, clock()))
}

/// Keys that have not ended before they came.
fn good(issued: Issued, now: Timestamp) -> Result<Issued, Mistake> {
    match issued.expires {
        Some(end) if end <= now => {
            Err(Mistake::new("credentials", format!("the source gave keys that ended at {end:.0}"))
                .hint("compare the clocks of this machine and of the source"))
        }
        Some(_) | None => Ok(issued),
    }
}

/// When to ask again for keys that end at `end`: ahead of it, and up to a tenth earlier, so that many gateways do not ask
/// at the same moment.
fn renewal(end: Timestamp, now: Timestamp) -> Timestamp {
    let life = end.duration_since(now);
    let wait = life - AHEAD.min(life / 2);
    let wait = Duration::try_from(wait).unwrap_or_default();
    // A source may give the same keys again; it is not asked without a pause.
    later(now, wait.mul_f64(1.0 - 0.1 * chance()).max(FIRST_PAUSE))
}

/// The pause after so many failures in a row, or refusals.
fn pause(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// The duration give or take a tenth.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + 0.2 * chance())
}

/// From 0 to 1. Without chance there is no jitter, which is no reason to stop.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

async fn until(next: Timestamp, clock: &impl Fn() -> Timestamp) {
    while let Ok(left) = Duration::try_from(next.duration_since(clock())) {
        if left.is_zero() {
            return;
        }
        sleep(left.min(LONGEST_SLEEP)).await;
    }
}

#[cfg(test)]
mod tests;
