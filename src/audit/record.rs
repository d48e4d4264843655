//! The lines of the audit: typed, and nothing in them that is not named here.
//!
//! Whatever a caller is named, a whole line is at most [`LONGEST_LINE`] bytes of UTF-8 JSON without control characters.

mod marks;
mod place;
mod text;

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

pub(super) use marks::{Aside, Reason, Recovery};
pub use place::Place;
use text::{Name, Text, Word};

use crate::ci::{FaultCode, Operation, RequestId};
use crate::domain::{Bucket, Caller, Code, Outcome, Region};
use crate::policy::Permit;

/// Bytes of the longest line, its end included.
pub const LONGEST_LINE: usize = 4096;
/// Bytes of what the chain puts around a record, at most: two digests of 64 digits, a number of 20, and a line end.
const LONGEST_FRAME: usize = 256;

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Our id of the request.
    pub request_id: &'a str,
    /// When it was written down.
    pub at: Timestamp,
    /// Who asks.
    pub caller: &'a Caller,
    /// From where, perhaps through trusted proxies; `None` if that cannot be known.
    pub client_ip: Option<IpAddr>,
    /// What for.
    pub operation: Operation,
    /// On which bucket.
    pub bucket: &'a Bucket,
    /// In which region.
    pub region: &'a Region,
    /// Whether nothing is to be sent in any case.
    pub validate_only: bool,
    /// The generation of the configuration that it is judged by.
    pub generation: i64,
    /// The fingerprint of our keys that it is, or was last, signed with; `None` if it came to none.
    pub key: Option<&'a str>,
    /// Where its intent stands: told when that is written, and then named by the outcome.
    pub place: &'a Place,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// The status of our answer.
    pub status: u16,
    /// Its code; `None` when the request was served.
    pub code: Option<Code>,
    /// What became of the call at Cloud Infinite.
    pub outcome: Outcome,
    /// How often it was sent.
    pub attempts: u32,
    /// `permit` or `denied`; `None` when the policy was not asked.
    pub decision: Option<&'static str>,
    /// The statement that decided.
    pub statement: Option<&'a str>,
    /// The digest of the policy that decided.
    pub policy: Option<&'a str>,
    /// What Cloud Infinite said.
    pub upstream: Option<&'a UpstreamSeen>,
    /// From the request's head to its answer.
    pub took: Duration,
}

/// What was seen of Cloud Infinite's answer; the same three members in the audit and in a problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpstreamSeen {
    /// The HTTP status.
    pub status: u16,
    /// The word for the fault.
    pub code: Option<FaultCode>,
    /// Cloud Infinite's id of the request.
    pub request_id: Option<RequestId>,
}

/// What a record is about: the closed set of the member `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, or a process's part of it, begins.
    Opened,
    /// A request is about to be made.
    Intent,
    /// What came of a request.
    Outcome,
    /// What the tree is so far.
    Checkpoint,
    /// Something was made good before it went on.
    Recovered,
}

impl Kind {
    /// Every kind, in the order of [`Self::index`].
    pub const ALL: [Self; 5] = [Self::Opened, Self::Intent, Self::Outcome, Self::Checkpoint, Self::Recovered];

    /// The word in the member `type`, and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Checkpoint => "checkpoint",
            Self::Recovered => "recovered",
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The members of a record, as JSON without the braces around them: what it says, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    kind: Kind,
    members: Vec<u8>,
    /// Of an intent its own place, of an outcome that of its intent.
    place: Option<Place>,
}

impl Record {
    /// That `request` is about to be made under `permit`.
    pub(super) fn intent(request: &Request<'_>, permit: &Permit) -> Self {
        let kind = Kind::Intent;
        let decided = Decided {
            decision: Some("permit"),
            statement: Some(Text(permit.statement())),
            policy: Some(Text(permit.policy_digest())),
        };
        let line = Line { asked: Asked::of(kind, request), decided, judged: Judged::of(request), answer: None };
        Self { place: Some(request.place.clone()), ..Self::of(kind, &line) }
    }

