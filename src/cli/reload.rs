//! A reload: everything is read and looked at first, then all of it is put in force at once.
//!
//! Whoever asks for one (a signal, the admin listener, the watch), it is the same reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::gateway::{snapshot, tell_remarks};
use super::looks::Looks;
use super::{candidate, named_files};
use crate::api::{Reloaded, Shared, Snapshot};
use crate::config::{self, Config};
use crate::domain::{Mistake, Mistakes};
use crate::server::Tls;

/// How often it is tried to read files that change meanwhile.
const READINGS: usize = 5;

/// How often it is looked whether a generation can be freed.
const FREED_AFTER: Duration = Duration::from_millis(100);
/// So long it is looked at most: no request takes longer, and what is left then is freed by who has it.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);

/// Reads the configuration again and puts it in force, one reload at a time.
#[derive(Debug)]
pub(super) struct Reload {
    shared: Arc<Shared>,
    file: Option<PathBuf>,
    /// The configuration that the process was started with.
    started: Config,
    /// What the business listener's handshakes are made with.
    tls: Option<Tls>,
    /// How the files looked that the last reading, good or bad, has read.
    read: Mutex<Looks>,
}

/// A configuration that was read with all its files, and can be put in force.
struct Reading {
    snapshot: Snapshot,
    tls: Option<Tls>,
    needs_restart: Vec<&'static str>,
}

impl Reload {
    /// Reloads for `shared` what was started as `started` from `file`, whose files looked like `read` before that.
    pub(super) fn new(
        shared: &Arc<Shared>,
        file: Option<PathBuf>,
        started: Config,
        tls: Option<Tls>,
        read: Looks,
    ) -> Self {
        Self { shared: Arc::clone(shared), file, started, tls, read: Mutex::new(read) }
    }

    /// Reads and puts in force; a mistake is told and leaves everything as it was.
    ///
    /// # Errors
    /// Every mistake in the configuration and the files that it names.
    pub(super) fn run(&self) -> Result<Reloaded, Mistakes> {
        // Also where the reload fails: who has renamed the audit file waits for nothing else.
        self.shared.audit().look();
        let mut looks = self.turn();
        let result = self.read(&mut looks).map(|reading| self.put_in_force(reading));
        if let Err(mistakes) = &result {
            for mistake in mistakes.iter() {
                tracing::error!(problem = %mistake, "configuration not reloaded; the last good one stays");
            }
            self.shared.reload_failed(mistakes, Timestamp::now());
        }
        result
    }

    /// Looks at the files, and reloads if they are other than those that were read and the same as at the look
    /// `before`: one that is being written, or whose folder is being swapped, is left alone until it is whole.
    fn look(&self, before: &Looks) -> Looks {
        let read = self.turn().clone();
        let now = Looks::at(read.paths(), before);
        if now == *before && !now.mean_the_same_as(&read) {
            tracing::info!("files have changed");
            // What is wrong was told.
            let _ = self.run();
        }
        now
    }

