//! Signed checkpoints on their way out: to a file of their own, and to standard output.
//!
//! Nobody waits for them. One that is lost is made good by the next, which is about all the records before it. No size is
//! signed twice: of a log that was lost and begun anew, whoever has the old checkpoints would hold two trees against it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::json;

use super::{Checkpoint, Digest, LONGEST_NOTE, Settings, Signer, Sink, Verifier};
use crate::domain::Mistake;

/// Notes that may wait for the disk.
const WAITING: usize = 64;
/// How long the end of the process waits for the last of them.
const LAST_NOTE: Duration = Duration::from_secs(1);
/// What is read of the end of the file: some dozens of notes.
const TAIL: u64 = LONGEST_NOTE as u64;
/// The end of a note, and the empty line between it and the next.
const END: &[u8] = b"\n\n";
/// What its last line begins with, behind the end of the line before.
const SIGNATURE: &[u8] = "\n\u{2014} ".as_bytes();

/// Who signs, and the handle of the thread that writes the file.
#[derive(Debug)]
pub(super) struct Notes {
    signer: Signer,
    /// Up to this size something was signed before the process began.
    signed: u64,
    /// `None` where there is no file, and while it is dropped.
    notes: Option<SyncSender<String>>,
    ended: Receiver<()>,
}

impl Notes {
    /// Reads the key, if the settings name one, and starts the thread. `records` is how long the log is.
    ///
    /// # Errors
    /// A [`Mistake`] about the file of the key.
    pub(super) fn open(settings: &Settings, sink: &Sink, records: u64) -> Result<Option<Self>, Mistake> {
        let Some(key) = &settings.checkpoints.key_file else { return Ok(None) };
        let signer = Signer::load(key, &settings.name)?;
        let (at_the_end, ended) = sync_channel::<()>(0);
        let (notes, waiting) = sync_channel(WAITING);
        let file = settings.checkpoints.file.clone().or_else(|| sink.file().map(|file| beside(file)));
        let Some(file) = file else { return Ok(Some(Self { signer, signed: 0, notes: None, ended })) };
        let signed = largest_signed(&file, signer.verifier());
        if signed > records {
            tracing::error!(
                file = %file.display(), records, signed,
                "the audit is shorter than what was signed of it: records are gone. Nothing is signed until it is longer; \
                 name the log anew with another `audit.name` and `audit.checkpoint_file` if they do not come back"
            );
        }
        std::thread::Builder::new()
            .name("audit-notes".to_owned())
            .spawn(move || {
                write_all(&file, &waiting);
                drop(at_the_end);
            })
            .map_err(|why| Mistake::new("audit", format!("the thread that writes checkpoints cannot start: {why}")))?;
        Ok(Some(Self { signer, signed, notes: Some(notes), ended }))
    }

    /// Signs that the first `size` records have this `root`, hands the note to the file, and gives the line for standard
    /// output. `None` if that size was signed already.
    pub(super) fn publish(&self, size: u64, root: &Digest) -> Option<Vec<u8>> {
        if size <= self.signed {
            return None;
        }
        let note = self.signer.checkpoint(size, root);
        let line = format!("{}\n", json!({ "type": "checkpoint", "note": note }));
        if let Some(notes) = &self.notes
            && notes.try_send(note).is_err()
        {
            tracing::error!(size, "a signed checkpoint was not written: its file takes none");
        }
        Some(line.into_bytes())
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.notes = None;
        // An error is the end of the thread: it drops its half.
        let _ended = self.ended.recv_timeout(LAST_NOTE);
    }
}

/// The usual name: the audit file's with an ending.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".checkpoints");
    name.into()
}

fn write_all(file: &Path, notes: &Receiver<String>) {
    for note in notes {
        if let Err(why) = append(file, &note) {
            tracing::error!(error = %why, file = %file.display(), "a signed checkpoint was not written");
        }
    }
}

