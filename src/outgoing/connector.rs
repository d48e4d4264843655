//! Connections: TCP or TLS, standing within the connect time-out or not at all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

use super::Authorities;
use super::exchange::reasons;
use crate::domain::Mistake;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects within a time that covers name look-up, TCP and TLS together; hyper's own covers TCP alone.
#[derive(Clone, Debug)]
pub struct Connector {
    inner: HttpsConnector<HttpConnector>,
    time: Duration,
}

/// The connection did not stand in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub struct ConnectTimeout(Duration);

impl Connector {
    /// For an `http` address: no certificates are read, so that a test or a laptop without any can run.
    ///
    /// # Errors
    /// A [`Mistake`] if the cryptography library cannot do TLS at all.
    pub fn plain(time: Duration) -> Result<Self, Mistake> {
        Self::with_roots(RootCertStore::empty(), time, false)
    }

    /// For `https` only; the platform's roots or `authorities` vouch for the other end, which `peer` names in a mistake,
    /// as in "the host of a jwks_url".
    ///
    /// # Errors
    /// A [`Mistake`] if there is nobody who could vouch for it.
    pub fn tls(time: Duration, authorities: &Authorities, peer: &str) -> Result<Self, Mistake> {
        Self::with_roots(authorities.with_those_of_the_platform(peer)?, time, true)
    }

    /// Connects as a request would, and hangs up: the version of TLS, or none for `http`.
    ///
    /// # Errors
    /// Why no connection stands.
    pub async fn dial(mut self, to: Uri) -> Result<Option<&'static str>, Box<str>> {
        match self.call(to).await.map_err(|why| reasons(&*why))? {
            MaybeHttpsStream::Http(_) => Ok(None),
            MaybeHttpsStream::Https(stream) => Ok(stream.inner().get_ref().1.protocol_version().map(version)),
        }
    }

    fn with_roots(roots: RootCertStore, time: Duration, https_only: bool) -> Result<Self, Mistake> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let builder = HttpsConnectorBuilder::new().with_tls_config(client_config(roots)?);
        let builder = if https_only { builder.https_only() } else { builder.https_or_http() };
        Ok(Self { inner: builder.enable_http1().wrap_connector(tcp), time })
    }
}

fn version(version: ProtocolVersion) -> &'static str {
    if version == ProtocolVersion::TLSv1_3 { "TLS 1.3" } else { "TLS 1.2" }
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, Mistake> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| Mistake::new("TLS", format!("the cryptography library lacks what TLS needs: {why}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, time) = (self.inner.call(uri), self.time);
        Box::pin(async move { timeout(time, connecting).await.map_err(|_elapsed| ConnectTimeout(time))? })
    }
}
