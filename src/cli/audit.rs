//! `ci-gateway audit …`: the audit log, read without a gateway.

mod files;
mod key;
mod moment;
mod prove;
mod reconcile;
mod requests;
mod show;
mod terminal;
mod verify;

use std::process::ExitCode;

use crate::domain::is_printable;

/// Read the audit log: verify it, show who did what, reconcile what is unknown, prove that a record is in it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum AuditCommand {
    Verify(verify::VerifyArgs),
    Show(show::ShowArgs),
    Reconcile(reconcile::ReconcileArgs),
    Prove(prove::ProveArgs),
    Key(key::KeyArgs),
}

pub(super) fn run(args: AuditArgs) -> ExitCode {
    match args.command {
        AuditCommand::Verify(args) => verify::run(&args),
        AuditCommand::Show(args) => show::run(&args),
        AuditCommand::Reconcile(args) => super::on_runtime(reconcile::run(args)),
        AuditCommand::Prove(args) => prove::run(&args),
        AuditCommand::Key(args) => key::run(&args),
    }
}

/// A text of a file, as it may be shown: nothing in it moves the cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
