//! What can go wrong with the services that give keys.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::{UnknownFault, delay, skew};

/// One way in which a service that gives keys misbehaves. Written with the service before it, as in `sts:status:503`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyServiceFault {
    /// `delay:2s`: waits before it looks at the request. At most an hour.
    Delay(Duration),
    /// `skew:-600`: its clock is off by so many seconds.
    Skew(SignedDuration),
    /// `status:503`: this status of 500 to 599.
    Status(u16),
    /// `reset`: the connection is reset.
    Reset,
    /// `not-json`: a page of HTML with status 200.
    NotJson,
    /// `not-found`: a 404, as from a machine without a role or a host without the service.
    NotFound,
}

impl KeyServiceFault {
    /// The faults as they are written, with an example value where one is needed.
    pub const KNOWN: [&'static str; 6] = ["delay:2s", "skew:-600", "status:503", "reset", "not-json", "not-found"];
}

impl fmt::Display for KeyServiceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(time) => write!(f, "delay:{}ms", time.as_millis()),
            Self::Skew(time) => write!(f, "skew:{:+}", time.as_secs()),
            Self::Status(status) => write!(f, "status:{status}"),
            Self::Reset => f.write_str("reset"),
            Self::NotJson => f.write_str("not-json"),
            Self::NotFound => f.write_str("not-found"),
        }
    }
}

impl FromStr for KeyServiceFault {
    type Err = UnknownFault;

    /// # Errors
    /// [`UnknownFault`] for any text that is not one of [`KeyServiceFault::KNOWN`] with a value within its bounds.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        let fault = match (name, value) {
            ("delay", Some(value)) => delay(value).map(Self::Delay),
            ("skew", Some(value)) => skew(value).map(Self::Skew),
            ("status", Some(value)) => value.parse().ok().filter(|s| (500..600).contains(s)).map(Self::Status),
            ("reset", None) => Some(Self::Reset),
            ("not-json", None) => Some(Self::NotJson),
            ("not-found", None) => Some(Self::NotFound),
            _ => None,
        };
        fault.ok_or_else(|| UnknownFault::new(text))
    }
}
