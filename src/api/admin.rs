//! The admin listener's service: what operators and probes ask the process itself.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tower::Service;

use super::error::{Ended, Error};
use super::request_id::RequestId;
use super::route::only_look;
use super::shared::Shared;
use super::{Refusal, Shadow, answer, clock, problem};
use crate::auth::KeySetState;
use crate::credentials::AccountState;
use crate::domain::{Code, Mistake, Mistakes};
use crate::telemetry::Metrics;

/// What the admin listener asks of those who started it.
pub struct Hooks {
    /// Reads the configuration again and puts it in force, or says what is wrong with it. It reads files, so it runs
    /// where it may block.
    pub reload: Box<dyn Fn() -> Result<Reloaded, Mistakes> + Send + Sync>,
    /// Brings the metrics up to date that nobody counts as they happen.
    pub refresh: Box<dyn Fn(&Metrics) + Send + Sync>,
}

/// A configuration that was read again and is now in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The sections that have changed and take effect only with the next start.
    pub needs_restart: Vec<&'static str>,
    /// What is wrong with the candidate policy, which stops no reload.
    pub candidate: Vec<Mistake>,
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

    async fn respond(self, head: &Parts) -> Result<Response<Full<Bytes>>, Error> {
        if let Some(refusal) = head.extensions.get::<Refusal>() {
            return Err(Error::Refused(*refusal));
        }
        let (path, query) = (head.uri.path(), head.uri.query());
        match (path, &head.method) {
            ("/reload", &Method::POST) => self.reload().await,
            ("/reload", _) => Err(Error::MethodNotAllowed("POST")),
            _ => {
                let page = self.page(path, query).ok_or(Error::NotFound)?;
                only_look(&head.method).map(|()| page)
            }
        }
    }

    fn page(&self, path: &str, query: Option<&str>) -> Option<Response<Full<Bytes>>> {
        Some(match path {
            "/metrics" => self.metrics(),
            "/livez" => text(StatusCode::OK, "live\n".to_owned()),
            "/readyz" => self.readiness(query),
            "/version" => {
                answer::json(&json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }))
            }
            "/keys" => self.keys(),
            "/config" => answer::json(&self.shared.snapshot().configuration),
            // The `type` of a problem document resolves on the listener that sent it.
            _ => answer::problem_page(Code::from_word(path.strip_prefix("/problems/")?)?),
        })
    }

    /// What `ci-gateway keys status` shows.
    fn keys(&self) -> Response<Full<Bytes>> {
        let (now, snapshot) = (Timestamp::now(), self.shared.snapshot());
        answer::json(&json!({ "at": now, "accounts": snapshot.credentials.states(now, snapshot.signature_lifetime) }))
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let metrics = self.shared.metrics();
        (self.hooks.refresh)(metrics);
        match metrics.text() {
            Ok(body) => answer::of_type("text/plain; version=0.0.4; charset=utf-8", body.into()),
            Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {why}\n")),
        }
    }

    /// `?verbose` names every check; the word and the status are the same without it.
    fn readiness(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let now = Timestamp::now();
        let ready = self.shared.ready(now);
        let (status, word) = match ready {
            Ok(()) => (StatusCode::OK, "ready"),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why.as_str()),
        };
        let verbose = query
            .is_some_and(|query| query.split('&').any(|part| matches!(part, "verbose" | "verbose=1" | "verbose=true")));
        let checks = if verbose { self.checks(now) } else { String::new() };
        text(status, format!("{checks}{word}\n"))
    }

    fn checks(&self, now: Timestamp) -> String {
        let snapshot = self.shared.snapshot();
        let audit = self.shared.audit().trouble().map(|trouble| format!("since {:.0}: {}", trouble.since, trouble.why));
        let candidate = candidate(&snapshot.candidate);
        let reload = self.shared.failed_reload().map(|failed| failed.to_string());
        let drain = self.shared.is_draining().then(|| "the process is about to stop".to_owned());
        let policy = format!("{} statements, digest {}", snapshot.policy.statements(), snapshot.policy.digest());
        let missing = snapshot.credentials.missing(now).map(|missing| missing.to_string());
        let checks = [
            ("policy", Ok(policy)),
            ("candidate", candidate),
            ("reload", failed(reload)),
            ("keys", failed(missing.clone())),
            ("audit", failed(audit)),
            ("drain", failed(drain)),
            ("clock", clock::state(self.shared.clock(), snapshot.max_clock_correction)),
        ];
        // A failed reload, candidate, clock or issuer does not make it unready: what is there serves.
        let checks = checks.map(|(name, result)| check(name, result));
        let accounts = snapshot.credentials.states(now, snapshot.signature_lifetime);
        // One of them may have been told as the reason to be unready.
        let accounts = accounts.iter().filter(|state| missing.is_none() || state.missing != missing).map(account);
        checks.into_iter().chain(accounts).chain(snapshot.authenticator.key_sets().iter().map(issuer)).collect()
    }

    /// Off the worker threads: a big policy takes seconds to read.
    async fn reload(self) -> Result<Response<Full<Bytes>>, Error> {
        let hooks = Arc::clone(&self.hooks);
        let reloading = tokio::task::spawn_blocking(move || (hooks.reload)());
        let result = reloading.await.map_err(|_panicked| Error::Ended(Ended::Unsent))?;
        let (reloaded, needs_restart, problems) = match result {
            Ok(Reloaded { needs_restart, candidate }) => (true, needs_restart, candidate),
            Err(mistakes) => (false, Vec::new(), mistakes.into_vec()),
        };
        let problems = problems.iter().map(ToString::to_string).collect();
        let page = ReloadPage { reloaded, generation: self.shared.generation(), needs_restart, problems };
        let mut response = answer::json(&page);
        if !page.reloaded {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        Ok(response)
    }
}

