//! A write-ahead journal: requests hand their records over and wait, one thread makes them durable.
//!
//! Nobody ever waits for the queue, only for the disk, and that not without end. The thread finds out by itself when a
//! disk that failed can be written again, so that no request has to be the one that tries.

mod file;
mod health;
mod kept;
mod log;
mod resume;
mod torn;
mod writer;

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

pub(super) use health::Health;
pub use health::{Counts, Trouble};

use super::share::Share;
use super::{Kind, OnCommit, Record, Settings, Sink, Unwritten};
use crate::domain::Mistake;
use log::Log;
use writer::Writer;

/// Records without a claim that may wait for the thread. Above it intents are refused, and outcomes are lost and counted,
/// so that a disk that hangs does not take the memory too. Those with a claim are no more than requests are under way.
const WAITING: usize = 8192;
/// A disk that takes longer for a record is taken for one that hangs.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the end of the process waits for records that the disk does not take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The handle of the thread that writes.
#[derive(Debug)]
pub(super) struct Journal {
    /// `None` only while it is dropped.
    messages: Option<Sender<Message>>,
    health: Arc<Health>,
    /// How many records without a claim wait.
    waiting: Arc<AtomicUsize>,
    /// Only the drop receives.
    ended: Mutex<Receiver<()>>,
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    /// A record, and its place among those that wait if it has no claim.
    Line(Entry, Option<Share>),
    /// Another file may stand at the path.
    Look,
}

/// A record, and who waits for it.
#[derive(Debug)]
struct Entry {
    record: Record,
    claim: Option<Claim>,
    written: oneshot::Sender<Written>,
}

/// What became of a record. Of an intent that is durable, the claim is for its outcome.
type Written = Result<Option<Claim>, Unwritten>;

impl Entry {
    /// Whether it is an intent that nobody waits for: its request has been refused, or goes on without it.
    fn is_abandoned(&self) -> bool {
        self.record.kind() == Kind::Intent && self.written.is_closed()
    }

    /// Tells that it is durable, as the record of this number.
    fn answer(self, seq: u64, claims: &Arc<AtomicUsize>) {
        self.record.stands_at(seq);
        let claim = (self.record.kind() == Kind::Intent).then(|| Claim::new(claims));
        // Who has gone has given up already, and the claim is given back.
        let _gone = self.written.send(Ok(claim));
    }
}

/// Space for the outcome of one request whose intent is durable, until it is given back by being dropped.
#[derive(Debug)]
pub struct Claim {
    _one: Share,
}

impl Claim {
    fn new(claims: &Arc<AtomicUsize>) -> Self {
        Self { _one: Share::take(claims, 1) }
    }
}

impl Journal {
    /// Opens what `settings` name and starts the thread. If it cannot be written, that is a trouble and no mistake.
    pub(super) fn open(settings: &Settings, sink: &Sink, on_commit: OnCommit) -> Result<Self, Mistake> {
        let health = Arc::new(Health::new(settings.on_failure));
        let log = Log::open(settings, sink, &health)?;
        let writer = Writer::begin(log, &health, on_commit);
        let (messages, waiting) = channel();
        let (at_the_end, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                writer.run(&waiting);
                drop::<SyncSender<()>>(at_the_end);
            })
            .map_err(|why| Mistake::new("audit", format!("the thread that writes it cannot start: {why}")))?;
        Ok(Self { messages: Some(messages), health, waiting: Arc::default(), ended: Mutex::new(ended) })
    }

    /// Hands an intent over and waits until it is durable, but not beyond `deadline`; then there is space for its outcome.
    pub(super) async fn intent(&self, record: Record, deadline: Instant) -> Written {
        if let Some(trouble) = self.health.trouble() {
            self.health.count_failure();
            return Err(Unwritten(trouble.why.clone()));
        }
        self.post(record, None)?.until(deadline).await
    }

    /// Hands a record over without waiting; also where nobody can wait, as in a drop.
    pub(super) fn post(&self, record: Record, claim: Option<Claim>) -> Result<Waiting, Unwritten> {
        let kind = record.kind();
        let (written, result) = oneshot::channel();
        match self.hand_over(record, claim, written) {
            Ok(()) => Ok(Waiting { result, health: Arc::clone(&self.health) }),
            Err(unwritten) => {
                self.health.count_failure();
                self.health.loses(u64::from(kind == Kind::Outcome));
                Err(unwritten)
            }
        }
    }

    fn hand_over(
        &self,
        record: Record,
        claim: Option<Claim>,
        written: oneshot::Sender<Written>,
    ) -> Result<(), Unwritten> {
        let place = match claim {
            Some(_) => None,
            None => Some(Share::take_within(&self.waiting, 1, WAITING).ok_or_else(too_many)?),
        };
        let messages = self.messages.as_ref().ok_or_else(stopped)?;
        let entry = Entry { record, claim, written };
        messages.send(Message::Line(entry, place)).map_err(|_gone| stopped())
    }

    /// Tells that another file may stand at the path.
    pub(super) fn look(&self) {
        if let Some(messages) = &self.messages {
            // A thread that has ended looks no more.
            let _gone = messages.send(Message::Look);
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
            // The end of the thread is the other error: it drops its half.
            if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LAST_LINES) {
                tracing::error!(
                    "the process ends while the audit's disk hangs: the last outcomes may not be on record"
                );
            }
        }
    }
}

/// A record that was handed over.
#[derive(Debug)]
pub(super) struct Waiting {
    result: oneshot::Receiver<Written>,
    health: Arc<Health>,
}

impl Waiting {
    /// Waits until it is durable, but not longer than a disk that is well can take.
    pub(super) async fn settled(self) -> Result<(), Unwritten> {
        self.until(Instant::now() + PATIENCE).await.map(drop)
    }

    async fn until(self, deadline: Instant) -> Written {
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

fn too_many() -> Unwritten {
    Unwritten("too many records wait for it".into())
}

fn stopped() -> Unwritten {
    Unwritten("its writer has stopped".into())
}

#[cfg(test)]
mod tests;
