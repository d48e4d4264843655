//! Keys with what tells them from others of the same account, and what has become of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::breaker::Breaker;
use super::{Issued, KeyRefusal, Keys};

/// Of a fingerprint, in bytes.
const FINGERPRINT: usize = 8;

/// One of the keys that an account has had. What is counted here is counted without a lock.
#[derive(Debug)]
pub struct Generation {
    account: Arc<Tally>,
    number: u64,
    keys: Keys,
    fingerprint: Box<str>,
    since: Timestamp,
    expires: Option<Timestamp>,
    uses: AtomicU64,
    refusals: AtomicU64,
    used: Moment,
    accepted: Moment,
    refused: Moment,
    /// The first refusal since the last success, if the breaker has any.
    refused_since: Moment,
    breaker: Breaker,
}

/// What is counted for all generations of an account together, whatever sources it had.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) account: Box<str>,
    pub(super) generations: AtomicU64,
    /// How often the source gave keys, and how often none.
    pub(super) asked: [AtomicU64; 2],
    pub(super) refusals: AtomicU64,
}

impl Tally {
    /// Of an account that nothing has happened to.
    pub(super) fn of(account: &str) -> Self {
        let (generations, asked, refusals) = Default::default();
        Self { account: account.into(), generations, asked, refusals }
    }
}

impl Generation {
    pub(super) fn new(account: Arc<Tally>, number: u64, issued: Issued, since: Timestamp) -> Self {
        let Issued { keys, expires } = issued;
        let digest = Sha256::digest(keys.secret_id());
        let fingerprint = hex::encode(digest.get(..FINGERPRINT).unwrap_or_default()).into();
        Self {
            account,
            number,
            keys,
            fingerprint,
            since,
            expires,
            uses: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            used: Moment::default(),
            accepted: Moment::default(),
            refused: Moment::default(),
            refused_since: Moment::default(),
            breaker: Breaker::default(),
        }
    }

    /// The keys to sign with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What stands for the keys in logs, records and pages: 16 hexadecimal digits, made of the SecretId alone.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Counted from 1 in its account, since the process began.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Notes that a request goes upstream with these keys.
    pub fn goes_out(&self, now: Timestamp) {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.used.note(now);
        self.breaker.goes_out(now.as_millisecond());
    }

    /// Notes that Cloud Infinite has taken these keys: a request that was signed with them was carried out, or refused for its
    /// bucket alone.
    pub fn is_accepted(&self, now: Timestamp) {
        self.accepted.note(now);
        if self.breaker.is_blotted() {
            self.breaker.succeeded();
            let (account, generation) = (&*self.account.account, self.number);
            tracing::info!(account, generation, key = %self, "Cloud Infinite takes the key again");
        }
    }

    /// Notes that Cloud Infinite has refused the key, or the signature that was made with it.
    pub fn is_refused(&self, why: KeyRefusal, now: Timestamp) {
        let first = !self.breaker.is_blotted();
        if first {
            self.refused_since.note(now);
        }
        let opened = self.breaker.refused(now.as_millisecond());
        self.refusals.fetch_add(1, Ordering::Relaxed);
        self.account.refusals.fetch_add(1, Ordering::Relaxed);
        self.refused.note(now);
        let (account, generation) = (&*self.account.account, self.number);
        let (code, hint) = (why.code(), why.hint());
        if opened {
            tracing::error!(account, generation, key = %self, code, hint, "Cloud Infinite refuses the key again and again");
        } else if first {
            tracing::error!(account, generation, key = %self, code, hint, "Cloud Infinite refuses the key");
        }
    }

    /// Whether these keys may go before others of the account; see [`Breaker::admits`].
    pub(super) fn may_go_first(&self, now: Timestamp) -> bool {
        self.breaker.admits(now.as_millisecond())
    }

    /// Whether the source still vouches for them.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    /// Whether it is of these keys and this end.
    pub(super) fn is_of(&self, issued: &Issued) -> bool {
        self.expires == issued.expires && self.keys.are(&issued.keys)
    }

    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    pub(super) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    pub(super) fn last_used(&self) -> Option<Timestamp> {
        self.used.get()
    }

    pub(super) fn last_accepted(&self) -> Option<Timestamp> {
        self.accepted.get()
    }

    pub(super) fn last_refused(&self) -> Option<Timestamp> {
        self.refused.get()
    }

    /// Since when every word about it was a refusal; `None` if the last one was not.
    pub(super) fn refused_since(&self) -> Option<Timestamp> {
        if self.breaker.is_blotted() { self.refused_since.get() } else { None }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint)
    }
}

/// The latest time of something, in Unix milliseconds; 0 for never.
#[derive(Debug, Default)]
struct Moment(AtomicI64);

impl Moment {
    fn note(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millisecond(), Ordering::Relaxed);
    }

    fn get(&self) -> Option<Timestamp> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at > 0).and_then(|at| Timestamp::from_millisecond(at).ok())
    }
}
