//! `ci-gateway policy test`: a policy against the decisions that its author expects.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{part_as_json, place};
use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::policy_file::PolicyFile;
use crate::cli::problems::counted;
use crate::cli::status::Status;
use crate::domain::{Mistake, Mistakes};
use crate::policy::{Answer, Cases, Expected, Format, Listed, Participation, Policy, Report};

/// A policy may have a hundred thousand statements; `--json` tells all that no case touches.
const UNTOUCHED_SHOWN: usize = 50;

/// Ask a policy the questions of a file, and compare its decisions with those that are expected.
///
/// Tells for each failure what was expected, what was decided and why, and which statements no case touches.
/// Exit status: 0 all as expected, 2 not, 64 the policy or the cases cannot be read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TestArgs {
    /// The policy file, TOML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file of cases: tables `[[case]]` with name, caller, groups, claims, action, bucket, region, ip, at, expect, statement
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
    /// Say no if a statement takes part in no case
    #[arg(long)]
    require_coverage: bool,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TestArgs) -> ExitCode {
    match read(&args.file, &args.cases) {
        Ok((policy, cases)) => asked(args, &policy, &cases),
        Err(mistakes) => super::unreadable(mistakes, args.json),
    }
}

/// The policy and its cases; both are looked at before either is refused.
fn read(policy: &Path, cases: &Path) -> Result<(Policy, Cases), Mistakes> {
    let policy = PolicyFile::read(policy).map(|file| file.policy);
    match (policy, read_cases(cases)) {
        (Ok(policy), Ok(cases)) => Ok((policy, cases)),
        (Err(of_policy), Err(of_cases)) => Err(of_policy.and(of_cases.into_vec())),
        (Err(mistakes), Ok(_)) | (Ok(_), Err(mistakes)) => Err(mistakes),
    }
}

fn read_cases(file: &Path) -> Result<Cases, Mistakes> {
    let place = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Cases::parse(&text, &place, Format::of(file), Timestamp::now()),
        Err(why) => Err(Mistake::new(place, format!("cannot be read: {why}"))
            .hint("name a file of [[case]] tables with `--cases`")
            .into()),
    }
}

fn asked(args: &TestArgs, policy: &Policy, cases: &Cases) -> ExitCode {
    let report = cases.ask(policy);
    let covered = report.untouched.is_empty() || !args.require_coverage;
    let ok = covered && report.failures().next().is_none();
    let text = if args.json {
        format!("{}\n", as_json(policy, &report, ok))
    } else {
        for_people(&report, &args.cases, ok, Paper::new())
    };
    print(&text, if ok { Status::Fine } else { Status::SaidNo })
}

fn as_json(policy: &Policy, report: &Report<'_>, ok: bool) -> Value {
    let untouched = |listed: &Listed| {
        let (place, line) = listed.stands.as_ref().map(|(place, line)| (place, line)).unzip();
        json!({ "statement": &*listed.name, "place": place.map(|place| &**place), "line": line })
    };
    json!({
        "ok": ok,
        "mistakes": [],
        "policy": policy.digest(),
        "failures": report.failures().count(),
        "cases": report.answers.iter().map(answer_as_json).collect::<Vec<_>>(),
        "statements": report.statements,
        "untouched": report.untouched.iter().map(untouched).collect::<Vec<_>>(),
    })
}

fn answer_as_json(answer: &Answer<'_>) -> Value {
    let decision = answer.explanation.decision();
    let Expected { statement, .. } = answer.case.expected();
    json!({
        "name": answer.case.name(),
        "line": answer.case.line(),
        "as_expected": answer.is_as_expected(),
        "expected": { "decision": answer.case.expected().as_str(), "statement": statement },
        "decided": { "decision": decision.verdict().as_str(), "statement": decision.statement() },
        "parts": answer.explanation.parts().iter().map(part_as_json).collect::<Vec<_>>(),
        "hint": answer.hint,
    })
}

fn for_people(report: &Report<'_>, cases: &Path, ok: bool, paper: Paper) -> String {
    let failures: String = report.failures().map(|answer| failure(answer, cases, paper)).collect();
    let untouched = untouched(&report.untouched, paper);
    let asked = report.answers.len();
    let held = asked - report.failures().count();
    let sum = format!(
        "{held} of {} as expected; {} of {} touched",
        counted(asked, "case"),
        report.statements - report.untouched.len(),
        counted(report.statements, "statement"),
    );
    let sum = paper.ink(if ok { Ink::Green } else { Ink::Red }, &sum);
    format!("{failures}{untouched}{sum}\n")
}

fn failure(answer: &Answer<'_>, cases: &Path, paper: Paper) -> String {
    let case = answer.case;
    let place = format!("{}:{}", cases.display(), case.line());
    let decision = answer.explanation.decision();
    let Expected { statement, .. } = case.expected();
    let expected = by(case.expected().as_str(), statement.as_deref());
    let decided = by(decision.verdict().as_str(), decision.statement());
    let head = vec![vec![(Ink::Red, "failed".to_owned()), (Ink::Bold, case.name().to_owned()), (Ink::Dim, place)]];
    let mut told =
        vec![line("expected", expected), line("decided", format!("{decided}: {}", decision.verdict().reason()))];
    told.extend(answer.hint.as_ref().map(|hint| line("hint", hint.clone())));
    let parts: Vec<Vec<Cell>> = answer.explanation.parts().iter().map(part).collect();
    format!("{}{}{}\n", paper.table(&head), paper.table(&told), paper.table(&parts))
}

fn by(decision: &str, statement: Option<&str>) -> String {
    statement.map_or_else(|| decision.to_owned(), |statement| format!("{decision} by `{statement}`"))
}

fn line(name: &str, text: String) -> Vec<Cell> {
    vec![(Ink::Plain, format!("  {name}")), (Ink::Plain, text)]
}

/// How a statement took part.
fn part(part: &Participation) -> Vec<Cell> {
    let ink = if part.decides { Ink::Bold } else { Ink::Plain };
    vec![
        (ink, format!("  {} {}", part.effect.as_str(), part.statement)),
        (Ink::Plain, part.via.to_string()),
        (Ink::Plain, part.how.to_string()),
        (Ink::Dim, place(part.stands.as_ref())),
    ]
}

fn untouched(statements: &[Listed], paper: Paper) -> String {
    if statements.is_empty() {
        return String::new();
    }
    let row =
        |listed: &Listed| vec![(Ink::Yellow, format!("  {}", listed.name)), (Ink::Dim, place(listed.stands.as_ref()))];
    let rows: Vec<Vec<Cell>> = statements.iter().take(UNTOUCHED_SHOWN).map(row).collect();
    let more = match statements.len().saturating_sub(UNTOUCHED_SHOWN) {
        0 => String::new(),
        more => format!("  and {more} more\n"),
    };
    format!("no case touches\n{}{more}\n", paper.table(&rows))
}
