//! `ci-gateway audit key`: the public half of the key that signs checkpoints.

use std::path::PathBuf;
use std::process::ExitCode;

use super::files::Problem;
use crate::audit::{Origin, Signer};
use crate::cli::harden::harden;
use crate::cli::paper::print;
use crate::cli::status::Status;
use crate::config::Config;
use crate::domain::Mistake;

/// Print the public key for a private key, to give to whoever is to verify checkpoints.
///
/// Make one with `openssl genpkey -algorithm ed25519`.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "key", required = true, args = ["file", "config"])]
pub(super) struct KeyArgs {
    /// The private key: Ed25519, PKCS#8, PEM, readable by its owner alone
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The name of the log, which is a part of the public key
    #[arg(long, value_name = "NAME", default_value = "ci-gateway", conflicts_with = "config")]
    name: Origin,
    /// The configuration file, which names both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Exit status: 0, or 64 if there is no such key.
pub(super) fn run(args: &KeyArgs) -> ExitCode {
    // It holds the private half for a moment.
    harden();
    match signer(args) {
        Ok(signer) => print(&format!("{}\n", signer.verifier()), Status::Fine),
        Err(problem) => problem.tell(),
    }
}

fn signer(args: &KeyArgs) -> Result<Signer, Problem> {
    if let Some(file) = &args.file {
        return Ok(Signer::load(file, &args.name)?);
    }
    let config = args.config.as_deref().map(Config::load).transpose()?;
    let audit = config.map(|config| config.audit);
    let key = audit.and_then(|audit| Some((audit.checkpoints.key_file?, audit.name)));
    let (file, name) = key.ok_or_else(|| {
        let hint = "set `[audit] checkpoint_key_file`, or name the file of the key";
        Mistake::new("--config", "names no key that signs checkpoints").hint(hint)
    })?;
    Ok(Signer::load(&file, &name)?)
}
