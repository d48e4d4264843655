//! The exit statuses, and the sentence that goes with one.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use crate::telemetry::flush_log;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Done.
    Fine,
    /// It could not be done.
    Failure,
    /// A check was made and said no.
    SaidNo,
    /// Bad usage or configuration: `EX_USAGE` of `sysexits.h`.
    BadUsage,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Fine => 0,
            Status::Failure => 1,
            Status::SaidNo => 2,
            Status::BadUsage => 64,
        })
    }
}

/// Says on standard error what is wrong, a line for each line of `what`, and gives the status.
pub(super) fn complain(status: Status, what: impl Display) -> ExitCode {
    // What is logged stands before what it leads to.
    flush_log();
    let mut stderr = std::io::stderr().lock();
    for line in what.to_string().lines() {
        // If standard error is gone, the exit status is all that is left to tell.
        let _printed = writeln!(stderr, "ci-gateway: {line}");
    }
    status.into()
}
