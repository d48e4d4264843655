//! `ci-gateway policy who-can`: every principal that can, and through which statement.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::options::Options;
use super::unreadable;
use crate::cli::paper::{Cell, Ink, Paper, print};
use crate::cli::policy_file::PolicyFile;
use crate::cli::status::Status;
use crate::domain::{Action, Bucket, Mistakes, Region};
use crate::policy::{Denial, Grant, Holder, Member, Policy, Said, WhoCan, Wish};

/// List everyone who can do an action on a bucket, and through which statements.
///
/// A grant that depends on more than what is asked is listed with what it depends on. Exit status: 0, whoever can; 64 a
/// policy or an option that cannot be read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WhoCanArgs {
    /// The policy file, TOML or JSON; documents that it attaches are read too
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The action, such as `ci:CreateAsrBucket`
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// The bucket's full name
    #[arg(long, value_name = "BUCKET")]
    bucket: String,
    /// The bucket's region; without it any region counts and is shown
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The address that asks; decides the conditions on it
    #[arg(long, value_name = "ADDR")]
    ip: Option<String>,
    /// The time, RFC 3339; decides the conditions on it. Without it, what has ended by now is passed over
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What is asked, whole.
struct Asked {
    action: Action,
    bucket: Bucket,
    region: Option<Region>,
    ip: Option<std::net::IpAddr>,
    at: Option<Timestamp>,
    now: Timestamp,
}

pub(super) fn run(args: &WhoCanArgs) -> ExitCode {
    let asked = PolicyFile::read(&args.file).and_then(|file| Ok((asked(args, &file.policy)?, file.policy)));
    let (asked, policy) = match asked {
        Ok(asked) => asked,
        Err(mistakes) => return unreadable(mistakes, args.json),
    };
    let answer = policy.who_can(&asked.wish());
    let text = if args.json {
        format!("{}\n", as_json(&asked, &policy, &answer))
    } else {
        for_people(&asked, &answer, Paper::new())
    };
    print(&text, Status::Fine)
}

fn asked(args: &WhoCanArgs, policy: &Policy) -> Result<Asked, Mistakes> {
    let mut options = Options::new(policy);
    let action = options.action(&args.action);
    let bucket = options.bucket(&args.bucket);
    let region = args.region.as_deref().and_then(|text| options.region(text));
    let ip = options.ip(args.ip.as_deref());
    let at = options.at(args.at.as_deref());
    let now = at.unwrap_or_else(Timestamp::now);
    let asked = || Some(Asked { action: action?, bucket: bucket?, region, ip, at, now });
    options.finish(asked())
}

impl Asked {
    fn wish(&self) -> Wish<'_> {
        let Self { action, bucket, region, ip, at, now } = self;
        Wish { action: *action, bucket, region: region.as_ref(), now: *now, at: *at, ip: *ip }
    }
}

fn as_json(asked: &Asked, policy: &Policy, answer: &WhoCan<'_>) -> Value {
    let Asked { action, bucket, region, ip, at, now: _ } = asked;
    json!({
        "ok": true,
        "action": action.as_str(),
        "bucket": bucket.as_str(),
        "region": region.as_ref().map(Region::as_str),
        "at": at.map(|at| at.to_string()),
        "ip": ip.map(|ip| ip.to_string()),
        "policy": policy.digest(),
        "allowed": answer.allowed.iter().map(holder_as_json).collect::<Vec<_>>(),
        "denied": answer.denied.iter().map(denial_as_json).collect::<Vec<_>>(),
    })
}

