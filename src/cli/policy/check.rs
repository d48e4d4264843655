//! `ci-gateway policy check`: what is wrong with a policy, and what is surely not meant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::policy_file::PolicyFile;
use crate::cli::problems::{self, counted};
use crate::cli::status::Status;
use crate::policy::{Policy, Remark, Weight};

/// Name every mistake of a policy, and what it allows or says in vain, with file, line and a hint.
///
/// Exit status: 0 nothing, or notes alone; 2 a warning; 64 a mistake, with which the gateway would not start.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The policy file, TOML or JSON; documents that it attaches are read too
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs) -> ExitCode {
    let policy = match PolicyFile::read(&args.file) {
        Ok(file) => file.policy,
        Err(mistakes) => return super::unreadable(mistakes, args.json),
    };
    let remarks = policy.review(Timestamp::now());
    let warned = remarks.iter().any(|remark| remark.weight == Weight::Warning);
    let text = if args.json {
        format!("{}\n", as_json(&policy, &remarks, !warned))
    } else {
        for_people(&policy, &remarks, &args.file, Paper::new())
    };
    print(&text, if warned { Status::SaidNo } else { Status::Fine })
}

fn as_json(policy: &Policy, remarks: &[Remark], ok: bool) -> Value {
    let told = |remark: &Remark| {
        let mut told = problems::as_json(&remark.mistake);
        if let Some(told) = told.as_object_mut() {
            told.insert("weight".to_owned(), remark.weight.as_str().into());
        }
        told
    };
    let remarks: Vec<Value> = remarks.iter().map(told).collect();
    let (digest, statements) = (policy.digest(), policy.statements());
    json!({ "ok": ok, "policy": digest, "statements": statements, "mistakes": [], "findings": remarks })
}

fn for_people(policy: &Policy, remarks: &[Remark], file: &Path, paper: Paper) -> String {
    let statements = counted(policy.statements(), "statement");
    let head = format!("{}  {statements}, no mistake", paper.ink(Ink::Bold, &file.display().to_string()));
    let rows: Vec<Vec<Cell>> = remarks.iter().flat_map(rows).collect();
    let of = |weight: Weight| remarks.iter().filter(|remark| remark.weight == weight).count();
    let (warnings, notes) = (of(Weight::Warning), of(Weight::Note));
    let ink = if warnings > 0 { Ink::Yellow } else { Ink::Green };
    let sum = paper.ink(ink, &format!("{}, {}", counted(warnings, "warning"), counted(notes, "note")));
    let gap = if rows.is_empty() { "" } else { "\n" };
    format!("{head}\n{gap}{}{gap}{sum}\n", paper.table(&rows))
}

/// What it is, and below it what to do.
fn rows(remark: &Remark) -> Vec<Vec<Cell>> {
    let ink = match remark.weight {
        Weight::Warning => Ink::Yellow,
        Weight::Note => Ink::Plain,
    };
    let mistake = &remark.mistake;
    let line = mistake.line().map(|line| format!(":{line}")).unwrap_or_default();
    let told = vec![
        (ink, remark.weight.as_str().to_owned()),
        (Ink::Plain, format!("{}{line}", mistake.place())),
        (Ink::Plain, mistake.what().to_owned()),
    ];
    let none = || (Ink::Plain, String::new());
    let hint = mistake.hint_text().map(|hint| vec![none(), none(), (Ink::Dim, format!("hint: {hint}"))]);
    [told].into_iter().chain(hint).collect()
}
