//! What the metrics show of the audit.

use std::time::Duration;

use super::{Metrics, follow, gauge};

/// The audit, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSeen {
    /// How many records of which type.
    pub records: Vec<(&'static str, u64)>,
    /// What could not be written in time.
    pub failures: u64,
    /// Outcomes that will never be written.
    pub outcomes_lost: u64,
    /// Lines of the copy that were dropped.
    pub dropped: u64,
    /// Times at which the file was deleted or had become shorter.
    pub lost: u64,
    /// Bytes taken ahead.
    pub reserved: Option<u64>,
    /// Bytes left on the filesystem.
    pub free: Option<u64>,
    /// Whether requests can be recorded.
    pub usable: bool,
}

impl Metrics {
    /// Shows what the audit counted by itself.
    pub fn show_audit(&self, seen: &AuditSeen) {
        // The lock guards no data that a panic could leave half-changed.
        let _alone = self.showing.lock();
        for (word, count) in &seen.records {
            follow(&self.audit_records.with_label_values(&[word]), *count);
        }
        follow(&self.audit_failures, seen.failures);
        follow(&self.audit_outcomes_lost, seen.outcomes_lost);
        follow(&self.audit_stdout_dropped, seen.dropped);
        follow(&self.audit_file_lost, seen.lost);
        self.audit_usable.set(i64::from(seen.usable));
        for (shown, bytes) in [(&self.audit_reserved_bytes, seen.reserved), (&self.audit_free_bytes, seen.free)] {
            match bytes {
                Some(bytes) => shown.with_label_values::<&str>(&[]).set(gauge(bytes)),
                None => shown.reset(),
            }
        }
    }

    /// What counts the commits of the audit as they happen.
    pub fn audit_commits(&self) -> impl Fn(usize, Duration) + Send + use<> {
        let seconds = self.audit_commit_seconds.with_label_values::<&str>(&[]);
        let records = self.audit_commit_records.with_label_values::<&str>(&[]);
        move |count, took| {
            seconds.observe(took.as_secs_f64());
            // At most a few hundred.
            records.observe(u32::try_from(count).map_or(f64::INFINITY, f64::from));
        }
    }
}
