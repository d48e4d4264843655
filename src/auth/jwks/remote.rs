//! An issuer's key set at an address: kept fresh in the background, and asked once more for an unknown key.
//!
//! Nobody who has a known key ever waits: the set in force is one immutable value behind an atomic swap, and the lock
//! here is taken by fetches and by those who wait for one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::fetch::{Source, Unfetched, authorities};
use crate::auth::keys::{Held, KeyRing};
use crate::auth::{Algorithm, FetchSettings, IssuerSettings, JwksUrl};
use crate::domain::Mistakes;
use crate::outgoing::Authorities;

/// The word of a fetch whose set was taken.
const TAKEN: &str = "ok";
const RESULTS: usize = 1 + Unfetched::WORDS.len();
/// Of a reason, in characters: some of it is the other end's own text.
const LONGEST_REASON: usize = 300;

/// Each holds a connection while it waits, and anyone can make a token with an unknown key.
const MOST_WAITING: usize = 256;

/// A key set at an address. Its background work ends when it is dropped.
#[derive(Debug)]
pub(in crate::auth) struct Remote {
    set: Arc<KeySet>,
    work: OnceLock<AbortHandle>,
    /// One permit for each who may wait at once.
    waiting: Semaphore,
}

/// Where a set comes from: what was fetched is good for all who ask the same.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    issuer: String,
    url: JwksUrl,
    authorities: Authorities,
}

#[derive(Debug)]
struct KeySet {
    origin: Origin,
    algorithms: Vec<Algorithm>,
    settings: FetchSettings,
    source: Source,
    held: ArcSwap<Held>,
    pace: Mutex<Pace>,
    /// Changes with the end of each fetch.
    rounds: watch::Sender<()>,
    counts: Arc<[AtomicU64; RESULTS]>,
}

/// When what was fetched.
#[derive(Debug, Default)]
struct Pace {
    fetching: bool,
    /// When somebody with an unknown key last made us fetch.
    forced: Option<Instant>,
    /// When a set last came.
    fetched: Option<Instant>,
    /// The answer that the set in force was read from.
    text: Bytes,
    /// The word of the last fetch.
    result: Option<&'static str>,
}

impl Pace {
    /// The same for a new set, which has no fetch under way yet.
    fn carried(&self) -> Self {
        let Self { fetching: _, forced, fetched, ref text, result } = *self;
        Self { fetching: false, forced, fetched, text: text.clone(), result }
    }
}

/// Who wants a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    BySchedule,
    ByUnknownKey,
}

enum Begun {
    Mine,
    InFlight,
    TooSoon,
}

/// What a metric shows of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetState {
    /// The exact `iss`, as configured.
    pub issuer: String,
    /// How many fetches ended how.
    pub fetches: Vec<(&'static str, u64)>,
    /// Since a set last came; `None` before the first.
    pub age: Option<Duration>,
    /// The keys in force.
    pub keys: usize,
    /// The keys of the set that are not used.
    pub skipped: usize,
}

