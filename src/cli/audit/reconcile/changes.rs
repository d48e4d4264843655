//! What calls changed or may have changed, and until when: after that, what is so now says something about a call.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Place;
use crate::domain::Service;

/// Of each place the last two changes, so that each call can be held against the others.
#[derive(Default)]
pub(super) struct Changes(HashMap<(Service, Place), Last>);

struct Last {
    until: Timestamp,
    by: usize,
    /// By any other call.
    before: Option<Timestamp>,
}

impl Changes {
    /// That call `by` changed it, or may have, and no later than `until`.
    pub(super) fn add(&mut self, service: Service, place: Place, until: Timestamp, by: usize) {
        let found = self.0.entry((service, place)).or_insert(Last { until, by, before: None });
        if found.by == by {
            return;
        }
        if until >= found.until {
            *found = Last { until, by, before: Some(found.until) };
        } else {
            found.before = found.before.max(Some(until));
        }
    }

    /// Whether another call than `by` may have changed it after `since`.
    pub(super) fn overtook(&self, service: Service, place: &Place, since: Timestamp, by: usize) -> bool {
        let last = self.0.get(&(service, place.clone()));
        let other = last.and_then(|last| if last.by == by { last.before } else { Some(last.until) });
        other.is_some_and(|other| other > since)
    }
}
