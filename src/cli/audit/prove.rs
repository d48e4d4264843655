//! `ci-gateway audit prove`: that one record is in the log, or that an older log began this one.

use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::files::{CheckpointArgs, LogArgs, Problem, open};
use crate::audit::verify::{Noted, verify};
use crate::audit::{Digest, Grove, is_consistent, is_included};
use crate::cli::paper::print;
use crate::cli::status::{Status, complain};
use crate::domain::Mistake;

/// Print a proof (RFC 6962) against the newest signed checkpoint, as one JSON object.
///
/// Whoever has the checkpoint, the record and the proof needs nothing else of the log. Exit status: 0, 2 if the log is not in
/// order, 1 if it cannot be read or is too short, 64 bad usage.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "what", required = true, args = ["seq", "from"])]
pub(super) struct ProveArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    checkpoints: CheckpointArgs,
    /// Prove that the record of this number is in the log
    #[arg(long, value_name = "N", conflicts_with = "from")]
    seq: Option<u64>,
    /// Prove that the log of the first SIZE records began this one
    #[arg(long, value_name = "SIZE")]
    from: Option<u64>,
}

pub(super) fn run(args: &ProveArgs) -> ExitCode {
    match proved(args) {
        Ok(Ok(proof)) => print(&format!("{proof}\n"), Status::Fine),
        Ok(Err((status, why))) => complain(status, why),
        Err(problem) => problem.tell(),
    }
}

type Refused = (Status, String);

fn proved(args: &ProveArgs) -> Result<Result<Value, Refused>, Problem> {
    let config = args.log.config()?;
    let paths = args.log.paths(config.as_ref())?;
    let checkpoints = args.checkpoints.read(&args.log, &paths, config.as_ref())?;
    let newest = checkpoints.notes.last().cloned().ok_or_else(|| {
        Mistake::new("command line", "there is no checkpoint to prove anything against")
            .hint("name the file of checkpoints with `--checkpoints`")
    })?;
    let mut grove = Grove::default();
    let verdict = verify(&mut open(&paths)?, checkpoints.notes, Some(&mut grove))?;
    if let Some(finding) = verdict.finding.or(checkpoints.findings.into_iter().next()) {
        return Ok(Err((Status::SaidNo, format!("{finding} (hint: {})", finding.wrong().hint()))));
    }
    let proof = match (args.seq, args.from) {
        (Some(seq), _) => inclusion(&grove, &newest, seq),
        (None, from) => consistency(&grove, &newest, from.unwrap_or_default()),
    };
    Ok(proof.ok_or_else(|| (Status::Failure, short(&grove, &newest))))
}

fn short(grove: &Grove, newest: &Noted) -> String {
    let first = grove.size() - grove.known();
    let covered = newest.checkpoint.size();
    format!(
        "there is no proof: the files begin at record {first}, and the newest checkpoint covers those before {covered}"
    )
}

/// A proof is tried before it is given away.
fn inclusion(grove: &Grove, newest: &Noted, seq: u64) -> Option<Value> {
    let (size, root) = (newest.checkpoint.size(), newest.checkpoint.root());
    let (leaf, path) = (grove.leaf(seq)?, grove.inclusion(seq, size)?);
    is_included(&leaf, seq, size, &root, &path).then(|| {
        json!({
            "origin": newest.checkpoint.origin().as_str(),
            "size": size,
            "root": coded(&root),
            "index": seq,
            "leaf": coded(&leaf),
            "proof": path.iter().map(coded).collect::<Vec<_>>(),
        })
    })
}

fn consistency(grove: &Grove, newest: &Noted, old: u64) -> Option<Value> {
    let (size, root) = (newest.checkpoint.size(), newest.checkpoint.root());
    let (old_root, path) = (grove.root(old)?, grove.consistency(old, size)?);
    is_consistent(old, &old_root, size, &root, &path).then(|| {
        json!({
            "origin": newest.checkpoint.origin().as_str(),
            "size": size,
            "root": coded(&root),
            "old_size": old,
            "old_root": coded(&old_root),
            "proof": path.iter().map(coded).collect::<Vec<_>>(),
        })
    })
}

/// As checkpoints write it.
fn coded(digest: &Digest) -> String {
    STANDARD.encode(digest.as_bytes())
}
