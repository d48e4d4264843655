//! What the process tells about itself: log lines and metrics.

mod lines;
mod logging;
mod metrics;

pub use logging::{LogFormat, dropped_log_lines, flush_log, start_logging};
pub use metrics::{AuditSeen, CALL_BUCKETS, KeySetSeen, Metrics, OVERHEAD_BUCKETS};
