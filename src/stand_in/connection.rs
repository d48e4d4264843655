//! Sockets: accepting them, speaking HTTP/1.1 on them, and resetting them when a fault says so.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::world::World;

const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// What lies between TCP and HTTP.
#[derive(Clone)]
pub(super) enum Transport {
    Plain,
    Tls(TlsAcceptor),
}

/// What the tasks of one stand-in share.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    pub(super) world: Arc<World>,
    pub(super) stop: CancellationToken,
    pub(super) tracker: TaskTracker,
}

impl Tasks {
    /// Accepts connections until it is stopped.
    pub(super) fn spawn_accepting(&self, listener: TcpListener, transport: Transport) {
        let tasks = self.clone();
        let stop = self.stop.clone();
        self.tracker.spawn(async move { stop.run_until_cancelled(tasks.accept(listener, transport)).await });
    }

    async fn accept(self, listener: TcpListener, transport: Transport) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.spawn_serving(stream, transport.clone()),
                // Out of descriptors, most likely: accepting again at once would only spin.
                Err(_) => tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await,
            }
        }
    }

    fn spawn_serving(&self, stream: TcpStream, transport: Transport) {
        let tasks = self.clone();
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            stop.run_until_cancelled(async {
                // Answers are small: without this, the second one on a connection can wait 40 ms.
                let _ = stream.set_nodelay(true);
                match transport {
                    Transport::Plain => tasks.serve(stream).await,
                    Transport::Tls(acceptor) => {
                        let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
                        if let Ok(Ok(stream)) = shaken {
                            tasks.serve(stream).await;
                        }
                    }
                }
            })
            .await;
        });
    }

    async fn serve(&self, stream: impl Socket) {
        let reset = AtomicBool::new(false);
        let service = service_fn(|request: Request<Incoming>| async {
            let answer = self.detached(request).await;
            answer.ok_or_else(|| {
                reset.store(true, Ordering::Relaxed);
                HungUp
            })
        });
        let mut connection = http1::Builder::new()
            .title_case_headers(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        // An error here is a client that went away, or a fault: both are in the ledger.
        let _ = (&mut connection).await;
        if reset.load(Ordering::Relaxed) {
            let _ = connection.into_parts().io.into_inner().reset();
        }
    }

    /// Answers in a task of its own: a client that gives up does not undo what it asked for.
    async fn detached(&self, request: Request<Incoming>) -> Option<hyper::Response<super::answer::Sent>> {
        let world = Arc::clone(&self.world);
        let stop = self.stop.clone();
        let task = self.tracker.spawn(async move { stop.run_until_cancelled(world.answer(request)).await.flatten() });
        task.await.ok().flatten()
    }
}

/// A connection that can be torn down without the usual goodbye.
trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Closes with RST instead of FIN: a lingering time of zero makes the system do so.
    fn reset(self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn reset(self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Socket for TlsStream<TcpStream> {
    fn reset(self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

/// Tells hyper to send nothing more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a fault resets the connection")]
struct HungUp;
