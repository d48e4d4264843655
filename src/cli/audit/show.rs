//! `ci-gateway audit show`: who did what, and when.

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::files::{LogArgs, Problem, open};
use super::moment::Moment;
use super::requests::{Request, each_request};
use super::terminal::{fitted, width};
use super::visible;
use crate::audit::reading::{Answered, Asked, UpstreamRead};
use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::problems;
use crate::cli::status::Status;
use crate::domain::{Action, Bucket, Mistake, Outcome, nearest};

/// The word for a request of which nothing came, as far as the log knows.
const NONE: &str = "none";
/// Of a fingerprint, in the table.
const SHORT: usize = 8;
/// What goes first where there is no room.
const DISPENSABLE: [&str; 6] = ["key", "CI's request", "took", "region", "decision", "code"];

/// Show the requests in an audit log: who asked for what, when, and what came of it.
///
/// `ci-gateway audit show --bucket B --action ci:CreateAsrBucket --outcome applied FILE…` says who enabled a bucket. Each
/// line's own digest is looked at, and the chain is not: `audit verify` does that. Exit status: 0; 2 if lines cannot be read,
/// which are told on standard error; 1 a file cannot be read; 64 bad usage.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Only those of this caller
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,
    /// Only those on this bucket
    #[arg(long, value_name = "BUCKET")]
    bucket: Option<String>,
    /// Only those for this action, such as `ci:CreateAsrBucket`
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only those with this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only those with this outcome: not_sent, rejected, applied, unknown, or none if nothing came of it
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only those from then on: RFC 3339, a day in UTC, or so long ago, such as `2h`
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Only the last N
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(super) fn run(args: &ShowArgs) -> ExitCode {
    match shown(args, Timestamp::now()) {
        Ok((text, mistakes)) => {
            let status = if mistakes.is_empty() { Status::Fine } else { Status::SaidNo };
            let printed = print(&text, status);
            if !mistakes.is_empty() {
                problems::tell(&mistakes);
            }
            printed
        }
        Err(problem) => problem.tell(),
    }
}

fn shown(args: &ShowArgs, now: Timestamp) -> Result<(String, Vec<Mistake>), Problem> {
    let filter = Filter::of(args, now)?;
    let paths = match args.log.config()? {
        Some(config) => args.log.with_rotated(&config)?,
        None => args.log.paths(None)?,
    };
    let mut rows = Vec::new();
    let read = each_request(
        &mut open(&paths)?,
        |asked| filter.takes(asked),
        |request| {
            if filter.takes_whole(&request) {
                rows.push(request);
            }
        },
    )?;
    rows.sort_by_key(Request::time);
    if let Some(limit) = args.limit {
        rows.drain(..rows.len().saturating_sub(limit));
    }
    let text = if args.json {
        rows.iter().map(|request| format!("{}\n", as_json(request))).collect()
    } else {
        for_people(&rows, Paper::new(), width())
    };
    Ok((text, read.bad_lines))
}

impl ShowArgs {
    /// That the filters leave anything to show at all.
    fn can_be_met(&self, now: Timestamp) -> Result<(), Mistake> {
        for (option, text) in [("--caller", &self.caller), ("--request-id", &self.request_id)] {
            if text.as_deref() == Some("") {
                return Err(Mistake::new(option, "is empty, and no record is without it"));
            }
        }
        if self.limit == Some(0) {
            return Err(Mistake::new("--limit", "0 shows nothing").hint("leave it out to show all"));
        }
        match (self.since, self.until) {
            (Some(since), Some(until)) if since.from(now) >= until.from(now) => {
                Err(Mistake::new("--until", "is not after `--since`: nothing lies between"))
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }
}

/// Which requests are wanted.
struct Filter<'a> {
    args: &'a ShowArgs,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl<'a> Filter<'a> {
    /// What no record can say is a mistake, not an empty answer.
    fn of(args: &'a ShowArgs, now: Timestamp) -> Result<Self, Mistake> {
        args.can_be_met(now)?;
        if let Some(action) = &args.action
            && Action::all().all(|known| known.as_str() != action)
        {
            return Err(unknown("--action", action, Action::all().map(Action::as_str)));
        }
        if let Some(bucket) = &args.bucket
            && let Err(why) = bucket.parse::<Bucket>()
        {
            return Err(Mistake::new("--bucket", format!("{bucket:?}: {why}")));
        }
        let outcomes = || Outcome::ALL.map(Outcome::as_str).into_iter().chain([NONE]);
        if let Some(outcome) = &args.outcome
            && outcomes().all(|known| known != outcome)
        {
            return Err(unknown("--outcome", outcome, outcomes()));
        }
        let from = |moment: Option<Moment>| moment.map(|moment| moment.from(now));
        Ok(Self { args, since: from(args.since), until: from(args.until) })
    }

    /// By what stands in intent and outcome alike.
    fn takes(&self, asked: &Asked) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let ShowArgs { caller, bucket, action, request_id, .. } = self.args;
        is(caller, &asked.caller)
            && is(bucket, &asked.bucket)
            && is(action, &asked.action)
            && is(request_id, &asked.request_id)
    }

