//! The one door out: signed requests to Cloud Infinite, and their raw answers back.
//!
//! HTTP/1.1 over pooled connections; TLS with the platform's roots. No redirect is followed and no proxy of the
//! environment is used: a signed request goes to one host or to none. Nothing is sent twice.

mod clock;
mod endpoint;
mod received;
mod send_error;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

pub use clock::{Clock, Exchange, Moved, comes_of_clocks};
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use received::Received;
pub use send_error::SendError;

use crate::domain::Mistake;
use crate::outgoing::{Authorities, Connector};
use crate::signing::SignedRequest;

/// Shorter than any load balancer's own idle time, so that we seldom write into a connection that is closing.
const POOL_IDLE: Duration = Duration::from_secs(20);
const POOL_IDLE_CONNECTIONS: usize = 64;

/// How Cloud Infinite is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to connect instead of the real host; `Host` and the signature stay those of the real host.
    pub endpoint: Option<Endpoint>,
    /// For a connection to stand: name look-up, TCP and TLS.
    pub connect_timeout: Duration,
    /// From the moment a request is handed over to its answer's last byte, connecting included.
    pub response_timeout: Duration,
}

impl Settings {
    /// What opens connections under these settings.
    ///
    /// # Errors
    /// A [`Mistake`] if TLS is needed and the platform has no root certificates.
    pub fn connector(&self) -> Result<Connector, Mistake> {
        let time = self.connect_timeout;
        if self.endpoint.as_ref().is_some_and(|endpoint| *endpoint.scheme() == Scheme::HTTP) {
            Connector::plain(time)
        } else {
            Connector::tls(time, &Authorities::default(), "Cloud Infinite's certificate")
        }
    }
}

/// A pool of connections to Cloud Infinite.
#[derive(Debug)]
pub struct Upstream {
    client: Client<Connector, Empty<Bytes>>,
    settings: Settings,
}

impl Upstream {
    /// The pool of `previous` if the settings are its own: a reload costs no connection. Else a new one.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn renewed(settings: &Settings, previous: Option<&Arc<Self>>) -> Result<Arc<Self>, Mistake> {
        match previous.filter(|previous| previous.settings == *settings) {
            Some(same) => Ok(Arc::clone(same)),
            None => Self::new(settings).map(Arc::new),
        }
    }

    /// Prepares the pool; nothing is dialled.
    ///
    /// # Errors
    /// A [`Mistake`] if TLS is needed and the platform has no root certificates.
    pub fn new(settings: &Settings) -> Result<Self, Mistake> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_CONNECTIONS)
            .build(settings.connector()?);
        Ok(Self { client, settings: settings.clone() })
    }

    /// Sends `request` and reads the answer whole, within the response time-out and before `deadline`.
    ///
    /// # Errors
    /// [`SendError`] says how far it got, and so what may have become of the request.
    pub async fn send(&self, request: SignedRequest, deadline: Instant) -> Result<Received, SendError> {
        let mut request = self.on_the_wire(request)?;
        let connection = capture_connection(&mut request);
        let deadline = deadline.min(Instant::now() + self.settings.response_timeout);
        timeout_at(deadline, self.exchange(request)).await.map_err(|_elapsed| {
            // Without a connection not a byte was sent.
            if connection.connection_metadata().is_some() { SendError::Timeout } else { SendError::ConnectTimeout }
        })?
    }

    async fn exchange(&self, request: Request<Empty<Bytes>>) -> Result<Received, SendError> {
        let answer: http::Response<Incoming> = self.client.request(request).await.map_err(SendError::from_client)?;
        Received::read(answer).await
    }

    fn on_the_wire(&self, signed: SignedRequest) -> Result<Request<Empty<Bytes>>, SendError> {
        let uri = self.uri(&signed).map_err(|_| SendError::Address)?;
        let (method, headers) = signed.into_parts();
        let mut request = Request::new(Empty::new());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn uri(&self, signed: &SignedRequest) -> Result<Uri, http::Error> {
        let (scheme, authority) = match &self.settings.endpoint {
            Some(endpoint) => (endpoint.scheme().clone(), endpoint.authority().clone()),
            None => (Scheme::HTTPS, signed.host().parse::<Authority>()?),
        };
        let target: PathAndQuery = signed.path_and_query().parse()?;
        Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_carried_over_while_its_settings_are_the_same() {
        let settings = |seconds| Settings {
            endpoint: Some(Endpoint::parse("http://127.0.0.1:9", false).unwrap()),
            connect_timeout: Duration::from_secs(seconds),
            response_timeout: Duration::from_secs(9),
        };
        let pool = Upstream::renewed(&settings(1), None).unwrap();
        assert!(Arc::ptr_eq(&pool, &Upstream::renewed(&settings(1), Some(&pool)).unwrap()));
        assert!(!Arc::ptr_eq(&pool, &Upstream::renewed(&settings(2), Some(&pool)).unwrap()));
    }
}
