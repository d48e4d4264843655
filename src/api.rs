//! The line: one request from its head to its finished answer, in twelve steps that each have one way to refuse.
//!
//! `line` is the story; the other files are its steps and its words. `docs/architecture.md` tells it in prose.

mod admin;
mod answer;
mod body;
mod call;
mod catalogue;
mod client_address;
mod clock;
mod diagnosis;
mod error;
mod limits;
mod line;
mod openapi;
mod peer;
mod problem;
mod rate;
mod refusal;
mod request_id;
mod route;
mod shadow;
mod shared;
mod trail;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::Service;

pub use admin::{Admin, Hooks, Reloaded};
pub use catalogue::{Entry, Explanation, entry};
pub use client_address::TrustedProxies;
pub use limits::Limits;
pub use openapi::DOCUMENT;
pub use peer::Peer;
pub use problem::overloaded;
pub use rate::Rate;
pub use refusal::Refusal;
pub use route::Regions;
pub use shadow::Shadow;
pub use shared::{Settings, Shared, Snapshot, Unready};

use error::Error;
use request_id::RequestId;
use trail::Sent;

/// The business listener's service.
#[derive(Clone, Debug)]
pub struct Api {
    shared: Arc<Shared>,
}

impl Api {
    /// The service over what all requests share.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl<B> Service<Request<B>> for Api
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// The line runs in a task of its own: a caller who hangs up cancels nothing half-done, and a panic ends the
    /// task and becomes an answer.
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let id = RequestId::of(request.headers());
        let (method, sent) = (request.method().clone(), Sent::default());
        let task = shared.lines().spawn(line::run(Arc::clone(&shared), id.clone(), sent.clone(), request));
        Box::pin(async move {
            let response = tokio::select! {
                biased;
                answer = task => answer.unwrap_or_else(|_panicked| problem::response(&Error::Ended(sent.ended()), &method, &id)),
                () = shared.given_up() => problem::response(&Error::CutOff(sent.ended()), &method, &id),
            };
            Ok(answer::finished(response, &id))
        })
    }
}
