//! A reload: everything is read and looked at first, then all of it is put in force at once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::gateway::snapshot;
use super::named_files;
use crate::api::{Reloaded, Shared};
use crate::config::Config;
use crate::domain::{Mistake, Mistakes};

/// Reads the configuration again and puts it in force, one reload at a time.
#[derive(Debug)]
pub(super) struct Reload {
    shared: Arc<Shared>,
    file: Option<PathBuf>,
    /// The configuration that the process was started with.
    started: Config,
    one_at_a_time: Mutex<()>,
}

impl Reload {
    pub(super) fn new(shared: &Arc<Shared>, file: Option<PathBuf>, started: Config) -> Self {
        Self { shared: Arc::clone(shared), file, started, one_at_a_time: Mutex::new(()) }
    }

    /// Reads and puts in force; a mistake is logged and leaves everything as it was.
    ///
    /// # Errors
    /// Every mistake in the configuration and the files that it names.
    pub(super) fn run(&self) -> Result<Reloaded, Mistakes> {
        // A reload that panicked has put nothing in force.
        let _turn = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.read();
        self.shared.metrics().reloaded(result.is_ok());
        match &result {
            Ok(Reloaded { needs_restart }) => {
                tracing::info!(generation = self.shared.generation(), ?needs_restart, "configuration reloaded");
            }
            Err(mistakes) => {
                for mistake in mistakes.iter() {
                    tracing::error!(problem = %mistake, "configuration not reloaded; the last good one stays");
                }
            }
        }
        result
    }

    fn read(&self) -> Result<Reloaded, Mistakes> {
        let Some(file) = &self.file else {
            return Err(Mistake::new("reload", "this gateway was not started from a configuration file")
                .hint("start it with `ci-gateway serve --config FILE`")
                .into());
        };
        let read = Config::read(file).map_err(named_files::all_mistakes)?;
        let needs_restart = self.needs_restart(&read);
        // What a reload does not change is shown as it is in force, not as it is written.
        let Config { server, admin, audit, limits, log_format, .. } = self.started.clone();
        self.shared.replace(snapshot(&Config { server, admin, audit, limits, log_format, ..read })?);
        Ok(Reloaded { needs_restart })
    }

    fn needs_restart(&self, read: &Config) -> Vec<&'static str> {
        let started = &self.started;
        [
            ("server", read.server != started.server),
            ("admin", read.admin != started.admin),
            ("audit", read.audit != started.audit),
            ("limits", read.limits != started.limits),
            ("telemetry", read.log_format != started.log_format),
        ]
        .into_iter()
        .filter_map(|(section, changed)| changed.then_some(section))
        .collect()
    }
}
