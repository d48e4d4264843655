//! Signed checkpoints on their way out: to a file of their own, and to standard output.
//!
//! Nobody waits for them. One that is lost is made good by the next, which is about all the records before it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::json;

use super::{Digest, Settings, Signer, Sink};
use crate::domain::Mistake;

/// Notes that may wait for the disk.
const WAITING: usize = 64;
/// How long the end of the process waits for the last of them.
const LAST_NOTE: Duration = Duration::from_secs(1);

/// Who signs, and the handle of the thread that writes the file.
#[derive(Debug)]
pub(super) struct Notes {
    signer: Signer,
    /// `None` where there is no file, and while it is dropped.
    notes: Option<SyncSender<String>>,
    ended: Receiver<()>,
}

impl Notes {
    /// Reads the key, if the settings name one, and starts the thread.
    ///
    /// # Errors
    /// A [`Mistake`] about the file of the key.
    pub(super) fn open(settings: &Settings, sink: &Sink) -> Result<Option<Self>, Mistake> {
        let Some(key) = &settings.checkpoints.key_file else { return Ok(None) };
        let signer = Signer::load(key, &settings.name)?;
        let (at_the_end, ended) = sync_channel::<()>(0);
        let (notes, waiting) = sync_channel(WAITING);
        let file = settings.checkpoints.file.clone().or_else(|| sink.file().map(|file| beside(file)));
        let Some(file) = file else { return Ok(Some(Self { signer, notes: None, ended })) };
        std::thread::Builder::new()
            .name("audit-notes".to_owned())
            .spawn(move || {
                write_all(&file, &waiting);
                drop(at_the_end);
            })
            .map_err(|why| Mistake::new("audit", format!("the thread that writes checkpoints cannot start: {why}")))?;
        Ok(Some(Self { signer, notes: Some(notes), ended }))
    }

    /// Signs that the first `size` records have this `root`, hands the note to the file, and gives the line for standard
    /// output.
    pub(super) fn publish(&self, size: u64, root: &Digest) -> Vec<u8> {
        let note = self.signer.checkpoint(size, root);
        let line = format!("{}\n", json!({ "type": "checkpoint", "note": note }));
        if let Some(notes) = &self.notes
            && notes.try_send(note).is_err()
        {
            tracing::error!(size, "a signed checkpoint was not written: its file takes none");
        }
        line.into_bytes()
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

/// The file is opened for each: it may be renamed away at any time.
fn append(file: &Path, note: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    file.write_all(format!("{note}\n").as_bytes())?;
    match file.sync_data() {
        // A pipe or a device has nothing to sync.
        Err(why) if why.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}