    /// What came of `request`.
    pub(super) fn outcome(request: &Request<'_>, finished: &Finished<'_>) -> Self {
        let kind = Kind::Outcome;
        let decided = Decided {
            decision: finished.decision,
            statement: finished.statement.map(Text),
            policy: finished.policy.map(Text),
        };
        let answer = Answer {
            status: finished.status,
            code: finished.code.map_or("ok", Code::as_str),
            outcome: finished.outcome.as_str(),
            attempts: finished.attempts,
            upstream: finished.upstream,
            duration_ms: (finished.took.as_secs_f64() * 1e6).round() / 1e3,
        };
        let (asked, judged) = (Asked::of(kind, request), Judged::of(request));
        let line = Line { asked, decided, judged, answer: Some(answer) };
        Self { place: Some(request.place.clone()), ..Self::of(kind, &line) }
    }

    fn of(kind: Kind, line: &impl Serialize) -> Self {
        // A struct of strings and numbers always has a JSON form, and it is an object.
        let mut members = serde_json::to_vec(line).unwrap_or_default();
        members.pop();
        if !members.is_empty() {
            members.remove(0);
        }
        Self { kind, members, place: None }
    }

    #[cfg(test)]
    pub(super) fn of_members(members: &str) -> Self {
        Self { kind: Kind::Outcome, members: members.into(), place: None }
    }

    #[cfg(test)]
    pub(super) fn placed(kind: Kind, place: &Place, members: &str) -> Self {
        Self { kind, members: members.into(), place: Some(place.clone()) }
    }

    #[cfg(test)]
    pub(super) fn intent_of_members(members: &str) -> Self {
        Self { kind: Kind::Intent, members: members.into(), place: None }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn members(&self) -> &[u8] {
        &self.members
    }

    /// Bytes that its line has at most, wherever in the chain it comes to stand.
    pub(super) fn longest(&self) -> usize {
        self.members.len().saturating_add(LONGEST_FRAME)
    }

    /// The number of the intent that an outcome is of, if that is on record.
    pub(super) fn intent_seq(&self) -> Option<u64> {
        self.place.as_ref().filter(|_| self.kind == Kind::Outcome).and_then(Place::seq)
    }

    /// Tells that the record is durable, and what number it has: the outcome of an intent then names it.
    pub(super) fn stands_at(&self, seq: u64) {
        if let Some(place) = self.place.as_ref().filter(|_| self.kind == Kind::Intent) {
            place.tell(seq);
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    asked: Asked<'a>,
    #[serde(flatten)]
    decided: Decided<'a>,
    #[serde(flatten)]
    judged: Judged<'a>,
    #[serde(flatten)]
    answer: Option<Answer<'a>>,
}

#[derive(Serialize)]
struct Asked<'a> {
    r#type: &'static str,
    time: Timestamp,
    request_id: Word<'a>,
    caller: Name<'a>,
    issuer: Name<'a>,
    /// How the caller is known: `jwt`, `api_key` or `mtls`.
    method: &'static str,
    /// Which API key it was; the key itself is known to the caller alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<Word<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip: Option<IpAddr>,
    action: &'static str,
    bucket: Word<'a>,
    region: Word<'a>,
    validate_only: bool,
}

impl<'a> Asked<'a> {
    fn of(kind: Kind, request: &Request<'a>) -> Self {
        Self {
            r#type: kind.as_str(),
            time: request.at,
            request_id: Text(request.request_id),
            caller: Text(request.caller.name()),
            issuer: Text(request.caller.issuer()),
            method: request.caller.method().as_str(),
            key_id: request.caller.key_id().map(Text),
            client_ip: request.client_ip,
            action: request.operation.action().as_str(),
            bucket: Text(request.bucket.as_str()),
            region: Text(request.region.as_str()),
            validate_only: request.validate_only,
        }
    }
}

#[derive(Serialize)]
struct Decided<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Name<'a>>,
    /// The digest of the policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Word<'a>>,
}

#[derive(Serialize)]
struct Judged<'a> {
    /// The generation of the configuration.
    generation: i64,
    /// The fingerprint of our keys that it is signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Word<'a>>,
}

impl<'a> Judged<'a> {
    fn of(request: &Request<'a>) -> Self {
        Self { generation: request.generation, key: request.key.map(Text) }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    status: u16,
    code: &'static str,
    outcome: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a UpstreamSeen>,
    duration_ms: f64,
}

#[cfg(test)]
mod tests;
