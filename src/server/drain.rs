//! The orderly end: first a lame duck, then no listener, then nothing.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The handle of the process' end, shared by the listeners, the line and whoever hears the signals.
///
/// After [`Drain::start`] the listeners stay open for the delay while every answer says that its connection is the
/// last; then they close, and what is under way has the time-out to come to its end; then the rest is cut. hyper
/// closes an idle connection as soon as it is told to go, which a client that is just writing sees as a reset: this is
/// why the lame duck comes first.
#[derive(Clone, Debug)]
pub struct Drain {
    delay: Duration,
    timeout: Duration,
    started: CancellationToken,
    stopped: CancellationToken,
    hurried: CancellationToken,
    lines: TaskTracker,
}

impl Drain {
    /// A drain that has not started; `delay` is the time as a lame duck, `timeout` the time for what is under way.
    #[must_use]
    pub fn new(delay: Duration, timeout: Duration) -> Self {
        Self {
            delay,
            timeout,
            started: CancellationToken::new(),
            stopped: CancellationToken::new(),
            hurried: CancellationToken::new(),
            lines: TaskTracker::new(),
        }
    }

    /// Begins the end. Once begun it cannot be called off; a second call changes nothing.
    pub fn start(&self) {
        self.started.cancel();
    }

    /// Begins the end if it has not begun, and skips all that is left of its waiting.
    pub fn hurry(&self) {
        self.started.cancel();
        self.stopped.cancel();
        self.hurried.cancel();
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.started.is_cancelled()
    }

    /// Waits until the end begins.
    pub async fn started(&self) {
        self.started.cancelled().await;
    }

    /// Where the line starts its work: the drain waits for these tasks, not only for the connections that asked.
    #[must_use]
    pub fn lines(&self) -> &TaskTracker {
        &self.lines
    }

    /// Waits until the time as a lame duck is over, and then lets the connections know.
    pub(super) async fn closing_time(&self) {
        self.started().await;
        tokio::select! {
            () = self.stopped.cancelled() => {}
            () = tokio::time::sleep(self.delay) => self.stopped.cancel(),
        }
    }

    /// Waits until a connection that is opened now must go.
    ///
    /// One of HTTP/2 can be told early, without the loss of a request; one that comes to a lame duck stays.
    pub(super) fn last_call(&self, early: bool) -> impl Future<Output = ()> + Send + use<> {
        let call = if early && !self.is_draining() { &self.started } else { &self.stopped };
        call.clone().cancelled_owned()
    }

    /// Waits for `connections` and the lines, within the time-out, and then cuts what is left of the former.
    pub(super) async fn finish(&self, connections: &TaskTracker, cut: &CancellationToken) -> Ended {
        connections.close();
        self.lines.close();
        let all = async {
            connections.wait().await;
            self.lines.wait().await;
        };
        tokio::select! {
            () = all => {}
            () = tokio::time::sleep(self.timeout) => {}
            () = self.hurried.cancelled() => {}
        }
        let ended = Ended { connections_cut: connections.len(), lines_unfinished: self.lines.len() };
        cut.cancel();
        connections.wait().await;
        ended
    }
}

/// What was left when a drain came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were still open, and are closed now.
    pub connections_cut: usize,
    /// Lines that were still at work, and still are.
    pub lines_unfinished: usize,
}
