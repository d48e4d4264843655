//! `ci-gateway healthcheck`: asks a running gateway on this machine whether it is ready; for the container's health
//! check, since the image holds no other program.

use std::path::PathBuf;
use std::process::ExitCode;

use super::admin_listener::Page;
use super::status::{Status, complain};
use crate::config::Config;

/// Ask the admin listener of the gateway on this machine whether it is ready.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HealthcheckArgs {
    /// The gateway's configuration file, which names the listener
    #[arg(long, value_name = "FILE", default_value = "/etc/ci-gateway/gateway.toml")]
    config: PathBuf,
}

/// Exit status: 0 ready, 1 not, 64 if the configuration is wrong.
pub(super) fn run(args: &HealthcheckArgs) -> ExitCode {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => return complain(Status::BadUsage, mistakes),
    };
    match Page::get(config.admin.listen, "/readyz") {
        Ok(page) if page.is_ok() => Status::Fine.into(),
        Ok(page) => complain(Status::Failure, page.status_line()),
        Err(why) => complain(Status::Failure, why),
    }
}
