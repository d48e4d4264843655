//! `ci-gateway audit verify`: whether the log is what the gateway wrote.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::files::{CheckpointArgs, Checkpoints, LogArgs, Problem, open};
use crate::audit::verify::{Finding, Notes, Seen, Unverified, verify};
use crate::cli::paper::{Ink, Paper, print};
use crate::cli::problems::counted;
use crate::cli::status::Status;

/// Say whether an audit log is what the gateway wrote, and if not, which line is the first that is not.
///
/// Several files are taken for one log. Whoever can write the files can write all of them anew, so keep the checkpoints
/// elsewhere too, and name the public key. Exit status: 0 in order, 2 something is wrong, 1 a file cannot be read, 64 bad usage.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    checkpoints: CheckpointArgs,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> ExitCode {
    match judged(args) {
        Ok(judged) => {
            let status = if judged.findings.is_empty() { Status::Fine } else { Status::SaidNo };
            let text = if args.json { format!("{}\n", judged.as_json()) } else { judged.for_people(Paper::new()) };
            print(&text, status)
        }
        Err(problem) => problem.tell(),
    }
}

struct Judged {
    files: usize,
    seen: Seen,
    verified: bool,
    findings: Vec<Finding>,
    unchecked: Vec<String>,
}

fn judged(args: &VerifyArgs) -> Result<Judged, Problem> {
    let config = args.log.config()?;
    let paths = args.log.paths(config.as_ref())?;
    let Checkpoints { notes, findings, files } = args.checkpoints.read(&args.log, &paths, config.as_ref())?;
    let verified = notes.are_verified();
    let mut logs = open(&paths)?;
    let verdict = verify(&mut logs, notes, None)?;
    let mut unchecked = not_gone_by(&verdict.notes);
    let set_aside = args.log.set_aside();
    unchecked.extend(set_aside.iter().map(|path| format!("{}: what a start had set aside", path.display())));
    unchecked.extend(not_seen(&verdict.seen, files.len(), verified, verdict.finding.is_some()));
    let findings = verdict.finding.into_iter().chain(findings).collect();
    Ok(Judged { files: paths.len(), seen: verdict.seen, verified, findings, unchecked })
}

/// Checkpoints that say nothing here.
fn not_gone_by(notes: &Notes) -> Vec<String> {
    let others = notes.unverified().iter().map(|Unverified { place, count }| {
        format!("{place}: {} of another key, which another --public-key may verify", many(*count, "checkpoint"))
    });
    let halves = notes.half_written().iter().map(|place| format!("{place}: a checkpoint that was written in half"));
    others.chain(halves).collect()
}

/// What nobody has looked at, so that a good result says no more than it can.
fn not_seen(seen: &Seen, files: usize, verified: bool, stopped: bool) -> Vec<String> {
    let mut unchecked = Vec::new();
    if seen.begins > 0 {
        unchecked.push(format!("it begins at record {}; what came before was not looked at", seen.begins));
    }
    if seen.unseen > 0 {
        unchecked.push(format!("of the records before the first one here: {}", many(seen.unseen, "checkpoint")));
    }
    if stopped {
        unchecked.push("what stands behind the first line that is wrong".to_owned());
    }
    match files {
        0 if seen.agreed == 0 => {
            unchecked.push("no checkpoints: whoever wrote all records anew, or cut the end off, is not seen".to_owned())
        }
        _ if !verified => {
            unchecked.push("no --public-key: whoever could write the log could write its checkpoints too".to_owned());
        }
        _ => {}
    }
    let behind = seen.ends - seen.covered.max(seen.begins);
    if (files > 0 || seen.agreed > 0) && behind > 0 {
        unchecked.push(format!("after the newest checkpoint: {}, covered by the chain alone", many(behind, "record")));
    }
    unchecked
}

impl Judged {
    fn as_json(&self) -> Value {
        let Seen { log, begins, ends, root, agreed, covered, unseen, recoveries } = &self.seen;
        json!({
            "ok": self.findings.is_empty(),
            "log": log,
            "files": self.files,
            "begins": begins,
            "ends": ends,
            "root": root.map(|root| root.to_string()),
            "checkpoints": { "agreed": agreed, "covered": covered, "unseen": unseen, "signatures_verified": self.verified },
            "recoveries": recoveries.iter().map(|recovery| json!({
                "place": recovery.name, "line": recovery.line, "reason": recovery.reason,
            })).collect::<Vec<_>>(),
            "not_checked": self.unchecked,
            "findings": self.findings.iter().map(finding_as_json).collect::<Vec<_>>(),
        })
    }

    fn for_people(&self, paper: Paper) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{}: {finding}\n  hint: {}", paper.ink(Ink::Red, "wrong"), finding.wrong().hint());
        }
        let Seen { log, begins, ends, agreed, recoveries, .. } = &self.seen;
        let name = log.as_deref().map(|log| format!(" of the log {log:?}")).unwrap_or_default();
        let records = match ends - begins {
            0 => "no record".to_owned(),
            1 => format!("record {begins}"),
            _ => format!("records {begins} to {}", ends - 1),
        };
        let verdict =
            if self.findings.is_empty() { paper.ink(Ink::Green, "in order") } else { "before it, in order".to_owned() };
        let checkpoints = many(*agreed, if self.verified { "signed checkpoint" } else { "checkpoint" });
        let _ = writeln!(text, "{verdict}: {records}{name}, held against {checkpoints}");
        for recovery in recoveries {
            let _ = writeln!(text, "  recovered: {}:{}: {}", recovery.name, recovery.line, recovery.reason);
        }
        for what in &self.unchecked {
            let _ = writeln!(text, "  {}: {what}", paper.ink(Ink::Yellow, "not checked"));
        }
        text
    }
}

fn many(count: u64, noun: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

fn finding_as_json(finding: &Finding) -> Value {
    json!({
        "place": finding.name(),
        "line": finding.line(),
        "seq": finding.seq(),
        "what": finding.wrong().to_string(),
        "hint": finding.wrong().hint(),
    })
}
