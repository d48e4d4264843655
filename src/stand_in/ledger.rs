//! What arrived and what became of it, for tests and for the line per request of the command.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hyper::header::{AUTHORIZATION, HOST};
use hyper::http::request::Parts;
use jiff::Timestamp;
use tokio::sync::broadcast;

/// Enough for every test; a stand-in that runs for days must not grow.
const MOST_ARRIVALS: usize = 10_000;
const MOST_UNREAD: usize = 1024;

/// A request that reached the stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Counted from 1, in the order of arrival.
    pub number: u64,
    /// When its head had been read, by the world's clock and not by a skewed one.
    pub at: Timestamp,
    /// The method.
    pub method: Box<str>,
    /// The `Host` header; several are joined by `,`.
    pub host: Box<str>,
    /// The path as it was sent.
    pub path: Box<str>,
    /// The query as it was sent, without `?`; empty if there is none.
    pub query: Box<str>,
    /// The headers in their order, with `***` in place of an authorization or a token.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Whether the signature holds, even where a fault hid that from the client.
    pub verified: bool,
    /// Whether the call was carried out, even where a fault hid that from the client.
    pub applied: bool,
    /// What was sent back.
    pub answer: Answered,
}

impl Arrival {
    /// The call of the Security Token Service that it is.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.headers.iter().find(|(name, _)| &**name == "x-tc-action").map(|(_, action)| &**action)
    }
}

/// What was sent back to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Nothing yet.
    Waiting,
    /// An answer with this status and, for an error, its code.
    Status(u16, Option<&'static str>),
    /// Nothing: the connection was reset.
    HungUp,
}

/// The verdict on a request, written into the ledger when it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) verified: bool,
    pub(super) applied: bool,
    pub(super) answer: Answered,
}

/// Every arrival, in order.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Mutex<Entries>,
    finished: broadcast::Sender<Arrival>,
}

#[derive(Debug, Default)]
struct Entries {
    count: u64,
    latest: VecDeque<Arrival>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default(), finished: broadcast::Sender::new(MOST_UNREAD) }
    }

    /// One that counts by itself and tells those who watch this one, too.
    pub(super) fn beside(&self) -> Self {
        Self { entries: Mutex::default(), finished: self.finished.clone() }
    }

    /// Enters a request before anything is done about it; returns its number.
    pub(super) fn enter(&self, head: &Parts, now: Timestamp) -> u64 {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.count += 1;
        let number = entries.count;
        if entries.latest.len() == MOST_ARRIVALS {
            entries.latest.pop_front();
        }
        entries.latest.push_back(arrival(number, head, now));
        number
    }

    /// Completes the entry of a request and tells those who watch.
    pub(super) fn finish(&self, number: u64, verdict: Verdict) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(arrival) = entries.latest.iter_mut().rev().find(|arrival| arrival.number == number) else { return };
        arrival.verified = verdict.verified;
        arrival.applied = verdict.applied;
        arrival.answer = verdict.answer;
        // That nobody watches is no error.
        let _ = self.finished.send(arrival.clone());
    }

    pub(super) fn count(&self) -> u64 {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).latest.iter().cloned().collect()
    }

    pub(super) fn watch(&self) -> broadcast::Receiver<Arrival> {
        self.finished.subscribe()
    }
}

fn arrival(number: u64, head: &Parts, now: Timestamp) -> Arrival {
    let shown = |value: &[u8]| value.escape_ascii().to_string();
    let hosts: Vec<_> = head.headers.get_all(HOST).iter().map(|host| shown(host.as_bytes())).collect();
    let headers = head.headers.iter().map(|(name, value)| {
        let secret = name == AUTHORIZATION || name == "x-tc-token" || name.as_str().ends_with("-security-token");
        let value = if secret { "***".into() } else { shown(value.as_bytes()).into() };
        (name.as_str().into(), value)
    });
    Arrival {
        number,
        at: now,
        method: head.method.as_str().into(),
        host: hosts.join(",").into(),
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        headers: headers.collect(),
        verified: false,
        applied: false,
        answer: Answered::Waiting,
    }
}
