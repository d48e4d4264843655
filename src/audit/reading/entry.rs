//! What a record says.

use jiff::Timestamp;
use serde::Deserialize;

use super::BadLine;
use crate::audit::{Digest, Kind, Sealed, Tree};

impl Kind {
    /// The kind of a record, told by the member that each begins with.
    ///
    /// # Errors
    /// [`BadLine::UnknownType`], or [`BadLine::Form`] if it begins otherwise.
    pub fn of(sealed: &Sealed<'_>) -> Result<Self, BadLine> {
        let rest = sealed.members().strip_prefix(b"\"type\":\"").ok_or(BadLine::Form)?;
        let word = rest.split(|byte| *byte == b'"').next().unwrap_or_default();
        let known = Self::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == word);
        known.ok_or_else(|| BadLine::UnknownType(String::from_utf8_lossy(word).into()))
    }
}

/// A record, read.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A file, or a process's part of it, begins.
    Opened {
        /// The name of the log.
        log: String,
        /// When.
        time: Option<Timestamp>,
        /// The tree before this record.
        tree: TreeSeen,
    },
    /// A request is about to be made.
    Intent(Asked),
    /// What came of a request.
    Outcome(Asked, Answered),
    /// What the tree is so far.
    Checkpoint {
        /// The tree before this record.
        tree: TreeSeen,
        /// Its root.
        root: Digest,
    },
    /// Something was made good before it went on.
    Recovered {
        /// When.
        time: Timestamp,
        /// What it was.
        reason: String,
        /// The records that were found changed or out of their places, if there were any.
        damaged: Option<Damaged>,
    },
}

/// The numbers of records that a start found changed or out of their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Damaged {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// A tree as a record writes it down.
#[derive(Clone, Debug, Deserialize)]
pub struct TreeSeen {
    size: u64,
    peaks: Vec<String>,
}

impl TreeSeen {
    /// The tree, if there can be one like it.
    #[must_use]
    pub fn tree(&self) -> Option<Tree> {
        let peaks = self.peaks.iter().map(|peak| peak.parse().ok()).collect::<Option<_>>()?;
        Tree::from_peaks(self.size, peaks)
    }
}

/// Who asked for what, as it stands in an intent and in an outcome.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    /// When it was written down.
    pub time: Timestamp,
    /// Our id of the request.
    pub request_id: String,
    /// The caller's name.
    pub caller: String,
    /// Who vouched for the name.
    pub issuer: String,
    /// The action in CAM's language.
    pub action: String,
    /// The bucket's full name.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Whether nothing was to be sent in any case.
    pub validate_only: bool,
    /// `permit` or `denied`; `None` when the policy was not asked.
    #[serde(default)]
    pub decision: Option<String>,
    /// The statement that decided.
    #[serde(default)]
    pub statement: Option<String>,
    /// The fingerprint of the keys that it was signed with.
    #[serde(default)]
    pub key: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Answered {
    /// The status of our answer.
    pub status: u16,
    /// Its code, or `ok`.
    pub code: String,
    /// What became of the call at Cloud Infinite.
    pub outcome: String,
    /// The number of its intent; `None` if it has none on record.
    #[serde(default)]
    pub intent: Option<u64>,
    /// From the request's head to its answer; older records do not say it.
    #[serde(default)]
    pub duration_ms: Option<f64>,
    /// What Cloud Infinite said.
    #[serde(default)]
    pub upstream: Option<UpstreamRead>,
}

/// What was seen of Cloud Infinite's answer.
#[derive(Clone, Debug, Deserialize)]
pub struct UpstreamRead {
    /// The HTTP status.
    pub status: u16,
    /// The word for the fault.
    pub code: Option<String>,
    /// Cloud Infinite's id of the request.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct OpenedMembers {
    log: String,
    #[serde(default)]
    time: Option<Timestamp>,
    tree: TreeSeen,
}

#[derive(Deserialize)]
struct CheckpointMembers {
    #[serde(flatten)]
    tree: TreeSeen,
    root: String,
}

#[derive(Deserialize)]
struct RecoveredMembers {
    time: Timestamp,
    reason: String,
    #[serde(default)]
    damaged: Option<Damaged>,
}

impl Entry {
    /// Reads what a record says. Members that it does not know are those of a later version, and passed over.
    ///
    /// # Errors
    /// [`BadLine`] for another type, and for a member that is missing or not what it should be.
    pub fn read(sealed: &Sealed<'_>) -> Result<Self, BadLine> {
        let line = sealed.line();
        Ok(match Kind::of(sealed)? {
            Kind::Opened => {
                let OpenedMembers { log, time, tree } = members(line)?;
                Self::Opened { log, time, tree }
            }
            Kind::Intent => Self::Intent(members(line)?),
            Kind::Outcome => Self::Outcome(members(line)?, members(line)?),
            Kind::Checkpoint => {
                let CheckpointMembers { tree, root } = members(line)?;
                let root = root.parse().map_err(|why| BadLine::Members(format!("`root`: {why}").into()))?;
                Self::Checkpoint { tree, root }
            }
            Kind::Recovered => {
                let RecoveredMembers { time, reason, damaged } = members(line)?;
                Self::Recovered { time, reason, damaged }
            }
        })
    }
}

fn members<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, BadLine> {
    serde_json::from_slice(line).map_err(|why| BadLine::Members(why.to_string().into()))
}
