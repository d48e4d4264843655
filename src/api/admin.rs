//! The admin listener's service: what operators and probes ask the process itself.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;
use tower::Service;

use super::error::Error;
use super::request_id::RequestId;
use super::shared::Shared;
use super::{Refusal, answer, problem};
use crate::domain::Mistakes;
use crate::telemetry::Metrics;

/// What the admin listener asks of those who started it.
pub struct Hooks {
    /// Reads the configuration again and puts it in force, or says what is wrong with it.
    pub reload: Box<dyn Fn() -> Result<(), Mistakes> + Send + Sync>,
    /// Brings the metrics up to date that nobody counts as they happen.
    pub refresh: Box<dyn Fn(&Metrics) + Send + Sync>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// The admin listener's service. It never dials the cloud.
#[derive(Clone, Debug)]
pub struct Admin {
    shared: Arc<Shared>,
    hooks: Arc<Hooks>,
}

impl Admin {
    /// The service over what all requests share.
    #[must_use]
    pub fn new(shared: Arc<Shared>, hooks: Hooks) -> Self {
        Self { shared, hooks: Arc::new(hooks) }
    }

    fn respond(&self, method: &Method, path: &str, query: Option<&str>) -> Result<Response<Full<Bytes>>, Error> {
        let page: fn(&Self, Option<&str>) -> Response<Full<Bytes>> = match path {
            "/metrics" => Self::metrics,
            "/livez" => |_, _| text(StatusCode::OK, "live\n".to_owned()),
            "/readyz" => Self::readiness,
            "/version" => {
                |_, _| answer::json(&json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }))
            }
            "/config" => |admin, _| answer::json(&admin.shared.snapshot().configuration),
            "/reload" => {
                return if method == Method::POST { Ok(self.reload()) } else { Err(Error::MethodNotAllowed("POST")) };
            }
            _ => return Err(Error::NotFound),
        };
        if method == Method::GET { Ok(page(self, query)) } else { Err(Error::MethodNotAllowed("GET")) }
    }

    fn metrics(&self, _query: Option<&str>) -> Response<Full<Bytes>> {
        let metrics = self.shared.metrics();
        (self.hooks.refresh)(metrics);
        match metrics.text() {
            Ok(body) => answer::of_type("text/plain; version=0.0.4; charset=utf-8", body.into()),
            Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {why}\n")),
        }
    }

    /// `?verbose` names every check; the word and the status are the same without it.
    fn readiness(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let (status, word) = match self.shared.ready() {
            Ok(()) => (StatusCode::OK, "ready"),
            Err(word) => (StatusCode::SERVICE_UNAVAILABLE, word),
        };
        let verbose =
            query.is_some_and(|query| query.split('&').any(|part| part == "verbose" || part == "verbose=true"));
        let checks = if verbose { self.checks() } else { String::new() };
        text(status, format!("{checks}{word}\n"))
    }

    fn checks(&self) -> String {
        let snapshot = self.shared.snapshot();
        let keys = snapshot.credentials.missing().map(ToString::to_string);
        let audit =
            (self.shared.audit().is_writable() == Some(false)).then(|| "the last line could not be written".to_owned());
        let drain = self.shared.is_draining().then(|| "the process is about to stop".to_owned());
        let policy = format!("{} statements, digest {}", snapshot.policy.statements(), snapshot.policy.digest());
        [("policy", Ok(policy)), ("keys", failed(keys)), ("audit", failed(audit)), ("drain", failed(drain))]
            .into_iter()
            .map(|(name, result)| match result {
                Ok(remark) if remark.is_empty() => format!("[+] {name} ok\n"),
                Ok(remark) => format!("[+] {name} ok: {remark}\n"),
                Err(why) => format!("[-] {name} failed: {why}\n"),
            })
            .collect()
    }

    fn reload(&self) -> Response<Full<Bytes>> {
        let result = (self.hooks.reload)();
        let metrics = self.shared.metrics();
        let reloaded = Reloaded {
            reloaded: result.is_ok(),
            generation: metrics.config_generation.get(),
            problems: result
                .err()
                .map(|mistakes| mistakes.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
        };
        let mut response = answer::json(&reloaded);
        if !reloaded.reloaded {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        response
    }
}

#[derive(Serialize)]
struct Reloaded {
    reloaded: bool,
    generation: i64,
    problems: Vec<String>,
}

impl<B> Service<Request<B>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = RequestId::of(request.headers());
        let result = match request.extensions().get::<Refusal>() {
            Some(refusal) => Err(Error::Refused(*refusal)),
            None => self.respond(request.method(), request.uri().path(), request.uri().query()),
        };
        let response = result.unwrap_or_else(|error| problem::response(&error, &id));
        ready(Ok(answer::finished(response, &id)))
    }
}

fn failed(why: Option<String>) -> Result<String, String> {
    why.map_or_else(|| Ok(String::new()), Err)
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = answer::of_type("text/plain; charset=utf-8", body.into());
    *response.status_mut() = status;
    response
}
