//! The end of a connection whose peer may still be sending.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alarm::Alarm;

/// For so long the peer may go on after our last byte.
const LONGEST: Duration = Duration::from_secs(1);
/// So much it may still send.
const MOST: usize = 64 * 1024;

/// Closes our side, and then reads and forgets what the peer still sends, within bounds.
///
/// A socket closed over unread input resets the connection, and the reset may destroy the last answer on its way
/// (RFC 9112 section 9.6).
#[derive(Debug)]
pub(super) struct Farewell {
    said: bool,
    forgotten: usize,
    wait: Alarm,
}

impl Farewell {
    pub(super) fn new() -> Self {
        Self { said: false, forgotten: 0, wait: Alarm::new(LONGEST) }
    }

    /// Ready when the socket may be dropped; `all_read` says that there is nothing to wait for.
    pub(super) fn poll<IO: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut IO,
        all_read: bool,
    ) -> Poll<io::Result<()>> {
        if !self.said {
            ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
            self.said = true;
        }
        let mut room = [0; 4096];
        while !all_read && self.forgotten < MOST {
            let mut buf = ReadBuf::new(&mut room);
            match Pin::new(&mut *io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.forgotten += buf.filled().len(),
                Poll::Ready(Ok(()) | Err(_)) => break,
                Poll::Pending => {
                    ready!(self.wait.poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