impl Remote {
    /// The set of `issuer` at the address of `settings`: the one of `previous` if nothing differs; with what that one
    /// fetched last, read under the new settings, if it has the same origin; else an empty one. Nothing is fetched before
    /// [`Self::keep_fresh`].
    ///
    /// # Errors
    /// Every mistake that keeps the other end from being proved.
    pub(in crate::auth) fn load(
        issuer: &IssuerSettings,
        settings: &FetchSettings,
        previous: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Mistakes> {
        let authorities = authorities(settings.ca_file.as_deref())?;
        let origin = Origin { issuer: issuer.issuer.clone(), url: settings.url.clone(), authorities };
        let before = previous.map(|previous| &previous.set).filter(|before| before.origin == origin);
        if let (Some(same), Some(before)) = (previous, before)
            && (&before.settings, &before.algorithms) == (settings, &issuer.algorithms)
        {
            return Ok(Arc::clone(same));
        }
        let set = KeySet {
            source: Source::new(settings, &origin.authorities)?,
            origin,
            algorithms: issuer.algorithms.clone(),
            settings: settings.clone(),
            held: ArcSwap::from_pointee(Held::closed()),
            pace: Mutex::new(before.map_or_else(Pace::default, |before| before.pace().carried())),
            rounds: watch::Sender::new(()),
            counts: previous.map_or_else(Arc::default, |previous| Arc::clone(&previous.set.counts)),
        };
        set.open_if_fresh();
        Ok(Arc::new(Self { set: Arc::new(set), work: OnceLock::new(), waiting: Semaphore::new(MOST_WAITING) }))
    }

    /// Looks whether the address could be fetched from; nothing is fetched.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(in crate::auth) fn check(settings: &FetchSettings) -> Result<(), Mistakes> {
        Source::new(settings, &authorities(settings.ca_file.as_deref())?).map(drop)
    }

    /// Begins to fetch, now and then; a second call does nothing. Needs a runtime.
    pub(in crate::auth) fn keep_fresh(&self) {
        self.work.get_or_init(|| tokio::spawn(keep_fresh(Arc::clone(&self.set))).abort_handle());
    }

    /// The keys in force.
    pub(in crate::auth) fn held(&self) -> Guard<Arc<Held>> {
        self.set.held.load()
    }

    /// Waits for a fetch that may bring an unknown key: the one in flight or, if none was asked for lately, a new one.
    /// `false` if there was nothing to wait for, if too many wait already, or if it took too long.
    pub(in crate::auth) async fn renewed(&self, deadline: Instant) -> bool {
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        timeout_at(deadline, self.set.fetched(Wanted::ByUnknownKey)).await.unwrap_or(false)
    }

    /// How long a fetch may take.
    pub(in crate::auth) fn fetch_time(&self) -> Duration {
        self.set.settings.time
    }

    /// What a metric shows.
    pub(in crate::auth) fn state(&self) -> KeySetState {
        let held = self.held();
        let words = std::iter::once(TAKEN).chain(Unfetched::WORDS);
        let counts = self.set.counts.iter().map(|count| count.load(Ordering::Relaxed));
        KeySetState {
            issuer: self.set.origin.issuer.clone(),
            fetches: words.zip(counts).filter(|(_, count)| *count > 0).collect(),
            age: self.set.pace().fetched.map(|fetched| fetched.elapsed()),
            keys: held.ring().map_or(0, KeyRing::len),
            skipped: held.ring().map_or(0, KeyRing::skipped),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(work) = self.work.get() {
            work.abort();
        }
    }
}

/// Fetches, and closes the set when it has become too old.
async fn keep_fresh(set: Arc<KeySet>) {
    loop {
        set.fetched(Wanted::BySchedule).await;
        sleep_until(set.next_look()).await;
        set.close_if_old();
    }
}

impl KeySet {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Nothing is left half done: each holder sets plain fields.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `true` once a fetch has ended that was in flight or was begun here.
    async fn fetched(self: &Arc<Self>, wanted: Wanted) -> bool {
        // Before the look at the pace, so that an end right after it is seen.
        let mut rounds = self.rounds.subscribe();
        match self.begin(wanted) {
            // In a task of its own: whoever asked for it may be gone before it ends.
            Begun::Mine => drop(tokio::spawn(fetch(Turn(Arc::clone(self))))),
            Begun::InFlight => {}
            Begun::TooSoon => return false,
        }
        rounds.changed().await.is_ok()
    }

    fn begin(&self, wanted: Wanted) -> Begun {
        let now = Instant::now();
        let mut pace = self.pace();
        if pace.fetching {
            return Begun::InFlight;
        }
        match wanted {
            Wanted::BySchedule => {}
            Wanted::ByUnknownKey if pace.forced.is_some_and(|last| now < last + self.settings.retry) => {
                return Begun::TooSoon;
            }
            Wanted::ByUnknownKey => pace.forced = Some(now),
        }
        pace.fetching = true;
        Begun::Mine
    }

