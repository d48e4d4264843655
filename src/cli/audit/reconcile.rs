//! `ci-gateway audit reconcile`: what became of the calls of which the log does not say it.

mod changes;
mod question;

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::files::{LogArgs, Problem, open};
use super::moment::Moment;
use super::requests::{Request, each_request};
use crate::audit::reading::Asked;
use crate::cli::harden::harden;
use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::problems;
use crate::cli::status::Status;
use crate::config::Config;
use crate::domain::{Action, Bucket, Mistake, Outcome, Region, Verb};
use changes::Changes;
use question::{Inquirer, Said};

/// List the calls of which it is not known whether they took effect, and ask Cloud Infinite what is so now.
///
/// These are intents without an outcome, and outcomes `unknown`, of creates and deletes. It asks by GET alone, with the
/// gateway's own keys and without a policy: not a caller asks, but the operator who holds the keys. Intents younger than the
/// request time-out are left out, as their requests may still be running. Exit status: 0 nothing to reconcile, 2 something,
/// 1 a file cannot be read, 64 bad usage.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Only those from then on: RFC 3339, a day in UTC, or so long ago, such as `2h`
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Ask nobody: only list them
    #[arg(long)]
    offline: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ReconcileArgs) -> ExitCode {
    // It holds the keys for a moment.
    harden();
    match reconciled(&args, Timestamp::now()).await {
        Ok((calls, mistakes)) => {
            let status = if calls.is_empty() && mistakes.is_empty() { Status::Fine } else { Status::SaidNo };
            let text = if args.json {
                calls.iter().map(|call| format!("{}\n", call.as_json())).collect()
            } else {
                for_people(&calls, mistakes.is_empty(), Paper::new())
            };
            let printed = print(&text, status);
            if !mistakes.is_empty() {
                problems::tell(&mistakes);
            }
            printed
        }
        Err(problem) => problem.tell(),
    }
}

/// A create or a delete that may have taken effect, and what is so now.
struct OpenCall {
    /// Which of all calls it is.
    number: usize,
    request: Request,
    action: Action,
    place: Place,
    /// Whether a later call changed the same, or may have: then what is so now says nothing about this one.
    overtaken: bool,
    said: Option<Said>,
}

/// What a call changes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    bucket: Bucket,
    region: Region,
}

async fn reconciled(args: &ReconcileArgs, now: Timestamp) -> Result<(Vec<OpenCall>, Vec<Mistake>), Problem> {
    let config = args.log.config()?.ok_or_else(|| {
        Mistake::new("command line", "`--config` is missing")
            .hint("it names the keys to ask with and the request time-out")
    })?;
    let since = args.since.map(|since| since.from(now));
    let (mut calls, mistakes) = open_calls(&args.log, &config, since, now)?;
    if !args.offline && !calls.is_empty() {
        let inquirer = Inquirer::new(&config).await?;
        for call in &mut calls {
            let said =
                inquirer.ask(call.action.service(), &call.place.bucket, &call.place.region, Timestamp::now()).await;
            call.said = Some(said);
        }
    }
    Ok((calls, mistakes))
}

fn open_calls(
    log: &LogArgs,
    config: &Config,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Vec<OpenCall>, Vec<Mistake>), Problem> {
    let patience = config.server.request_timeout;
    let running_since = now.checked_sub(patience).unwrap_or(Timestamp::MIN);
    let (mut calls, mut changes, mut number) = (Vec::new(), Changes::default(), 0);
    let read = each_request(
        &mut open(&log.with_rotated(config)?)?,
        |asked| !asked.validate_only,
        |request| {
            let Some((action, place)) = changes_what(&request.asked) else { return };
            let (outcome, until) = match &request.answered {
                Some(answered) => (Some(answered.outcome.as_str()), request.asked.time),
                None => (None, request.time().checked_add(patience).unwrap_or(Timestamp::MAX)),
            };
            if [Outcome::NotSent, Outcome::Rejected].iter().any(|not| Some(not.as_str()) == outcome) {
                return;
            }
            number += 1;
            changes.add(action.service(), place.clone(), until, number);
            let is_known = outcome == Some(Outcome::Applied.as_str());
            let is_running = outcome.is_none() && request.time() > running_since;
            if !is_known && !is_running && since.is_none_or(|since| request.time() >= since) {
                calls.push(OpenCall { number, request, action, place, overtaken: false, said: None });
            }
        },
    )?;
    for call in &mut calls {
        call.overtaken = changes.overtook(call.action.service(), &call.place, call.request.time(), call.number);
    }
    calls.sort_by_key(|call| call.request.time());
    Ok((calls, read.complaints(since)))
}

