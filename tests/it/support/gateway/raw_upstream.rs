//! An upstream that says whatever bytes it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done once the head of a request has come.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(Vec<u8>),
    Wait(Duration),
    /// Waits for another request on the same connection.
    Hear,
    /// Says this again and again, with a pause in between.
    Repeat(Vec<u8>, Duration),
}

/// A listener that plays the same steps on every connection, and then closes it.
pub(crate) struct RawUpstream {
    address: SocketAddr,
    heard: Arc<AtomicU64>,
}

impl RawUpstream {
    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, steps.clone(), Arc::clone(&count)));
            }
        });
        Self { address, heard }
    }

    /// One that says `bytes` and closes.
    pub(crate) async fn saying(bytes: impl AsRef<[u8]>) -> Self {
        Self::start(vec![Step::Say(bytes.as_ref().to_vec())]).await
    }

    /// One that answers with this status line, header lines and body.
    pub(crate) async fn answering(status: &str, headers: &str, body: &str) -> Self {
        Self::saying(response(status, headers, body)).await
    }

    /// The value of `ci.endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests have come.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }
}

/// An answer with its length.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// That the other side goes away is the end, and no error.
async fn play(mut stream: TcpStream, steps: Vec<Step>, heard: Arc<AtomicU64>) -> Option<()> {
    hear(&mut stream, &heard).await?;
    for step in steps {
        match step {
            Step::Say(bytes) => stream.write_all(&bytes).await.ok()?,
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Hear => hear(&mut stream, &heard).await?,
            Step::Repeat(bytes, pause) => loop {
                stream.write_all(&bytes).await.ok()?;
                tokio::time::sleep(pause).await;
            },
        }
    }
    stream.shutdown().await.ok()
}

/// The requests that come here have no body.
async fn hear(stream: &mut TcpStream, heard: &AtomicU64) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    heard.fetch_add(1, Ordering::SeqCst);
    Some(())
}
