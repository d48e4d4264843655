//! A copy of all lines on standard output. Who reads it too slowly loses lines and holds nobody up.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::journal::Health;
use crate::domain::Mistake;

/// Pieces that may wait; one is what the journal writes at once.
const WAITING: usize = 1024;
/// A piece that has waited longer is dropped: its reader is stuck.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the reader.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The handle of the thread that writes to standard output.
#[derive(Debug)]
pub(super) struct Copy {
    pieces: Option<SyncSender<Piece>>,
    ended: Receiver<()>,
    health: Arc<Health>,
}

#[derive(Debug)]
struct Piece {
    lines: Vec<u8>,
    since: Instant,
}

impl Copy {
    /// Starts the thread.
    pub(super) fn start(health: &Arc<Health>) -> Result<Self, Mistake> {
        let cannot = |why: io::Error| Mistake::new("audit", format!("standard output cannot be written: {why}"));
        let output = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(cannot)?);
        let (pieces, waiting) = sync_channel(WAITING);
        let (at_the_end, ended) = sync_channel(0);
        let writer = Writer { output, health: Arc::clone(health), drops: false, _at_the_end: at_the_end };
        let thread = std::thread::Builder::new().name("audit-stdout".to_owned());
        thread.spawn(move || writer.run(&waiting)).map_err(cannot)?;
        Ok(Self { pieces: Some(pieces), ended, health: Arc::clone(health) })
    }

    /// Hands whole lines over, without waiting.
    pub(super) fn send(&self, lines: &[u8]) {
        let Some(pieces) = &self.pieces else { return };
        let piece = Piece { lines: lines.to_vec(), since: Instant::now() };
        if let Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) = pieces.try_send(piece) {
            self.health.drops(&piece.lines);
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.pieces = None;
        // An error is the end of the thread: it drops its half. One that is stuck is left behind.
        let _ended = self.ended.recv_timeout(LAST_LINES);
    }
}

struct Writer {
    output: File,
    health: Arc<Health>,
    /// The last piece was dropped, which is told once.
    drops: bool,
    _at_the_end: SyncSender<()>,
}

impl Writer {
    fn run(mut self, pieces: &Receiver<Piece>) {
        while let Ok(Piece { lines, since }) = pieces.recv() {
            let late = since.elapsed() > DEADLINE;
            let failed = !late && self.output.write_all(&lines).is_err();
            if late || failed {
                self.health.drops(&lines);
            }
            if (late || failed) && !self.drops {
                tracing::error!("standard output does not take the copy of the audit: lines of it are dropped");
            }
            self.drops = late || failed;
        }
    }
}
