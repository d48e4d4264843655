//! How the journal is: what its thread knows, for all others to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use crate::audit::{Kind, OnFailure};

/// Why nothing can be recorded, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When it was first noticed.
    pub since: Timestamp,
    /// What is wrong, for the log and `/readyz?verbose`.
    pub why: Box<str>,
}

/// What the audit has counted since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were written, by the word of their [`Kind`].
    pub records: Vec<(&'static str, u64)>,
    /// Intents and outcomes that could not be written in time, and troubles.
    pub failures: u64,
    /// Outcomes that will never be written.
    pub outcomes_lost: u64,
    /// Lines of the copy on standard output that were dropped.
    pub dropped: u64,
    /// Times at which the file was deleted or had become shorter.
    pub lost: u64,
    /// Bytes that can still be written for sure.
    pub reserved: Option<u64>,
    /// Bytes that the filesystem has left.
    pub free: Option<u64>,
}

#[derive(Debug)]
pub(in crate::audit) struct Health {
    on_failure: OnFailure,
    trouble: ArcSwapOption<Trouble>,
    records: [AtomicU64; Kind::ALL.len()],
    failures: AtomicU64,
    outcomes_lost: AtomicU64,
    /// How many of these the log tells of.
    outcomes_told: AtomicU64,
    /// Requests with a durable intent, whose outcome is not written yet.
    pub(super) claims: Arc<AtomicUsize>,
    dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    /// One more than the bytes; 0 where that means nothing.
    reserved: AtomicU64,
    free: AtomicU64,
}

impl Health {
    /// All is well; `on_failure` is what is said to come of it if not.
    pub(in crate::audit) fn new(on_failure: OnFailure) -> Self {
        Self {
            on_failure,
            trouble: ArcSwapOption::empty(),
            records: Default::default(),
            failures: AtomicU64::default(),
            outcomes_lost: AtomicU64::default(),
            outcomes_told: AtomicU64::default(),
            claims: Arc::default(),
            dropped: AtomicU64::default(),
            lost: AtomicU64::default(),
            reserved: AtomicU64::default(),
            free: AtomicU64::default(),
        }
    }

    pub(in crate::audit) fn trouble(&self) -> Option<Arc<Trouble>> {
        self.trouble.load_full()
    }

    /// A line was not written in time.
    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing can be written; told once, until it can be again.
    pub(super) fn fails(&self, why: &str) {
        let before = self.trouble.load_full();
        let since = before.as_ref().map_or_else(Timestamp::now, |before| before.since);
        self.trouble.store(Some(Arc::new(Trouble { since, why: why.into() })));
        if before.is_none() {
            self.count_failure();
            match self.on_failure {
                OnFailure::Refuse => {
                    tracing::error!(error = why, "the audit cannot be written: not ready until it can")
                }
                OnFailure::Serve => {
                    tracing::error!(error = why, "the audit cannot be written: calls go on unrecorded, as configured");
                }
            }
        }
    }

    /// Outcomes are gone; said once, until the log tells of them.
    pub(super) fn loses(&self, outcomes: u64) {
        let before = self.outcomes_lost.fetch_add(outcomes, Ordering::Relaxed);
        if outcomes > 0 && before == self.outcomes_told.load(Ordering::Relaxed) {
            tracing::error!("outcomes of requests are lost to the audit: more of them wait than can be kept");
        }
    }

    /// Outcomes that are gone without a word in the log.
    pub(super) fn untold(&self) -> u64 {
        let told = self.outcomes_told.load(Ordering::Relaxed);
        self.outcomes_lost.load(Ordering::Relaxed).saturating_sub(told)
    }

    /// The log tells of so many more.
    pub(super) fn tells(&self, outcomes: u64) {
        self.outcomes_told.fetch_add(outcomes, Ordering::Relaxed);
    }

    /// All that was handed over is written, and more can be.
    pub(super) fn is_well(&self) {
        if self.trouble.load().is_some()
            && let Some(trouble) = self.trouble.swap(None)
        {
            tracing::info!(since = %trouble.since, "the audit can be written again");
        }
    }

    /// Lines of the copy are gone.
    pub(in crate::audit) fn drops(&self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn count(&self, kind: Kind) {
        if let Some(count) = self.records.get(kind.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn show_space(&self, reserved: Option<u64>, free: Option<u64>) {
        let shown = |bytes: Option<u64>| bytes.map_or(0, |bytes| bytes.saturating_add(1));
        self.reserved.store(shown(reserved), Ordering::Relaxed);
        self.free.store(shown(free), Ordering::Relaxed);
    }

    pub(in crate::audit) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            records: Kind::ALL.iter().zip(&self.records).map(|(kind, count)| (kind.as_str(), read(count))).collect(),
            failures: read(&self.failures),
            outcomes_lost: read(&self.outcomes_lost),
            dropped: read(&self.dropped),
            lost: read(&self.lost),
            reserved: read(&self.reserved).checked_sub(1),
            free: read(&self.free).checked_sub(1),
        }
    }
}
