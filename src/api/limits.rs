//! Step 3: a place in flight, if the caller keeps to its rate and there is one.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Error;
use super::rate::{Rate, Rates};
use crate::domain::Caller;

/// Bounds on the work in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests past authentication at once, over all callers.
    pub in_flight: usize,
    /// Requests of one caller; `None` sets no rate.
    pub per_caller: Option<Rate>,
    /// Credentials from one address that do not hold; `None` sets no rate.
    pub failed_authentications: Option<Rate>,
}

/// The limits at work.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    rates: Option<Rates>,
    failures: Option<Rates>,
}

/// Who is over a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A caller, over that of its requests.
    Caller,
    /// An address, over that of its failures to authenticate.
    Source,
}

/// A place in flight, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    in_flight: IntGauge,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        let places = limits.in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            rates: limits.per_caller.map(Rates::new),
            failures: limits.failed_authentications.map(Rates::new),
        }
    }

    /// Whether credentials from `source` are looked at. It counts nothing: those that hold are free.
    pub(super) fn may_authenticate(&self, source: Option<IpAddr>) -> Result<(), Error> {
        let Some(failures) = &self.failures else { return Ok(()) };
        failures.look(source.map(network)).map_err(|over| Error::OverRate(Whose::Source, over))
    }

    /// Counts credentials from `source` that do not hold.
    pub(super) fn count_failure(&self, source: Option<IpAddr>) {
        if let Some(failures) = &self.failures {
            // That the rate is reached is for the next one to find out.
            let _ = failures.admit(source.map(network));
        }
    }

    /// A place for a request of `caller`.
    pub(super) fn admit(&self, caller: &Caller, in_flight: &IntGauge) -> Result<Place, Error> {
        if let Some(rates) = &self.rates {
            rates.admit((caller.issuer(), caller.name())).map_err(|over| Error::OverRate(Whose::Caller, over))?;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        in_flight.inc();
        Ok(Place { _place: place, in_flight: in_flight.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

/// What one subscriber holds: an IPv4 address, or the 64 bits of an IPv6 one that he cannot choose (RFC 4291, 2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::new(name, Vec::<&str>::new(), "issuer").unwrap()
    }

    #[test]
    fn failures_are_counted_by_address_and_those_of_a_network_of_ipv6_together() {
        let rate = Rate { requests: 2, period: Duration::from_secs(3600) };
        let gate = Gate::new(&Limits { in_flight: 2, per_caller: None, failed_authentications: Some(rate) });
        let of = |text: &str| Some(text.parse().unwrap());
        for (first, second, same, other) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8:0:1::1"),
        ] {
            for source in [first, second] {
                assert!(gate.may_authenticate(of(source)).is_ok());
                gate.count_failure(of(source));
            }
            let over = gate.may_authenticate(of(same)).unwrap_err();
            assert!(matches!(over, Error::OverRate(Whose::Source, over) if over.wait > Duration::from_secs(1700)));
            assert!(gate.may_authenticate(of(other)).is_ok());
        }
    }

    #[test]
    fn places_come_back_and_no_more_are_given_than_there_are() {
        let gate = Gate::new(&Limits { in_flight: 2, per_caller: None, failed_authentications: None });
        let gauge = IntGauge::new("g", "g").unwrap();
        let first = gate.admit(&caller("a"), &gauge).unwrap();
        let _second = gate.admit(&caller("a"), &gauge).unwrap();
        assert!(matches!(gate.admit(&caller("b"), &gauge), Err(Error::Overloaded)));
        assert_eq!(gauge.get(), 2);
        drop(first);
        assert_eq!(gauge.get(), 1);
        assert!(gate.admit(&caller("b"), &gauge).is_ok());
    }
}