fn holder_as_json(Holder { principal, grants, members }: &Holder<'_>) -> Value {
    let grant = |Grant { said, unless }: &Grant<'_>| {
        let mut told = said_as_json(said);
        if let Some(told) = told.as_object_mut() {
            told.insert("unless".to_owned(), unless.iter().map(said_as_json).collect());
        }
        told
    };
    let member = |Member { name, denied_by }: &Member<'_>| json!({ "name": name, "denied_by": denied_by });
    json!({
        "principal": principal.to_string(),
        "grants": grants.iter().map(grant).collect::<Vec<_>>(),
        "members": members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn denial_as_json(Denial { principal, said }: &Denial<'_>) -> Value {
    let mut told = said_as_json(said);
    if let Some(told) = told.as_object_mut() {
        told.insert("principal".to_owned(), principal.to_string().into());
    }
    told
}

fn said_as_json(Said { statement, stands, regions, conditions, until }: &Said<'_>) -> Value {
    let (place, line) = stands.unzip();
    json!({
        "statement": statement,
        "place": place,
        "line": line,
        "regions": regions,
        "conditions": conditions,
        "until": until.map(|end| end.to_string()),
    })
}

fn for_people(asked: &Asked, answer: &WhoCan<'_>, paper: Paper) -> String {
    let Asked { action, bucket, region, at, now, ip: _ } = asked;
    let time = at.map_or_else(|| format!("from {now} on"), |at| format!("at {at}"));
    let place = region.as_ref().map_or("any region".to_owned(), |region| region.to_string());
    let mut text = format!("{action} on {bucket} in {place}, {time}\n\n");
    let allowed: Vec<Vec<Cell>> = answer.allowed.iter().flat_map(rows).collect();
    if allowed.is_empty() {
        text += &paper.ink(Ink::Red, "Nobody can.");
        text.push('\n');
    } else {
        text += &paper.table(&titled(["can", "statement", "where", "depends on"], allowed));
    }
    let denied: Vec<Vec<Cell>> = answer.denied.iter().map(denial_row).collect();
    if !denied.is_empty() {
        text += "\nDenied, also if they are one of those above:\n\n";
        text += &paper.table(&titled(["cannot", "statement", "where", "depends on"], denied));
    }
    text
}

fn titled(titles: [&str; 4], rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let titles = titles.map(|title| (Ink::Dim, title.to_owned())).to_vec();
    [titles].into_iter().chain(rows).collect()
}

/// A row for each grant, and below them the members of a group.
fn rows(Holder { principal, grants, members }: &Holder<'_>) -> Vec<Vec<Cell>> {
    let grants = grants.iter().enumerate().map(|(n, Grant { said, unless })| {
        let who = if n == 0 { principal.to_string() } else { String::new() };
        let unless = unless.iter().map(|deny| format!("unless {}{}", deny.statement, depends_on(deny).spaced()));
        let notes = depends_on(said).0.into_iter().chain(unless).collect::<Vec<_>>().join("; ");
        row((Ink::Green, who), said, notes)
    });
    let members = members.iter().map(|Member { name, denied_by }| match denied_by {
        None => vec![(Ink::Green, format!("  {name}"))],
        Some(deny) => vec![(Ink::Red, format!("  {name}: denied by {deny}"))],
    });
    grants.chain(members).collect()
}

fn denial_row(Denial { principal, said }: &Denial<'_>) -> Vec<Cell> {
    row((Ink::Red, principal.to_string()), said, depends_on(said).0.join("; "))
}

fn row(who: Cell, said: &Said<'_>, notes: String) -> Vec<Cell> {
    let stands = said.stands.map_or("[users]".to_owned(), |(place, line)| format!("{place}:{line}"));
    vec![who, (Ink::Plain, said.statement.to_owned()), (Ink::Plain, stands), (Ink::Dim, notes)]
}

/// What a statement depends on, each a few words.
struct Notes(Vec<String>);

impl Notes {
    /// After a name, if there is any.
    fn spaced(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!(" ({})", self.0.join("; ")) }
    }
}

fn depends_on(Said { regions, conditions, until, .. }: &Said<'_>) -> Notes {
    let regions = (!regions.is_empty()).then(|| format!("in {}", regions.join(", ")));
    let conditions = (!conditions.is_empty()).then(|| format!("if {}", conditions.join(" and ")));
    let until = until.map(|end| format!("until {end}"));
    Notes(regions.into_iter().chain(conditions).chain(until).collect())
}
