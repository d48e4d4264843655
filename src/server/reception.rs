//! The service that hyper sees: it tells the line what the connection knows, and closes what must not go on.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::exchange::{Exchange, Unanswered};
use super::{Connections, Drain, streams};
use crate::api::Peer;

/// The age at which a connection is given up at its next answer, so that balancers can spread the load anew.
pub(super) const OLDEST: Duration = Duration::from_secs(60 * 60);

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The reception of one connection, in front of the service of all.
#[derive(Clone, Debug)]
pub(super) struct Reception<S> {
    pub(super) service: S,
    pub(super) facts: Arc<Facts>,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) protocol: Protocol,
    pub(super) peer: Peer,
    pub(super) client: Client,
    pub(super) exchange: Arc<Exchange>,
    pub(super) drain: Drain,
    pub(super) connections: Arc<Connections>,
}

/// What the handshake has told of who is at the other end; nothing without TLS.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) certificate: Option<Arc<CertificateDer<'static>>>,
    /// Cancelled when a handshake would be made with other authorities or another list of revocations.
    pub(super) outdated: CancellationToken,
}

impl Client {
    /// The certificate that was verified; what verified it is still in force.
    fn certificate(&self) -> Option<&Arc<CertificateDer<'static>>> {
        self.certificate.as_ref().filter(|_| !self.outdated.is_cancelled())
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Reception<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<Tracked<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let facts = Arc::clone(&self.facts);
        let refusal = match facts.protocol {
            Protocol::Http1 => facts.exchange.refusal_of(&request),
            Protocol::Http2 => {
                facts.exchange.begin();
                streams::inspect(&request).err()
            }
        };
        let unanswered = facts.exchange.unanswered();
        // The guard does not follow chunks, so it cannot inspect a head behind them.
        let last = refusal.is_some() || request.headers().contains_key(TRANSFER_ENCODING);
        request.extensions_mut().insert(facts.peer);
        if let Some(refusal) = refusal {
            facts.connections.refuse_head();
            request.extensions_mut().insert(refusal);
        }
        if let Some(certificate) = facts.client.certificate() {
            request.extensions_mut().insert(Arc::clone(certificate));
        }
        let answer = self.service.clone().oneshot(request);
        Box::pin(async move {
            let answer = answer.await?;
            let mut answer = answer.map(|body| Tracked { body, _unanswered: unanswered });
            if facts.is_to_close(last) {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        })
    }
}

impl Facts {
    fn is_to_close(&self, last: bool) -> bool {
        match self.protocol {
            Protocol::Http1 => {
                let outdated = self.client.outdated.is_cancelled();
                last || outdated || self.drain.is_draining() || self.exchange.age() > OLDEST
            }
            // There is no such header: HTTP/2 says goodbye by a frame (RFC 9113 section 6.8).
            Protocol::Http2 => false,
        }
    }
}

/// The body of an answer, which counts as unanswered until hyper has all of it.
#[derive(Debug)]
pub(super) struct Tracked<B> {
    body: B,
    _unanswered: Unanswered,
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_older_files_have_verified_is_not_shown() {
        let client = Client { certificate: Some(Arc::new(vec![0].into())), ..Client::default() };
        assert!(client.certificate().is_some());
        client.outdated.cancel();
        assert!(client.certificate().is_none());
    }
}
