//! The record of what was asked for and what came of it.

use std::path::PathBuf;

/// Where the record goes, and what happens when it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file that records are appended to; without one they stand in the log alone.
    pub file: Option<PathBuf>,
    /// What to do with a request whose intent cannot be written.
    pub on_failure: OnFailure,
}

/// What to do with a request whose intent cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Refuse it: nothing goes upstream unrecorded.
    Refuse,
    /// Serve it, and say so in the log and in the metrics.
    Serve,
}