    /// A reload that panicked has put nothing in force.
    fn turn(&self) -> MutexGuard<'_, Looks> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_in_force(&self, reading: Reading) -> Reloaded {
        let Reading { snapshot, tls, needs_restart } = reading;
        if let (Some(tls), Some(fresh)) = (&self.tls, tls) {
            tls.replace(&fresh);
        }
        candidate::tell(&snapshot.candidate);
        let candidate = snapshot.candidate.mistakes().cloned().collect();
        tell_remarks(&snapshot.policy);
        let before = self.shared.replace(snapshot, Timestamp::now());
        tokio::spawn(free(before));
        tracing::info!(generation = self.shared.generation(), ?needs_restart, "configuration reloaded");
        Reloaded { needs_restart, candidate }
    }

    /// Reads until all files look after it as they did before it, so that what is read is of one moment.
    fn read(&self, looks: &mut Looks) -> Result<Reading, Mistakes> {
        let Some(file) = &self.file else {
            return Err(Mistake::new("reload", "this gateway was not started from a configuration file")
                .hint("start it with `ci-gateway serve --config FILE`")
                .into());
        };
        *looks = looks.again();
        for _ in 0..READINGS {
            let (result, after) = self.read_once(file, looks);
            if after == *looks {
                return result;
            }
            *looks = after;
        }
        // So that the watch tries again when they have come to rest.
        *looks = looks.unread();
        Err(Mistake::new("reload", "the files change while they are read")
            .hint("replace them by renaming, and reload when that is done")
            .into())
    }

    /// One reading, and how its files looked after it. Those of a reading that failed come on top of those that were
    /// known before: a broken configuration may name none.
    fn read_once(&self, file: &Path, before: &Looks) -> (Result<Reading, Mistakes>, Looks) {
        let mut paths = vec![file.to_owned()];
        let result = match Config::read(file) {
            Ok(config) => {
                paths.extend(config.files.read_by_reload().map(Path::to_owned));
                self.reading(config, &mut paths)
            }
            Err(broken) => {
                paths.extend(broken.files.read_by_reload().map(Path::to_owned));
                Err(named_files::all_mistakes(broken))
            }
        };
        let known = before.paths().filter(|_| result.is_err());
        let after = Looks::at(known.chain(paths.iter().map(PathBuf::as_path)), before);
        (result, after)
    }

    /// What a reload does not change is shown as it is in force, not as it is written.
    fn reading(&self, read: Config, documents: &mut Vec<PathBuf>) -> Result<Reading, Mistakes> {
        let needs_restart = self.needs_restart(&read);
        let Config { admin, audit, limits, log_format, watch_interval, .. } = self.started.clone();
        let server = self.kept(&read.server);
        let config = Config { server, admin, audit, limits, log_format, watch_interval, ..read };
        let tls = self.tls.as_ref().and(config.server.listener.tls.as_ref()).map(Tls::load).transpose();
        let mistakes = tls.as_ref().err().into_iter().flat_map(Mistakes::iter);
        let mistakes = mistakes.map(|mistake| config.files.explain(mistake.clone())).collect();
        let snapshot = match snapshot(&config, Some(&self.shared.snapshot()), documents) {
            Ok(snapshot) => Mistakes::unless_any(mistakes, snapshot)?,
            Err(others) => return Err(others.and(mistakes)),
        };
        Ok(Reading { snapshot, tls: tls?, needs_restart })
    }

    /// The server as it was started, with the TLS files that `read` names: certificates change while it runs, but TLS
    /// is neither begun nor ended.
    fn kept(&self, read: &config::Server) -> config::Server {
        let mut server = self.started.server.clone();
        if let (Some(tls), Some(fresh)) = (&mut server.listener.tls, &read.listener.tls) {
            tls.clone_from(fresh);
        }
        server
    }

    fn needs_restart(&self, read: &Config) -> Vec<&'static str> {
        let started = &self.started;
        [
            ("server", read.server != self.kept(&read.server)),
            ("admin", read.admin != started.admin),
            ("audit", read.audit != started.audit),
            ("limits", read.limits != started.limits),
            ("reload", read.watch_interval != started.watch_interval),
            ("telemetry", read.log_format != started.log_format),
        ]
        .into_iter()
        .filter_map(|(section, changed)| changed.then_some(section))
        .collect()
    }
}

/// Lets go of a generation where it may block, when the requests that began with it are over: a large policy takes a
/// while to free.
async fn free(before: Arc<Snapshot>) {
    let latest = Instant::now() + LONGEST_REQUEST;
    while Arc::strong_count(&before) > 1 && Instant::now() < latest {
        tokio::time::sleep(FREED_AFTER).await;
    }
    tokio::task::spawn_blocking(move || drop(before));
}

/// The configuration's file, and how it looked before it was read: what changes from then on is noticed as a change.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) looks: Looks,
}

impl Source {
    pub(super) fn before_reading(file: PathBuf) -> Self {
        let looks = Looks::at([file.as_path()], &Looks::default());
        Self { file, looks }
    }
}

/// Looks at the files again and again, where it may block, until the gateway is gone.
pub(super) async fn watch(reload: Weak<Reload>, interval: Duration) {
    let mut before = Looks::default();
    loop {
        tokio::time::sleep(interval).await;
        let Some(reload) = reload.upgrade() else { return };
        let looked = tokio::task::spawn_blocking(move || reload.look(&before)).await;
        // A look that panicked has seen nothing.
        before = looked.unwrap_or_default();
    }
}
