//! How often each fault strikes, and what the faults in force do to one request.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::KeyService;
use super::fault::{Fault, KeyServiceFault, UnknownFault};

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
                fault.parse().map(|fault| Self::Keys(service, fault)).map_err(|_| UnknownFault::new(text))
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
                let count = count.parse().map_err(|_| UnknownFault::new(text))?;
                Ok(Self { what: fault.parse()?, left: Some(count) })
            }
        }
    }
}

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
    fn the_services_that_give_keys_have_faults_of_their_own() {
        for (service, fault) in ["sts", "metadata"].into_iter().zip(KeyServiceFault::KNOWN.chunks(3)) {
            for fault in fault {
                let text = format!("{service}:{fault}@2").replace("2s@", "2000ms@");
                assert_eq!(text.parse::<Strike>().map(|strike| strike.to_string()), Ok(text));
            }
        }
        assert_eq!("status:503@2".parse(), Ok(Strike::next(2, Fault::Status(503))));
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