/// What it would have changed; a call that reads, or that no gateway can have made, changes nothing.
fn changes_what(asked: &Asked) -> Option<(Action, Place)> {
    let action: Action = asked.action.parse().ok().filter(|action: &Action| action.verb() != Verb::Describe)?;
    Some((action, Place { bucket: asked.bucket.parse().ok()?, region: asked.region.parse().ok()? }))
}

impl OpenCall {
    /// What can be said about it now.
    fn verdict(&self) -> &'static str {
        match (&self.said, self.action.verb()) {
            (None, _) => "not asked",
            (Some(Said::CannotTell(_)), _) => "cannot tell",
            (Some(Said::Enabled(_) | Said::NotEnabled), _) if self.overtaken => {
                "cannot tell: a later call may have changed it"
            }
            (Some(Said::Enabled(_)), Verb::Create) | (Some(Said::NotEnabled), Verb::Delete) => "apparently applied",
            (Some(Said::NotEnabled), Verb::Create) | (Some(Said::Enabled(_)), Verb::Delete) => "apparently not applied",
            // Reading changes nothing; `changes_what` takes no such call.
            (Some(Said::Enabled(_) | Said::NotEnabled), Verb::Describe) => "nothing to apply",
        }
    }

    fn now_is(&self) -> String {
        match &self.said {
            None => String::new(),
            Some(Said::Enabled(None)) => "enabled".to_owned(),
            Some(Said::Enabled(Some(since))) => format!("enabled since {since}"),
            Some(Said::NotEnabled) => "not enabled".to_owned(),
            Some(Said::CannotTell(why)) => why.clone(),
        }
    }

    fn as_json(&self) -> Value {
        let asked = &self.request.asked;
        let enabled = match &self.said {
            Some(Said::Enabled(_)) => Some(true),
            Some(Said::NotEnabled) => Some(false),
            Some(Said::CannotTell(_)) | None => None,
        };
        json!({
            "time": self.request.time(),
            "request_id": asked.request_id,
            "caller": asked.caller,
            "action": asked.action,
            "bucket": asked.bucket,
            "region": asked.region,
            "outcome": self.request.answered.as_ref().map(|answered| &answered.outcome),
            "enabled": enabled,
            "now": self.now_is(),
            "verdict": self.verdict(),
        })
    }
}

fn for_people(calls: &[OpenCall], all_read: bool, paper: Paper) -> String {
    if calls.is_empty() && !all_read {
        return "nothing to reconcile in what could be read; see below for what could not\n".to_owned();
    }
    if calls.is_empty() {
        return "nothing to reconcile: every create and delete that is older than server.request_timeout has an outcome that is known\n".to_owned();
    }
    let titles = ["time", "request", "caller", "action", "bucket", "region", "now", "verdict"];
    let titles = titles.map(|title| (Ink::Dim, title.to_owned())).to_vec();
    let rows: Vec<Vec<Cell>> = [titles].into_iter().chain(calls.iter().map(row)).collect();
    paper.table(&rows)
}

fn row(call: &OpenCall) -> Vec<Cell> {
    let asked = &call.request.asked;
    let ink = if call.overtaken || !matches!(call.said, Some(Said::Enabled(_) | Said::NotEnabled)) {
        Ink::Yellow
    } else {
        Ink::Plain
    };
    let plain = |text: &str| (Ink::Plain, super::visible(text));
    vec![
        plain(&call.request.time().to_string()),
        plain(&asked.request_id),
        plain(&asked.caller),
        plain(&asked.action),
        plain(&asked.bucket),
        plain(&asked.region),
        plain(&call.now_is()),
        (ink, call.verdict().to_owned()),
    ]
}
