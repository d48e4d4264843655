//! `ci-gateway key`: makes API keys, and says of a text whether it is one.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use super::status::{Status, complain};
use crate::auth::{ApiKeys, CannotMakeKey, KeyTerms, KeyText, NewKey};
use crate::domain::{Mistake, Mistakes};

/// Longer than any key, so that one with something behind it is told as such.
const LONGEST_INPUT: u64 = 1024;

/// Make API keys for callers; the file of the gateway holds their hashes.
#[derive(Args, Debug)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    New(NewArgs),
    Check(CheckArgs),
}

/// Make a key, print it once, and show or add its entry for the file of hashes.
#[derive(Args, Debug)]
struct NewArgs {
    /// Who calls with it: `user:NAME` in the policy
    #[arg(long, value_name = "NAME")]
    caller: String,
    /// A group of the caller, `group:NAME` in the policy [may stand several times]
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// How long the key holds, such as 90d or 12h
    #[arg(long, value_name = "DURATION", value_parser = lifetime, conflicts_with = "not_after")]
    expires: Option<SignedDuration>,
    /// When it ends, as in 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    not_after: Option<Timestamp>,
    /// Where it may be used from, as in 10.0.0.0/8; from anywhere without it [may stand several times]
    #[arg(long = "network", value_name = "CIDR", value_parser = KeyTerms::network)]
    networks: Vec<IpNet>,
    /// Add the entry to this file, which is made if it is not there; without it, the entry is shown
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print one JSON object with the key and its entry on standard output
    #[arg(long)]
    json: bool,
}

/// Read a key from standard input, and say its id and whether its checksum fits.
///
/// Exit status: 0, or 2 if it is no key or was damaged.
#[derive(Args, Debug)]
struct CheckArgs {
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &KeyArgs) -> ExitCode {
    match &args.command {
        KeyCommand::New(args) => match new(args, Timestamp::now()) {
            Ok(()) => Status::Fine.into(),
            Err(problem) => complain(problem.status(), problem),
        },
        KeyCommand::Check(args) => check(args),
    }
}

fn new(args: &NewArgs, now: Timestamp) -> Result<(), Problem> {
    let key = NewKey::make(terms(args, now)?)?;
    if let Some(file) = &args.file {
        add(file, &key.entry())?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        let object = json!({ "key": key.text(), "id": key.id(), "caller": args.caller, "entry": key.entry() });
        return writeln!(out, "{object}").map_err(Problem::Output);
    }
    // What it says is for people; whoever closed standard error does not want to read it.
    let _ = tell(args, &key);
    writeln!(out, "{}", key.text()).map_err(Problem::Output)
}

fn tell(args: &NewArgs, key: &NewKey) -> io::Result<()> {
    let mut err = io::stderr().lock();
    match &args.file {
        Some(file) => writeln!(err, "Key {} of {} is in {}.", key.id(), args.caller, file.display())?,
        None => writeln!(err, "For the file of [auth.api_keys]:\n\n{}", key.entry())?,
    }
    writeln!(err, "It holds from the next reload on. Send it as `X-Api-Key: …`; it is not shown again:")
}

fn terms(args: &NewArgs, now: Timestamp) -> Result<KeyTerms, Problem> {
    let end = args.expires.map(|lifetime| now.checked_add(lifetime)).transpose().map_err(|_| Problem::End)?;
    let not_after = end.or(args.not_after);
    // Parts of a second are nothing to put into a file that people read.
    let not_after = not_after.and_then(|end| Timestamp::from_second(end.as_second()).ok());
    if not_after.is_some_and(|end| end <= now) {
        return Err(Problem::End);
    }
    let (caller, groups, networks) = (args.caller.clone(), args.groups.clone(), args.networks.clone());
    Ok(KeyTerms { caller, groups, not_after, networks })
}

/// Adds `entry` to the file, if it is one that the gateway would take with it.
fn add(file: &Path, entry: &str) -> Result<(), Problem> {
    let place = file.display().to_string();
    let cannot = |why: io::Error| {
        Problem::File(Mistake::new(place.as_str(), format!("the entry cannot be added: {why}")).into())
    };
    let before = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
        Err(why) => return Err(cannot(why)),
    };
    let entry = if before.is_empty() { entry.to_owned() } else { format!("\n{entry}") };
    ApiKeys::parse(&format!("{before}{entry}"), &place).map_err(Problem::File)?;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(file).map_err(cannot)?;
    file.write_all(entry.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)
}

fn check(args: &CheckArgs) -> ExitCode {
    let mut text = Zeroizing::new(String::new());
    if let Err(why) = io::stdin().take(LONGEST_INPUT).read_to_string(&mut text) {
        return complain(Status::Failure, format_args!("standard input cannot be read: {why}"));
    }
    let key = KeyText::parse(text.trim_end_matches(['\n', '\r']));
    let intact = key.is_some_and(|key| key.is_intact());
    let told = match (args.json, key) {
        (true, key) => json!({ "id": key.map(|key| key.id()), "intact": intact }).to_string(),
        (false, None) => "this has not the form of an API key of ci-gateway".to_owned(),
        (false, Some(key)) if intact => format!("key {}: its checksum fits", key.id()),
        (false, Some(key)) => format!("key {}: its checksum does NOT fit, so it was mistyped or cut off", key.id()),
    };
    // If nobody listens, the exit status tells.
    let _ = writeln!(io::stdout(), "{told}");
    if intact { Status::Fine } else { Status::SaidNo }.into()
}

/// `90d`, `12h`, `1w`; days have 24 hours.
fn lifetime(text: &str) -> Result<SignedDuration, &'static str> {
    const HINT: &str = "write a duration such as `90d`, `12h` or `4w`";
    let days =
        |number: &str, each: i64| number.parse::<u32>().ok().map(|n| SignedDuration::from_hours(i64::from(n) * each));
    let duration = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => days(number, 24),
        (None, Some(number)) => days(number, 24 * 7),
        (None, None) => text.parse().ok(),
    };
    duration.filter(SignedDuration::is_positive).ok_or(HINT)
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "write it with its offset from UTC, as in 2027-01-31T00:00:00Z")
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Key(#[from] CannotMakeKey),
    #[error("the key would end before it begins, or never: choose an end to come")]
    End,
    #[error("{0}")]
    File(Mistakes),
    #[error("the key cannot be written to standard output, and is lost: {0}")]
    Output(io::Error),
}

impl Problem {
    const fn status(&self) -> Status {
        match self {
            Self::Key(CannotMakeKey::Random(_)) | Self::Output(_) => Status::Failure,
            Self::Key(CannotMakeKey::Caller(_)) | Self::End | Self::File(_) => Status::BadUsage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_would_be_over_once_its_end_is_cut_to_the_second_is_not_made() {
        let terms = |expires: &str| {
            let args = NewArgs {
                caller: "alice".to_owned(),
                groups: Vec::new(),
                expires: Some(lifetime(expires).unwrap()),
                not_after: None,
                networks: Vec::new(),
                file: None,
                json: false,
            };
            terms(&args, "2026-11-22T00:00:00.2Z".parse().unwrap()).map(|terms| terms.not_after)
        };
        assert!(matches!(terms("500ms"), Err(Problem::End)));
        assert!(matches!(terms("900ms"), Ok(Some(_))));
    }
}
