//! What all requests share, and the snapshot that each of them sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits::{Gate, Limits};
use super::route::Regions;
use crate::audit::Audit;
use crate::auth::Authenticator;
use crate::credentials::Credentials;
use crate::domain::Code;
use crate::policy::Policy;
use crate::telemetry::Metrics;
use crate::upstream::Upstream;

/// One generation of everything that a reload replaces. A request takes one and keeps it to its end.
#[derive(Debug)]
pub struct Snapshot {
    /// Who is believed.
    pub authenticator: Authenticator,
    /// Who may do what.
    pub policy: Policy,
    /// Our keys.
    pub credentials: Credentials,
    /// Where the buckets are.
    pub regions: Regions,
    /// The way to Cloud Infinite.
    pub upstream: Upstream,
    /// How long a signature holds.
    pub signature_lifetime: Duration,
    /// The configuration in force, without secrets, for `/config`.
    pub configuration: Value,
}

/// What does not change while the process runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From a request's head to its answer.
    pub request_timeout: Duration,
    /// Bounds on the work in progress.
    pub limits: Limits,
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

/// What all requests share.
#[derive(Debug)]
pub struct Shared {
    snapshot: ArcSwap<Snapshot>,
    audit: Audit,
    metrics: Metrics,
    gate: Gate,
    lines: TaskTracker,
    request_timeout: Duration,
    draining: AtomicBool,
    admitting: AtomicBool,
    given_up: CancellationToken,
}

impl Shared {
    /// Puts the parts together; `snapshot` is generation 1, and requests in progress are tracked in `lines`.
    #[must_use]
    pub fn new(
        settings: &Settings,
        snapshot: Snapshot,
        audit: Audit,
        metrics: Metrics,
        lines: TaskTracker,
    ) -> Arc<Self> {
        let shared = Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            audit,
            metrics,
            gate: Gate::new(&settings.limits),
            lines,
            request_timeout: settings.request_timeout,
            draining: AtomicBool::new(false),
            admitting: AtomicBool::new(true),
            given_up: CancellationToken::new(),
        };
        shared.show_generation();
        Arc::new(shared)
    }

    /// Puts a new generation in force for the requests that begin after it.
    pub fn replace(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.show_generation();
    }

    fn show_generation(&self) {
        let usable = self.snapshot().credentials.missing().is_none();
        self.metrics.keys_usable.set(i64::from(usable));
        self.metrics.config_generation.inc();
        self.metrics.config_last_reload_success.set(1);
    }

    /// The generation in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
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
        self.metrics.config_generation.get()
    }

    /// Whether the process can serve at `now`.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self, now: Timestamp) -> Result<(), Unready> {
        if self.is_draining() {
            Err(Unready::Draining)
        } else if self.snapshot().credentials.missing().is_some() {
            Err(Unready::NoKeys)
        } else if self.audit.refuses(now) {
            Err(Unready::NoAudit)
        } else {
            Ok(())
        }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }
}
