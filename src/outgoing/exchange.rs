//! One question, and its whole answer or none.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Connector;

/// What one question may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the look-up of the name to the last byte of the answer.
    pub time: Duration,
    /// The answer's head, in bytes.
    pub head: usize,
    /// The answer's body, in bytes.
    pub body: usize,
}

/// A way to ask over HTTP/1.1. No connection is kept: questions lie minutes apart, and by the next one it would be closed,
/// or lead to yesterday's address.
#[derive(Debug)]
pub struct Exchange {
    client: Client<Connector, Full<Bytes>>,
    limits: Limits,
}

impl Exchange {
    /// Prepares the way; nothing is dialled.
    #[must_use]
    pub fn new(connector: Connector, limits: Limits) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .http1_max_buf_size(limits.head)
            .build(connector);
        Self { client, limits }
    }

    /// Asks once. Every status is an answer, a redirect like any other; it is for the asker to judge.
    ///
    /// # Errors
    /// [`Unanswered`] for anything but a whole answer within the limits.
    pub async fn ask(&self, request: Request<Bytes>) -> Result<Reply, Unanswered> {
        let asked = async { self.read(self.client.request(request.map(Full::new)).await?).await };
        timeout(self.limits.time, asked).await.map_err(|_elapsed| Unanswered::Timeout)?
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Reply, Unanswered> {
        let (head, mut rest) = answer.into_parts();
        // Of its final size at once: growing would leave copies of a secret behind.
        let mut body = Zeroizing::new(Vec::with_capacity(self.limits.body));
        while let Some(frame) = rest.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if body.len() + data.len() > self.limits.body {
                return Err(Unanswered::TooLarge);
            }
            body.extend_from_slice(&data);
        }
        Ok(Reply { status: head.status, body })
    }
}

/// A whole answer. Its body may hold a secret: it is overwritten when dropped, and not shown.
pub struct Reply {
    status: StatusCode,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, ***)", self.status.as_u16())
    }
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// No connection, no proof of the other end, or no whole answer.
    #[error("no answer: {0}")]
    Failed(Box<str>),
    /// The time was over.
    #[error("no whole answer in time")]
    Timeout,
    /// The body is over the limit.
    #[error("the answer is too large")]
    TooLarge,
}

impl From<hyper_util::client::legacy::Error> for Unanswered {
    fn from(why: hyper_util::client::legacy::Error) -> Self {
        Self::Failed(reasons(&why))
    }
}

impl From<hyper::Error> for Unanswered {
    fn from(why: hyper::Error) -> Self {
        Self::Failed(reasons(&why))
    }
}

/// An error and what it came from.
pub(super) fn reasons<'a>(why: &'a (dyn Error + 'static)) -> Box<str> {
    let chain = std::iter::successors(Some(why), |why: &&'a (dyn Error + 'static)| (*why).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ").into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Asks so many times a server that answers every connection with these bytes and then, unless it `stays`, closes it:
    /// the last answer, and how many connections there were.
    async fn asked(times: usize, answer: &'static str, stays: bool) -> (Result<Reply, Unanswered>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                        let _ = stream.write_all(answer.as_bytes()).await;
                        if !stays {
                            break;
                        }
                    }
                });
            }
        });
        let limits = Limits { time: Duration::from_millis(500), head: 8192, body: 8 };
        let exchange = Exchange::new(Connector::plain(limits.time).unwrap(), limits);
        let mut reply = Err(Unanswered::Timeout);
        for _ in 0..times {
            reply = exchange.ask(Request::get(format!("http://{address}/x")).body(Bytes::new()).unwrap()).await;
        }
        serving.abort();
        (reply, connections.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_whole_answer_is_read_up_to_its_bound_and_each_question_has_its_own_connection() {
        let (reply, connections) = asked(2, "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\neightby8", true).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status(), reply.body(), connections), (StatusCode::OK, &b"eightby8"[..], 2));
        assert_eq!(format!("{reply:?}"), "Reply(200, ***)");
        let (reply, _) = asked(1, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nninebytes", true).await;
        assert_eq!(reply.unwrap_err(), Unanswered::TooLarge);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
        let (reply, connections) = asked(1, redirect, true).await;
        assert_eq!((reply.unwrap().status().as_u16(), connections), (302, 1));
    }

    #[tokio::test]
    async fn what_does_not_end_in_time_or_ends_early_is_no_answer() {
        let (reply, _) = asked(1, "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf", true).await;
        assert_eq!(reply.unwrap_err(), Unanswered::Timeout);
        for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf", "", "not HTTP\r\n\r\n"] {
            let (reply, _) = asked(1, answer, false).await;
            assert!(matches!(reply, Err(Unanswered::Failed(_))), "{answer:?}: {reply:?}");
        }
        let too_much: &'static str = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(9000)).leak();
        let (reply, _) = asked(1, too_much, true).await;
        assert!(matches!(reply, Err(Unanswered::Failed(_))), "{reply:?}");
    }
}
