//! An append-only file with one writer.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Unwritten;
use crate::domain::Mistake;

/// Lines that may wait for the writer. Above it lines are refused (intents) or lost and counted (outcomes), so that a
/// disk that hangs does not take the memory too.
const WAITING_LINES: usize = 4096;
/// How long the end of the process waits for lines that the disk does not take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The handle of the thread that writes.
#[derive(Debug)]
pub(super) struct Journal {
    /// `None` only while it is dropped.
    lines: Option<mpsc::Sender<Entry>>,
    health: Arc<Health>,
    /// Only the drop receives.
    ended: Mutex<blocking::Receiver<()>>,
}

#[derive(Debug)]
struct Health {
    writable: AtomicBool,
    failures: AtomicU64,
}

struct Entry {
    line: Vec<u8>,
    written: Option<oneshot::Sender<Result<(), Unwritten>>>,
}

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self, Mistake> {
        let cannot = |what: &str, why: io::Error| Mistake::new(path.display().to_string(), format!("{what}: {why}"));
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|why| cannot("the audit file cannot be opened for appending", why))?;
        let (lines, entries) = mpsc::channel(WAITING_LINES);
        let health = Arc::new(Health { writable: AtomicBool::new(true), failures: AtomicU64::new(0) });
        let (at_the_end, ended) = blocking::channel();
        let writer = Writer { file, health: Arc::clone(&health), torn: false, _at_the_end: at_the_end };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(entries))
            .map_err(|why| cannot("the thread that writes the audit file cannot start", why))?;
        Ok(Self { lines: Some(lines), health, ended: Mutex::new(ended) })
    }

    /// Writes a line and waits until the operating system has it, but not beyond `deadline`.
    pub(super) async fn write(&self, line: Vec<u8>, deadline: Instant) -> Result<(), Unwritten> {
        timeout_at(deadline, self.written(line)).await.unwrap_or_else(|_elapsed| {
            // The disk hangs: nobody else shall wait for it either.
            self.health.failed();
            Err(Unwritten("it takes no line in time".into()))
        })
    }

    async fn written(&self, line: Vec<u8>) -> Result<(), Unwritten> {
        let (written, result) = oneshot::channel();
        let lines = self.lines.as_ref().ok_or_else(stopped)?;
        lines.send(Entry { line, written: Some(written) }).await.map_err(|_| stopped())?;
        result.await.map_err(|_| stopped())?
    }

    /// Hands a line over without waiting; also where nobody can wait, as in a drop.
    pub(super) fn post(&self, line: Vec<u8>) -> Result<(), Unwritten> {
        let lines = self.lines.as_ref().ok_or_else(stopped)?;
        lines.try_send(Entry { line, written: None }).map_err(|_| {
            self.health.failed();
            Unwritten("its writer does not keep up or has stopped".into())
        })
    }

    /// Whether the last line went through. If it did not, `probe` is handed over, so that a look at the health is
    /// what finds out that the disk has recovered: while we are not ready, nobody sends requests that would.
    pub(super) fn is_writable(&self, probe: impl FnOnce() -> Vec<u8>) -> bool {
        let writable = self.health.writable.load(Ordering::Relaxed);
        if !writable && let Some(lines) = &self.lines {
            let _full_is_not_recovered = lines.try_send(Entry { line: probe(), written: None });
        }
        writable
    }

    /// Lines that could not be written so far.
    pub(super) fn failures(&self) -> u64 {
        self.health.failures.load(Ordering::Relaxed)
    }
}

impl Drop for Journal {
    /// Waits until every line is written: a process that ends drops its work, whose lines come at this very moment.
    fn drop(&mut self) {
        self.lines = None;
        if let Ok(ended) = self.ended.get_mut() {
            // An error is the end of the writer: it drops its half.
            let _ended = ended.recv_timeout(LAST_LINES);
        }
    }
}

impl Health {
    fn failed(&self) {
        self.writable.store(false, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

fn stopped() -> Unwritten {
    Unwritten("its writer has stopped".into())
}

struct Writer {
    file: File,
    health: Arc<Health>,
    /// The last write failed, perhaps in the middle of a line.
    torn: bool,
    _at_the_end: blocking::Sender<()>,
}

impl Writer {
    fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        while let Some(Entry { line, written }) = entries.blocking_recv() {
            let result = self.append(line).map_err(|why| Unwritten(why.to_string().into()));
            match &result {
                Ok(()) => self.health.writable.store(true, Ordering::Relaxed),
                Err(_) => self.health.failed(),
            }
            match (written, result) {
                (Some(written), result) => drop(written.send(result)),
                (None, Err(unwritten)) => tracing::error!(error = %unwritten, "audit line lost"),
                (None, Ok(())) => {}
            }
        }
    }

    /// One write a line: with O_APPEND, lines of two processes do not mix. After a failed write a line end comes
    /// first, so that half a line spoils no whole one.
    fn append(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        if self.torn {
            line.insert(0, b'\n');
        }
        let result = self.file.write_all(&line);
        self.torn = result.is_err();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn lines_are_appended_in_order_to_a_file_of_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for line in ["a\n", "b\n"] {
            let journal = Journal::open(&path).unwrap();
            journal.write(line.into(), soon()).await.unwrap();
            journal.post("p\n".into()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\np\nb\np\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_journal_that_is_dropped_has_written_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let journal = Journal::open(&path).unwrap();
        (0..1000).for_each(|_| journal.post("a\n".into()).unwrap());
        drop(journal);
        assert_eq!(std::fs::read(&path).unwrap().len(), 2000);
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_of_the_write_counted_and_seen_afterwards() {
        let journal = Journal::open(Path::new("/dev/full")).unwrap();
        assert!(journal.is_writable(|| panic!("no probe while all is well")));
        let unwritten = journal.write("a\n".into(), soon()).await.unwrap_err().to_string();
        assert!(unwritten.contains("cannot be written"), "{unwritten}");
        assert_eq!((journal.is_writable(|| "probe\n".into()), journal.failures() >= 1), (false, true));
    }

    /// A pipe whose reader does not read is a disk that hangs and recovers.
    #[tokio::test]
    async fn a_disk_that_hangs_is_given_up_in_time_and_found_again_by_a_probe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut reader = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let journal = Journal::open(&pipe).unwrap();
        let much = vec![b'x'; 128 * 1024];
        let began = Instant::now();
        let unwritten = journal.write(much, Instant::now() + Duration::from_millis(100)).await.unwrap_err();
        assert!(unwritten.to_string().contains("in time") && began.elapsed() < Duration::from_secs(3));
        assert!(!journal.is_writable(|| "probe\n".into()));
        // Reads to the end of the tests: it holds the pipe open for writing itself.
        std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        for _ in 0..100 {
            if journal.is_writable(|| "probe\n".into()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not found again");
    }

    #[test]
    fn half_a_line_spoils_no_whole_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let health = Arc::new(Health { writable: AtomicBool::new(false), failures: AtomicU64::new(0) });
        let writer = File::options().append(true).open(file.path()).unwrap();
        let mut writer = Writer { file: writer, health, torn: true, _at_the_end: blocking::channel().0 };
        writer.append("a\n".into()).unwrap();
        writer.append("b\n".into()).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "\na\nb\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let mistake = Journal::open(Path::new("/nowhere/audit.jsonl")).unwrap_err().to_string();
        assert!(mistake.contains("/nowhere/audit.jsonl"), "{mistake}");
    }
}
