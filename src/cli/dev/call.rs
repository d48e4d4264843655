//! The one real call, over a real socket, as a caller makes it.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::world::World;

/// The bucket of the product page's example.
const BUCKET: &str = "test-1234567890";

/// What came of the call.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) path: String,
    pub(super) status: StatusCode,
    pub(super) answer: Value,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("the token fits in no header: {0}")]
    Token(#[from] http::header::InvalidHeaderValue),
    #[error("the gateway does not answer: {0}")]
    Gateway(#[from] hyper_util::client::legacy::Error),
    #[error("the gateway's answer is cut off: {0}")]
    Body(#[from] hyper::Error),
    #[error("the gateway's answer is not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Called {
    pub(super) fn is_success(&self) -> bool {
        self.status == StatusCode::OK
    }
}

/// Switches Smart Audio on for the sample bucket.
pub(super) async fn enable_smart_audio(world: &World) -> Result<Called, NoAnswer> {
    let path = format!("/v1/buckets/{BUCKET}/smart-audio");
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", world.token()))?;
    bearer.set_sensitive(true);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}{path}", world.gateway().address()))
        .header(AUTHORIZATION, bearer)
        .header(CONTENT_LENGTH, 0)
        .body(Empty::<Bytes>::new())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(Called { path, status, answer: serde_json::from_slice(&body)? })
}
