//! How the journal is: what its thread knows, for all others to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use crate::audit::Kind;

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
    /// Lines of the copy on standard output that were dropped.
    pub dropped: u64,
    /// Times at which the file was deleted or had become shorter.
    pub lost: u64,
    /// Bytes that can still be written for sure.
    pub reserved: Option<u64>,
    /// Bytes that the filesystem has left.
    pub free: Option<u64>,
}

#[derive(Debug, Default)]
pub(in crate::audit) struct Health {
    trouble: ArcSwapOption<Trouble>,
    records: [AtomicU64; Kind::ALL.len()],
    failures: AtomicU64,
    dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    /// One more than the bytes; 0 where that means nothing.
    reserved: AtomicU64,
    free: AtomicU64,
}

impl Health {
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
            tracing::error!(error = why, "the audit cannot be written: not ready until it can");
        }
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
            dropped: read(&self.dropped),
            lost: read(&self.lost),
            reserved: read(&self.reserved).checked_sub(1),
            free: read(&self.free).checked_sub(1),
        }
    }
}
