//! A time limit inside a poll function.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A limit that starts with the first poll after it was created or stopped.
#[derive(Debug)]
pub(super) struct Alarm {
    after: Duration,
    running: bool,
    // Made on first need: most requests are over before anything has to be waited for.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, running: false, sleep: None }
    }

    /// Ready once the limit has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let after = self.after;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(after)));
        if !self.running {
            sleep.as_mut().reset(Instant::now() + after);
            self.running = true;
        }
        sleep.as_mut().poll(cx)
    }

    pub(super) fn stop(&mut self) {
        self.running = false;
    }
}
