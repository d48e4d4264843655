//! `ci-gateway check`: what would keep the gateway from starting, all of it, without starting it.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::auth::{IssuerSettings, KeySource};
use crate::config::{Config, no_colour};
use crate::credentials::{Source, read_secret_file};
use crate::domain::Mistake;

/// Bad configuration, as in `sysexits.h` for bad usage.
const BAD_CONFIGURATION: u8 = 64;

/// What `check` is told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the result as one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Checks configuration, policy and key files; the status is 0, or 64 if anything is wrong with them.
pub(super) fn run(args: &CheckArgs) -> ExitCode {
    let found = check(&args.config);
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let colour = err.is_terminal() && !no_colour();
    // Whoever closed the pipe does not want to read on; the status still tells.
    let _ = match (args.json, &found) {
        (true, found) => writeln!(out.lock(), "{}", as_json(found)),
        (false, Ok(config)) => write!(out.lock(), "{}", Summary { config, file: &args.config }),
        (false, Err(problems)) => write!(err.lock(), "{}", Problems { problems, colour }),
    };
    if found.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(BAD_CONFIGURATION) }
}

fn check(file: &Path) -> Result<Config, Vec<Mistake>> {
    let config = Config::load(file).map_err(|mistakes| mistakes.into_vec())?;
    let problems = referenced_files(&config);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// THE PLACE TO WIRE what the rooms can load: policy, keys, JWK sets, TLS.
///
/// For now each file is opened, and those that hold secrets must be their owner's alone.
fn referenced_files(config: &Config) -> Vec<Mistake> {
    let mut problems = Vec::new();
    problems.extend(unreadable(&config.policy_file));
    if let Source::File(file) = &config.credentials.source {
        problems.extend(unsafe_secret(file));
    }
    for issuer in &config.issuers {
        problems.extend(match &issuer.keys {
            KeySource::Jwks(file) => unreadable(file),
            KeySource::Secret(file) => unsafe_secret(file),
        });
    }
    if let Some(tls) = &config.server.listener.tls {
        problems.extend(unreadable(&tls.certificate));
        problems.extend(unsafe_secret(&tls.private_key));
        problems.extend(tls.client_ca.as_deref().and_then(unreadable));
    }
    problems
}

fn unreadable(file: &Path) -> Option<Mistake> {
    let place = file.display().to_string();
    let hint = "the configuration names this file; relative paths begin at the configuration's folder";
    match File::open(file).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(Mistake::new(place, "is not a regular file").hint(hint)),
        Err(why) => Some(Mistake::new(place, format!("cannot be read: {why}")).hint(hint)),
    }
}

fn unsafe_secret(file: &Path) -> Option<Mistake> {
    read_secret_file(file).err()
}

fn as_json(found: &Result<Config, Vec<Mistake>>) -> serde_json::Value {
    let problems = found.as_ref().err().map(Vec::as_slice).unwrap_or_default();
    let problem = |problem: &Mistake| {
        json!({
            "place": problem.place(),
            "line": problem.line(),
            "what": problem.what(),
            "hint": problem.hint_text(),
        })
    };
    json!({ "ok": found.is_ok(), "problems": problems.iter().map(problem).collect::<Vec<_>>() })
}

struct Problems<'a> {
    problems: &'a [Mistake],
    colour: bool,
}

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (red, plain) = if self.colour { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        for problem in self.problems {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len() {
            1 => writeln!(f, "{red}1 problem{plain}"),
            many => writeln!(f, "{red}{many} problems{plain}"),
        }
    }
}

