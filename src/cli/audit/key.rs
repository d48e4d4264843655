//! `ci-gateway audit key`: the public half of the key that signs checkpoints.

use std::path::PathBuf;
use std::process::ExitCode;

use super::files::Problem;
use crate::audit::{Origin, Signer};
use crate::cli::paper::print;
use crate::cli::status::Status;

/// Print the public key for a private key, to give to whoever is to verify checkpoints.
///
/// Make one with `openssl genpkey -algorithm ed25519`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// The private key: Ed25519, PKCS#8, PEM, readable by its owner alone
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name of the log, which is a part of the public key
    #[arg(long, value_name = "NAME", default_value = "ci-gateway")]
    name: String,
}

/// Exit status: 0, or 64 if the file holds no such key.
pub(super) fn run(args: &KeyArgs) -> ExitCode {
    match vkey(args) {
        Ok(key) => print(&format!("{key}\n"), Status::Fine),
        Err(problem) => problem.tell(),
    }
}

fn vkey(args: &KeyArgs) -> Result<String, Problem> {
    let origin: Origin = args.name.parse().map_err(|why: crate::audit::InvalidOrigin| {
        crate::domain::Mistake::new("--name", format!("{:?} is {why}", args.name))
    })?;
    Ok(Signer::load(&args.file, &origin)?.verifier().to_string())
}
