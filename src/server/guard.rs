//! The guard between a socket and hyper: a request head goes through whole and inspected, or not at all.
//!
//! Bare hyper takes heads that a gateway must refuse (two `Host`s, a bare LF, a fragment that `http::Uri` drops) and
//! answers others with an empty body. The guard holds a head back until its end is there. A good one is passed on as
//! it came, with exactly the body that it told of; after a chunked one everything is passed on, and the reception
//! closes the connection, so that hyper never reads a second head that the guard has not seen. In place of a bad one
//! hyper is given an invented request, which the line answers with the refusal; nothing more is read from the peer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alarm::Alarm;
use super::exchange::{Exchange, INVENTED, INVENTED_HEAD};
use super::farewell::Farewell;
use super::head::{Framing, Head, LONGEST_HEAD, inspect};
use crate::api::Refusal;

/// For so long a peer may take nothing of an answer that is ready.
const LONGEST_STALL: Duration = Duration::from_secs(30);

/// A connection whose request heads are inspected before they are read.
#[derive(Debug)]
pub(super) struct Guard<IO> {
    io: IO,
    exchange: Arc<Exchange>,
    phase: Phase,
    /// Bytes from the peer that are not yet passed on.
    held: BytesMut,
    /// So many bytes of `held` were inspected and found to be no whole head.
    inspected: usize,
    head_wait: Alarm,
    write_stall: Alarm,
    farewell: Farewell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for the end of a head.
    Head,
    /// So many bytes of an inspected head and its body are still to be passed on.
    Message(u64),
    /// A chunked body, and whatever follows: the connection ends with this message.
    Chunked,
    /// The invented request is in `held`, or already passed on; the peer is not heard any more.
    Refused,
    /// The input is over.
    Ended,
}

impl<IO> Guard<IO> {
    /// A guard that gives the peer `head_wait` for each head, counted from the opening or from the last answer.
    pub(super) fn new(io: IO, exchange: Arc<Exchange>, head_wait: Duration) -> Self {
        Self {
            io,
            exchange,
            phase: Phase::Head,
            held: BytesMut::new(),
            inspected: 0,
            head_wait: Alarm::new(head_wait),
            write_stall: Alarm::new(LONGEST_STALL),
            farewell: Farewell::new(),
        }
    }

    fn admit(&mut self, head: Head) {
        let length = u64::try_from(head.length).unwrap_or(u64::MAX);
        self.phase = match head.framing {
            Framing::None => Phase::Message(length),
            Framing::Length(body) => Phase::Message(length.saturating_add(body)),
            Framing::Chunked => Phase::Chunked,
        };
        self.inspected = 0;
        self.head_wait.stop();
        self.exchange.begin();
    }

    fn refuse(&mut self, refusal: Refusal) {
        let invented = if self.held.starts_with(b"HEAD ") { INVENTED_HEAD } else { INVENTED };
        self.held.clear();
        self.held.extend_from_slice(invented);
        self.phase = Phase::Refused;
        self.exchange.refuse(refusal);
    }

    /// Whether a look at `held` may find something new: each line is waited for, not each byte of it.
    fn is_worth_a_look(&self) -> bool {
        let news = self.held.get(self.inspected.saturating_sub(1)..).unwrap_or_default();
        let first = self.inspected == 0 && !self.held.is_empty();
        first || self.held.len() >= LONGEST_HEAD || news.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// Whether a head has begun; the empty line that some clients send after a body does not count.
    fn has_begun(&self) -> bool {
        !b"\r\n".starts_with(&self.held)
    }

    fn pass_held(&mut self, buf: &mut ReadBuf<'_>, most: u64) -> u64 {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(buf.remaining());
        let passed = self.held.get(..most).unwrap_or(&self.held);
        let length = passed.len();
        buf.put_slice(passed);
        self.held.advance(length);
        u64::try_from(length).unwrap_or(u64::MAX)
    }
}

impl<IO: AsyncRead + Unpin> Guard<IO> {
    /// Moves to the next phase once a head is whole, refused or overdue, or the input is over.
    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.is_worth_a_look() {
                match inspect(&self.held) {
                    Ok(Some(head)) => self.admit(head),
                    Ok(None) => self.inspected = self.held.len(),
                    Err(refusal) => self.refuse(refusal),
                }
                if self.phase != Phase::Head {
                    return Poll::Ready(Ok(()));
                }
            }
            match self.poll_hold(cx, buf) {
                Poll::Ready(Ok(0)) => {
                    self.phase = Phase::Ended;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(self.poll_overdue(cx));
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Reads more into `held`; `buf` lends its room and is left as it was.
    fn poll_hold(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let news = buf.filled().get(before..).unwrap_or_default();
        let length = news.len();
        self.held.extend_from_slice(news);
        buf.set_filled(before);
        Poll::Ready(Ok(length))
    }

    /// Ready, in another phase, once the peer has let its time pass. No time passes while it waits for an answer.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.exchange.is_quiet() {
            self.head_wait.stop();
            return Poll::Pending;
        }
        ready!(self.head_wait.poll(cx));
        if self.has_begun() {
            self.refuse(Refusal::HeadTimeout);
        } else {
            self.phase = Phase::Ended;
        }
        Poll::Ready(())
    }

