//! The counts of a listener, which telemetry reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What happened to the connections of a listener since the process began.
#[derive(Debug, Default)]
pub struct Connections {
    accepted: Counter,
    closed: Counter,
    turned_away: Counter,
    not_accepted: Counter,
    failed_handshakes: Counter,
    refused_heads: Counter,
    unreadable: Counter,
}

impl Connections {
    /// Counts that all stand at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Connections that are open now, those that are still in their TLS handshake included.
    #[must_use]
    pub fn open(&self) -> u64 {
        // In this order, so that a connection that closes between the two reads is not counted as minus one.
        let closed = self.closed.get();
        self.accepted.get().saturating_sub(closed)
    }

    /// Connections that were let in.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.get()
    }

    /// Connections that were closed at once because there were too many.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.get()
    }

    /// Errors of the operating system when a connection was to be accepted, such as too few file descriptors.
    #[must_use]
    pub fn not_accepted(&self) -> u64 {
        self.not_accepted.get()
    }

    /// TLS handshakes that failed or took too long.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.get()
    }

    /// Requests with a head that was refused; the line has answered each of them.
    #[must_use]
    pub fn refused_heads(&self) -> u64 {
        self.refused_heads.get()
    }

    /// Connections that hyper gave up over what it read, with an answer of its own or none: more than none of these
    /// means that the strict head has a gap.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable.get()
    }

    pub(super) fn open_one(self: &Arc<Self>) -> Open {
        self.accepted.add();
        Open(Arc::clone(self))
    }

    pub(super) fn turn_away(&self) {
        self.turned_away.add();
    }

    pub(super) fn not_accept(&self) {
        self.not_accepted.add();
    }

    pub(super) fn fail_handshake(&self) {
        self.failed_handshakes.add();
    }

    pub(super) fn refuse_head(&self) {
        self.refused_heads.add();
    }

    pub(super) fn give_up(&self) {
        self.unreadable.add();
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.add();
    }
}

#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
