//! The records that the log writes about itself.

use jiff::Timestamp;
use serde::Serialize;

use super::text::{Name, Text};
use super::{Kind, Record};
use crate::audit::{Digest, Tree};

/// Why a file or a process begins to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Reason {
    /// Nothing of the log was there before.
    New,
    /// The process has started, and the log goes on.
    Started,
    /// The file was renamed away, and a reload has told us; or it was while no gateway ran.
    Rotated,
    /// Another file or none stood at the path.
    Replaced,
    /// The file had become shorter.
    Truncated,
}

impl Reason {
    pub(in crate::audit) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Started => "started",
            Self::Rotated => "rotated",
            Self::Replaced => "replaced",
            Self::Truncated => "truncated",
        }
    }
}

/// What a process had to make good before it could go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Recovery {
    /// The file ended in half a line.
    TornTail(Aside),
    /// Behind the last record that follows stood others: what was acknowledged is not what was written any more.
    Damaged {
        /// All that stood there.
        aside: Aside,
        /// The number of the first record that is not in its place.
        from: u64,
        /// The largest number that was found behind.
        to: u64,
    },
    /// A write or a sync failed. What it had left in the file is gone again, unless `suspect_from` is a number: then the
    /// file cannot be cut, and half a record may stand before this one.
    WriteFailed {
        /// The number of the first record that may stand there twice or in part.
        suspect_from: Option<u64>,
    },
    /// So many outcomes are not in the log and never will be.
    OutcomesLost(u64),
}

/// Bytes that were taken out of the file, and stand in one beside it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Aside {
    /// The name of that file.
    pub file: String,
    /// How many bytes there are.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Digest,
}

/// Of the tree before the record.
#[derive(Serialize)]
struct TreePart {
    size: u64,
    peaks: Vec<String>,
}

#[derive(Serialize)]
struct Opened<'a> {
    r#type: &'static str,
    time: Timestamp,
    log: Name<'a>,
    reason: &'static str,
    version: &'static str,
    tree: TreePart,
}

#[derive(Serialize)]
struct Checkpoint {
    r#type: &'static str,
    time: Timestamp,
    size: u64,
    root: String,
    peaks: Vec<String>,
}

#[derive(Serialize)]
struct Recovered<'a> {
    r#type: &'static str,
    time: Timestamp,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_aside: Option<SetAside<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<Damaged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspect_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes_lost: Option<u64>,
}

#[derive(Serialize)]
struct Damaged {
    from: u64,
    to: u64,
}

#[derive(Serialize)]
struct SetAside<'a> {
    file: Name<'a>,
    bytes: u64,
    sha256: String,
}

fn peaks(tree: &Tree) -> Vec<String> {
    tree.peaks().iter().map(Digest::to_string).collect()
}

impl Record {
    /// The first record of a file and of a process's part of it; `tree` is the tree before it.
    pub(in crate::audit) fn opened(log: &str, reason: Reason, tree: &Tree, time: Timestamp) -> Self {
        let tree = TreePart { size: tree.size(), peaks: peaks(tree) };
        let (kind, version) = (Kind::Opened, env!("CARGO_PKG_VERSION"));
        let line = Opened { r#type: kind.as_str(), time, log: Text(log), reason: reason.as_str(), version, tree };
        Self::of(kind, &line)
    }

    /// What the tree is before this record.
    pub(in crate::audit) fn checkpoint(tree: &Tree, time: Timestamp) -> Self {
        let kind = Kind::Checkpoint;
        let (size, root) = (tree.size(), tree.root().to_string());
        Self::of(kind, &Checkpoint { r#type: kind.as_str(), time, size, root, peaks: peaks(tree) })
    }

    /// That something was made good.
    pub(in crate::audit) fn recovered(recovery: &Recovery, time: Timestamp) -> Self {
        let (reason, aside, damaged, suspect_from, outcomes_lost) = match recovery {
            Recovery::TornTail(aside) => ("torn_tail", Some(aside), None, None, None),
            Recovery::Damaged { aside, from, to } => {
                ("damaged", Some(aside), Some(Damaged { from: *from, to: *to }), None, None)
            }
            Recovery::WriteFailed { suspect_from } => ("write_failed", None, None, *suspect_from, None),
            Recovery::OutcomesLost(count) => ("outcomes_lost", None, None, None, Some(*count)),
        };
        let set_aside = aside.map(|aside| SetAside {
            file: Text(&aside.file),
            bytes: aside.bytes,
            sha256: aside.sha256.to_string(),
        });
        let kind = Kind::Recovered;
        let recovered =
            Recovered { r#type: kind.as_str(), time, reason, set_aside, damaged, suspect_from, outcomes_lost };
        Self::of(kind, &recovered)
    }
}
