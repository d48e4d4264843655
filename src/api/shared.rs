//! What all requests share, and the snapshot that each of them sees.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client_address::TrustedProxies;
use super::limits::{Gate, Limits};
use super::route::Regions;
use super::shadow::{Pace, Shadow};
use crate::audit::Audit;
use crate::auth::Authenticator;
use crate::credentials::Credentials;
use crate::domain::{Code, Mistakes};
use crate::policy::Policy;
use crate::telemetry::Metrics;
use crate::upstream::{Clock, Upstream};

/// One generation of everything that a reload replaces. A request takes one and keeps it to its end.
#[derive(Debug)]
pub struct Snapshot {
    /// Who is believed.
    pub authenticator: Authenticator,
    /// Who may do what.
    pub policy: Policy,
    /// What the policy may become, asked beside it.
    pub candidate: Shadow,
    /// Our keys.
    pub credentials: Credentials,
    /// Where the buckets are.
    pub regions: Regions,
    /// The way to Cloud Infinite.
    pub upstream: Arc<Upstream>,
    /// How long a signature holds.
    pub signature_lifetime: Duration,
    /// How far a signature follows Cloud Infinite's clock; zero for not at all.
    pub max_clock_correction: Duration,
    /// The configuration in force, without secrets, for `/config`.
    pub configuration: Value,
}

impl Snapshot {
    /// The same, told apart from others: `/config` shows which generation it is, and since when.
    fn stamped(mut self, generation: i64, now: Timestamp) -> Self {
        if let Some(shown) = self.configuration.as_object_mut() {
            shown.insert("in_force".to_owned(), json!({ "generation": generation, "since": now }));
        }
        self
    }
}

/// What does not change while the process runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From a request's head to its answer.
    pub request_timeout: Duration,
    /// Bounds on the work in progress.
    pub limits: Limits,
    /// Who is believed about where requests come from.
    pub trusted_proxies: TrustedProxies,
}

/// Why the process is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It is about to stop.
    Draining,
    /// There is no key to sign with.
    NoKeys,
    /// The audit file cannot be written.
    NoAudit,
}

impl Unready {
    /// The one word that a load balancer reads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NoKeys | Self::NoAudit => "unready",
        }
    }

    /// The code that a request would be refused with.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Draining => Code::Draining,
            Self::NoKeys => Code::CredentialsUnavailable,
            Self::NoAudit => Code::AuditUnavailable,
        }
    }
}

/// A snapshot and its number: who sees one of them sees both.
#[derive(Debug)]
struct InForce {
    generation: i64,
    snapshot: Arc<Snapshot>,
}

/// What all requests share.
#[derive(Debug)]
pub struct Shared {
    in_force: ArcSwap<InForce>,
    audit: Audit,
    metrics: Metrics,
    gate: Gate,
    lines: TaskTracker,
    request_timeout: Duration,
    trusted_proxies: TrustedProxies,
    draining: AtomicBool,
    admitting: AtomicBool,
    given_up: CancellationToken,
    failed_reload: ArcSwapOption<FailedReload>,
    shadow_pace: Pace,
    /// Beyond reloads: it is nothing that an operator says.
    clock: Clock,
}

/// Reloads that have failed since the last one that succeeded.
#[derive(Debug)]
pub(super) struct FailedReload {
    /// When the first of them failed.
    pub(super) since: Timestamp,
    /// What is wrong now, in short.
    pub(super) why: String,
}

impl fmt::Display for FailedReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since {:.0}: {}", self.since, self.why)
    }
}

impl InForce {
    fn new(generation: i64, snapshot: Snapshot, since: Timestamp) -> Self {
        Self { generation, snapshot: Arc::new(snapshot.stamped(generation, since)) }
    }
}

/// What the metrics tell of a snapshot, in force from `now`; its number they are told when they are read.
fn show(metrics: &Metrics, snapshot: &Snapshot, now: Timestamp) {
    metrics.show_candidate(snapshot.candidate.is_loaded());
    metrics.config_last_reload_success.set(1);
    metrics.config_in_force_since.set(now.as_second());
}