    fn take(&self, result: Result<Bytes, Unfetched>) {
        let read = result.and_then(|text| {
            let place = self.origin.url.to_string();
            let changed = self.pace().text != text || self.held.load().ring().is_none();
            let ring = changed.then(|| KeyRing::of_set(&place, &text, &self.algorithms)).transpose();
            ring.map(|ring| (text, ring)).map_err(|mistakes| Unfetched::Set(mistakes.to_string()))
        });
        let word = read.as_ref().map_or_else(Unfetched::as_str, |_| TAKEN);
        self.tell(word, read.as_ref().err());
        let mut pace = self.pace();
        pace.result = Some(word);
        if let Ok((text, ring)) = read {
            (pace.text, pace.fetched) = (text, Some(Instant::now()));
            // The same answer leaves the set in force, and with it what was verified by it.
            if let Some(ring) = ring {
                self.held.store(Arc::new(Held::new(ring)));
            }
        }
    }

    /// Counts each fetch, and logs a change of its result.
    fn tell(&self, word: &'static str, why: Option<&Unfetched>) {
        let index = Unfetched::WORDS.iter().position(|known| *known == word).map_or(0, |index| index + 1);
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.pace().result;
        let (issuer, url) = (&self.origin.issuer, self.origin.url.to_string());
        match why {
            _ if before == Some(word) => {}
            None => tracing::info!(issuer, url, "the issuer's keys were fetched"),
            Some(why) => {
                let problem: String = why.to_string().chars().take(LONGEST_REASON).collect();
                tracing::error!(issuer, url, problem, "the issuer's keys cannot be fetched; the last good ones stay");
            }
        }
    }

    /// When the set has to be fetched again or closed.
    fn next_look(&self) -> Instant {
        let pace = self.pace();
        let wait = if pace.result == Some(TAKEN) { self.settings.refresh } else { self.settings.retry };
        // Whatever the jitter, there is time for a fetch before the set is too old.
        let next = Instant::now() + jittered(wait.min(self.settings.refresh).min(self.settings.max_age / 2));
        match pace.fetched.filter(|_| self.held.load().ring().is_some()) {
            Some(fetched) => next.min(fetched + self.settings.max_age),
            None => next,
        }
    }

    /// Reads what an earlier set of the same origin fetched. If it does not fit any more, the next fetch says why.
    fn open_if_fresh(&self) {
        let pace = self.pace();
        if pace.fetched.is_some_and(|fetched| fetched.elapsed() < self.settings.max_age)
            && let Ok(ring) = KeyRing::of_set(&self.origin.url.to_string(), &pace.text, &self.algorithms)
        {
            self.held.store(Arc::new(Held::new(ring)));
        }
    }

    fn close_if_old(&self) {
        let pace = self.pace();
        let old = pace.fetched.is_some_and(|fetched| fetched.elapsed() >= self.settings.max_age);
        if old && self.held.load().ring().is_some() {
            self.held.store(Arc::new(Held::closed()));
            let (issuer, url) = (&self.origin.issuer, self.origin.url.to_string());
            tracing::error!(issuer, url, "the issuer's keys are older than jwks_max_age; its tokens are refused");
        }
    }
}

/// The right to fetch, given back also by a panic.
struct Turn(Arc<KeySet>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pace().fetching = false;
        self.0.rounds.send_replace(());
    }
}

async fn fetch(turn: Turn) {
    let result = turn.0.source.fetch().await;
    turn.0.take(result);
}

/// The duration give or take a tenth, so that many gateways do not ask at the same moment.
fn jittered(wait: Duration) -> Duration {
    // Without chance there is no jitter, which is no reason to stop.
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    wait.mul_f64(0.9 + 0.2 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