fn check(name: &str, result: Result<String, String>) -> String {
    match result {
        Ok(remark) if remark.is_empty() => format!("[+] {name} ok\n"),
        Ok(remark) => format!("[+] {name} ok: {remark}\n"),
        Err(why) => format!("[-] {name} failed: {why}\n"),
    }
}

/// What is wrong with an account: its keys do not come as they should, or Cloud Infinite refuses all that there are. The
/// others are told of by `/keys`.
fn account(state: &AccountState) -> String {
    let why = [state.missing.clone().or_else(|| state.problem.clone()), state.refused()];
    why.into_iter().flatten().map(|why| check(&format!("account {}", state.account), Err(why))).collect()
}

/// An issuer whose keys are fetched.
fn issuer(set: &KeySetState) -> String {
    let result = match set.age {
        Some(age) if set.keys > 0 => Ok(format!("{} keys, fetched {} s ago", set.keys, age.as_secs())),
        Some(_) => Err("its keys were fetched too long ago to be used".to_owned()),
        None => Err("its keys have not been fetched yet".to_owned()),
    };
    check(&format!("issuer {}", set.issuer), result)
}

#[derive(Serialize)]
struct ReloadPage {
    reloaded: bool,
    generation: i64,
    needs_restart: Vec<&'static str>,
    problems: Vec<String>,
}

impl<B> Service<Request<B>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (admin, head) = (self.clone(), request.into_parts().0);
        Box::pin(async move {
            let id = RequestId::of(&head.headers);
            let result = admin.respond(&head).await;
            let response = result.unwrap_or_else(|error| problem::response(&error, &head.method, &id));
            Ok(answer::finished(response, &id))
        })
    }
}

fn candidate(shadow: &Shadow) -> Result<String, String> {
    match shadow {
        Shadow::Off => Ok("none".to_owned()),
        Shadow::On(policy) => Ok(format!("{} statements, digest {}", policy.statements(), policy.digest())),
        Shadow::Unreadable(mistakes) => Err(mistakes.in_short()),
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
