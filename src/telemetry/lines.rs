//! Log lines on their way to standard error. Who logs never waits for whoever reads there: a worker that did would
//! answer nobody as long as the reader sleeps.

use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that may wait, and as many again are being written. At full speed the gateway logs so much in a third of a
/// second.
const MOST_WAITING: usize = 4 * 1024 * 1024;
/// How long the end of the process waits for the reader.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long the first line after a rest waits for others: a write for each would take the processor from the requests.
const GATHERING: Duration = Duration::from_millis(1);
/// Before another attempt at an output that somebody has made non-blocking.
const PAUSE: Duration = Duration::from_millis(5);

/// Whole lines that wait for the one thread that writes them.
#[derive(Debug)]
pub(super) struct Lines {
    state: Mutex<State>,
    filled: Condvar,
    written: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: Vec<u8>,
    /// Something waits or is being written.
    busy: bool,
    dropped: u64,
}

impl Lines {
    pub(super) const fn new() -> Self {
        let state = State { waiting: Vec::new(), busy: false, dropped: 0 };
        Self { state: Mutex::new(state), filled: Condvar::new(), written: Condvar::new() }
    }

    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(&'static self, output: impl Write + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new().name("log".to_owned()).spawn(move || self.write_to(output)).map(drop)
    }

    /// How many lines were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Returns when all is written that was logged, or after [`LAST_LINES`].
    pub(super) fn flush(&self) {
        let _waited = self.written.wait_timeout_while(self.state(), LAST_LINES, |state| state.busy);
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MOST_WAITING {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        let was_busy = std::mem::replace(&mut state.busy, true);
        drop(state);
        // While it writes it will see for itself; a call of the system for each line is spared.
        if !was_busy {
            self.filled.notify_one();
        }
    }

    fn write_to(&self, mut output: impl Write) {
        let (mut lines, mut told, mut goes) = (Vec::new(), 0, true);
        loop {
            let dropped = self.take(&mut lines);
            // Now there is room for this line, in the place of those that are missing. Not to an output that takes
            // nothing: the line would be the next one to be dropped, for ever.
            if goes && dropped > told {
                let lines = dropped - told;
                tracing::warn!(
                    lines,
                    "{lines} lines of the log were dropped: standard error did not take them in time"
                );
                told = dropped;
            }
            let left = left_of(&lines, &mut output);
            goes = left.is_empty();
            self.state().dropped += left.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            lines.clear();
        }
    }

    /// Waits for lines and takes all of them; how many were dropped until then. The room of the last ones is used anew.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.busy = false;
            self.written.notify_all();
            drop(self.filled.wait_while(state, |state| !state.busy).unwrap_or_else(PoisonError::into_inner));
            std::thread::sleep(GATHERING);
            state = self.state();
        }
        std::mem::swap(&mut state.waiting, lines);
        state.dropped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic leaves it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one event's whole line at a time, which is how `tracing_subscriber` writes; never an error, about which it
/// would complain on standard error itself.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes `lines`; what `output` does not take, because nobody can read it any more.
fn left_of<'a>(mut lines: &'a [u8], output: &mut impl Write) -> &'a [u8] {
    while !lines.is_empty() {
        match output.write(lines) {
            Ok(0) => break,
            Ok(count) => lines = lines.get(count..).unwrap_or_default(),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) if why.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(_nobody_reads) => break,
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that does with each write what it is told to, and shows what it took.
    struct Told {
        orders: Receiver<io::Result<usize>>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without orders any more it takes everything.
            let count = self.orders.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            self.taken.send(bytes[..count].to_vec()).unwrap();
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> (&'static Lines, Sender<io::Result<usize>>, Receiver<Vec<u8>>) {
        let lines: &'static Lines = Box::leak(Box::new(Lines::new()));
        let ((order, orders), (taken, pieces)) = (channel(), channel());
        lines.start(Told { orders, taken }).unwrap();
        (lines, order, pieces)
    }

    #[test]
    fn what_gathers_during_a_write_is_written_at_once() {
        let (lines, order, pieces) = started();
        lines.push(b"one\n");
        order.send(Ok(1)).unwrap();
        assert_eq!(pieces.recv().unwrap(), b"o");
        lines.push(b"two\n");
        lines.push(b"three\n");
        drop(order);
        lines.flush();
        assert_eq!(pieces.try_iter().collect::<Vec<_>>(), [&b"ne\n"[..], b"two\nthree\n"]);
        assert_eq!(lines.dropped(), 0);
    }

    #[test]
    fn an_output_that_cannot_take_more_now_gets_it_later() {
        let (lines, order, pieces) = started();
        for answer in [Err(ErrorKind::WouldBlock.into()), Ok(2), Err(ErrorKind::Interrupted.into()), Ok(1)] {
            order.send(answer).unwrap();
        }
        drop(order);
        lines.push(b"whole\n");
        lines.flush();
        assert_eq!(pieces.try_iter().collect::<Vec<_>>().concat(), b"whole\n");
        assert_eq!(lines.dropped(), 0);
    }

    #[test]
    fn lines_that_nobody_can_read_are_counted() {
        let (lines, order, pieces) = started();
        lines.push(b"one\n");
        order.send(Ok(2)).unwrap();
        assert_eq!(pieces.recv().unwrap(), b"on");
        lines.push(b"two\n");
        lines.push(b"three\n");
        order.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        order.send(Ok(0)).unwrap();
        lines.flush();
        assert_eq!((lines.dropped(), pieces.try_iter().collect::<Vec<_>>().concat()), (3, Vec::new()));
        lines.push(b"four\n");
        order.send(Ok(5)).unwrap();
        lines.flush();
        assert_eq!((lines.dropped(), pieces.recv().unwrap()), (3, b"four\n".to_vec()), "it goes on");
    }

    #[test]
    fn no_more_waits_than_there_is_room_for_and_a_line_is_dropped_whole() {
        let (lines, order, pieces) = started();
        lines.push(b"first\n");
        order.send(Ok(1)).unwrap();
        assert_eq!(pieces.recv().unwrap(), b"f");
        let line = [b'x'; 1000];
        for _ in 0..MOST_WAITING / line.len() + 7 {
            lines.push(&line);
        }
        assert_eq!(lines.dropped(), 7);
        lines.push(b"last\n");
        drop(order);
        lines.flush();
        let bytes = pieces.try_iter().collect::<Vec<_>>().concat();
        assert_eq!(bytes.len(), "irst\n".len() + MOST_WAITING / line.len() * line.len() + "last\n".len());
        assert!(bytes.ends_with(b"xlast\n"), "what fits is taken");
    }
}
