//! The log: one chain over all the files that stood at its path, one after the other.

mod start;
mod turnover;

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::file::{Identity, LogFile};
use super::health::Health;
use super::resume::whole_lines;
use super::torn;
use crate::audit::copy::Copy;
use crate::audit::notes::Notes;
use crate::audit::record::{Aside, Reason, Recovery};
use crate::audit::{Position, Record, Settings, Sink};
use crate::domain::Mistake;

/// Where the log is, and where it goes on.
pub(super) struct Log {
    settings: Settings,
    /// `None` for standard output.
    path: Option<PathBuf>,
    /// Beside a file: for a copy of its records, or for signed checkpoints.
    output: Option<Copy>,
    copies_records: bool,
    notes: Option<Notes>,
    health: Arc<Health>,
    /// After the last record that is durable.
    position: Position,
    /// `None` from a failure until the file is open again.
    file: Option<LogFile>,
    /// The file that failed, and how much of it stays.
    left: Option<(Option<Identity>, u64)>,
    owed: Owed,
    since_checkpoint: u64,
    checkpoint_at: Instant,
    cannot_reserve: bool,
    bytes: Vec<u8>,
}

/// What has to be said before anything else is.
#[derive(Default)]
struct Owed {
    opened: Option<Reason>,
    recovered: Option<Recovery>,
    /// What is too much at the end of the file is of another process, and is kept beside it.
    torn: bool,
    /// Half a line may stand before, and cannot be cut off.
    line_end: bool,
}

impl Log {
    /// Opens what the settings name; nothing is written yet.
    pub(super) fn open(settings: &Settings, sink: &Sink, health: &Arc<Health>) -> Result<Self, Mistake> {
        let (path, copies_records) = match sink {
            Sink::File(path) => (Some(path.clone()), false),
            Sink::Both(path) => (Some(path.clone()), true),
            Sink::Stdout => (None, false),
        };
        let place = path.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        let cannot =
            |why: io::Error| Mistake::new(place, format!("the audit file cannot be opened for appending: {why}"));
        let mut log = Self {
            settings: settings.clone(),
            path,
            output: None,
            copies_records,
            notes: None,
            health: Arc::clone(health),
            position: Position::default(),
            file: None,
            left: None,
            owed: Owed::default(),
            since_checkpoint: 0,
            checkpoint_at: Instant::now(),
            cannot_reserve: false,
            bytes: Vec::new(),
        };
        log.find_end().map_err(cannot)?;
        log.notes = Notes::open(settings, sink, log.position.seq())?;
        if log.path.is_some() && (copies_records || log.notes.is_some()) {
            log.output = Some(Copy::start(health)?);
        }
        Ok(log)
    }

    fn open_file(&self, patience: Duration) -> io::Result<LogFile> {
        self.path.as_deref().map_or_else(LogFile::stdout, |path| LogFile::open(path, patience))
    }