    /// Passes on at most `most` bytes, and says how many.
    fn poll_pass(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, most: u64) -> Poll<io::Result<u64>> {
        if !self.held.is_empty() {
            return Poll::Ready(Ok(self.pass_held(buf, most)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let end = before.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)).min(buf.filled().len());
        // What came with the end of the message belongs to the next head.
        self.held.extend_from_slice(buf.filled().get(end..).unwrap_or_default());
        buf.set_filled(end);
        Poll::Ready(Ok(u64::try_from(end - before).unwrap_or(u64::MAX)))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match this.phase {
                Phase::Head => ready!(this.poll_head(cx, buf))?,
                Phase::Message(0) => this.phase = Phase::Head,
                Phase::Message(left) => {
                    let passed = ready!(this.poll_pass(cx, buf, left))?;
                    this.phase = Phase::Message(left - passed);
                    return Poll::Ready(Ok(()));
                }
                Phase::Chunked => return this.poll_pass(cx, buf, u64::MAX).map_ok(|_| ()),
                // Not the end of the input: hyper would give the answer up and not write it.
                Phase::Refused if this.held.is_empty() => return Poll::Pending,
                Phase::Refused => {
                    this.pass_held(buf, u64::MAX);
                    return Poll::Ready(Ok(()));
                }
                Phase::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> Guard<IO> {
    fn unless_stalled<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_stall.stop();
            return written;
        }
        self.write_stall.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.unless_stalled(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let all_read = matches!(this.phase, Phase::Head | Phase::Message(0) | Phase::Ended) && this.held.is_empty();
        this.farewell.poll(cx, &mut this.io, all_read)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::Request;
    use proptest::prelude::*;

    use super::*;

    /// A peer whose bytes come in these pieces, and then the end.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let Some(mut piece) = self.0.pop_front() else { return Poll::Ready(Ok(())) };
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Poll::Ready(Ok(()))
        }
    }

    /// All that hyper would read, and the refusal, if the bytes came cut in pieces of these lengths.
    fn passed(bytes: &[u8], lengths: &[usize], room: usize) -> (Vec<u8>, Option<Refusal>) {
        let mut pieces = VecDeque::new();
        let mut rest = bytes;
        for length in lengths.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*length));
            rest = after;
            if piece.is_empty() {
                break;
            }
            pieces.push_back(piece.to_vec());
        }
        let exchange = Exchange::new();
        let mut guard = Guard::new(Pieces(pieces), Arc::clone(&exchange), Duration::from_secs(5));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut all = Vec::new();
        loop {
            let mut bytes = vec![0; room];
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut guard).poll_read(&mut cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => all.extend_from_slice(buf.filled()),
                Poll::Ready(done) => {
                    done.unwrap();
                    break;
                }
                Poll::Pending => break,
            }
        }
        (all, exchange.refusal_of(&Request::get("/;refused").body(()).unwrap()))
    }

    fn whole(bytes: &[u8]) -> (Vec<u8>, Option<Refusal>) {
        passed(bytes, &[usize::MAX], 8192)
    }

    const GOOD: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";

    #[test]
    fn good_messages_pass_unchanged() {
        let two = [GOOD, b"\r\n", GOOD].concat();
        assert_eq!(whole(&two), (two.clone(), None));
        let chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nanything";
        assert_eq!(whole(chunked), (chunked.to_vec(), None));
    }

    #[test]
    fn in_place_of_a_bad_head_the_invented_one_passes_and_then_nothing() {
        let bytes = [GOOD, b"GET / HTTP/1.1\r\n\r\n", GOOD].concat();
        assert_eq!(whole(&bytes), ([GOOD, INVENTED].concat(), Some(Refusal::Host)));
    }

    #[test]
    fn of_a_head_without_an_end_nothing_passes() {
        assert_eq!(whole(b"GET / HTTP/1.1\r\nHost: x\r\n"), (Vec::new(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        use tokio::io::AsyncWriteExt;
        let (ours, theirs) = tokio::io::duplex(8);
        let mut guard = Guard::new(ours, Exchange::new(), Duration::from_secs(5));
        let begun = tokio::time::Instant::now();
        let error = guard.write_all(&[b'a'; 100]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, LONGEST_STALL.as_secs()));
        drop(theirs);
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => Just(GOOD.to_vec()),
            2 => Just(b"GET http://x/a HTTP/1.0\r\nhost:x\r\n\r\n".to_vec()),
            1 => Just(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
            1 => Just(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            1 => Just(b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(b"A: b\n".to_vec()),
            1 => Just(b"A: b\rc".to_vec()),
            1 => (0_usize..20_000).prop_map(|length| vec![b'a'; length]),
            1 => prop::collection::vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            pieces in prop::collection::vec(piece(), 0..6),
            lengths in prop::collection::vec(1_usize..200, 1..6),
            room in 1_usize..10_000,
        ) {
            let bytes = pieces.concat();
            let expected = whole(&bytes);
            prop_assert_eq!(&passed(&bytes, &lengths, room), &expected);
            prop_assert_eq!(&passed(&bytes, &[1], 8192), &expected);
        }
    }
}
