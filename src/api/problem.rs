//! Refusals as RFC 9457 problem documents.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::error::Error;
use super::limits::Whose;
use super::rate::OverRate;
use super::request_id::RequestId;
use crate::audit::UpstreamSeen;
use crate::auth::Refused;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    outcome: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<UpstreamSeen>,
}

/// The answer to a connection that there is no room for: 503 `overloaded` with `detail` as its sentence, a request id
/// of its own, and the headers of every answer. It was not asked for by a request, so the connection must close after it.
#[must_use]
pub fn overloaded(detail: &str) -> Response<Full<Bytes>> {
    let id = RequestId::of(&HeaderMap::new());
    super::answer::finished(document(&Error::Overloaded, detail, true, &id), &id)
}

/// The answer to a request that is not served.
pub(super) fn response(error: &Error, method: &Method, id: &RequestId) -> Response<Full<Bytes>> {
    document(error, &error.detail(), error.is_retryable(method), id)
}

fn document(error: &Error, detail: &str, retryable: bool, id: &RequestId) -> Response<Full<Bytes>> {
    let (status, code) = error.status_and_code();
    let problem = Problem {
        r#type: format!("/problems/{}", code.as_str()),
        title: super::catalogue::entry(code).title,
        status: status.as_u16(),
        detail,
        code: code.as_str(),
        request_id: id.as_str(),
        outcome: error.outcome().as_str(),
        retryable,
        upstream: error.upstream(),
    };
    // A struct of strings and numbers always has a JSON form.
    let mut response = Response::new(Full::from(serde_json::to_vec(&problem).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    add_headers(response.headers_mut(), error, status);
    response
}

/// The headers that HTTP asks for beside certain statuses.
fn add_headers(headers: &mut HeaderMap, error: &Error, status: StatusCode) {
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
    }
    match error {
        Error::MethodNotAllowed(allow) => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        // RFC 9110 section 15.5.6 wants `Allow` with every 405. The head was refused before there was a path, so these
        // are the methods that the business API takes at all.
        Error::Refused(_) if status == StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
        }
        Error::Unauthenticated(refused) => {
            if let Some(challenge) = challenge(refused) {
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
        }
        Error::OverRate(whose, over) => add_rate(headers, *whose, over),
        // What is left of the body is not worth reading.
        Error::BodyTooLarge | Error::BodyTimeout | Error::BodyBroken => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}

/// RFC 6750 section 3: without credentials no error code, with bad ones `invalid_token`, with too few rights
/// `insufficient_scope` and the scope that would do.
fn challenge(refused: &Refused) -> Option<HeaderValue> {
    match refused {
        Refused::NoCredentials => Some(HeaderValue::from_static(r#"Bearer realm="ci-gateway""#)),
        Refused::BadToken(_) => Some(HeaderValue::from_static(
            r#"Bearer realm="ci-gateway", error="invalid_token", error_description="the token is not accepted""#,
        )),
        Refused::InsufficientScope(scope) => {
            HeaderValue::from_str(&format!(r#"Bearer realm="ci-gateway", error="insufficient_scope", scope="{scope}""#))
                .ok()
        }
        // It is the request that is refused, with 400, and no challenge would cure it; or the fault is ours.
        Refused::SeveralMethods | Refused::KeysUnavailable => None,
    }
}

/// The two fields of draft-ietf-httpapi-ratelimit-headers-10.
fn add_rate(headers: &mut HeaderMap, whose: Whose, over: &OverRate) {
    let name = match whose {
        Whose::Caller => "caller",
        Whose::Source => "source",
    };
    let (quota, window) = (over.rate.requests, seconds_up(over.rate.period));
    let policy = format!(r#""{name}";q={quota};w={window}"#);
    let left = format!(r#""{name}";r=0;t={}"#, seconds_up(over.wait));
    for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// Whole seconds, rounded up, at least one: an early retry would be refused again.
fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}
