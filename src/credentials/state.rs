//! What pages, metrics and `keys status` tell of the accounts. Nothing in it is secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::account::Account;
use super::generation::Generation;
use super::held::Held;
use crate::domain::Mistake;

/// The state of keys that have ended.
const EXPIRED: &str = "expired";

/// An account.
#[derive(Clone, Debug, Serialize)]
pub struct AccountState {
    /// Its APPID, or `default`.
    pub account: String,
    /// Where its keys come from: the word of the configuration.
    pub source: &'static str,
    /// Why there is nothing to sign with.
    pub missing: Option<String>,
    /// Why the source gave nothing when it was last asked, and since when; what is held may still be good.
    pub problem: Option<String>,
    /// How often the source gave keys.
    pub refreshes: u64,
    /// How often it gave none.
    pub failed_refreshes: u64,
    /// How often keys of the account were refused by Cloud Infinite.
    pub refusals: u64,
    /// The current generation first.
    pub generations: Vec<GenerationState>,
}

/// One pair of keys of an account.
#[derive(Clone, Debug, Serialize)]
pub struct GenerationState {
    /// `current` or `previous`.
    pub generation: &'static str,
    /// Counted from 1 since the process began.
    pub number: u64,
    /// What stands for the keys.
    pub fingerprint: String,
    /// `current`, `kept`, `refused` or `expired`.
    pub state: &'static str,
    /// Since when the account has it.
    pub since: Timestamp,
    /// When it ends, if that is known.
    pub expires: Option<Timestamp>,
    /// When a request last went upstream with it.
    pub last_used: Option<Timestamp>,
    /// When Cloud Infinite last refused it.
    pub last_refused: Option<Timestamp>,
    /// Since when it has been refused and not once accepted; `None` if the last word about it was none.
    pub refused_since: Option<Timestamp>,
    /// How many requests went upstream with it.
    pub uses: u64,
    /// How often Cloud Infinite refused it.
    pub refusals: u64,
    /// The requests in progress that hold it.
    pub in_flight: usize,
    /// Whether this process can do without it: another one has served since, and no signature of its lives on.
    pub safe_to_delete: bool,
}

/// An account that has nothing to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its APPID, or `default`.
    pub account: String,
    /// Why.
    pub why: Mistake,
    /// Since when.
    pub since: Timestamp,
    /// Whether the source was asked and has not answered yet.
    pub pending: bool,
}

impl AccountState {
    /// Which keys Cloud Infinite refuses, and since when, if they are all that has not ended.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        let held: Vec<_> = self.generations.iter().filter(|generation| generation.state != EXPIRED).collect();
        let refused = |generation: &&GenerationState| {
            let since = generation.refused_since?;
            Some(format!("key {} is refused since {since:.0}", generation.fingerprint))
        };
        let refused: Vec<_> = held.iter().map(refused).collect::<Option<_>>()?;
        (!refused.is_empty()).then(|| refused.join(", "))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (account {}, since {:.0})", self.why, self.account, self.since)
    }
}

impl Account {
    /// Why there is nothing to sign with at `now`; `None` if there is.
    pub(super) fn missing(&self, now: Timestamp) -> Option<Missing> {
        let held = self.keyring().held();
        if held.is_usable(now) {
            return None;
        }
        let ended = held.generations().filter_map(|generation| generation.expires()).max();
        let mistake = |what: &str| Mistake::new("credentials", what);
        let (why, since) = match (&held.problem, ended) {
            (Some(problem), ended) => (problem.why.clone(), ended.unwrap_or(problem.since)),
            (None, Some(ended)) => (mistake("the keys have ended, and no new ones have come"), ended),
            (None, None) => {
                (mistake("the source was asked for keys and has not answered yet"), self.keyring().opened())
            }
        };
        Some(Missing { account: self.keyring().name().to_owned(), why, since, pending: !held.answered })
    }

    /// What is told of it at `now`; a signature of ours lives for `lifetime`.
    pub(super) fn state(&self, now: Timestamp, lifetime: Duration) -> AccountState {
        let keyring = self.keyring();
        let held = keyring.held();
        let [refreshes, failed_refreshes] = keyring.asked();
        let current = held.current.iter().map(|generation| ("current", generation));
        let previous = held.previous.iter().map(|generation| ("previous", generation));
        let problem = held.problem.as_ref();
        AccountState {
            account: keyring.name().to_owned(),
            source: self.source(),
            missing: self.missing(now).map(|missing| missing.to_string()),
            problem: problem.map(|problem| format!("since {:.0}: {}", problem.since, problem.why)),
            refreshes,
            failed_refreshes,
            refusals: keyring.refusals(),
            generations: current.chain(previous).map(|(word, it)| state(&held, word, it, now, lifetime)).collect(),
        }
    }
}

fn state(
    held: &Held,
    word: &'static str,
    generation: &Arc<Generation>,
    now: Timestamp,
    lifetime: Duration,
) -> GenerationState {
    let is_current = held.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, generation));
    let state = match (generation.holds(now), generation.refused_since().is_some()) {
        (false, _) => EXPIRED,
        (true, true) => "refused",
        (true, false) if is_current => "current",
        (true, false) => "kept",
    };
    GenerationState {
        generation: word,
        number: generation.number(),
        fingerprint: generation.fingerprint().to_owned(),
        state,
        since: generation.since(),
        expires: generation.expires(),
        last_used: generation.last_used(),
        last_refused: generation.last_refused(),
        refused_since: generation.refused_since(),
        uses: generation.uses(),
        refusals: generation.refusals(),
        in_flight: in_flight(generation),
        safe_to_delete: !is_current && is_safe_to_delete(held, generation, now, lifetime),
    }
}

/// Whoever signs with a generation has it; besides them only the account does.
fn in_flight(generation: &Arc<Generation>) -> usize {
    Arc::strong_count(generation).saturating_sub(1)
}

/// Another one has served after this one last did, nothing that was signed with this one can still be accepted, and no
/// request has it.
fn is_safe_to_delete(held: &Held, generation: &Arc<Generation>, now: Timestamp, lifetime: Duration) -> bool {
    let Some(current) = &held.current else { return false };
    let served = current.last_accepted().filter(|served| generation.last_used().is_none_or(|used| *served >= used));
    let latest = generation.last_used().unwrap_or(current.since()).max(current.since());
    let quiet = now.duration_since(latest).unsigned_abs() >= lifetime && now >= latest;
    served.is_some() && quiet && in_flight(generation) == 0
}
