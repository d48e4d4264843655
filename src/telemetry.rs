//! What the process tells about itself: log lines and metrics.

mod logging;
mod metrics;

pub use logging::{LogFormat, start_logging};
pub use metrics::{AuditSeen, CALL_BUCKETS, KeySetSeen, Metrics, OVERHEAD_BUCKETS};
