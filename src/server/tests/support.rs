//! A server, and clients that write what they like.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::api::{Peer, Refusal};
use crate::server::{Connections, Drain, Ended, Listener, Settings, Tls, serve};

pub(super) fn settings() -> Settings {
    Settings { max_connections: 64, header_read_timeout: Duration::from_secs(5), tls: None }
}

/// Answers with the refusal's name; else `/slow` waits a little, `/early` leaves the body unread, `/who` tells whether a
/// client certificate came, and every other path gets `METHOD path [body]`.
pub(super) async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert!(request.extensions().get::<Peer>().is_some_and(|peer| peer.0.ip().is_loopback()));
    let text = match request.extensions().get::<Refusal>() {
        Some(refusal) => format!("{refusal:?}"),
        None => {
            let told = format!("{} {}", request.method(), request.uri().path());
            match request.uri().path() {
                "/early" => told,
                "/who" => format!("{}", request.extensions().get::<Arc<CertificateDer<'static>>>().is_some()),
                path => {
                    if path == "/slow" {
                        tokio::time::sleep(Duration::from_millis(400)).await;
                    }
                    match request.into_body().collect().await {
                        Ok(body) => format!("{told} [{}]", String::from_utf8_lossy(&body.to_bytes())),
                        Err(_) => format!("{told} broken"),
                    }
                }
            }
        }
    };
    Ok(Response::new(Full::from(text)))
}

pub(super) struct Server {
    pub(super) listener: std::net::SocketAddr,
    pub(super) connections: Arc<Connections>,
    pub(super) drain: Drain,
    pub(super) tls: Option<Tls>,
    pub(super) ended: JoinHandle<Ended>,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::with(settings(), Drain::new(Duration::ZERO, Duration::from_secs(5))).await
    }

    pub(super) async fn with(settings: Settings, drain: Drain) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &settings).await.unwrap();
        let connections = Connections::new();
        let (address, tls) = (listener.address(), listener.tls());
        let serving = serve(listener, tower::service_fn(tell), Arc::clone(&connections), drain.clone());
        Self { listener: address, connections, drain, tls, ended: tokio::spawn(serving) }
    }

    pub(super) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.listener).await.unwrap())
    }

    /// All that comes back for `bytes`, until the server closes.
    pub(super) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }
}

pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// What comes until the server closes, which it must do soon, and without a reset.
    pub(super) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(4), self.0.read_to_end(&mut rest)).await;
        read.expect("the connection stays open").expect("the connection is reset");
        String::from_utf8(rest).unwrap()
    }

    /// What comes until `end` has come.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut byte = [0];
            let read = tokio::time::timeout(Duration::from_secs(4), self.0.read_exact(&mut byte)).await;
            read.expect("nothing comes").unwrap_or_else(|why| panic!("{why} after {text}"));
            text.push(char::from(byte[0]));
        }
        text
    }

    /// Whether the server has closed, without a byte.
    pub(super) async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]).await, Ok(0) | Err(_))
    }
}

/// The bodies of the answers, which end in a known way.
pub(super) fn bodies(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.").skip(1).map(|answer| answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)).collect()
}
