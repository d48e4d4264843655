//! The command line: one file per command.

mod admin_listener;
mod audit;
mod candidate;
mod check;
mod dev;
mod doctor;
mod gateway;
mod harden;
mod healthcheck;
mod key;
mod keys;
mod looks;
mod named_files;
mod paper;
mod policy;
mod policy_file;
mod problems;
mod reload;
mod serve;
mod sign;
mod request_file;
mod stand_in;
mod status;
mod token;
mod verify;

use std::future::Future;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use gateway::{Gateway, StartError};

use crate::telemetry::flush_log;
use status::Status;

/// Holds the Tencent Cloud keys so that nobody else has to: policy-checked, signed calls to Cloud Infinite.
///
/// Exit status: 0 fine, 1 failure, 2 a check that said no, 64 bad usage or configuration.
#[derive(Debug, Parser)]
#[command(name = "ci-gateway", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::DevArgs),
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    Doctor(doctor::DoctorArgs),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Token(token::TokenArgs),
    Key(key::KeyArgs),
    Keys(keys::KeysArgs),
    Policy(policy::PolicyArgs),
    Audit(audit::AuditArgs),
    StandIn(stand_in::StandInArgs),
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    match CommandLine::try_parse() {
        Ok(line) => run(line.command),
        Err(usage) => {
            // If the terminal is gone, the exit status is all that is left to tell.
            let _printed = usage.print();
            match usage.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Status::Fine.into(),
                _ => Status::BadUsage.into(),
            }
        }
    }
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Dev(args) => on_runtime(dev::run(args)),
        Command::Serve(args) => on_runtime(serve::run(args)),
        Command::Check(args) => check::run(&args),
        Command::Doctor(args) => on_runtime(doctor::run(args)),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Token(args) => token::run(args),
        Command::Key(args) => key::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Audit(args) => audit::run(args),
        Command::StandIn(args) => on_runtime(stand_in::run(args)),
        Command::Healthcheck(args) => healthcheck::run(&args),
    }
}

fn on_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    // Dropped after the runtime, with which the last of those end who log: so it is the audit that tells what it lost.
    let _last_lines = LastLines;
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(why) => status::complain(Status::Failure, format_args!("the runtime cannot start: {why}")),
    }
}

/// Waits for the log when it goes, also in a panic.
struct LastLines;

impl Drop for LastLines {
    fn drop(&mut self) {
        flush_log();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_stands_in_the_help_with_a_line_about_it() {
        for command in CommandLine::command().get_subcommands() {
            assert!(!command.is_hide_set() && command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
