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
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

use crate::domain::Mistake;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects within a time that covers name look-up, TCP and TLS together; hyper's own covers TCP alone.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    time: Duration,
}

/// The connection did not stand in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub(super) struct ConnectTimeout(Duration);

impl Connector {
    /// For an `http` endpoint: no certificates are read, so that a test or a laptop without any can run.
    pub(super) fn plain(time: Duration) -> Result<Self, Mistake> {
        Self::with_roots(RootCertStore::empty(), time, false)
    }

    /// For `https` only, with the platform's roots.
    pub(super) fn tls(time: Duration) -> Result<Self, Mistake> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _ignored) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
            return Err(Mistake::new(
                "root certificates",
                format!("Cloud Infinite's certificate cannot be checked: {why}"),
            )
            .hint("install the package `ca-certificates`, or set SSL_CERT_FILE to a PEM file of roots"));
        }
        Self::with_roots(roots, time, true)
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
