//! `ci-gateway policy …`: the policy as an artefact, looked at without a gateway.

mod check;
mod diff;
mod explain;
mod options;
mod test;
mod who_can;

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::problems;
use super::status::Status;
use crate::domain::Mistakes;
use crate::policy::Participation;

/// Look at a policy without a gateway: check it, test it, ask it, compare it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum PolicyCommand {
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
    WhoCan(who_can::WhoCanArgs),
    Diff(diff::DiffArgs),
}

pub(super) fn run(args: &PolicyArgs) -> ExitCode {
    match &args.command {
        PolicyCommand::Check(args) => check::run(args),
        PolicyCommand::Test(args) => test::run(args),
        PolicyCommand::Explain(args) => explain::run(args),
        PolicyCommand::WhoCan(args) => who_can::run(args),
        PolicyCommand::Diff(args) => diff::run(args),
    }
}

/// The answer to files that cannot be used.
fn unreadable(mistakes: Mistakes, json: bool) -> ExitCode {
    let mistakes = mistakes.into_vec();
    if json {
        let mistakes: Vec<Value> = mistakes.iter().map(problems::as_json).collect();
        return super::paper::print(&format!("{}\n", json!({ "ok": false, "mistakes": mistakes })), Status::BadUsage);
    }
    problems::tell(&mistakes);
    Status::BadUsage.into()
}

/// Where a statement stands: `FILE:LINE`, or nothing for a line of `[users]`.
fn place(stands: Option<&(Arc<str>, usize)>) -> String {
    stands.map(|(place, line)| format!("{place}:{line}")).unwrap_or_default()
}

/// How a statement took part in a decision, for programs.
fn part_as_json(part: &Participation) -> Value {
    let (place, line) = part.stands.as_ref().map(|(place, line)| (&**place, *line)).unzip();
    json!({
        "statement": &*part.statement,
        "place": place,
        "line": line,
        "effect": part.effect.as_str(),
        "principal": &*part.via,
        "part": part.how.as_str(),
        "detail": part.how.to_string(),
        "takes_part": part.takes_part,
        "decides": part.decides,
    })
}
