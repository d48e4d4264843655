//! `ci-gateway serve`: the service.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::gateway::{Gateway, StartError};
use super::harden::harden;
use super::named_files::all_mistakes;
use super::reload::Source;
use super::status::{Status, complain};
use crate::config::{self, Config};
use crate::server::ListenError;
use crate::telemetry::start_logging;

/// Serve until SIGTERM or SIGINT, then drain; SIGHUP reads the configuration again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Exit status: 0 after a drain, 1 if it cannot listen, 64 if the configuration is wrong.
pub(super) async fn run(args: ServeArgs) -> ExitCode {
    let source = Source::before_reading(args.config);
    let config = match Config::read(&source.file) {
        Ok(config) => config,
        Err(broken) => return complain(Status::BadUsage, all_mistakes(broken)),
    };
    let colour = io::stderr().is_terminal() && !config::no_colour();
    if let Err(why) = start_logging(config.log_format, config::log_filter().as_deref(), colour) {
        return complain(Status::Failure, format_args!("the thread of the log cannot be started: {why}"));
    }
    harden();
    // Before the listeners are open: who sees a port may send a signal at once.
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(why) => return complain(Status::Failure, format_args!("signals cannot be received: {why}")),
    };
    match Gateway::start_from(config, source).await {
        Ok(gateway) => serve(gateway, signals).await,
        Err(StartError::Configuration(mistakes)) => complain(Status::BadUsage, mistakes),
        // The listener reads these files, but it is the configuration that is wrong.
        Err(StartError::Listen(ListenError::Tls(mistakes))) => complain(Status::BadUsage, mistakes),
        Err(StartError::Listen(why)) => complain(Status::Failure, why),
        Err(StartError::Metrics(why)) => complain(Status::Failure, why),
    }
}

async fn serve(gateway: Gateway, signals: Signals) -> ExitCode {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %gateway.address(),
        admin = %gateway.admin_address(),
        "serving"
    );
    if let Some(why) = gateway.shared().snapshot().credentials.missing(Timestamp::now()) {
        match why.pending {
            true => tracing::info!(account = why.account, "not ready yet: the source was asked for keys"),
            false => tracing::error!(problem = %why, "not ready: there are no keys to sign with"),
        }
    }
    signals.until_the_end(&gateway).await;
    let ended = gateway.finished().await;
    tracing::info!(connections_cut = ended.connections_cut, requests_unfinished = ended.lines_unfinished, "stopped");
    Status::Fine.into()
}

/// The signals that the service knows.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads on SIGHUP; returns when the drain has begun. A second signal to end hurries it.
    pub(super) async fn until_the_end(mut self, gateway: &Gateway) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hang_up.recv() => gateway.reload(),
            }
        }
        tracing::info!("draining");
        gateway.drain().start();
        let drain = gateway.drain().clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            drain.hurry();
        });
    }
}
