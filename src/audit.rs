//! The record of what was asked for and what came of it.
//!
//! Every permitted request leaves a line of intent before anything goes upstream, and every authenticated request a
//! finished line after its answer is known, also when the work panics. Lines are appended to a file and handed to
//! the operating system before the request goes on. They are not yet synced to the disk, chained or signed:
//! a crash of the machine (not of the process) can lose the last of them.

mod chain;
mod digest;
mod journal;
mod merkle;
mod note;
pub mod reading;
mod record;
pub mod verify;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

pub use chain::{Misplaced, Position, Sealed, Unsealed};
pub use digest::{Digest, NotADigest};
pub use merkle::{Grove, Tree, is_consistent, is_included, leaf, parent};
pub use note::{BadNote, Checkpoint, InvalidKey, InvalidOrigin, LONGEST_NOTE, Origin, Signer, Verifier};
pub use record::{Finished, Record, Request, UpstreamSeen};

use crate::domain::Mistake;
use crate::policy::Permit;
use journal::Journal;
use record::Line;

/// A disk that takes longer for a line is taken for one that hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the record goes, and what happens when it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file that records are appended to; without one there is the finished line of the log, and no intent.
    pub file: Option<PathBuf>,
    /// What to do with a request whose intent cannot be written.
    pub on_failure: OnFailure,
}

/// What to do with a request whose intent cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Refuse it: nothing goes upstream unrecorded.
    Refuse,
    /// Serve it, and say so in the log.
    Serve,
}

/// The audit file, or its absence.
#[derive(Debug)]
pub struct Audit {
    journal: Option<Journal>,
    on_failure: OnFailure,
}

impl Audit {
    /// Opens the file for appending, readable by its owner alone.
    ///
    /// # Errors
    /// A [`Mistake`] that names the file if it cannot be opened.
    pub fn open(settings: &Settings) -> Result<Self, Mistake> {
        let journal = settings.file.as_deref().map(Journal::open).transpose()?;
        Ok(Self { journal, on_failure: settings.on_failure })
    }

    /// Writes down that `request` is about to be made under `permit`; waits for the disk until `deadline`, and no longer
    /// than a second.
    ///
    /// # Errors
    /// [`Unwritten`] if the line could not be written and the settings say to refuse then.
    pub async fn intent(&self, permit: Permit, request: &Request<'_>, deadline: Instant) -> Result<Intent, Unwritten> {
        if let Some(journal) = &self.journal {
            let deadline = deadline.min(Instant::now() + PATIENCE);
            let written = journal.write(Line::intent(request, &permit).to_json(), deadline).await;
            match (written, self.on_failure) {
                (Ok(()), _) => {}
                (Err(unwritten), OnFailure::Refuse) => return Err(unwritten),
                (Err(unwritten), OnFailure::Serve) => {
                    tracing::error!(error = %unwritten, request_id = request.request_id, "audit intent not written; serving, as configured");
                }
            }
        }
        Ok(Intent { permit })
    }

    /// Writes down what came of a request. It cannot be refused any more, so it does not wait and does not fail:
    /// a line that cannot be written is an error in the log and counted.
    pub fn finished(&self, request: &Request<'_>, finished: &Finished<'_>) {
        if let Some(journal) = &self.journal
            && let Err(unwritten) = journal.post(Line::finished(request, finished).to_json())
        {
            tracing::error!(error = %unwritten, request_id = request.request_id, "audit line not written");
        }
    }

    /// Whether requests would be refused because the last line did not go through. Asking is also what finds out that
    /// the file can be written again: it leaves a line of type `probe` there.
    #[must_use]
    pub fn refuses(&self, now: Timestamp) -> bool {
        let writable = self.journal.as_ref().is_none_or(|journal| journal.is_writable(|| record::probe(now)));
        !writable && self.on_failure == OnFailure::Refuse
    }

    /// Lines that could not be written since the process began.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::failures)
    }
}

/// The proof that a request was written down. Only [`Audit::intent`] makes one.
#[derive(Debug)]
pub struct Intent {
    permit: Permit,
}

impl Intent {
    /// The permit under which the request is made.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
}

/// A line could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit file cannot be written: {0}")]
pub struct Unwritten(Box<str>);
