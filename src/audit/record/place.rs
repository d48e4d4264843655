//! Where the intent of a request stands in the log.

use std::sync::{Arc, OnceLock};

/// The number of a request's intent, once that is durable. Ids of requests come from callers and come again, so that the
/// outcome names its intent by this number.
///
/// Told by the thread that writes, also when nobody waits for the intent any more: an outcome is written after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Arc<OnceLock<u64>>);

impl Place {
    pub(super) fn seq(&self) -> Option<u64> {
        self.0.get().copied()
    }

    pub(super) fn tell(&self, seq: u64) {
        // A request has one intent; were there a second, the outcome would be that of the first.
        let _first = self.0.set(seq);
    }
}
