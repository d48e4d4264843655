//! `ci-gateway policy diff`: who gains and who loses which access between two policies.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::unreadable;
use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::policy_file::PolicyFile;
use crate::cli::status::Status;
use crate::domain::{Action, Mistakes};
use crate::policy::{Diff, Difference, Policy, Resources, Row, Ruling};

/// When whoever waits before a terminal is told how far it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of callers with the same difference, and of the patterns of its buckets, how many are named to people.
const MOST_NAMES: usize = 6;

/// Say who gains and who loses which access, by what the policies mean and not by their texts.
///
/// What has ended by now counts as gone. Conditions are compared by their texts. Exit status: 0 whether they differ or not, with `--exit-code` 2 if they do; 1 if
/// no difference was found but not every case could be compared; 64 a policy that cannot be read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The policy file that is in force, TOML or JSON
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy file that is to be, TOML or JSON
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Say it by the exit status too: 2 if they differ
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(args: &DiffArgs) -> ExitCode {
    let (old, new) = match both(&args.old, &args.new) {
        Ok(both) => both,
        Err(mistakes) => return unreadable(mistakes, args.json),
    };
    let mut progress = Progress::new();
    let diff = old.diff(&new, Timestamp::now(), &mut |done, all| progress.tell(done, all));
    progress.wipe();
    let text = if args.json { format!("{}\n", as_json(&old, &new, &diff)) } else { for_people(&diff, Paper::new()) };
    let status = match (diff.rows.is_empty(), diff.complete) {
        (false, _) if args.exit_code => Status::SaidNo,
        (false, _) | (true, true) => Status::Fine,
        (true, false) => Status::Failure,
    };
    print(&text, status)
}

/// Both, or the mistakes of both.
fn both(old: &Path, new: &Path) -> Result<(Policy, Policy), Mistakes> {
    match (PolicyFile::read(old), PolicyFile::read(new)) {
        (Ok(old), Ok(new)) => Ok((old.policy, new.policy)),
        (Err(old), Err(new)) => Err(old.and(new.into_vec())),
        (Err(mistakes), Ok(_)) | (Ok(_), Err(mistakes)) => Err(mistakes),
    }
}

/// A line on standard error that is written over, for people who have waited.
struct Progress {
    began: Instant,
    told: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { began: Instant::now(), told: None, terminal: std::io::stderr().is_terminal() }
    }

    fn tell(&mut self, done: usize, all: usize) {
        let lately = self.told.is_some_and(|told| told.elapsed() < PATIENCE / 10);
        if self.terminal && !lately && self.began.elapsed() > PATIENCE {
            self.told = Some(Instant::now());
            // A line that cannot be written is not missed.
            let _told = write!(std::io::stderr(), "\rcompared {done} of {all} kinds of callers");
        }
    }

    fn wipe(&self) {
        if self.told.is_some() {
            let _wiped = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn as_json(old: &Policy, new: &Policy, diff: &Diff) -> Value {
    json!({
        "ok": true,
        "same": diff.rows.is_empty() && diff.complete,
        "complete": diff.complete,
        "old": old.digest(),
        "new": new.digest(),
        "differences": diff.rows.iter().map(row_as_json).collect::<Vec<_>>(),
    })
}

fn row_as_json(Row { kind, principals, together_with, actions, resources, old, new }: &Row) -> Value {
    let resource = |Resources { pattern, except, example }: &Resources| json!({ "pattern": pattern, "except": except, "example": example });
    let ruling = |Ruling { when, statements }: &Ruling| json!({ "access": when, "statements": statements });
    json!({
        "kind": kind.as_str(),
        "principals": principals,
        "together_with": together_with,
        "actions": actions.iter().map(|action| action.as_str()).collect::<Vec<_>>(),
        "resources": resources.iter().map(resource).collect::<Vec<_>>(),
        "old": ruling(old),
        "new": ruling(new),
    })
}

fn for_people(diff: &Diff, paper: Paper) -> String {
    let mut text = if diff.rows.is_empty() && diff.complete {
        format!("{}\n", paper.ink(Ink::Green, "No difference: every caller may do what it could before."))
    } else if diff.rows.is_empty() {
        "No difference was found.\n".to_owned()
    } else {
        let titles = ["", "who", "action", "resource", "old", "new"].map(|title| (Ink::Dim, title.to_owned()));
        let rows: Vec<Vec<Cell>> = [titles.to_vec()].into_iter().chain(diff.rows.iter().map(row)).collect();
        format!("{}\n{}\n", paper.table(&rows), summary(diff))
    };
    if !diff.complete {
        text += &paper.ink(Ink::Yellow, "Not every case could be compared: there may be more differences.");
        text.push('\n');
    }
    text
}

/// How many callers gain, lose, or see a change.
fn summary(diff: &Diff) -> String {
    let of = |kind: Difference| {
        let rows = diff.rows.iter().filter(|row| row.kind == kind);
        rows.flat_map(|row| &row.principals).collect::<HashSet<_>>().len()
    };
    let kinds = [Difference::Gains, Difference::Loses, Difference::Changes];
    let [gain, lose, change] = kinds.map(of);
    format!("principals that gain: {gain}, that lose: {lose}, whose conditions change: {change}")
}

fn row(Row { kind, principals, together_with, actions, resources, old, new }: &Row) -> Vec<Cell> {
    let (mark, ink) = match kind {
        Difference::Gains => ("+", Ink::Green),
        Difference::Loses => ("-", Ink::Red),
        Difference::Changes => ("~", Ink::Yellow),
    };
    let with = if together_with.is_empty() { String::new() } else { format!(" who is also {}", names(together_with)) };
    vec![
        (ink, mark.to_owned()),
        (ink, names(principals) + &with),
        (Ink::Plain, self::actions(actions)),
        (Ink::Plain, names(&resources.iter().map(resource).collect::<Vec<_>>())),
        (Ink::Plain, ruling(old)),
        (Ink::Plain, ruling(new)),
    ]
}

fn names(all: &[String]) -> String {
    let some: Vec<&str> = all.iter().take(MOST_NAMES).map(String::as_str).collect();
    match all.len().saturating_sub(MOST_NAMES) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

fn actions(actions: &[Action]) -> String {
    if actions.len() == Action::COUNT {
        return "ci:*".to_owned();
    }
    actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ")
}

fn resource(Resources { pattern, except, example }: &Resources) -> String {
    let such_as = if *example { "such as " } else { "" };
    let except = if except.is_empty() { String::new() } else { format!(" except {}", names(except)) };
    format!("{such_as}{pattern}{except}")
}

fn ruling(Ruling { when, statements }: &Ruling) -> String {
    if statements.is_empty() { when.clone() } else { format!("{when} ({})", statements.join(", ")) }
}
