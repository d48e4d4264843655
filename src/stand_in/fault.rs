//! What can be made to go wrong on purpose: the closed set of faults, and how often each strikes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

mod key_service;

pub use key_service::KeyServiceFault;

use super::KeyService;

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
        let unknown = || UnknownFault(text.into());
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

/// A fault and how often it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    what: Struck,
    left: Option<u32>,
}

/// Which requests a fault meets: calls of Cloud Infinite, or questions for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Struck {
    Call(Fault),
    Keys(KeyService, KeyServiceFault),
}

impl Strike {
    /// The fault at every request.
    #[must_use]
    pub const fn always(fault: Fault) -> Self {
        Self { what: Struck::Call(fault), left: None }
    }

    /// The fault at the next `count` requests that it meets, and never again.
    #[must_use]
    pub const fn next(count: u32, fault: Fault) -> Self {
        Self { what: Struck::Call(fault), left: Some(count) }
    }

    /// Whether it strikes; counts down.
    fn take(&mut self) -> bool {
        match self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                self.left = Some(left - 1);
                true
            }
        }
    }
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(fault) => fault.fmt(f),
            Self::Keys(service, fault) => write!(f, "{}:{fault}", service.as_str()),
        }
    }
}

impl FromStr for Struck {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        match KeyService::before(text) {
            None => text.parse().map(Self::Call),
            Some((service, fault)) => {
                fault.parse().map(|fault| Self::Keys(service, fault)).map_err(|_| UnknownFault(text.into()))
            }
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left {
            None => self.what.fmt(f),
            Some(left) => write!(f, "{}@{left}", self.what),
        }
    }
}

impl FromStr for Strike {
    type Err = UnknownFault;

    /// Reads `FAULT` or `FAULT@COUNT`, as in `status:503@2` for the next two requests; with `sts:` or `metadata:` before
    /// a [`KeyServiceFault`].
    ///
    /// # Errors
    /// [`UnknownFault`] for any other text.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        match text.split_once('@') {
            None => Ok(Self { what: text.parse()?, left: None }),
            Some((fault, count)) => {
                let count = count.parse().map_err(|_| UnknownFault(text.into()))?;
                Ok(Self { what: fault.parse()?, left: Some(count) })
            }
        }
    }
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

/// The faults in force.
///
/// Delays and skews add up; of the other faults one strikes per request, the first in the list with
/// strikes left, so that `status:503@2` before `reset-after@1` is a script of three requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Strike>);

impl Faults {
    /// No faults.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// What is to happen to the next call of Cloud Infinite; counts down what strikes.
    pub(super) fn draw(&mut self) -> Plan<Fault> {
        let mut plan = Plan::default();
        for strike in &mut self.0 {
            let Struck::Call(fault) = strike.what else { continue };
            match fault {
                Fault::Delay(time) => plan.wait(strike, time),
                Fault::Skew(time) => plan.shift(strike, time),
                Fault::Status(_)
                | Fault::Throttle(_)
                | Fault::ResetBefore
                | Fault::ResetAfter
                | Fault::Truncated
                | Fault::WrongXml
                | Fault::NotXml
                | Fault::Empty
                | Fault::PlainHttp308
                | Fault::JsonError => plan.disturb(strike, fault),
            }
        }
        plan
    }

    /// What is to happen to the next question for keys at `asked`; counts down what strikes.
    pub(super) fn draw_for(&mut self, asked: KeyService) -> Plan<KeyServiceFault> {
        let mut plan = Plan::default();
        for strike in &mut self.0 {
            let Struck::Keys(service, fault) = strike.what else { continue };
            if service != asked {
                continue;
            }
            match fault {
                KeyServiceFault::Delay(time) => plan.wait(strike, time),
                KeyServiceFault::Skew(time) => plan.shift(strike, time),
                KeyServiceFault::Status(_)
                | KeyServiceFault::Reset
                | KeyServiceFault::NotJson
                | KeyServiceFault::NotFound => plan.disturb(strike, fault),
            }
        }
        plan
    }
}

impl FromIterator<Strike> for Faults {
    fn from_iter<I: IntoIterator<Item = Strike>>(strikes: I) -> Self {
        Self(strikes.into_iter().collect())
    }
}

impl From<Strike> for Faults {
    fn from(strike: Strike) -> Self {
        Self(vec![strike])
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Strike::always(fault).into()
    }
}

/// What the faults do to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan<F> {
    pub(super) delay: Duration,
    pub(super) trouble: Option<F>,
    skew: SignedDuration,
}

impl<F> Default for Plan<F> {
    fn default() -> Self {
        Self { delay: Duration::ZERO, trouble: None, skew: SignedDuration::ZERO }
    }
}

