//! The line: one request from its head to its finished answer.

mod catalogue;
mod openapi;
mod peer;
mod refusal;

use std::time::Duration;

pub use catalogue::{Entry, Explanation, entry};
pub use openapi::DOCUMENT;
pub use peer::Peer;
pub use refusal::Refusal;

/// Bounds on the work in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests past authentication at once, over all callers.
    pub in_flight: usize,
    /// Requests of one caller; `None` sets no rate.
    pub per_caller: Option<Rate>,
}

/// So many requests in a period, as in `"100/1s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many requests may come at once and within `period`; at least 1.
    pub requests: u32,
    /// The period, at least a millisecond.
    pub period: Duration,
}
