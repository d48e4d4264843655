//! Step 12: the finished line, told once, whatever became of the request.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;

use super::Peer;
use super::error::{Ended, Error};
use super::request_id::RequestId;
use super::route::Target;
use super::shared::Shared;
use crate::audit::{self, Claim, Finished, Handed, Place, UpstreamSeen};
use crate::ci::{self, FaultCode};
use crate::credentials::Generation;
use crate::domain::{Action, Caller, Code, Outcome};
use crate::policy::Context;

/// What is known of a request so far.
///
/// Dropped before it was finished (a panic, a process that is cut off), it tells what it knows with the code
/// `internal`: no authenticated request ends without its line.
#[derive(Debug)]
pub(super) struct Trail {
    shared: Arc<Shared>,
    id: RequestId,
    came: Came,
    began: Instant,
    began_at: Timestamp,
    pub(super) target: Option<Arc<Target>>,
    pub(super) caller: Option<Arc<Caller>>,
    pub(super) decision: Option<&'static str>,
    pub(super) statement: Option<Arc<str>>,
    /// The digest of the policy that was asked.
    pub(super) policy: Option<Box<str>>,
    /// Our keys that the call is signed with.
    pub(super) keys: Option<Arc<Generation>>,
    /// Where the intent stands in the audit.
    place: Place,
    /// Space in the audit for the outcome, once there is an intent.
    pub(super) claim: Option<Claim>,
    /// The generation of the configuration that the request is judged by.
    generation: i64,
    sent: Sent,
    call: Call,
    told: bool,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// The other end of the connection.
    pub(super) peer: Option<Peer>,
    /// Who asked, perhaps through trusted proxies; `None` if that cannot be known.
    pub(super) client: Option<IpAddr>,
}

impl Came {
    /// The client's address where it is not the peer's.
    fn beside_the_peer(self) -> Option<String> {
        let peer = self.peer?.0.ip().to_canonical();
        match self.client {
            Some(client) if client == peer => None,
            Some(client) => Some(client.to_string()),
            None => Some("unknown".to_owned()),
        }
    }
}

/// Whether a request has begun to be sent; outlives the line, so that an answer after a panic tells the truth.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    /// How the work ended, if it ended without an answer.
    pub(super) fn ended(&self) -> Ended {
        if self.0.load(Ordering::Relaxed) { Ended::PerhapsSent } else { Ended::Unsent }
    }
}

/// What is known of the call to Cloud Infinite.
#[derive(Debug, Default)]
struct Call {
    attempts: u32,
    began: Option<Instant>,
    /// All attempts together.
    took: Duration,
    result: Option<&'static str>,
    seen: Option<UpstreamSeen>,
}

impl Call {
    /// The time of the attempt that has just ended; nothing if none was under way.
    fn ended(&mut self) -> Duration {
        let took = self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        self.took += took;
        took
    }
}

impl Trail {
    pub(super) fn begin(shared: Arc<Shared>, id: RequestId, came: Came, sent: Sent) -> Self {
        Self {
            shared,
            id,
            came,
            began: Instant::now(),
            began_at: Timestamp::now(),
            target: None,
            caller: None,
            decision: None,
            statement: None,
            policy: None,
            keys: None,
            place: Place::default(),
            claim: None,
            generation: 0,
            sent,
            call: Call::default(),
            told: false,
        }
    }

    pub(super) fn id(&self) -> &RequestId {
        &self.id
    }

    /// The time by which this request is judged: the clock was read once, at its beginning.
    pub(super) fn now(&self) -> Timestamp {
        self.began_at.saturating_add(self.began.elapsed()).unwrap_or(self.began_at)
    }

    /// What the policy is told besides who asks for what.
    pub(super) fn context(&self) -> Context {
        Context { now: self.now(), ip: self.came.client }
    }

