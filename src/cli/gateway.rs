//! A gateway put together from its configuration: the one place where all rooms meet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceBuilder;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

use super::looks::Looks;
use super::policy_file::PolicyFile;
use super::reload::{self, Reload, Source};
use super::{candidate, named_files};
use crate::api::{Admin, Api, Hooks, Regions, Settings, Shadow, Shared, Snapshot};
use crate::audit::{Audit, Counts};
use crate::auth::{ApiKeys, Authenticator, KeySetState};
use crate::config::{self, Config};
use crate::credentials::Credentials;
use crate::domain::{Mistake, Mistakes};
use crate::policy::Policy;
use crate::server::{Connections, Drain, Ended, ListenError, Listener, serve};
use crate::telemetry::{AuditSeen, KeySetSeen, Metrics, dropped_log_lines};
use crate::upstream::Upstream;

/// How long the admin listener may take to end once the business listener has.
const ADMIN_DRAIN: Duration = Duration::from_millis(500);

/// For the answers to those who have waited in vain, before their connections are cut.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// A policy may do nothing in many places; `ci-gateway policy check` shows all of them.
const REMARKS_TOLD: usize = 20;
const REPORT: &str = "this is a bug: please report it";

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    reload: Arc<Reload>,
    drain: Drain,
    admin_drain: Drain,
    address: SocketAddr,
    admin_address: SocketAddr,
    business: JoinHandle<Ended>,
    admin: JoinHandle<Ended>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration or a file that it names.
    #[error(transparent)]
    Configuration(#[from] Mistakes),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Two metrics clash: a bug.
    #[error("the metrics cannot be declared: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl Gateway {
    /// Reads everything that `config` names, listens, and serves from then on. There is nothing to reload it from.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::serving(config, None, Looks::default()).await
    }

    /// The same with a `config` that was read from `source`, which a reload reads again.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(super) async fn start_from(config: Config, source: Source) -> Result<Self, StartError> {
        // Before they are read: what changes meanwhile is noticed as a change.
        let looks = source.looks.and(config.files.read_by_reload());
        Self::serving(config, Some(source.file), looks).await
    }

    async fn serving(config: Config, file: Option<PathBuf>, looks: Looks) -> Result<Self, StartError> {
        let mut documents = Vec::new();
        let snapshot = checked(&config, &mut documents)?;
        candidate::tell(&snapshot.candidate);
        tell_remarks(&snapshot.policy);
        let metrics = Metrics::new()?;
        let audit = Audit::open(&config.audit, Box::new(metrics.audit_commits())).map_err(Mistakes::from)?;
        let listener = Listener::bind(config.server.listen, &config.server.listener).await?;
        let admin_listener = Listener::bind(config.admin.listen, &config.admin.listener).await?;
        let (address, admin_address) = (listener.address(), admin_listener.address());
        let drain = Drain::new(config.server.drain_delay, config.server.drain_timeout);
        let admin_drain = Drain::new(Duration::ZERO, ADMIN_DRAIN);
        let settings = Settings {
            request_timeout: config.server.request_timeout,
            limits: config.limits.clone(),
            trusted_proxies: config.server.trusted_proxies.clone(),
        };
        let shared = Shared::new(&settings, snapshot, audit, metrics, drain.lines().clone(), Timestamp::now());
        let (connections, admin_connections) = (Connections::new(), Connections::new());
        let reload = Reload::new(
            &shared,
            file,
            config.clone(),
            listener.tls(),
            looks.and(documents.iter().map(PathBuf::as_path)),
        );
        let reload = Arc::new(reload);
        if let Some(interval) = config.watch_interval {
            tokio::spawn(reload::watch(Arc::downgrade(&reload), interval));
        }
        let listeners = [("business", Arc::clone(&connections)), ("admin", Arc::clone(&admin_connections))];
        let hooks = hooks(&shared, &reload, listeners);
        tokio::spawn(announce_end(Arc::clone(&shared), drain.clone(), config.server.clone()));
        let business = tokio::spawn(serve(listener, business_service(&shared), connections, drain.clone()));
        let admin = Admin::new(Arc::clone(&shared), hooks);
        let admin = tokio::spawn(serve(admin_listener, admin, admin_connections, admin_drain.clone()));
        Ok(Self { shared, reload, drain, admin_drain, address, admin_address, business, admin })
    }

    /// The business listener's address, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The admin listener's address.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The handle of its end.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// What all its requests share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Reads the configuration again, where it may block; a mistake is logged and leaves everything as it was.
    pub fn reload(&self) {
        let reload = Arc::clone(&self.reload);
        tokio::task::spawn_blocking(move || drop(reload.run()));
    }

    /// Waits for the end: the business listener's drain, then the admin listener. The audit's last lines are
    /// written when what the requests share is dropped.
    pub async fn finished(self) -> Ended {
        let ended = self.business.await;
        self.admin_drain.start();
        let _admin_ended = self.admin.await;
        ended.unwrap_or(Ended { connections_cut: 0, lines_unfinished: 0 })
    }
}