    /// By what is known once both are joined.
    fn takes_whole(&self, request: &Request) -> bool {
        let outcome = request.answered.as_ref().map_or(NONE, |answered| &answered.outcome);
        self.args.outcome.as_deref().is_none_or(|wanted| wanted == outcome)
            && self.since.is_none_or(|since| request.time() >= since)
            && self.until.is_none_or(|until| request.time() < until)
    }
}

fn unknown<'k>(option: &str, text: &str, known: impl Iterator<Item = &'k str>) -> Mistake {
    let mistake = Mistake::new(option, format!("{text:?} stands in no record"));
    match nearest(text, known) {
        Some(near) => mistake.hint(format!("did you mean `{near}`?")),
        None => mistake,
    }
}

fn as_json(request: &Request) -> Value {
    let Asked { request_id, caller, issuer, action, bucket, region, validate_only, decision, statement, key, .. } =
        &request.asked;
    let answered = request.answered.as_ref();
    let upstream = answered.and_then(|answered| answered.upstream.as_ref());
    json!({
        "time": request.time(),
        "request_id": request_id,
        "caller": caller,
        "issuer": issuer,
        "action": action,
        "bucket": bucket,
        "region": region,
        "validate_only": validate_only,
        "decision": decision,
        "statement": statement,
        "key": key,
        "outcome": answered.map(|answered| &answered.outcome),
        "status": answered.map(|answered| answered.status),
        "code": answered.map(|answered| &answered.code),
        "took_ms": answered.and_then(|answered| answered.duration_ms),
        "upstream": upstream.map(|UpstreamRead { status, code, request_id }| json!({
            "status": status, "code": code, "request_id": request_id,
        })),
    })
}

fn for_people(requests: &[Request], paper: Paper, width: Option<usize>) -> String {
    if requests.is_empty() {
        return "no such request\n".to_owned();
    }
    let titles =
        ["time", "caller", "action", "bucket", "region", "decision", "outcome", "code", "key", "CI's request", "took"];
    let titles = titles.map(|title| (Ink::Dim, title.to_owned())).to_vec();
    let rows = [titles].into_iter().chain(requests.iter().map(row)).collect();
    paper.table(&fitted(rows, width.unwrap_or(usize::MAX), &DISPENSABLE))
}

fn row(request: &Request) -> Vec<Cell> {
    let asked = &request.asked;
    let answered = request.answered.as_ref();
    let upstream = answered.and_then(|answered| answered.upstream.as_ref());
    let plain = |text: &str| (Ink::Plain, visible(text));
    let time = Timestamp::from_second(request.time().as_second()).unwrap_or(request.time());
    let took = answered.and_then(|answered| answered.duration_ms).map(|took| format!("{took:.0} ms"));
    vec![
        plain(&time.to_string()),
        plain(&asked.caller),
        plain(&asked.action),
        plain(&asked.bucket),
        plain(&asked.region),
        plain(asked.decision.as_deref().unwrap_or_default()),
        outcome(answered),
        plain(answered.map_or("", |answered| &answered.code)),
        plain(asked.key.as_deref().map(|key| key.get(..SHORT).unwrap_or(key)).unwrap_or_default()),
        plain(upstream.and_then(|upstream| upstream.request_id.as_deref()).unwrap_or_default()),
        plain(&took.unwrap_or_default()),
    ]
}

fn outcome(answered: Option<&Answered>) -> Cell {
    let word = answered.map_or(NONE, |answered| &answered.outcome);
    let ink = match word {
        "applied" => Ink::Green,
        "unknown" | NONE => Ink::Yellow,
        "rejected" => Ink::Red,
        // The outcomes of a later version stand out in no way.
        _ => Ink::Plain,
    };
    (ink, visible(word))
}