impl Shared {
    /// Puts the parts together; `snapshot` is generation 1, in force from `now`, and requests in progress are tracked
    /// in `lines`.
    #[must_use]
    pub fn new(
        settings: &Settings,
        mut snapshot: Snapshot,
        audit: Audit,
        metrics: Metrics,
        lines: TaskTracker,
        now: Timestamp,
    ) -> Arc<Self> {
        show(&metrics, &snapshot, now);
        snapshot.authenticator.keep_fresh();
        snapshot.credentials.begin(now);
        let shared = Self {
            in_force: ArcSwap::from_pointee(InForce::new(1, snapshot, now)),
            audit,
            metrics,
            gate: Gate::new(&settings.limits),
            lines,
            request_timeout: settings.request_timeout,
            trusted_proxies: settings.trusted_proxies.clone(),
            draining: AtomicBool::new(false),
            admitting: AtomicBool::new(true),
            given_up: CancellationToken::new(),
            failed_reload: ArcSwapOption::empty(),
            shadow_pace: Pace::new(),
            clock: Clock::default(),
        };
        Arc::new(shared)
    }

    /// Puts a new generation in force for the requests that begin after `now`, and hands back the one before, which
    /// requests in progress still have. It is counted last: who sees the count sees all the rest.
    pub fn replace(&self, mut snapshot: Snapshot, now: Timestamp) -> Arc<Snapshot> {
        snapshot.authenticator.keep_fresh();
        snapshot.credentials.begin(now);
        self.failed_reload.store(None);
        show(&self.metrics, &snapshot, now);
        let fresh = InForce::new(self.generation() + 1, snapshot, now);
        let before = self.in_force.swap(Arc::new(fresh));
        self.metrics.reloaded(true);
        Arc::clone(&before.snapshot)
    }

    /// Notes that a reload has failed at `now`, and why; what is in force stays.
    pub fn reload_failed(&self, mistakes: &Mistakes, now: Timestamp) {
        let since = self.failed_reload.load().as_ref().map_or(now, |earlier| earlier.since);
        self.failed_reload.store(Some(Arc::new(FailedReload { since, why: mistakes.in_short() })));
        self.metrics.reloaded(false);
    }

    /// Why the last reload failed; `None` if it did not.
    pub(super) fn failed_reload(&self) -> Option<Arc<FailedReload>> {
        self.failed_reload.load_full()
    }

    /// The generation in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.in_force.load().snapshot)
    }

    /// The number of the generation in force, and the generation.
    pub(super) fn in_force(&self) -> (i64, Arc<Snapshot>) {
        let in_force = self.in_force.load();
        (in_force.generation, Arc::clone(&in_force.snapshot))
    }

    /// The audit.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The requests in progress; a drain waits for these, not for connections.
    #[must_use]
    pub fn lines(&self) -> &TaskTracker {
        &self.lines
    }

    /// From now on the process is not ready.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.metrics.draining.set(1);
    }

    /// Whether [`Self::start_draining`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on new requests are refused; those in progress come to their end.
    pub fn stop_admitting(&self) {
        self.admitting.store(false, Ordering::Relaxed);
    }

    /// Whether a new request may go on past authentication.
    pub(super) fn is_admitting(&self) -> bool {
        self.admitting.load(Ordering::Relaxed)
    }

    /// From now on nobody waits for the requests in progress: their callers are told that the process drains, and what
    /// became of the call. The work goes on until the process ends.
    pub fn give_up(&self) {
        self.given_up.cancel();
    }

    /// Waits until [`Self::give_up`].
    pub(super) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// The number of the generation in force.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.in_force.load().generation
    }

    /// Whether the process can serve at `now`.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self, now: Timestamp) -> Result<(), Unready> {
        if self.is_draining() {
            Err(Unready::Draining)
        } else if self.snapshot().credentials.missing(now).is_some() {
            Err(Unready::NoKeys)
        } else if self.audit.refuses() {
            Err(Unready::NoAudit)
        } else {
            Ok(())
        }
    }

    pub(super) fn shadow_pace(&self) -> &Pace {
        &self.shadow_pace
    }

    /// Cloud Infinite's clock, as far as it is known.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.trusted_proxies
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }
}
