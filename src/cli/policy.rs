//! `ci-gateway policy …`: the policy as an artefact, looked at without a gateway.

mod check;
mod paper;

use std::process::ExitCode;

use serde_json::{Value, json};

use super::problems;
use super::status::Status;
use crate::domain::Mistakes;

/// Look at a policy without a gateway: check it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum PolicyCommand {
    Check(check::CheckArgs),
}

pub(super) fn run(args: &PolicyArgs) -> ExitCode {
    match &args.command {
        PolicyCommand::Check(args) => check::run(args),
    }
}

/// The answer to files that cannot be used.
fn unreadable(mistakes: Mistakes, json: bool) -> ExitCode {
    let mistakes = mistakes.into_vec();
    if json {
        let mistakes: Vec<Value> = mistakes.iter().map(problems::as_json).collect();
        paper::print(&format!("{}\n", json!({ "ok": false, "mistakes": mistakes })));
    } else {
        problems::tell(&mistakes);
    }
    Status::BadUsage.into()
}
