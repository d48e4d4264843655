//! What the two ends of a connection tell each other: the guard sees bytes, the reception sees requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::api::Refusal;

/// The target of the request that the guard invents when it refuses a head.
///
/// `;` is what makes it a mark: no head that was inspected can have it.
const MARK: &str = "/;refused";

/// What hyper is given in place of a refused head.
pub(super) const INVENTED: &[u8] = b"GET /;refused HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";
/// The same where `HEAD` was asked for, so that the answer comes without a body.
pub(super) const INVENTED_HEAD: &[u8] = b"HEAD /;refused HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Exchange {
    opened: Instant,
    begun: AtomicU64,
    ended: AtomicU64,
    refusal: OnceLock<Refusal>,
}

impl Exchange {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            refusal: OnceLock::new(),
        })
    }

    /// How long ago the connection was opened.
    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// A request is on its way to the reception.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// The token of a request that has begun: while it lives, the request is not fully answered.
    pub(super) fn unanswered(self: &Arc<Self>) -> Unanswered {
        Unanswered(Arc::clone(self))
    }

    /// Whether every request that has begun is answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.ended.load(Ordering::Relaxed) == self.begun.load(Ordering::Relaxed)
    }

    /// Waits until no request has been in progress, nor begun, for `period` and at most twice as long.
    pub(super) async fn quiet_for(&self, period: Duration) {
        let mut before = None;
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            if self.is_quiet() && before == Some(begun) {
                return;
            }
            before = self.is_quiet().then_some(begun);
            tokio::time::sleep(period).await;
        }
    }

    /// The guard has refused a head, the last of the connection; an invented request is on its way.
    pub(super) fn refuse(&self, refusal: Refusal) {
        // There is no second one: after a refusal nothing more is read.
        let _ = self.refusal.set(refusal);
        self.begin();
    }

    /// Why `request` is refused, if it is the invented one.
    pub(super) fn refusal_of<B>(&self, request: &Request<B>) -> Option<Refusal> {
        if request.uri().path() == MARK { self.refusal.get().copied() } else { None }
    }
}

/// A request whose answer is not yet all with hyper.
#[derive(Debug)]
pub(super) struct Unanswered(Arc<Exchange>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Framing, inspect};

    #[test]
    fn no_inspected_head_can_be_taken_for_the_invented_one() {
        for invented in [INVENTED, INVENTED_HEAD] {
            assert_eq!(inspect(invented), Err(Refusal::TargetByte));
            // But for its mark it is as good as any.
            let plain = String::from_utf8_lossy(invented).replace(';', "");
            assert_eq!(inspect(plain.as_bytes()).unwrap().unwrap().framing, Framing::None);
        }
    }

    #[test]
    fn a_refusal_is_told_of_the_invented_request_alone() {
        let exchange = Exchange::new();
        exchange.refuse(Refusal::Host);
        assert_eq!(exchange.refusal_of(&Request::get("/;refused").body(()).unwrap()), Some(Refusal::Host));
        assert_eq!(exchange.refusal_of(&Request::get("/refused").body(()).unwrap()), None);
        assert_eq!(Exchange::new().refusal_of(&Request::get("/;refused").body(()).unwrap()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_is_when_nothing_began_and_nothing_is_open() {
        let exchange = Exchange::new();
        let second = Duration::from_secs(1);
        exchange.begin();
        let open = exchange.unanswered();
        assert!(tokio::time::timeout(10 * second, exchange.quiet_for(second)).await.is_err());
        drop(open);
        assert!(tokio::time::timeout(3 * second, exchange.quiet_for(second)).await.is_ok());
    }
}
