//! The accept loop, and the life of a connection.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange::Exchange;
use super::guard::Guard;
use super::reception::{Client, Facts, OLDEST, Protocol, Reception};
use super::turn_away::turn_away;
use super::{Connections, Drain, Ended, Listener, Tls};
use crate::api::Peer;

/// After an error that the next accept would meet again, such as too few file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// So many are turned away at once with an answer; the rest without one.
const MOST_TURNED_AWAY: usize = 64;
/// A connection that was asked to go is cut after this, whatever it is at.
const LONGEST_GOODBYE: Duration = Duration::from_secs(60);

/// Serves the connections of `listener` until `drain` has come to its end; tells what was left then.
///
/// Every request that reaches `service` had a strict head, and carries [`Peer`] as an extension; with a client
/// certificate, `Arc<CertificateDer<'static>>`, verified by the files that are in force; and [`Refusal`](crate::api::Refusal) if its head was refused:
/// then nothing else about it is the caller's, and the answer is the connection's last.
pub async fn serve<S, B>(listener: Listener, service: S, connections: Arc<Connections>, drain: Drain) -> Ended
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Listener { socket, settings, tls, .. } = listener;
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let outside = Arc::new(Semaphore::new(MOST_TURNED_AWAY));
    let tasks = TaskTracker::new();
    let (head_wait, cut) = (settings.header_read_timeout, CancellationToken::new());
    let host = Host { service, tls, head_wait, connections, drain, cut };
    let mut closing_time = pin!(host.drain.closing_time());
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = closing_time.as_mut() => break,
            accepted = accept(&socket, &host.connections) => accepted,
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let (host, open) = (host.clone(), host.connections.open_one());
            tasks.spawn(async move {
                host.receive(stream, Peer(peer)).await;
                drop((open, place));
            });
            continue;
        }
        host.connections.turn_away();
        // Over TLS there is no telling without a handshake, which is what there is no room for.
        if let (None, Ok(place)) = (&host.tls, Arc::clone(&outside).try_acquire_owned()) {
            tasks.spawn(async move {
                turn_away(stream).await;
                drop(place);
            });
        }
    }
    drop(socket);
    host.drain.finish(&tasks, &host.cut).await
}

/// The next connection, however often the system fails to hand it over.
async fn accept(socket: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            // Only this one is lost, and its peer's doing.
            Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => {
                connections.not_accept();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What the connections of a listener have in common.
#[derive(Clone)]
struct Host<S> {
    service: S,
    tls: Option<Tls>,
    head_wait: Duration,
    connections: Arc<Connections>,
    drain: Drain,
    /// What has not come to its end when the drain has.
    cut: CancellationToken,
}

impl<S, B> Host<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves one connection to its end, or until the drain cuts it.
    async fn receive(&self, stream: TcpStream, peer: Peer) {
        // Answers are small and whole: waiting for more to send with them only costs time.
        let _ = stream.set_nodelay(true);
        tokio::select! {
            () = self.cut.cancelled() => {}
            () = async {
                match &self.tls {
                    None => self.serve_http1(stream, peer, Client::default()).await,
                    Some(tls) => self.serve_tls(tls, stream, peer).await,
                }
            } => {}
        }
    }

    async fn serve_tls(&self, tls: &Tls, stream: TcpStream, peer: Peer) {
        let handshakes = tls.handshakes();
        let stream = match timeout(self.head_wait, handshakes.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => return self.fail_handshake(peer, &why),
            Err(late) => return self.fail_handshake(peer, &late),
        };
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(<[_]>::first).cloned().map(Arc::new);
        let client = Client { certificate, outdated: handshakes.outdated().clone() };
        if session.alpn_protocol() == Some(b"h2") {
            self.serve_http2(stream, peer, client).await;
        } else {
            self.serve_http1(stream, peer, client).await;
        }
    }

    /// The reason stands in the log, as that of a refused request does: a revoked certificate that is still tried is worth
    /// knowing of, and from outside all that fail look alike.
    fn fail_handshake(&self, Peer(peer): Peer, why: &dyn std::error::Error) {
        self.connections.fail_handshake();
        tracing::info!(%peer, why = %why, "no TLS handshake");
    }

    async fn serve_http1<IO>(&self, stream: IO, peer: Peer, client: Client)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let outdated = client.outdated.clone();
        let reception = self.reception(Protocol::Http1, peer, client);
        let exchange = Arc::clone(&reception.facts.exchange);
        let guard = Guard::new(stream, Arc::clone(&exchange), self.head_wait);
        // hyper's limits stand behind the guard's, a little wider, so that the refusal is ours. Its time limit must be
        // set in any case: only then does it read on when an answer is out, which is when the guard's limit begins.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Who has said all that it has to say (`nc -N`, a shutdown of its sending side) still waits for its answer.
            .half_close(true)
            .header_read_timeout(self.head_wait * 2 + Duration::from_secs(1))
            .max_headers(80)
            .max_header_size(20 * 1024)
            .serve_connection(TokioIo::new(guard), reception);
        let last_call = self.drain.last_call(false);
        let leave = async {
            tokio::select! {
                () = last_call => {}
                () = outdated.cancelled() => {}
            }
        };
        self.see_through(connection, &exchange, leave).await;
    }

    async fn serve_http2<IO>(&self, stream: IO, peer: Peer, client: Client)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let outdated = client.outdated.clone();
        let reception = self.reception(Protocol::Http2, peer, client);
        let exchange = Arc::clone(&reception.facts.exchange);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .max_header_list_size(16 * 1024)
            .max_frame_size(16 * 1024)
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_send_buf_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .serve_connection(TokioIo::new(stream), reception);
        let last_call = self.drain.last_call(true);
        let idle = Arc::clone(&exchange);
        let leave = async {
            tokio::select! {
                () = last_call => {}
                () = outdated.cancelled() => {}
                () = sleep(OLDEST) => {}
                () = idle.quiet_for(self.head_wait) => {}
            }
        };
        self.see_through(connection, &exchange, leave).await;
    }

    /// Runs `connection`; when it is time to `leave`, lets it finish what it has begun and no more.
    async fn see_through<C>(&self, connection: C, exchange: &Exchange, leave: impl Future<Output = ()>)
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = leave => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = exchange.quiet_for(self.head_wait) => Ok(()),
                    () = sleep(LONGEST_GOODBYE) => Ok(()),
                }
            }
        };
        if ended.is_err_and(|why| why.is_parse()) {
            self.connections.give_up();
        }
    }

    fn reception(&self, protocol: Protocol, peer: Peer, client: Client) -> Reception<S> {
        let (exchange, drain) = (Exchange::new(), self.drain.clone());
        let connections = Arc::clone(&self.connections);
        let facts = Facts { protocol, peer, client, exchange, drain, connections };
        Reception { service: self.service.clone(), facts: Arc::new(facts) }
    }
}
