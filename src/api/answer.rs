//! Step 11: what is said to a caller whose request was served.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::Unready;
use super::request_id::{self, RequestId};
use super::route::Target;
use crate::audit::Intent;
use crate::ci::{Answer, CreateTime, Enrolment, What};
use crate::domain::{Caller, Code, Outcome};

/// The answer to `validate_only`: everything was done but the call.
#[derive(Serialize)]
struct Validated<'a> {
    service: &'static str,
    bucket_id: &'a str,
    region: &'a str,
    caller: &'a str,
    action: &'static str,
    decision: &'static str,
    statement: &'a str,
    outcome: &'static str,
}

#[derive(Serialize)]
struct Served<'a> {
    service: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    bucket_id: &'a str,
    #[serde(flatten)]
    enrolment: Option<EnrolmentPart<'a>>,
    ci_request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct EnrolmentPart<'a> {
    name: Option<&'a str>,
    region: &'a str,
    create_time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time_raw: Option<&'a str>,
}

/// The answer that passes Cloud Infinite's on, in our words.
pub(super) fn served(target: &Target, answer: &Answer) -> Response<Full<Bytes>> {
    let (enabled, enrolment) = match &answer.what {
        What::Created(enrolment) => (None, Some(EnrolmentPart::of(enrolment))),
        What::Described(Some(enrolment)) => (Some(true), Some(EnrolmentPart::of(enrolment))),
        What::Described(None) => (Some(false), Some(EnrolmentPart::absent(target))),
        What::Deleted => (None, None),
    };
    json(&Served {
        service: target.operation.service().as_str(),
        enabled,
        bucket_id: target.bucket.as_str(),
        enrolment,
        ci_request_id: answer.request_id.as_ref().map(crate::ci::RequestId::as_str),
    })
}

impl<'a> EnrolmentPart<'a> {
    fn of(enrolment: &'a Enrolment) -> Self {
        let (create_time, create_time_raw) = match &enrolment.create_time {
            CreateTime::Read(moment) => (Some(moment.as_str()), None),
            CreateTime::Raw(text) => (None, Some(text.as_str())),
            CreateTime::Absent => (None, None),
        };
        Self { name: Some(&enrolment.name), region: enrolment.region.as_str(), create_time, create_time_raw }
    }

    fn absent(target: &'a Target) -> Self {
        Self { name: None, region: target.region.as_str(), create_time: None, create_time_raw: None }
    }
}

/// The answer to a request that asked for the decision alone.
pub(super) fn validated(target: &Target, caller: &Caller, intent: &Intent) -> Response<Full<Bytes>> {
    json(&Validated {
        service: target.operation.service().as_str(),
        bucket_id: target.bucket.as_str(),
        region: target.region.as_str(),
        caller: caller.name(),
        action: target.operation.action().as_str(),
        decision: "permit",
        statement: intent.permit().statement(),
        outcome: Outcome::NotSent.as_str(),
    })
}

/// `GET /openapi.json`.
pub(super) fn openapi() -> Response<Full<Bytes>> {
    of_type("application/json", Bytes::from_static(super::openapi::DOCUMENT.as_bytes()))
}

/// `GET /problems/{code}`.
pub(super) fn problem_page(code: Code) -> Response<Full<Bytes>> {
    json(&super::catalogue::Explanation::of(code))
}

/// `GET /healthz`: one word for a load balancer.
pub(super) fn health(ready: Result<(), Unready>) -> Response<Full<Bytes>> {
    let word = ready.err().map_or("ready", Unready::as_str);
    let mut response = of_type("text/plain; charset=utf-8", Bytes::from_static(word.as_bytes()));
    if ready.is_err() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// A JSON answer with status 200.
pub(super) fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    // What is serialised here are structs of strings, numbers and lists, which always have a JSON form.
    of_type("application/json", serde_json::to_vec(value).unwrap_or_default().into())
}

/// An answer with status 200 and this media type.
pub(super) fn of_type(media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// The headers of every answer.
pub(super) fn finished(mut response: Response<Full<Bytes>>, id: &RequestId) -> Response<Full<Bytes>> {
    let headers = response.headers_mut();
    headers.insert(request_id::HEADER, id.to_header());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