    /// The address that failures to authenticate are counted against: the client's, or that of the proxy that does not
    /// tell it.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.came.client.or_else(|| Some(self.came.peer?.0.ip().to_canonical()))
    }

    /// When the request has to be answered.
    pub(super) fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.began) + self.shared.request_timeout()
    }

    /// The request as the audit knows it, once caller and target are known.
    pub(super) fn audit_request(&self) -> Option<audit::Request<'_>> {
        let (caller, target) = (self.caller.as_deref()?, self.target.as_deref()?);
        Some(audit::Request {
            request_id: self.id.as_str(),
            at: self.now(),
            caller,
            client_ip: self.came.client,
            operation: target.operation,
            bucket: &target.bucket,
            region: &target.region,
            validate_only: target.validate_only,
            generation: self.generation,
            key: self.keys.as_deref().map(Generation::fingerprint),
            place: &self.place,
        })
    }

    /// Tells which generation of the configuration the request is judged by.
    pub(super) fn judged_by(&mut self, generation: i64) {
        self.generation = generation;
    }

    /// From here on the call may take effect.
    pub(super) fn call_begins(&mut self) {
        self.call.attempts += 1;
        self.call.began = Some(Instant::now());
        self.sent.0.store(true, Ordering::Relaxed);
    }

    /// What came of the call, in one word.
    pub(super) fn call_ends(&mut self, result: &'static str) {
        let took = self.call.ended();
        self.call.result = Some(result);
        if let Some(action) = self.action() {
            self.shared.metrics().upstream_attempt(action, result, took);
        }
    }

    pub(super) fn call_seen(&mut self, status: u16, request_id: Option<ci::RequestId>) {
        self.call.seen = Some(UpstreamSeen { status, code: None, request_id });
    }

    /// Tells that the request was served, and returns when that is on record; `code` is for pages whose answer is that
    /// all is not well.
    pub(super) async fn served(mut self, status: StatusCode, code: Option<Code>, outcome: Outcome) {
        let handed = self.tell(status, code, outcome, None);
        self.on_record(handed).await;
    }

    /// Tells that the request was not served, and returns when that is on record.
    pub(super) async fn failed(mut self, error: &Error) {
        let (status, code) = error.status_and_code();
        if let Some(seen) = error.upstream() {
            self.call.seen = Some(seen);
        }
        if let Error::Refused(refusal) = error {
            self.shared.metrics().head_refusal(refusal.as_str());
        }
        let handed = self.tell(status, Some(code), error.outcome(), error.cause().as_deref());
        self.on_record(handed).await;
    }

    /// What has happened is answered as it is, on record or not.
    async fn on_record(&self, handed: Option<Handed>) {
        let Some(handed) = handed else { return };
        if let Err(unwritten) = handed.settled().await {
            tracing::error!(error = %unwritten, request_id = self.id.as_str(), "answered, and the outcome is not on record yet");
        }
    }

    fn action(&self) -> Option<Action> {
        self.target.as_ref().map(|target| target.operation.action())
    }

    /// Nothing here waits: it also serves the drop, where nobody waits for what was handed to the audit.
    fn tell(
        &mut self,
        status: StatusCode,
        code: Option<Code>,
        outcome: Outcome,
        cause: Option<&str>,
    ) -> Option<Handed> {
        self.told = true;
        let whole = self.began.elapsed();
        self.shared.metrics().request(self.action(), code, whole.saturating_sub(self.call.took));
        let claim = self.claim.take();
        let handed = self.audit_request().map(|request| {
            let finished = Finished {
                status: status.as_u16(),
                code,
                outcome,
                attempts: self.call.attempts,
                decision: self.decision,
                statement: self.statement.as_deref(),
                policy: self.policy.as_deref(),
                upstream: self.call.seen.as_ref(),
                took: whole,
            };
            self.shared.audit().finished(&request, &finished, claim)
        });
        self.log(status, code, outcome, cause, whole);
        handed
    }

    /// The one line of a request. Values of callers are fields, never part of the message.
    fn log(&self, status: StatusCode, code: Option<Code>, outcome: Outcome, cause: Option<&str>, whole: Duration) {
        let target = self.target.as_deref();
        let seen = self.call.seen.as_ref();
        let client = self.came.beside_the_peer();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.id.as_str(),
                    peer = self.came.peer.map(|peer| tracing::field::display(peer.0)),
                    client_ip = client.as_deref(),
                    caller = self.caller.as_deref().map(Caller::name),
                    method = self.caller.as_deref().map(|caller| caller.method().as_str()),
                    key_id = self.caller.as_deref().and_then(Caller::key_id),
                    action = self.action().map(Action::as_str),
                    bucket = target.map(|target| target.bucket.as_str()),
                    region = target.map(|target| target.region.as_str()),
                    decision = self.decision,
                    statement = self.statement.as_deref(),
                    key = self.keys.as_deref().map(Generation::fingerprint),
                    attempts = self.call.attempts,
                    status = status.as_u16(),
                    code = code.map_or("ok", Code::as_str),
                    outcome = outcome.as_str(),
                    cause,
                    upstream_result = self.call.result,
                    upstream_status = seen.map(|seen| seen.status),
                    upstream_code = seen.and_then(|seen| seen.code.as_ref()).map(FaultCode::as_str),
                    upstream_request_id = seen.and_then(|seen| seen.request_id.as_ref()).map(ci::RequestId::as_str),
                    upstream_ms = milliseconds(self.call.took),
                    duration_ms = milliseconds(whole),
                    "request"
                )
            };
        }
        match (status.is_server_error(), target.is_some() || code.is_some()) {
            (true, _) => line!(warn),
            (false, true) => line!(info),
            // Pages that probes ask for every few seconds.
            (false, false) => line!(debug),
        }
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        self.call.ended();
        let outcome = Error::Ended(self.sent.ended()).outcome();
        if std::thread::panicking() {
            self.shared.metrics().panics.inc();
            let cause = Some("a panic, which is a bug");
            drop(self.tell(StatusCode::INTERNAL_SERVER_ERROR, Some(Code::Internal), outcome, cause));
        } else {
            let cause = Some("the process ended before the work did");
            drop(self.tell(StatusCode::SERVICE_UNAVAILABLE, Some(Code::Draining), outcome, cause));
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
