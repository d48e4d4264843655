//! What is wrong with a log, for whoever has to act on it.

use std::fmt;

use crate::audit::BadNote;
use crate::audit::reading::BadLine;

/// The first place at which a log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    name: String,
    line: u64,
    seq: Option<u64>,
    wrong: Wrong,
}

impl Finding {
    pub(super) fn new(name: String, line: u64, seq: Option<u64>, wrong: Wrong) -> Self {
        Self { name, line, seq, wrong }
    }

    /// The file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line there, from 1; one more than there are if something is missing at the end.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The number of the record, if it is known.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// What is wrong there.
    #[must_use]
    pub fn wrong(&self) -> &Wrong {
        &self.wrong
    }
}

/// `FILE:LINE: record N: what`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.name, self.line)?;
        if let Some(seq) = self.seq {
            write!(f, "record {seq}: ")?;
        }
        write!(f, "{}", self.wrong)
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The line is no record, or one that was changed.
    #[error(transparent)]
    Line(#[from] BadLine),
    /// Records are nowhere in the file.
    #[error("records {from} to {to} are missing before this line")]
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// A record stands further down.
    #[error("record {seq} should stand here, and stands at line {to_line}: lines were moved")]
    Moved {
        /// Its number.
        seq: u64,
        /// Where it stands.
        to_line: u64,
    },
    /// A record stands there twice, or too late.
    #[error("record {expected} should stand here: record {found} stands here a second time, or out of its place")]
    Again {
        /// The number that should stand there.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// The record before is another one than was written.
    #[error("this record follows on another one than stands before it: the one before was replaced, or this one was")]
    OtherBefore,
    /// The first record is not the log's first, and says nothing of those before it.
    #[error("the file begins in the middle of the log: what stood before this record is cut off")]
    NoBeginning,
    /// What the record says of the tree is not so.
    #[error("this record says of the records before it what is not so: records were written anew")]
    OtherTree,
    /// A signed checkpoint is of other records.
    #[error("records {from} to {} are not all those that the checkpoint at {place} was signed over", .size.saturating_sub(1))]
    NotWhatWasSigned {
        /// Where the checkpoint stands.
        place: String,
        /// The first record that no checkpoint before it covers.
        from: u64,
        /// How many records it covers.
        size: u64,
    },
    /// A signed checkpoint covers more records than there are.
    #[error("truncated: the checkpoint at {place} covers {covers} records and the files hold only {holds}")]
    Truncated {
        /// Where the checkpoint stands.
        place: String,
        /// How many records it covers.
        covers: u64,
        /// How many there are.
        holds: u64,
    },
    /// A start has found that records were changed behind its back.
    #[error(
        "when the gateway started, records {from} to {to} were not what it had written any more, and it set them aside"
    )]
    Damaged {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// There is not one record.
    #[error("there is no record at all")]
    Nothing,
    /// A public key was named, and no checkpoint that it verifies is of these records.
    #[error("no checkpoint that is signed with the public key is of these records")]
    Unsigned,
    /// The line begins a checkpoint that is none.
    #[error("this checkpoint cannot be gone by: {0}")]
    Note(#[from] BadNote),
}

impl Wrong {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Line(BadLine::Torn) => {
                "if the gateway is writing this file now, verify it again; after a crash, the next start sets the torn line aside"
            }
            Self::Line(BadLine::CarriageReturn) => "copy the file again, byte for byte",
            Self::Line(BadLine::UnknownType(_)) => "verify with the version of ci-gateway that wrote it",
            Self::Line(BadLine::TooLong | BadLine::Form | BadLine::Changed | BadLine::Members(_))
            | Self::OtherBefore
            | Self::OtherTree
            | Self::Again { .. }
            | Self::Moved { .. } => {
                "keep this file as it is and compare it with a copy from elsewhere; what stands before this line is in order"
            }
            Self::Damaged { .. } => {
                "keep the file that this record names under `set_aside`, and compare it with a copy from elsewhere"
            }
            Self::Missing { .. } | Self::NoBeginning => "name the files that come before too, or get them from a copy",
            Self::NotWhatWasSigned { .. } => {
                "keep this file as it is: someone has written these records anew, or the checkpoint is of another log"
            }
            Self::Truncated { .. } => "name the newer files too; if there are none, the end of the log was cut off",
            Self::Nothing => {
                "a log begins with a record as soon as the gateway starts: it was emptied, or this is another file"
            }
            Self::Unsigned => {
                "name the file of checkpoints with `--checkpoints`, and the key that signed them; if there are none, somebody took them away"
            }
            Self::Note(BadNote::OtherLog | BadNote::NotSigned) => {
                "verify with the public key that signed it: `ci-gateway audit key` prints that of a private key"
            }
            Self::Note(BadNote::Form | BadNote::Forged) => {
                "compare the file of checkpoints with a copy from elsewhere, such as the gateway's standard output"
            }
        }
    }
}