struct Summary<'a> {
    config: &'a Config,
    file: &'a Path,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        let transport = match &config.server.listener.tls {
            None => "plain HTTP",
            Some(tls) if tls.client_ca.is_some() => "TLS, client certificate required",
            Some(_) => "TLS",
        };
        writeln!(f, "{}: ready to serve\n", self.file.display())?;
        row(f, "listen", format_args!("{} ({transport})", config.server.listen))?;
        row(f, "admin", config.admin.listen)?;
        for issuer in &config.issuers {
            row(f, "issuer", describe(issuer))?;
        }
        row(f, "policy", config.policy_file.display())?;
        self.cloud(f)?;
        match &config.audit.file {
            Some(file) => row(f, "audit", file.display())?,
            None => row(f, "audit", "in the log alone")?,
        }
        row(f, "in flight", format_args!("{} at most", config.limits.in_flight))?;
        for variable in &config.set_by_environment {
            row(f, "set by", variable)?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    fn cloud(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (credentials, ci) = (&self.config.credentials, &self.config.ci);
        match &credentials.source {
            Source::Environment => row(f, "keys", "from the environment")?,
            Source::File(file) => row(f, "keys", file.display())?,
        }
        match &ci.default_region {
            Some(region) => row(f, "region", format_args!("{region}; buckets elsewhere: {}", ci.buckets.len()))?,
            None => row(f, "region", format_args!("none; buckets with their own: {}", ci.buckets.len()))?,
        }
        match &ci.upstream.endpoint {
            Some(endpoint) => row(f, "endpoint", format_args!("{endpoint} INSTEAD OF Cloud Infinite's own hosts")),
            None => row(f, "endpoint", "Cloud Infinite's own hosts"),
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<10}{value}")
}

fn describe(issuer: &IssuerSettings) -> String {
    let algorithms: Vec<&str> = issuer.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    let file = match &issuer.keys {
        KeySource::Jwks(file) | KeySource::Secret(file) => file.display(),
    };
    format!("{} ({}, {file})", issuer.issuer, algorithms.join(" "))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with a configuration and the files that it names, each with its mode.
    fn folder(files: &[(&str, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let text = "[[auth.jwt]]\nissuer = 'i'\naudience = 'a'\nalgorithms = ['HS256']\nsecret_file = 'jwt.secret'\n\
                    [policy]\nfile = 'policy.json'\n[credentials]\nsource = 'file'\nfile = 'keys'\n";
        for (name, mode) in files.iter().chain([&("gw.toml", 0o644)]) {
            std::fs::write(folder.path().join(name), text).unwrap();
            std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        folder
    }

    #[test]
    fn a_configuration_whose_files_are_in_place_is_summed_up() {
        let folder = folder(&[("jwt.secret", 0o600), ("policy.json", 0o644), ("keys", 0o400)]);
        let file = folder.path().join("gw.toml");
        let found = check(&file);
        assert_eq!(as_json(&found), json!({ "ok": true, "problems": [] }));
        let summary = Summary { config: &found.unwrap(), file: &file }.to_string();
        for part in ["127.0.0.1:8080 (plain HTTP)", "127.0.0.1:9090", "i (HS256, ", "policy.json", "keys", "own hosts"]
        {
            assert!(summary.contains(part), "{part} in {summary}");
        }
    }

    #[test]
    fn every_file_that_is_missing_or_open_to_others_is_named() {
        let folder = folder(&[("jwt.secret", 0o644)]);
        let problems = check(&folder.path().join("gw.toml")).unwrap_err();
        let shown = Problems { problems: &problems, colour: false }.to_string();
        assert!(shown.ends_with("3 problems\n") && !shown.contains('\x1b'), "{shown}");
        for part in ["/policy.json: cannot be read", "/keys: cannot be read", "chmod 600"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn a_problem_in_json_has_its_place_line_and_hint() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gw.toml");
        std::fs::write(&file, "[server]\nlisten = 'x'\n[policy]\nfile = 'p'\n").unwrap();
        let found = as_json(&check(&file));
        assert_eq!(found["ok"], false);
        assert_eq!(found["problems"][0]["place"], file.display().to_string());
        assert_eq!(found["problems"][0]["line"], 2);
        assert!(found["problems"][0]["hint"].as_str().unwrap().contains("127.0.0.1:8080"), "{found}");
        assert_eq!(found["problems"][1]["line"], json!(null));
    }

    #[test]
    fn the_status_is_64_for_a_file_that_is_not_there() {
        let args = CheckArgs { config: "/nowhere/gw.toml".into(), json: true };
        assert_eq!(format!("{:?}", run(&args)), format!("{:?}", ExitCode::from(64)));
    }
}
