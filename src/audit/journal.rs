//! An append-only file with one writer.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::Unwritten;
use crate::domain::Mistake;

/// Lines that may wait for the writer; more than the requests that may be in flight at once.
const WAITING_LINES: usize = 4096;

/// The handle of the thread that writes.
#[derive(Debug)]
pub(super) struct Journal {
    lines: mpsc::Sender<Entry>,
    writable: Arc<AtomicBool>,
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
        let writable = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&writable);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(file, entries, &seen))
            .map_err(|why| cannot("the thread that writes the audit file cannot start", why))?;
        Ok(Self { lines, writable })
    }

    /// Writes a line and waits until the operating system has it.
    pub(super) async fn write(&self, line: Vec<u8>) -> Result<(), Unwritten> {
        let (written, result) = oneshot::channel();
        let stopped = || Unwritten("its writer has stopped".into());
        self.lines.send(Entry { line, written: Some(written) }).await.map_err(|_| stopped())?;
        result.await.map_err(|_| stopped())?
    }

    /// Hands a line over without waiting; also where nobody can wait, as in a drop.
    pub(super) fn post(&self, line: Vec<u8>) -> Result<(), Unwritten> {
        self.lines
            .try_send(Entry { line, written: None })
            .map_err(|_| Unwritten("its writer does not keep up or has stopped".into()))
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    pub(super) async fn flush(&self) {
        // An empty line is written as nothing, after everything before it.
        let _unwritten_is_logged_where_it_happens = self.write(Vec::new()).await;
    }
}

fn write_all(mut file: File, mut entries: mpsc::Receiver<Entry>, writable: &AtomicBool) {
    while let Some(Entry { line, written }) = entries.blocking_recv() {
        // One write a line: with O_APPEND, lines of two processes do not mix.
        let result = file.write_all(&line).map_err(|why| Unwritten(why.to_string().into()));
        writable.store(result.is_ok(), Ordering::Relaxed);
        match (written, result) {
            (Some(written), result) => drop(written.send(result)),
            (None, Err(unwritten)) => tracing::error!(error = %unwritten, "audit line lost"),
            (None, Ok(())) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn lines_are_appended_in_order_to_a_file_of_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for line in ["a\n", "b\n"] {
            let journal = Journal::open(&path).unwrap();
            journal.write(line.into()).await.unwrap();
            journal.post("p\n".into()).unwrap();
            journal.flush().await;
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\np\nb\np\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_of_the_write_and_seen_afterwards() {
        let journal = Journal::open(Path::new("/dev/full")).unwrap();
        assert!(journal.is_writable());
        let unwritten = journal.write("a\n".into()).await.unwrap_err().to_string();
        assert!(unwritten.contains("cannot be written"), "{unwritten}");
        assert!(!journal.is_writable());
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let mistake = Journal::open(Path::new("/nowhere/audit.jsonl")).unwrap_err().to_string();
        assert!(mistake.contains("/nowhere/audit.jsonl"), "{mistake}");
    }
}
