//! The one thread that writes: it takes all that waits, makes it durable at once, and answers all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::health::Health;
use super::kept::Kept;
use super::log::Log;
use super::{Entry, Message};
use crate::audit::record::{LONGEST_LINE, Recovery};
use crate::audit::{Kind, OnCommit, Record, Unwritten};

/// Most records that are made durable at once.
const MOST_AT_ONCE: usize = 512;
/// Requests for which there must be space before they are let in again: else the first of them would find it full.
const TO_BEGIN: usize = 16;
/// How often it is tried to write again after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// How often it is looked what stands at the path.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    log: Log,
    health: Arc<Health>,
    on_commit: OnCommit,
    kept: Kept,
    /// There is no space for the outcomes of more requests.
    is_full: bool,
    tried_at: Instant,
    looked_at: Instant,
}

impl Writer {
    /// Tries for the first time to write; if that fails, the thread goes on trying.
    pub(super) fn begin(log: Log, health: &Arc<Health>, on_commit: OnCommit) -> Self {
        let (health, kept, now) = (Arc::clone(health), Kept::default(), Instant::now());
        let mut writer = Self { log, health, on_commit, kept, is_full: true, tried_at: now, looked_at: now };
        writer.recover();
        writer
    }

    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let pause = if self.is_stuck() { RETRY } else { LOOK };
            match messages.recv_timeout(pause) {
                Ok(message) => self.take(message, messages),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            self.tick();
        }
    }

    fn is_stuck(&self) -> bool {
        self.is_full || !self.log.is_open() || !self.kept.is_empty()
    }

    /// The message and what waits behind it.
    fn take(&mut self, first: Message, messages: &Receiver<Message>) {
        let mut entries = Vec::new();
        let mut look = false;
        for message in std::iter::once(first).chain(messages.try_iter()).take(MOST_AT_ONCE) {
            match message {
                // Its outcome, which may stand behind it here, could not name it.
                Message::Line(entry, _place) if entry.is_abandoned() => drop(entry),
                Message::Line(entry, _place) => entries.push(entry),
                Message::Look => look = true,
            }
        }
        if look {
            self.look(true);
        }
        if !entries.is_empty() {
            self.commit(entries);
        }
    }

    fn look(&mut self, asked: bool) {
        self.looked_at = Instant::now();
        let result = self.log.look(asked);
        self.noted(&result);
        self.health.show_space(self.log.room(), self.log.free());
    }

    /// What time alone brings about.
    fn tick(&mut self) {
        if self.is_stuck() {
            if self.tried_at.elapsed() >= RETRY {
                self.recover();
            }
            return;
        }
        if self.looked_at.elapsed() >= LOOK {
            self.look(false);
            let result = self.tell_losses();
            self.noted(&result);
        }
        if self.log.checkpoint_is_due() {
            let result = self.log.checkpoint();
            self.noted(&result);
        }
        if !self.is_stuck() {
            // Whoever gave up waiting while this thread was held up is told that it goes on.
            self.health.is_well();
        }
    }

    fn noted(&self, result: &io::Result<()>) {
        if let Err(why) = result {
            self.health.fails(&why.to_string());
        }
    }

    fn commit(&mut self, entries: Vec<Entry>) {
        let result = self.log.look_at_itself();
        self.noted(&result);
        let entries = self.admitted(entries);
        if entries.is_empty() {
            return;
        }
        let (began, first) = (Instant::now(), self.log.seq());
        let records: Vec<&Record> = entries.iter().map(|entry| &entry.record).collect();
        match self.log.append(&records) {
            Ok(()) => {
                (self.on_commit)(entries.len(), began.elapsed());
                let answers = entries.into_iter().zip(first..);
                answers.for_each(|(entry, seq)| entry.answer(seq, &self.health.claims));
            }
            Err(why) => {
                let why = why.to_string();
                self.health.fails(&why);
                entries.into_iter().for_each(|entry| self.put_off(entry, &why));
            }
        }
    }

    /// Those that can be written so that all that must follow can be written too.
    fn admitted(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if !self.log.is_open() {
            let why = self.health.trouble().map_or_else(|| "it is closed".into(), |trouble| trouble.why.clone());
            entries.into_iter().for_each(|entry| self.put_off(entry, &why));
            return Vec::new();
        }
        let room = self.log.has_room(self.needed(&entries));
        self.is_full = room.is_err();
        let Err(why) = room else { return entries };
        self.health.fails(&why.to_string());
        // What is left is for the outcomes of what was sent.
        let (admitted, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.claim.is_some());
        others.into_iter().for_each(|entry| self.put_off(entry, &why.to_string()));
        admitted
    }

    /// Bytes for these, for the outcomes of their intents, and for what has its space already.
    fn needed(&self, entries: &[Entry]) -> u64 {
        let intents = entries.iter().filter(|entry| entry.record.kind() == Kind::Intent).count();
        let without_claim = entries.iter().filter(|entry| entry.claim.is_none()).count();
        self.space_for(without_claim + intents)
    }

    /// Bytes for so many lines, the outcomes of all claims, a checkpoint, and what is said after a failure.
    fn space_for(&self, lines: usize) -> u64 {
        let lines = lines + self.health.claims.load(Ordering::Relaxed) + 4;
        (lines as u64).saturating_mul(LONGEST_LINE as u64)
    }

    /// An intent is refused, an outcome is kept for later.
    fn put_off(&mut self, entry: Entry, why: &str) {
        let Entry { record, claim, written } = entry;
        self.health.count_failure();
        // Who has gone has given up already.
        let _gone = written.send(Err(Unwritten(why.into())));
        if record.kind() == Kind::Outcome && !self.kept.keep(record, claim) {
            self.health.loses(1);
        }
    }

    /// Tries to write again, first of all what was kept.
    fn recover(&mut self) {
        self.tried_at = Instant::now();
        let written = self.log.begin().and_then(|()| self.write_kept());
        // Each request leaves two lines.
        let has_room = written.and_then(|()| self.log.has_room(self.space_for(2 * TO_BEGIN)));
        let result = has_room.and_then(|()| self.tell_losses());
        self.is_full = result.is_err();
        match result {
            Ok(()) => self.health.is_well(),
            Err(why) => self.health.fails(&why.to_string()),
        }
        self.health.show_space(self.log.room(), self.log.free());
    }

    /// Writes what was kept, as far as there is space: the claimed ones into the space that was claimed.
    fn write_kept(&mut self) -> io::Result<()> {
        loop {
            let spare = self.space_for(0);
            let Some(portion) = self.kept.portion() else { return Ok(()) };
            self.log.has_room(portion.bytes + if portion.is_claimed { 0 } else { spare })?;
            self.log.append(&portion.records)?;
            let written = portion.records.len();
            self.kept.drop_first(written);
        }
    }

    /// The log says how many outcomes are missing in it.
    fn tell_losses(&mut self) -> io::Result<()> {
        let lost = self.health.untold();
        if lost > 0 {
            let record = Record::recovered(&Recovery::OutcomesLost(lost), Timestamp::now());
            self.log.has_room(LONGEST_LINE as u64)?;
            self.log.append(&[&record])?;
            self.health.tells(lost);
        }
        Ok(())
    }

    /// Nobody hands over any more.
    fn end(mut self) {
        if self.is_stuck() {
            self.recover();
        }
        if !self.kept.is_empty() {
            tracing::error!(
                records = self.kept.len(),
                "the process ends, and outcomes could not be written to the audit"
            );
            self.health.loses(self.kept.len() as u64);
        }
        let result = self.tell_losses();
        self.noted(&result);
        self.log.end();
    }
}
