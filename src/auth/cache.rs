//! Tokens that were verified a moment ago: a bounded memory, so that the next request with the same token costs a hash
//! and a look.
//!
//! It is found by the SHA-256 of the whole token, so it holds no token, and what differs in one byte is another one.
//! Whether an entry may still be used is asked of its issuer's present keys and rules on each look.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::TokenCacheSettings;
use super::claims::Proved;
use super::times::in_seconds;

/// How many entries share a place and its lock.
const WAYS: usize = 8;

/// Remembered tokens, at most as many as configured, in memory that grows to that and no further.
pub(super) struct Cache {
    places: Box<[Mutex<Place>]>,
    ways: usize,
    /// In seconds.
    time: f64,
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

/// What was found out about a token, and by which keys.
#[derive(Clone)]
pub(super) struct Verified {
    /// The number of its issuer among the configured ones.
    pub(super) issuer: usize,
    /// The generation of the keys that verified it.
    pub(super) generation: u64,
    /// The caller, and what has to hold each time.
    pub(super) proved: Arc<Proved>,
}

#[derive(Default)]
struct Place {
    entries: Vec<Entry>,
    /// Which of them makes room next.
    next: usize,
}

struct Entry {
    token: Fingerprint,
    /// In Unix seconds.
    from: f64,
    until: f64,
    verified: Verified,
}

impl Cache {
    /// An empty one.
    pub(super) fn new(settings: TokenCacheSettings) -> Self {
        let ways = WAYS.min(settings.entries);
        let places = settings.entries.checked_div(ways).unwrap_or(0);
        let places = std::iter::repeat_with(Mutex::default).take(places).collect();
        Self { places, ways, time: settings.time.as_secs_f64() }
    }

    /// What `token` is found by; `None` if nothing is remembered at all.
    pub(super) fn fingerprint(&self, token: &str) -> Option<Fingerprint> {
        (!self.places.is_empty()).then(|| Fingerprint(Sha256::digest(token).into()))
    }

    /// What is remembered of a token, if it may still be looked at.
    pub(super) fn get(&self, token: Fingerprint, now: Timestamp) -> Option<Verified> {
        let now = in_seconds(now);
        let place = self.place(token)?;
        let entry = place.entries.iter().find(|entry| entry.token == token)?;
        // A clock that was set back makes no entry older than it is.
        (entry.from <= now && now < entry.until).then(|| entry.verified.clone())
    }

    /// Remembers a token that was verified at `now`, in place of an older one if there is no room.
    pub(super) fn put(&self, token: Fingerprint, verified: Verified, now: Timestamp) {
        let from = in_seconds(now);
        let until = verified.proved.times.expires().min(from + self.time);
        let Some(mut place) = self.place(token) else { return };
        let entry = Entry { token, from, until, verified };
        let Place { entries, next } = &mut *place;
        let useless = entries.iter().position(|held| held.token == token || held.until <= from);
        if useless.is_none() && entries.len() < self.ways {
            entries.reserve_exact(self.ways - entries.len());
            return entries.push(entry);
        }
        let index = useless.unwrap_or_else(|| std::mem::replace(next, (*next + 1) % self.ways));
        if let Some(held) = entries.get_mut(index) {
            *held = entry;
        }
    }

    fn place(&self, token: Fingerprint) -> Option<MutexGuard<'_, Place>> {
        let (first, _rest) = token.0.split_first_chunk()?;
        let index = usize::from_le_bytes(*first).checked_rem(self.places.len())?;
        // A panic between the few lines above leaves an older or a newer entry, and both are true.
        Some(self.places.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
