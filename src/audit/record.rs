//! The lines of the audit file: typed, and nothing in them that is not named here.

use jiff::Timestamp;
use serde::Serialize;

use crate::ci::{FaultCode, Operation, RequestId};
use crate::domain::{Bucket, Caller, Code, Outcome, Region};
use crate::policy::Permit;

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Our id of the request.
    pub request_id: &'a str,
    /// When it was written down.
    pub at: Timestamp,
    /// Who asks.
    pub caller: &'a Caller,
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

/// The members of a record, as JSON without the braces around them: what it says, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(Vec<u8>);

impl Record {
    /// The members of `line`.
    fn of(line: &Line<'_>) -> Self {
        // A struct of strings and numbers always has a JSON form, and it is an object.
        let mut members = serde_json::to_vec(line).unwrap_or_default();
        members.pop();
        if !members.is_empty() {
            members.remove(0);
        }
        Self(members)
    }

    #[cfg(test)]
    pub(super) fn of_members(members: &str) -> Self {
        Self(members.into())
    }

    pub(super) fn members(&self) -> &[u8] {
        &self.0
    }
}

/// A line that says only that the file can be written again.
pub(super) fn probe(at: Timestamp) -> Vec<u8> {
    format!("{{\"v\":1,\"type\":\"probe\",\"time\":\"{at}\"}}\n").into_bytes()
}

#[derive(Serialize)]
pub(super) struct Line<'a> {
    r#type: &'static str,
    time: Timestamp,
    request_id: &'a str,
    caller: &'a str,
    issuer: &'a str,
    /// How the caller is known: `jwt`, `api_key` or `mtls`.
    method: &'static str,
    /// Which API key it was; the key itself is known to the caller alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    action: &'static str,
    bucket: &'a str,
    region: &'a str,
    validate_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a str>,
    /// The digest of the policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    /// The generation of the configuration.
    generation: i64,
    /// The fingerprint of our keys that it is signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(flatten)]
    answer: Option<AnswerPart<'a>>,
}

#[derive(Serialize)]
struct AnswerPart<'a> {
    status: u16,
    code: &'static str,
    outcome: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a UpstreamSeen>,
}

impl<'a> Line<'a> {
    pub(super) fn intent(request: &Request<'a>, permit: &'a Permit) -> Self {
        let line = Self::of("intent", request);
        Self {
            decision: Some("permit"),
            statement: Some(permit.statement()),
            policy: Some(permit.policy_digest()),
            ..line
        }
    }

    pub(super) fn finished(request: &Request<'a>, finished: &Finished<'a>) -> Self {
        let answer = AnswerPart {
            status: finished.status,
            code: finished.code.map_or("ok", Code::as_str),
            outcome: finished.outcome.as_str(),
            attempts: finished.attempts,
            upstream: finished.upstream,
        };
        let line = Self::of("outcome", request);
        let Finished { decision, statement, policy, .. } = *finished;
        Self { decision, statement, policy, answer: Some(answer), ..line }
    }

    fn of(r#type: &'static str, request: &Request<'a>) -> Self {
        Self {
            r#type,
            time: request.at,
            request_id: request.request_id,
            caller: request.caller.name(),
            issuer: request.caller.issuer(),
            method: request.caller.method().as_str(),
            key_id: request.caller.key_id(),
            action: request.operation.action().as_str(),
            bucket: request.bucket.as_str(),
            region: request.region.as_str(),
            validate_only: request.validate_only,
            decision: None,
            statement: None,
            policy: None,
            generation: request.generation,
            key: request.key,
            answer: None,
        }
    }

    /// One JSON object and a line end.
    pub(super) fn to_json(&self) -> Vec<u8> {
        [b"{\"v\":1,", Record::of(self).members(), b"}\n"].concat()
    }
}