impl<F> Plan<F> {
    /// The time on the stand-in's clock when it is `now` in the world.
    pub(super) fn shifted(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.skew).unwrap_or(now)
    }

    fn wait(&mut self, strike: &mut Strike, time: Duration) {
        if strike.take() {
            self.delay += time;
        }
    }

    fn shift(&mut self, strike: &mut Strike, time: SignedDuration) {
        if strike.take() {
            self.skew = self.skew.saturating_add(time);
        }
    }

    fn disturb(&mut self, strike: &mut Strike, fault: F) {
        if self.trouble.is_none() && strike.take() {
            self.trouble = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_known_fault_is_read_and_written_back() {
        for text in Fault::KNOWN {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("delay:2s".parse(), Ok(Fault::Delay(Duration::from_secs(2))));
        assert_eq!("delay:1m".parse(), Ok(Fault::Delay(Duration::from_secs(60))));
        assert_eq!("skew:+30".parse(), Ok(Fault::Skew(SignedDuration::from_secs(30))));
        assert_eq!("status:503@2".parse(), Ok(Strike::next(2, Fault::Status(503))));
    }

    #[test]
    fn the_services_that_give_keys_have_faults_of_their_own() {
        for (service, fault) in ["sts", "metadata"].into_iter().zip(KeyServiceFault::KNOWN.chunks(3)) {
            for fault in fault {
                let text = format!("{service}:{fault}@2").replace("2s@", "2000ms@");
                assert_eq!(text.parse::<Strike>().map(|strike| strike.to_string()), Ok(text));
            }
        }
        let mut faults: Faults = ["sts:status:503@1", "metadata:reset", "metadata:delay:1s", "sts:skew:-9"]
            .iter()
            .map(|text| text.parse::<Strike>().unwrap())
            .collect();
        assert_eq!(faults.draw(), Plan::default());
        let drawn = [KeyService::Sts, KeyService::Sts, KeyService::Metadata].map(|service| faults.draw_for(service));
        assert_eq!(
            drawn.map(|plan| plan.trouble),
            [Some(KeyServiceFault::Status(503)), None, Some(KeyServiceFault::Reset)]
        );
        assert_eq!(drawn[2].delay, Duration::from_secs(1));
        assert_eq!(drawn[0].shifted(Timestamp::from_second(9).unwrap()), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn an_unknown_fault_or_value_is_refused_and_the_known_ones_are_named() {
        for text in [
            "",
            "sleep",
            "delay",
            "delay:",
            "delay:5",
            "delay:s",
            "delay:2h",
            "delay:61m",
            "delay:99999999999999999999s",
            "status",
            "status:200",
            "status:600",
            "status:5xx",
            "skew",
            "skew:ten",
            "skew:9999999999",
            "throttle:-1",
            "empty:1",
            "empty@",
            "empty@x",
            "empty@-1",
            "Empty",
            " empty",
            "sts",
            "sts:",
            "sts:empty",
            "sts:sts:reset",
            "metadata:status:200",
            "cvm:reset",
        ] {
            let message = text.parse::<Strike>().unwrap_err().to_string();
            let mut known = Fault::KNOWN.iter().chain(&KeyServiceFault::KNOWN);
            assert!(known.all(|known| message.contains(known)), "{text}: {message}");
        }
    }

    #[test]
    fn counted_faults_strike_in_their_order_and_then_never_again() {
        let mut faults: Faults =
            [Strike::next(2, Fault::Status(503)), Strike::next(1, Fault::ResetAfter)].into_iter().collect();
        let drawn: Vec<_> = (0..4).map(|_| faults.draw().trouble).collect();
        assert_eq!(drawn, [Some(Fault::Status(503)), Some(Fault::Status(503)), Some(Fault::ResetAfter), None]);
    }

    #[test]
    fn a_delay_and_a_skew_go_along_with_another_fault() {
        let mut faults: Faults =
            ["delay:1s", "skew:-10", "skew:4", "empty"].iter().map(|text| text.parse::<Strike>().unwrap()).collect();
        let plan = faults.draw();
        assert_eq!((plan.delay, plan.trouble), (Duration::from_secs(1), Some(Fault::Empty)));
        assert_eq!(plan.shifted(Timestamp::from_second(100).unwrap()), Timestamp::from_second(94).unwrap());
    }

    proptest! {
        #[test]
        fn whatever_is_read_as_a_fault_is_written_as_one(text in "[a-z0-9:@+-]{0,20}|(sts:|metadata:)?delay:[0-9]{1,6}(ms|s|m)|skew:[+-]?[0-9]{1,9}") {
            if let Ok(strike) = text.parse::<Strike>() {
                prop_assert_eq!(strike.to_string().parse::<Strike>(), Ok(strike));
            }
        }
    }
}
