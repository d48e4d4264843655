//! A copy of all lines on standard output. Who reads it too slowly loses lines and holds nobody up.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use super::journal::Health;
use super::share::Share;
use crate::domain::Mistake;

/// Bytes that may wait.
const WAITING: usize = 16 * 1024 * 1024;
/// A piece that has waited longer is dropped: its reader is stuck.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the reader.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The handle of the thread that writes to standard output.
#[derive(Debug)]
pub(super) struct Copy {
    pieces: Option<Sender<Piece>>,
    /// How many bytes wait.
    waiting: Arc<AtomicUsize>,
    ended: Receiver<()>,
    health: Arc<Health>,
}

#[derive(Debug)]
struct Piece {
    lines: Vec<u8>,
    /// Its part of the bytes that wait.
    share: Share,
    since: Instant,
}

impl Copy {
    /// Starts the thread.
    pub(super) fn start(health: &Arc<Health>) -> Result<Self, Mistake> {
        let cannot = |why: io::Error| Mistake::new("audit", format!("standard output cannot be written: {why}"));
        let output = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(cannot)?);
        let (pieces, waiting) = channel();
        let (at_the_end, ended) = sync_channel(0);
        let writer = Writer { output, health: Arc::clone(health), drops: false, _at_the_end: at_the_end };
        let thread = std::thread::Builder::new().name("audit-stdout".to_owned());
        thread.spawn(move || writer.run(&waiting)).map_err(cannot)?;
        Ok(Self { pieces: Some(pieces), waiting: Arc::default(), ended, health: Arc::clone(health) })
    }

    /// Hands whole lines over, without waiting.
    pub(super) fn send(&self, lines: &[u8]) {
        let Some(pieces) = &self.pieces else { return };
        let sent = Share::take_within(&self.waiting, lines.len(), WAITING).is_some_and(|share| {
            let piece = Piece { lines: lines.to_vec(), share, since: Instant::now() };
            pieces.send(piece).is_ok()
        });
        if !sent {
            self.health.drops(lines);
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
        while let Ok(Piece { lines, share: _share, since }) = pieces.recv() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::OnFailure;

    #[test]
    fn bytes_that_nobody_takes_are_bounded_and_counted_by_line() {
        let health = Arc::new(Health::new(OnFailure::Refuse));
        let (pieces, taken) = channel();
        let (_at_the_end, ended) = sync_channel(0);
        let copy = Copy { pieces: Some(pieces), waiting: Arc::default(), ended, health: Arc::clone(&health) };
        let mut piece = vec![b'x'; 1024 * 1024];
        piece.extend(b"\n\n");
        for _ in 0..20 {
            copy.send(&piece);
        }
        let kept = taken.try_iter().count();
        assert_eq!((kept, health.counts().dropped), (15, 10));
        // What was taken makes room.
        copy.send(&piece);
        assert_eq!((taken.try_iter().count(), health.counts().dropped), (1, 10));
    }
}
