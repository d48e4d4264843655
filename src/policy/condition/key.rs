//! What a condition asks about.

use std::fmt;

use crate::domain::{Claim, is_printable};
use crate::policy::findings::{Flaw, Unusable, quoted};
use crate::policy::question::Question;

use super::wanted::Value;

const IP: &str = "qcs:ip";
const CURRENT_TIME: &str = "qcs:current_time";
const CLAIM: &str = "token:";
const KNOWN: [&str; 3] = [IP, CURRENT_TIME, "token:<claim>"];

/// A condition key. CAM writes them case-sensitively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Key {
    /// `qcs:ip`: the address that asks.
    Ip,
    /// `qcs:current_time`: the time of the request.
    CurrentTime,
    /// `token:<claim>`: what the caller's token says under that name.
    Claim(Box<str>),
}

/// What a request has under a key.
pub(super) enum Found<'q> {
    /// No value, and there need not be one.
    Nothing,
    /// No value, though there is one in truth: every request comes from somewhere.
    Unknown,
    One(Value<'q>),
    /// The members of a list, at least one.
    Several(&'q [Claim]),
}

impl Key {
    /// # Errors
    /// With the nearest known name: CAM has more keys than are known here.
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, Unusable> {
        match (text, text.strip_prefix(CLAIM)) {
            (IP, _) => Ok(Self::Ip),
            (CURRENT_TIME, _) => Ok(Self::CurrentTime),
            (_, Some("")) => Err(Unusable::Wrong(Flaw::new(
                format!("the condition key {} names no claim", quoted(text)),
                "write the claim's name after the colon, as in `token:department`",
            ))),
            // The name is told by `explain` and `who-can`, and a document may come from anywhere.
            (_, Some(claim)) if !claim.chars().all(is_printable) => Err(Unusable::Wrong(Flaw::new(
                format!("the condition key {} cannot be shown", quoted(text)),
                "name the claim in printable characters",
            ))),
            (_, Some(claim)) => Ok(Self::Claim(claim.into())),
            (_, None) => Err(Unusable::Unclear(Flaw::unknown("condition key", text, &KNOWN))),
        }
    }

    pub(super) fn find<'q>(&self, question: &Question<'q>) -> Found<'q> {
        match self {
            Self::Ip => question.context.ip.map_or(Found::Unknown, |ip| Found::One(Value::Ip(ip.to_canonical()))),
            Self::CurrentTime => Found::One(Value::Time(question.context.now)),
            Self::Claim(name) => match question.caller.claim(name) {
                None => Found::Nothing,
                Some(Claim::List(list)) if list.is_empty() => Found::Nothing,
                Some(Claim::List(list)) => Found::Several(list),
                Some(claim @ (Claim::Text(_) | Claim::Number(_) | Claim::Bool(_) | Claim::Other)) => {
                    Found::One(Value::Claim(claim))
                }
            },
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str(IP),
            Self::CurrentTime => f.write_str(CURRENT_TIME),
            Self::Claim(name) => write!(f, "{CLAIM}{name}"),
        }
    }
}