    /// Opens the file anew if it is not open, and says what is owed; after that the log can be written.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.reopen()?;
        } else if self.owed.opened.is_none() {
            return Ok(());
        }
        let result = self.cut().and_then(|()| self.say_what_is_owed());
        if result.is_err() {
            self.fail();
        }
        result
    }

    fn reopen(&mut self) -> io::Result<()> {
        let mut file = self.open_file(Duration::ZERO)?;
        match self.left {
            Some((identity, len)) if identity == file.identity() && len <= file.len() => file.keep(len),
            Some((identity, _)) if identity == file.identity() => self.goes_on_in(&mut file, Reason::Truncated)?,
            Some(_) | None => self.goes_on_in(&mut file, self.owed.opened.unwrap_or(Reason::Replaced))?,
        }
        self.file = Some(file);
        Ok(())
    }

    /// The file is another one, or not whole: what is in it stays, but for half a line.
    fn goes_on_in(&mut self, file: &mut LogFile, reason: Reason) -> io::Result<()> {
        self.owed.opened = Some(reason);
        let lines = whole_lines(file)?;
        self.owed.torn = lines < file.len();
        file.keep(lines);
        Ok(())
    }

    /// Takes away what stands behind the last byte that counts.
    fn cut(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let excess = file.excess()?;
        if let (true, true, Some(path)) = (self.owed.torn, excess > 0, &self.path) {
            let set_aside = torn::set_aside(file, path, self.position.seq())?;
            tell(&set_aside);
            self.owed.recovered = Some(set_aside);
        }
        self.owed.torn = false;
        // Space beyond the end that was reserved before stays ours.
        if excess > 0 { file.cut() } else { Ok(()) }
    }

    fn say_what_is_owed(&mut self) -> io::Result<()> {
        let now = Timestamp::now();
        let opened = self
            .owed
            .opened
            .map(|reason| Record::opened(self.settings.name.as_str(), reason, self.position.tree(), now));
        let recovered = self.owed.recovered.as_ref().map(|recovery| Record::recovered(recovery, now));
        let records: Vec<&Record> = opened.iter().chain(&recovered).collect();
        self.append(&records)?;
        if self.owed.opened.is_some() {
            (self.since_checkpoint, self.checkpoint_at) = (0, Instant::now());
        }
        self.owed = Owed::default();
        Ok(())
    }

    /// Makes `records` durable, all of them or, if it fails, none; then the file is closed.
    pub(super) fn append(&mut self, records: &[&Record]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(ErrorKind::NotConnected.into()) };
        let mut position = self.position.clone();
        self.bytes.clear();
        if self.owed.line_end {
            self.bytes.push(b'\n');
        }
        records.iter().for_each(|record| position.seal(record, &mut self.bytes));
        if let Err(why) = file.append(&self.bytes, self.settings.sync) {
            self.fail();
            return Err(why);
        }
        self.position = position;
        self.since_checkpoint += records.len() as u64;
        records.iter().for_each(|record| self.health.count(record.kind()));
        if let (Some(output), true) = (&self.output, self.copies_records) {
            output.send(&self.bytes);
        }
        Ok(())
    }

    fn fail(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        if file.excess().is_ok_and(|excess| excess > 0) {
            // If it cannot be cut now, it is when it is opened again.
            let _cut = file.cut();
        }
        self.left = Some((file.identity(), file.len()));
        self.owed.line_end = !file.is_regular();
        let suspect_from = self.owed.line_end.then(|| self.position.seq());
        self.owed.recovered.get_or_insert(Recovery::WriteFailed { suspect_from });
    }

    /// The number that the next record will have.
    pub(super) fn seq(&self) -> u64 {
        self.position.seq()
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether `bytes` more can be written for sure; takes space ahead for them.
    pub(super) fn has_room(&mut self, bytes: u64) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(ErrorKind::NotConnected.into()) };
        let result = file.reserve(bytes, self.settings.reserve);
        let unsupported = result.as_ref().is_err_and(|why| why.kind() == ErrorKind::Unsupported);
        if !unsupported {
            return result;
        }
        file.reserve_nothing();
        if !std::mem::replace(&mut self.cannot_reserve, true) {
            tracing::warn!(
                "the audit's filesystem cannot reserve space: a full disk can lose the outcome of a request"
            );
        }
        Ok(())
    }

    /// How many bytes there is space for; `None` where that cannot be known.
    pub(super) fn room(&self) -> Option<u64> {
        self.file.as_ref().and_then(LogFile::reserved)
    }

    pub(super) fn free(&self) -> Option<u64> {
        self.file.as_ref().and_then(LogFile::free)
    }

    /// When the next checkpoint is due, if anything was written since the last.
    pub(super) fn checkpoint_is_due(&self) -> bool {
        let checkpoints = &self.settings.checkpoints;
        let aged = self.since_checkpoint > 0 && self.checkpoint_at.elapsed() >= checkpoints.interval;
        self.is_open() && (self.since_checkpoint >= checkpoints.records || aged)
    }

    /// Writes down what the tree is, and publishes it if there is a key.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        let tree = self.position.tree();
        let (size, root) = (tree.size(), tree.root());
        let record = Record::checkpoint(tree, Timestamp::now());
        self.append(&[&record])?;
        (self.since_checkpoint, self.checkpoint_at) = (0, Instant::now());
        let Some(line) = self.notes.as_ref().and_then(|notes| notes.publish(size, &root)) else { return Ok(()) };
        match (&self.output, &mut self.file) {
            (Some(output), _) => output.send(&line),
            // Standard output is the log itself: no other thread writes into its lines.
            (None, Some(file)) => file.append(&line, false)?,
            (None, None) => {}
        }
        Ok(())
    }

    /// The end of the process.
    pub(super) fn end(mut self) {
        if self.is_open() && self.since_checkpoint > 0 {
            self.leave();
        }
        self.give_back();
    }
}

/// Tells what was found at the end of the file.
fn tell(found: &Recovery) {
    match found {
        Recovery::TornTail(Aside { file, bytes, sha256 }) => tracing::warn!(
            file, bytes, %sha256,
            "the audit file ended in half a line: it was set aside"
        ),
        Recovery::Damaged { aside: Aside { file, bytes, sha256 }, from, to } => tracing::error!(
            file, bytes, %sha256, from, to,
            "the audit file is not what was written: records in it were changed, or the disk has lost some of them; \
             all behind the last one in order was set aside"
        ),
        // Not at the end of a file: whoever wrote has told these already.
        Recovery::WriteFailed { .. } | Recovery::OutcomesLost(_) => {}
    }
}
