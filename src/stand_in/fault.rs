//! What can be made to go wrong on purpose: the closed sets of faults.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

mod key_service;

pub use key_service::KeyServiceFault;

const LONGEST_DELAY: Duration = Duration::from_secs(3600);
const LONGEST_SKEW_SECONDS: i64 = 1_000_000_000;

/// One way in which the stand-in misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `delay:250ms`: waits before it looks at the request. At most an hour.
    Delay(Duration),
    /// `skew:-600`: its clock, and with it the `Date` it sends, is off by so many seconds.
    Skew(SignedDuration),
    /// `status:503`: this status of 500 to 599 with an error in XML; nothing is applied.
    Status(u16),
    /// `throttle:5`: 503 `SlowDown` with `Retry-After` in seconds; nothing is applied.
    Throttle(u32),
    /// `reset-before`: the connection is reset; nothing is applied.
    ResetBefore,
    /// `reset-after`: applied, then the connection is reset without an answer.
    ResetAfter,
    /// `truncated`: applied, and the answer ends before its `Content-Length`.
    Truncated,
    /// `wrong-xml`: applied, and answered with well-formed XML of another root.
    WrongXml,
    /// `not-xml`: applied, and answered with a page of HTML.
    NotXml,
    /// `empty`: applied, and answered with 200 and no body.
    Empty,
    /// `plain-http-308`: a redirection to HTTPS, as CI is said to answer plain HTTP; nothing is applied.
    PlainHttp308,
    /// `json-error`: 400 with the JSON error of some CI families; nothing is applied.
    JsonError,
}

impl Fault {
    /// The faults as they are written on the command line, with an example value where one is needed.
    pub const KNOWN: [&'static str; 12] = [
        "delay:250ms",
        "skew:-600",
        "status:503",
        "throttle:5",
        "reset-before",
        "reset-after",
        "truncated",
        "wrong-xml",
        "not-xml",
        "empty",
        "plain-http-308",
        "json-error",
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(time) => write!(f, "delay:{}ms", time.as_millis()),
            Self::Skew(time) => write!(f, "skew:{:+}", time.as_secs()),
            Self::Status(status) => write!(f, "status:{status}"),
            Self::Throttle(seconds) => write!(f, "throttle:{seconds}"),
            Self::ResetBefore => f.write_str("reset-before"),
            Self::ResetAfter => f.write_str("reset-after"),
            Self::Truncated => f.write_str("truncated"),
            Self::WrongXml => f.write_str("wrong-xml"),
            Self::NotXml => f.write_str("not-xml"),
            Self::Empty => f.write_str("empty"),
            Self::PlainHttp308 => f.write_str("plain-http-308"),
            Self::JsonError => f.write_str("json-error"),
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    /// # Errors
    /// [`UnknownFault`] for any text that is not one of [`Fault::KNOWN`] with a value within its bounds.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault::new(text);
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        let fault = match (name, value) {
            ("delay", Some(value)) => delay(value).map(Self::Delay),
            ("skew", Some(value)) => skew(value).map(Self::Skew),
            ("status", Some(value)) => value.parse().ok().filter(|s| (500..600).contains(s)).map(Self::Status),
            ("throttle", Some(value)) => value.parse().ok().map(Self::Throttle),
            ("reset-before", None) => Some(Self::ResetBefore),
            ("reset-after", None) => Some(Self::ResetAfter),
            ("truncated", None) => Some(Self::Truncated),
            ("wrong-xml", None) => Some(Self::WrongXml),
            ("not-xml", None) => Some(Self::NotXml),
            ("empty", None) => Some(Self::Empty),
            ("plain-http-308", None) => Some(Self::PlainHttp308),
            ("json-error", None) => Some(Self::JsonError),
            _ => None,
        };
        fault.ok_or_else(unknown)
    }
}

fn delay(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: u64 = number.parse().ok()?;
    let time = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        _ => return None,
    };
    (time <= LONGEST_DELAY).then_some(time)
}

fn skew(text: &str) -> Option<SignedDuration> {
    let seconds: i64 = text.parse().ok()?;
    (-LONGEST_SKEW_SECONDS..=LONGEST_SKEW_SECONDS).contains(&seconds).then(|| SignedDuration::from_secs(seconds))
}

/// The text names no fault; the message lists those there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no fault `{0}`: the faults are {known}, and with `sts:` or `metadata:` before it {of_keys}; `@3` behind one \
     keeps it to the next three requests",
    known = Fault::KNOWN.join(", "),
    of_keys = KeyServiceFault::KNOWN.join(", ")
)]
pub struct UnknownFault(Box<str>);

impl UnknownFault {
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_fault_is_read_and_written_back() {
        for text in Fault::KNOWN {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("delay:2s".parse(), Ok(Fault::Delay(Duration::from_secs(2))));
        assert_eq!("delay:1m".parse(), Ok(Fault::Delay(Duration::from_secs(60))));
        assert_eq!("skew:+30".parse(), Ok(Fault::Skew(SignedDuration::from_secs(30))));
    }
}
