//! A write-ahead journal: requests hand their records over and wait, one thread makes them durable.
//!
//! Nobody ever waits for the queue, only for the disk, and that not without end. The thread finds out by itself when a
//! disk that failed can be written again, so that no request has to be the one that tries.

mod file;
mod health;
mod log;
mod resume;
mod torn;
mod writer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

pub(super) use health::Health;
pub use health::{Counts, Trouble};

use super::{OnCommit, Record, Settings, Sink, Unwritten};
use crate::domain::Mistake;
use log::Log;
use writer::Writer;

/// Records that may wait for the thread. Above it intents are refused, and outcomes are lost and counted, so that a disk
/// that hangs does not take the memory too.
const WAITING: usize = 8192;
/// A disk that takes longer for a record is taken for one that hangs.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the end of the process waits for records that the disk does not take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The handle of the thread that writes.
#[derive(Debug)]
pub(super) struct Journal {
    /// `None` only while it is dropped.
    messages: Option<SyncSender<Message>>,
    health: Arc<Health>,
    claims: Arc<AtomicUsize>,
    /// Only the drop receives.
    ended: Mutex<Receiver<()>>,
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    Line(Entry),
    /// Another file may stand at the path.
    Look,
}

/// A record, and who waits for it.
#[derive(Debug)]
struct Entry {
    record: Record,
    claim: Option<Claim>,
    written: Option<oneshot::Sender<Result<(), Unwritten>>>,
}

impl Entry {
    fn answer(self) {
        if let Some(written) = self.written {
            // Who has gone has given up already.
            let _gone = written.send(Ok(()));
        }
    }
}

/// Space for the outcome of one request, until it is given back by being dropped.
#[derive(Debug)]
pub struct Claim(Arc<AtomicUsize>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Journal {
    /// Opens what `settings` name and starts the thread. If it cannot be written, that is a trouble and no mistake.
    pub(super) fn open(settings: &Settings, sink: &Sink, on_commit: OnCommit) -> Result<Self, Mistake> {
        let (health, claims) = (Arc::<Health>::default(), Arc::<AtomicUsize>::default());
        let log = Log::open(settings, sink, &health)?;
        let writer = Writer::begin(log, &health, &claims, on_commit);
        let (messages, waiting) = sync_channel(WAITING);
        let (at_the_end, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                writer.run(&waiting);
                drop::<SyncSender<()>>(at_the_end);
            })
            .map_err(|why| Mistake::new("audit", format!("the thread that writes it cannot start: {why}")))?;
        Ok(Self { messages: Some(messages), health, claims, ended: Mutex::new(ended) })
    }

    /// From now on there is space for one outcome more.
    pub(super) fn claim(&self) -> Claim {
        self.claims.fetch_add(1, Ordering::Relaxed);
        Claim(Arc::clone(&self.claims))
    }

    /// Hands an intent over and waits until it is durable, but not beyond `deadline`.
    pub(super) async fn intent(&self, record: Record, deadline: Instant) -> Result<(), Unwritten> {
        if let Some(trouble) = self.health.trouble() {
            self.health.count_failure();
            return Err(Unwritten(trouble.why.clone()));
        }
        self.post(record, None)?.until(deadline).await
    }

    /// Hands a record over without waiting; also where nobody can wait, as in a drop.
    pub(super) fn post(&self, record: Record, claim: Option<Claim>) -> Result<Waiting, Unwritten> {
        let (written, result) = oneshot::channel();
        let entry = Entry { record, claim, written: Some(written) };
        let messages = self.messages.as_ref().ok_or_else(stopped)?;
        messages.try_send(Message::Line(entry)).map_err(|refused| {
            self.health.count_failure();
            match refused {
                TrySendError::Full(_) => Unwritten("too many records wait for it".into()),
                TrySendError::Disconnected(_) => stopped(),
            }
        })?;
        Ok(Waiting { result, health: Arc::clone(&self.health) })
    }

    /// Tells that another file may stand at the path.
    pub(super) fn look(&self) {
        if let Some(messages) = &self.messages {
            // A thread that is so far behind looks by itself before it goes on.
            let _full = messages.try_send(Message::Look);
        }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }
}

impl Drop for Journal {
    /// Waits until every record is written: a process that ends drops its work, whose records come at this very moment.
    fn drop(&mut self) {
        self.messages = None;
        if let Ok(ended) = self.ended.get_mut() {
            // An error is the end of the thread: it drops its half.
            let _ended = ended.recv_timeout(LAST_LINES);
        }
    }
}

/// A record that was handed over.
#[derive(Debug)]
pub(super) struct Waiting {
    result: oneshot::Receiver<Result<(), Unwritten>>,
    health: Arc<Health>,
}

impl Waiting {
    /// Waits until it is durable, but not longer than a disk that is well can take.
    pub(super) async fn settled(self) -> Result<(), Unwritten> {
        self.until(Instant::now() + PATIENCE).await
    }

    async fn until(self, deadline: Instant) -> Result<(), Unwritten> {
        let patience = Instant::now() + PATIENCE;
        match timeout_at(deadline.min(patience), self.result).await {
            Ok(result) => result.unwrap_or_else(|_gone| Err(stopped())),
            Err(_elapsed) => {
                let unwritten = Unwritten("it takes no record in time".into());
                self.health.count_failure();
                if deadline >= patience {
                    // Nobody else shall wait for it either, until the thread goes on.
                    self.health.fails(&unwritten.0);
                }
                Err(unwritten)
            }
        }
    }
}

fn stopped() -> Unwritten {
    Unwritten("its writer has stopped".into())
}

#[cfg(test)]
mod tests;
