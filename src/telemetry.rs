//! What the process tells about itself: log lines and metrics.

/// The shape of the log lines on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// A line for people.
    Text,
}