/// As [`snapshot`], after a look at the files of TLS and of the audit too.
///
/// # Errors
/// Every mistake in any of the files.
pub(super) fn checked(config: &Config, documents: &mut Vec<PathBuf>) -> Result<Snapshot, Mistakes> {
    let beside = named_files::mistakes_beside_snapshot(&config.files);
    match snapshot(config, None, documents) {
        Ok(snapshot) => Mistakes::unless_any(beside, snapshot),
        Err(mistakes) => Err(mistakes.and(beside)),
    }
}

/// Everything that a reload replaces, read from the files that `config` names; what `previous` has fetched stays. The
/// documents that policies attach are put into `documents`, whatever becomes of them.
///
/// # Errors
/// Every mistake in any of them.
pub(super) fn snapshot(
    config: &Config,
    previous: Option<&Snapshot>,
    documents: &mut Vec<PathBuf>,
) -> Result<Snapshot, Mistakes> {
    let mut mistakes = Vec::new();
    let authenticator = Authenticator::load(&config.auth, previous.map(|previous| &previous.authenticator));
    let authenticator = noted(authenticator, &mut mistakes);
    let no_keys = || Ok(ApiKeys::default());
    let api_keys = noted(config.api_keys.as_deref().map_or_else(no_keys, ApiKeys::load), &mut mistakes);
    let policy = noted(PolicyFile::read_noting(&config.policy_file, documents), &mut mistakes);
    let held = previous.map(|previous| &previous.credentials);
    let credentials = noted(Credentials::load(&config.credentials, held, Timestamp::now()), &mut mistakes);
    let pool = previous.map(|previous| &previous.upstream);
    let upstream = noted(Upstream::renewed(&config.ci.upstream, pool).map_err(Mistakes::from), &mut mistakes);
    let authenticator = authenticator.zip(api_keys).map(|(issuers, keys)| issuers.with(keys, config.user_from));
    let parts = authenticator.zip(policy).zip(credentials.zip(upstream));
    // Without a mistake every part is there.
    let mistakes = mistakes.into_iter().map(|mistake| config.files.explain(mistake)).collect();
    let parts = Mistakes::unless_any(mistakes, parts)?;
    let ((authenticator, policy), (credentials, upstream)) =
        parts.ok_or_else(|| Mistake::new("configuration", "a part is missing without a reason").hint(REPORT))?;
    let candidate = candidate::read(config, documents);
    let configuration = shown(config, &policy, &candidate);
    Ok(Snapshot {
        authenticator,
        policy: policy.policy,
        candidate,
        credentials,
        regions: Regions { buckets: config.ci.buckets.clone(), default: config.ci.default_region.clone() },
        upstream,
        signature_lifetime: config.ci.signature_lifetime,
        max_clock_correction: config.ci.max_clock_correction,
        configuration,
    })
}

