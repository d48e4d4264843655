//! `ci-gateway keys`: what the running gateway tells of our own keys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::admin_listener::Page;
use super::paper::{Cell, Ink, Paper, print};
use super::problems;
use super::status::Status;
use crate::config::Config;
use crate::domain::Mistake;

const OTHER_PROGRAM: &str =
    "another program or another version of the gateway listens there: compare [admin] listen with what is running";
const REPLICAS: &str = "This is one process. Ask every replica before you delete a key.";

/// See how the Tencent Cloud keys of a running gateway are used.
#[derive(Args, Debug)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    Status(StatusArgs),
}

/// Show each account's keys: since when, how they are used, and whether an old one can be deleted.
///
/// Asks the admin listener of the gateway on this machine. Exit status: 0, 1 if it does not answer, 64 if the configuration
/// is wrong.
#[derive(Args, Debug)]
struct StatusArgs {
    /// The gateway's configuration file, which names the listener
    #[arg(long, value_name = "FILE", default_value = "/etc/ci-gateway/gateway.toml")]
    config: PathBuf,
    /// Print the answer as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &KeysArgs) -> ExitCode {
    match &args.command {
        KeysCommand::Status(args) => status(args),
    }
}

fn status(args: &StatusArgs) -> ExitCode {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => {
            problems::tell(&mistakes.into_vec());
            return Status::BadUsage.into();
        }
    };
    let page = match Page::get(config.admin.listen, "/keys") {
        Ok(page) if page.is_ok() => page,
        Ok(page) => {
            let what = format!("answers `{}` where the page /keys is wanted", page.status_line());
            return failed(&Mistake::new(listener(&config), what).hint(OTHER_PROGRAM));
        }
        Err(why) => {
            let hint = "start the gateway, or name its own configuration with --config";
            return failed(&Mistake::new(listener(&config), why).hint(hint));
        }
    };
    match serde_json::from_str::<Value>(page.body()) {
        Ok(told) if args.json => print(&format!("{told}\n"), Status::Fine),
        Ok(told) => print(&for_people(&told, Paper::new()), Status::Fine),
        Err(_) => {
            failed(&Mistake::new(listener(&config), "answers with something that is no JSON").hint(OTHER_PROGRAM))
        }
    }
}

fn listener(config: &Config) -> String {
    format!("admin listener {}", config.admin.listen)
}

fn failed(mistake: &Mistake) -> ExitCode {
    problems::tell(std::slice::from_ref(mistake));
    Status::Failure.into()
}

fn for_people(told: &Value, paper: Paper) -> String {
    let accounts = told.get("accounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let titles = ["account", "key", "state", "since", "expires", "last used", "uses", "refused", "safe to delete"];
    let titles = titles.iter().map(|title| (Ink::Dim, (*title).to_owned())).collect();
    let rows: Vec<Vec<Cell>> = std::iter::once(titles).chain(accounts.iter().flat_map(rows)).collect();
    let problems: String = accounts.iter().filter_map(|account| problem(account, paper)).collect();
    format!("{}{problems}\n{REPLICAS}\n", paper.table(&rows))
}

/// A row for each generation of an account.
fn rows(account: &Value) -> Vec<Vec<Cell>> {
    let generations = account.get("generations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let name = format!("{} ({})", text(account, "account"), text(account, "source"));
    if generations.is_empty() {
        return vec![vec![(Ink::Bold, name), (Ink::Red, "none".to_owned())]];
    }
    generations.iter().map(|generation| row(&name, generation)).collect()
}

fn row(account: &str, generation: &Value) -> Vec<Cell> {
    let state = text(generation, "state");
    let ink = match state.as_str() {
        "current" => Ink::Green,
        "refused" | "expired" => Ink::Red,
        _ => Ink::Plain,
    };
    let safe = generation.get("safe_to_delete") == Some(&Value::Bool(true));
    let safe = match (text(generation, "generation").as_str(), safe) {
        ("previous", true) => (Ink::Green, "yes".to_owned()),
        ("previous", false) => (Ink::Yellow, "not yet".to_owned()),
        _ => (Ink::Plain, "no".to_owned()),
    };
    let plain = |key| (Ink::Plain, text(generation, key));
    vec![
        (Ink::Bold, account.to_owned()),
        plain("fingerprint"),
        (ink, state),
        (Ink::Plain, time(generation, "since")),
        (Ink::Plain, time(generation, "expires")),
        (Ink::Plain, time(generation, "last_used")),
        plain("uses"),
        plain("refusals"),
        safe,
    ]
}

fn problem(account: &Value, paper: Paper) -> Option<String> {
    let why = account.get("missing").and_then(Value::as_str).or_else(|| account.get("problem")?.as_str())?;
    Some(format!("{} {why}\n", paper.ink(Ink::Red, &format!("{}:", text(account, "account")))))
}

fn text(object: &Value, key: &str) -> String {
    match object.get(key) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => "-".to_owned(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => other.to_string(),
    }
}

/// To the second.
fn time(object: &Value, key: &str) -> String {
    let text = text(object, key);
    text.parse::<jiff::Timestamp>().map_or(text, |time| format!("{time:.0}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_generation_has_a_row_and_every_problem_a_line() {
        let told = json!({ "accounts": [
            { "account": "default", "source": "file", "missing": null, "problem": "since today: no role", "generations": [
                { "generation": "current", "fingerprint": "ab12", "state": "current", "since": "2026-11-22T10:00:00.123Z",
                  "expires": null, "last_used": null, "uses": 7, "refusals": 0, "safe_to_delete": false },
                { "generation": "previous", "fingerprint": "cd34", "state": "kept", "since": "2026-11-20T10:00:00Z",
                  "expires": null, "last_used": "2026-11-22T09:00:00Z", "uses": 70, "refusals": 2, "safe_to_delete": true },
            ] },
            { "account": "1250000000", "source": "cvm_role", "missing": "not asked yet", "generations": [] },
        ] });
        let text = for_people(&told, Paper::new());
        for part in [
            "default (file)         ab12  current  2026-11-22T10:00:00Z  -        -                     7     0        no\n",
            "cd34  kept     2026-11-20T10:00:00Z  -        2026-11-22T09:00:00Z  70    2        yes\n",
            "1250000000 (cvm_role)  none\n",
            "default: since today: no role\n1250000000: not asked yet\n",
            REPLICAS,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
