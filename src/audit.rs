//! The record of what was asked for and what came of it.
//!
//! Every permitted request leaves an intent before anything goes upstream, and every authenticated request an outcome
//! before its answer, also when the work panics. Both are durable (synced to the disk, many at once) before the request
//! goes on. Records hang together by their digests ([`Position`]) and are the leaves of a Merkle tree ([`Tree`]), over
//! all starts and all files of a log.

mod chain;
mod copy;
mod digest;
mod journal;
mod merkle;
mod note;
mod notes;
pub mod reading;
mod record;
mod share;
pub mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use chain::{Misplaced, Position, Sealed, Unsealed};
pub use digest::{Digest, NotADigest};
pub use journal::{Claim, Counts, Trouble};
pub use merkle::{Grove, Tree, is_consistent, is_included, leaf, parent};
pub use note::{BadNote, Checkpoint, InvalidKey, InvalidOrigin, LONGEST_NOTE, Origin, Signer, Verifier};
pub use record::{Finished, Kind, LONGEST_LINE, Place, Record, Request, UpstreamSeen};

use crate::domain::Mistake;
use crate::policy::Permit;
use journal::{Health, Journal, Waiting};

/// Where the record goes, and what happens when it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where records go; without one there is the finished line of the log, and no intent.
    pub sink: Option<Sink>,
    /// What to do with a request whose intent cannot be written.
    pub on_failure: OnFailure,
    /// The name of the log.
    pub name: Origin,
    /// Whether a record counts only when the disk has it, and not already when the operating system has.
    pub sync: bool,
    /// Bytes of disk space that are taken ahead.
    pub reserve: u64,
    /// How often the log says what its tree is.
    pub checkpoints: Checkpoints,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// To a file.
    File(PathBuf),
    /// To standard output alone.
    Stdout,
    /// To a file, and a copy to standard output, which loses lines if nobody reads it.
    Both(PathBuf),
}

impl Sink {
    /// The file, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(file) | Self::Both(file) => Some(file),
            Self::Stdout => None,
        }
    }
}

/// How often the log says what its tree is, if anything was written since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// After so many records.
    pub records: u64,
    /// After so long.
    pub interval: Duration,
    /// The Ed25519 key that signs what it says; without one nothing is signed.
    pub key_file: Option<PathBuf>,
    /// Where signed checkpoints are appended; by default beside the audit file, with `.checkpoints` at the end.
    pub file: Option<PathBuf>,
}

/// Told of each commit: how many records it made durable, and how long that took.
pub type OnCommit = Box<dyn Fn(usize, Duration) + Send>;

/// What to do with a request whose intent cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Refuse it: nothing goes upstream unrecorded.
    Refuse,
    /// Serve it, and say so in the log.
    Serve,
}

/// The audit, or its absence.
#[derive(Debug)]
pub struct Audit {
    journal: Option<Journal>,
    on_failure: OnFailure,
}

impl Audit {
    /// Opens what the settings name, a file readable by its owner alone, and goes on where its log ends. `on_commit` is
    /// called by the thread that writes.
    ///
    /// # Errors
    /// A [`Mistake`] that names the file if it cannot be opened and read, or another process writes it. A file that can
    /// be opened and not written is no mistake: the audit then [refuses](Self::refuses), and goes on trying.
    pub fn open(settings: &Settings, on_commit: OnCommit) -> Result<Self, Mistake> {
        let journal = settings.sink.as_ref().map(|sink| Journal::open(settings, sink, on_commit)).transpose()?;
        Ok(Self { journal, on_failure: settings.on_failure })
    }

    /// Writes down that `request` is about to be made under `permit`; waits for the disk until `deadline`, and no longer
    /// than a second. The claim is space for the outcome too; there is one only if the intent is durable.
    ///
    /// # Errors
    /// [`Unwritten`] if the line could not be written and the settings say to refuse then.
    pub async fn intent(
        &self,
        permit: Permit,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<(Intent, Option<Claim>), Unwritten> {
        let Some(journal) = &self.journal else { return Ok((Intent { permit }, None)) };
        let written = journal.intent(Record::intent(request, &permit), deadline).await;
        let claim = match (written, self.on_failure) {
            (Ok(claim), _) => claim,
            (Err(unwritten), OnFailure::Refuse) => return Err(unwritten),
            (Err(unwritten), OnFailure::Serve) => {
                tracing::error!(error = %unwritten, request_id = request.request_id, "audit intent not written; serving, as configured");
                None
            }
        };
        Ok((Intent { permit }, claim))
    }

    /// Hands over what came of a request, which cannot be refused any more; the answer waits for it by
    /// [`Handed::settled`].
    pub fn finished(&self, request: &Request<'_>, finished: &Finished<'_>, claim: Option<Claim>) -> Handed {
        let outcome = |journal: &Journal| journal.post(Record::outcome(request, finished), claim);
        Handed(self.journal.as_ref().map(outcome))
    }

    /// Tells that the file may have been renamed away; if so, the log goes on in a new one.
    pub fn look(&self) {
        if let Some(journal) = &self.journal {
            journal.look();
        }
    }

    /// Whether requests would be refused because nothing can be recorded.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.on_failure == OnFailure::Refuse && self.trouble().is_some()
    }

    /// Why nothing can be recorded, and since when; `None` while all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<Trouble>> {
        self.health().and_then(Health::trouble)
    }

    /// What was counted since the process began.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.health().map(Health::counts).unwrap_or_default()
    }

    fn health(&self) -> Option<&Health> {
        self.journal.as_ref().map(Journal::health)
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

/// An outcome that was handed over. It is written also if nobody waits for it.
#[derive(Debug)]
pub struct Handed(Option<Result<Waiting, Unwritten>>);

impl Handed {
    /// Waits until it is durable, at most a second.
    ///
    /// # Errors
    /// [`Unwritten`]; it may be written later.
    pub async fn settled(self) -> Result<(), Unwritten> {
        match self.0 {
            Some(Ok(waiting)) => waiting.settled().await,
            Some(Err(unwritten)) => Err(unwritten),
            None => Ok(()),
        }
    }
}

/// A line could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit cannot be written: {0}")]
pub struct Unwritten(Box<str>);