/// Says what in a policy that is put in force does nothing.
pub(super) fn tell_remarks(policy: &Policy) {
    for remark in policy.remarks().iter().take(REMARKS_TOLD) {
        tracing::warn!(problem = %remark, "a part of the policy does nothing here");
    }
}

/// The configuration for `/config`, with what the policies are beside the names of their files.
fn shown(config: &Config, file: &PolicyFile, candidate: &Shadow) -> Value {
    let PolicyFile { policy, attached } = file;
    let attached: Vec<String> = attached.iter().map(|path| path.display().to_string()).collect();
    let mut shown = config.redacted();
    if let Some(section) = shown.get_mut("policy").and_then(Value::as_object_mut) {
        section.insert("digest".to_owned(), policy.digest().into());
        section.insert("statements".to_owned(), policy.statements().into());
        section.insert("attached".to_owned(), attached.into());
        if let Shadow::On(candidate) = candidate {
            section.insert("candidate_digest".to_owned(), candidate.digest().into());
            section.insert("candidate_statements".to_owned(), candidate.statements().into());
        }
    }
    shown
}

fn noted<T>(result: Result<T, Mistakes>, mistakes: &mut Vec<Mistake>) -> Option<T> {
    result.map_err(|found| mistakes.extend(found.into_vec())).ok()
}

/// The layers only observe: refusals live on the line.
fn business_service(shared: &Arc<Shared>) -> tower_http::sensitive_headers::SetSensitiveRequestHeaders<Api> {
    let secrets = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HeaderName::from_static("x-api-key")];
    ServiceBuilder::new().layer(SetSensitiveRequestHeadersLayer::new(secrets)).service(Api::new(Arc::clone(shared)))
}

/// Tells the line when the end begins, when the lame duck's time is over, and when there is just time left to answer
/// those who still wait.
async fn announce_end(shared: Arc<Shared>, drain: Drain, server: config::Server) {
    drain.started().await;
    shared.start_draining();
    tokio::time::sleep(server.drain_delay).await;
    shared.stop_admitting();
    tokio::time::sleep(server.drain_timeout.saturating_sub(LAST_ANSWERS.min(server.drain_timeout / 2))).await;
    shared.give_up();
}

fn hooks(shared: &Arc<Shared>, reload: &Arc<Reload>, listeners: [(&'static str, Arc<Connections>); 2]) -> Hooks {
    let (reload, shared) = (Arc::clone(reload), Arc::clone(shared));
    Hooks {
        reload: Box::new(move || reload.run()),
        refresh: Box::new(move |metrics| {
            listeners.iter().for_each(|(name, counts)| show(metrics, name, counts));
            metrics.config_generation.set(shared.generation());
            let snapshot = shared.snapshot();
            metrics.show_accounts(&snapshot.credentials.states(Timestamp::now(), snapshot.signature_lifetime));
            metrics.show_audit(&audit_seen(shared.audit()));
            metrics.show_dropped_log_lines(dropped_log_lines());
            metrics.show_key_sets(&snapshot.authenticator.key_sets().into_iter().map(seen).collect::<Vec<_>>());
        }),
    }
}

fn audit_seen(audit: &Audit) -> AuditSeen {
    let Counts { records, failures, outcomes_lost, dropped, lost, reserved, free } = audit.counts();
    AuditSeen { records, failures, outcomes_lost, dropped, lost, reserved, free, usable: audit.trouble().is_none() }
}

fn seen(set: KeySetState) -> KeySetSeen {
    let KeySetState { issuer, fetches, age, keys, skipped } = set;
    KeySetSeen { issuer, fetches, age, keys, skipped }
}

fn show(metrics: &Metrics, listener: &'static str, counts: &Connections) {
    let events = [
        ("accepted", counts.accepted()),
        ("turned_away", counts.turned_away()),
        ("not_accepted", counts.not_accepted()),
        ("failed_handshake", counts.failed_handshakes()),
        ("refused_head", counts.refused_heads()),
        ("unreadable", counts.unreadable()),
    ];
    metrics.show_connections(listener, counts.open(), &events);
}
