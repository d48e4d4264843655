//! Step 3: a place in flight, if the caller keeps to its rate and there is one.

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
}

/// The limits at work.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    rates: Option<Rates>,
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
        Self { places: Arc::new(Semaphore::new(places)), rates: limits.per_caller.map(Rates::new) }
    }

    /// A place for a request of `caller`.
    pub(super) fn admit(&self, caller: &Caller, in_flight: &IntGauge) -> Result<Place, Error> {
        if let Some(rates) = &self.rates {
            rates.admit((caller.issuer(), caller.name())).map_err(Error::OverRate)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::new(name, Vec::<&str>::new(), "issuer").unwrap()
    }

    #[test]
    fn places_come_back_and_no_more_are_given_than_there_are() {
        let gate = Gate::new(&Limits { in_flight: 2, per_caller: None });
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