/// The file is opened for each: it may be renamed away at any time. What is not whole does not stay.
fn append(path: &Path, note: &str) -> io::Result<()> {
    let is_file = std::fs::metadata(path).map_or(true, |found| found.is_file());
    let mut file = OpenOptions::new().read(is_file).append(true).create(true).mode(0o600).open(path)?;
    if !is_file {
        return file.write_all(format!("{note}\n").as_bytes());
    }
    let (begin, glue) = whole_notes(&mut file, note)?;
    file.set_len(begin)?;
    let written = file.write_all(format!("{glue}{note}\n").as_bytes()).and_then(|()| file.sync_data());
    if written.is_err() {
        // If it cannot be cut now, the next note cuts it.
        let _cut = file.set_len(begin);
    }
    written
}

/// Where the next note begins in `file`, and what has to stand before it. What a note like it has left in part goes;
/// anything else stays, with an empty line behind it.
fn whole_notes(file: &mut File, note: &str) -> io::Result<(u64, &'static str)> {
    let len = file.metadata()?.len();
    let tail = tail(file, len)?;
    let whole = ends(&tail).last().unwrap_or(0);
    let rest = tail.get(whole..).unwrap_or_default();
    let origin = note.split_inclusive('\n').next().unwrap_or_default().as_bytes();
    let is_torn = rest.starts_with(origin) || origin.starts_with(rest);
    let is_whole_tail = whole > 0 || tail.len() as u64 == len;
    Ok(if is_torn && is_whole_tail { (len.saturating_sub(rest.len() as u64), "") } else { (len, "\n\n") })
}

fn tail(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Behind each empty line that follows on a signature.
fn ends(notes: &[u8]) -> impl Iterator<Item = usize> {
    let ends = notes.windows(END.len()).enumerate().filter(|(_, bytes)| *bytes == END).map(|(at, _)| at);
    ends.filter(|at| {
        let before = notes.get(..*at).unwrap_or_default();
        let line = before.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        before.get(line..).is_some_and(|line| line.starts_with(SIGNATURE))
    })
    .map(|at| at + END.len())
}

/// How many records the largest checkpoint at the end of the file covers, of those that this log has signed.
fn largest_signed(path: &Path, verifier: &Verifier) -> u64 {
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let Some(mut file) = is_file.then(|| File::open(path).ok()).flatten() else { return 0 };
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    let tail = tail(&mut file, len).unwrap_or_default();
    let mut begin = 0;
    let notes = ends(&tail).filter_map(|end| {
        let note = tail.get(std::mem::replace(&mut begin, end)..end - 1)?;
        Some(Checkpoint::read(std::str::from_utf8(note).ok()?, Some(verifier)).ok()?.size())
    });
    notes.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::of_seed("example.com/audit", [7; 32])
    }

    fn note(size: u64) -> String {
        signer().checkpoint(size, &Digest::default())
    }

    #[test]
    fn a_note_that_was_cut_anywhere_is_gone_before_the_next_and_the_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        for whole in [String::new(), format!("{}\n{}\n", note(1), note(2))] {
            let torn = format!("{}\n", note(30));
            for cut in 0..torn.len() {
                std::fs::write(&path, [whole.as_bytes(), &torn.as_bytes()[..cut]].concat()).unwrap();
                append(&path, &note(31)).unwrap();
                assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{whole}{}\n", note(31)), "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_note_of_this_log_stays_and_does_not_run_into_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        std::fs::write(&path, "a list of things").unwrap();
        append(&path, &note(1)).unwrap();
        append(&path, &note(2)).unwrap();
        let expected = format!("a list of things\n\n{}\n{}\n", note(1), note(2));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn the_largest_size_that_this_log_has_signed_is_found_among_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        assert_eq!(largest_signed(&path, signer().verifier()), 0);
        let other = Signer::of_seed("example.com/other", [7; 32]).checkpoint(900, &Digest::default());
        let forged = note(800).replace("\n800\n", "\n801\n");
        let torn: String = note(10).chars().take(30).collect();
        std::fs::write(&path, format!("{}\n{}\n{other}\n{forged}\n{torn}", note(7), note(9))).unwrap();
        assert_eq!(largest_signed(&path, signer().verifier()), 9);
    }
}
