//! `ci-gateway check`: what would keep the gateway from starting, all of it, without starting it.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use super::harden::harden;
use super::named_files::all_mistakes;
use super::problems;
use super::status::Status;
use super::{candidate, gateway};
use crate::api::{Shadow, Snapshot};
use crate::audit::Sink;
use crate::auth::{IssuerSettings, KeySource};
use crate::config::Config;
use crate::credentials::{DEFAULT, Settings, SourceSettings};
use crate::domain::{Mistake, Mistakes};

/// Name every problem of a configuration and the files it names, without starting.
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
    // It holds the keys for a moment.
    harden();
    let found = check(&args.config);
    let out = std::io::stdout();
    // Whoever closed the pipe does not want to read on; the status still tells.
    let _ = match (args.json, &found) {
        (true, found) => writeln!(out.lock(), "{}", as_json(found)),
        (false, Ok(checked)) => write!(out.lock(), "{}", Summary { checked, file: &args.config }),
        (false, Err(problems)) => {
            problems::tell(problems);
            Ok(())
        }
    };
    if found.is_ok() { Status::Fine } else { Status::BadUsage }.into()
}

/// A configuration with which the gateway would start.
struct Checked {
    config: Config,
    snapshot: Snapshot,
}

fn check(file: &Path) -> Result<Checked, Vec<Mistake>> {
    let config = Config::read(file).map_err(|broken| all_mistakes(broken).into_vec())?;
    // With a broken candidate the gateway would start all the same; whoever checks wants to know.
    let candidate = candidate::read(&config, &mut Vec::new()).mistakes().cloned().collect();
    match gateway::checked(&config, &mut Vec::new()) {
        Ok(snapshot) => Mistakes::unless_any(candidate, Checked { config, snapshot }).map_err(Mistakes::into_vec),
        Err(mistakes) => Err(mistakes.and(candidate).into_vec()),
    }
}

fn as_json(found: &Result<Checked, Vec<Mistake>>) -> serde_json::Value {
    let problems = found.as_ref().err().map(Vec::as_slice).unwrap_or_default();
    json!({ "ok": found.is_ok(), "problems": problems.iter().map(problems::as_json).collect::<Vec<_>>() })
}

struct Summary<'a> {
    checked: &'a Checked,
    file: &'a Path,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checked { config, snapshot } = self.checked;
        let transport = match &config.server.listener.tls {
            None => "plain HTTP",
            Some(tls) if tls.client_ca.is_some() => "TLS, client certificate required",
            Some(_) => "TLS",
        };
        writeln!(f, "{}: ready to serve\n", self.file.display())?;
        row(f, "listen", format_args!("{} ({transport})", config.server.listen))?;
        row(f, "admin", config.admin.listen)?;
        for issuer in &config.auth.issuers {
            row(f, "issuer", describe(issuer))?;
        }
        if let Some(file) = &config.api_keys {
            row(f, "api keys", format_args!("{} ({} keys)", file.display(), snapshot.authenticator.api_keys().len()))?;
        }
        if let Some(part) = config.user_from {
            row(f, "mtls", format_args!("{} of the client certificate names its caller", part.as_str()))?;
        }
        if let Some([one, other]) = same_names(config) {
            row(f, "names", format_args!("{one} can give out names of {other}: see `prefix` in config/default.toml"))?;
        }
        let statements = snapshot.policy.statements();
        row(f, "policy", format_args!("{} ({statements} statements)", config.policy_file.display()))?;
        if let (Some(file), Shadow::On(candidate)) = (&config.policy_candidate, &snapshot.candidate) {
            row(f, "candidate", format_args!("{} ({} statements)", file.display(), candidate.statements()))?;
        }
        self.cloud(f)?;
        match &config.audit.sink {
            Some(Sink::File(file)) => row(f, "audit", file.display())?,
            Some(Sink::Both(file)) => {
                row(f, "audit", format_args!("{}, and a copy on standard output", file.display()))?
            }
            Some(Sink::Stdout) => row(f, "audit", "standard output")?,
            None => row(f, "audit", "no file: only the finished line in the log")?,
        }
        row(f, "in flight", format_args!("{} at most", config.limits.in_flight))?;
        for variable in &config.set_by_environment {
            row(f, "set by", variable)?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { default, accounts } = &self.checked.config.credentials;
        let missing = self.checked.snapshot.credentials.each_missing(Timestamp::now());
        let of = |name: &str| missing.iter().find(|missing| missing.account == name).map(|missing| missing.why.what());
        if let Some(default) = default {
            row(f, "keys", Origin { source: &default.source, missing: of(DEFAULT) })?;
        }
        for account in accounts {
            let origin = Origin { source: &account.source, missing: of(account.app_id.as_str()) };
            row(f, "keys", format_args!("of {}: {origin}", account.app_id))?;
        }
        Ok(())
    }

    fn cloud(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checked { config, .. } = self.checked;
        let ci = &config.ci;
        self.keys(f)?;
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

/// Where keys come from, and whether they are here.
struct Origin<'a> {
    source: &'a SourceSettings,
    missing: Option<&'a str>,
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.source, self.missing) {
            (SourceSettings::Environment, None) => f.write_str("from the environment"),
            (SourceSettings::Environment, Some(why)) => write!(f, "NOT HERE, and not ready without: {why}"),
            (SourceSettings::File(file), _) => match &file.previous {
                Some(previous) => write!(f, "{}, and those before in {}", file.path.display(), previous.display()),
                None => write!(f, "{}", file.path.display()),
            },
            (SourceSettings::Command(command), _) => write!(f, "from `{}`, not started now", command.program.display()),
            (
                other @ (SourceSettings::CvmRole(_) | SourceSettings::AssumeRole(_) | SourceSettings::WebIdentity(_)),
                _,
            ) => {
                write!(f, "from {}, not asked now", other.as_str())
            }
        }
    }
}

/// Two sources of callers of which one can name the other's: an issuer's prefix begins the other's, or there is none.
fn same_names(config: &Config) -> Option<[String; 2]> {
    let issuers =
        config.auth.issuers.iter().map(|issuer| (format!("issuer {}", issuer.issuer), issuer.prefix.as_str()));
    let keys = config.api_keys.iter().map(|_| ("API keys".to_owned(), ""));
    let certificates = config.user_from.iter().map(|_| ("certificates".to_owned(), ""));
    let others: Vec<_> = issuers.clone().chain(keys).chain(certificates).collect();
    // Who has a key or a certificate was named by us; issuers name whom they like.
    issuers.enumerate().find_map(|(n, (issuer, prefix))| {
        let nested = |(m, (_, other)): &(usize, &(String, &str))| *m != n && other.starts_with(prefix);
        others.iter().enumerate().find(nested).map(|(_, (other, _))| [issuer, other.clone()])
    })
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<10}{value}")
}

fn describe(issuer: &IssuerSettings) -> String {
    let algorithms: Vec<&str> = issuer.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    let keys = match &issuer.keys {
        KeySource::Jwks(file) | KeySource::Secret(file) => file.display().to_string(),
        KeySource::JwksUrl(fetched) => format!("{}, not fetched now", fetched.url),
    };
    format!("{} ({}, {keys})", issuer.issuer, algorithms.join(" "))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const CONFIG: &str = "[[auth.jwt]]\nissuer = 'i'\naudience = 'a'\nalgorithms = ['HS256']\nsecret_file = 'jwt.secret'\n\
        [policy]\nfile = 'policy.json'\n[credentials]\nsource = 'file'\nfile = 'keys'\n[ci]\nendpoint = 'http://127.0.0.1:1'\n";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const POLICY: &str = r#"{"users": {"alice": ["ci:CreateAsrBucket"]}}"#;
    const KEYS: &str = "secret_id = id\nsecret_key = key\n";

    /// A folder with a configuration and files that it names, each with its mode.
    fn folder(files: &[(&str, &str, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, mode) in files.iter().chain([&("gw.toml", CONFIG, 0o644)]) {
            std::fs::write(folder.path().join(name), text).unwrap();
            std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        folder
    }

    #[test]
    fn a_configuration_whose_files_are_in_place_is_summed_up() {
        let folder = folder(&[("jwt.secret", SECRET, 0o600), ("policy.json", POLICY, 0o644), ("keys", KEYS, 0o400)]);
        let file = folder.path().join("gw.toml");
        let found = check(&file);
        assert_eq!(as_json(&found), json!({ "ok": true, "problems": [] }));
        let Ok(checked) = found else { panic!() };
        let summary = Summary { checked: &checked, file: &file }.to_string();
        for part in
            ["127.0.0.1:8080 (plain HTTP)", "127.0.0.1:9090", "i (HS256, ", "policy.json (1 statements)", "keys"]
        {
            assert!(summary.contains(part), "{part} in {summary}");
        }
    }

    #[test]
    fn sources_that_can_give_out_the_same_name_are_told() {
        let folder = folder(&[("jwt.secret", SECRET, 0o600), ("policy.json", POLICY, 0o644), ("keys", KEYS, 0o400)]);
        let file = folder.path().join("gw.toml");
        let second = |prefix: &str| CONFIG.replace("'i'", "'j'").split("[policy]").next().unwrap().to_owned() + prefix;
        for (prefixes, told) in [
            (["", ""], Some("issuer i can give out names of issuer j")),
            (["", "prefix = 'j:'\n"], Some("issuer i can give out names of issuer j")),
            (["prefix = 'i:'\n", ""], Some("issuer j can give out names of issuer i")),
            (["prefix = 'i:'\n", "prefix = 'j:'\n"], None),
        ] {
            let first = CONFIG.replace("[policy]", &(prefixes[0].to_owned() + &second(prefixes[1]) + "[policy]"));
            std::fs::write(&file, first).unwrap();
            let checked = check(&file).unwrap_or_else(|problems| panic!("{problems:#?}"));
            let summary = Summary { checked: &checked, file: &file }.to_string();
            let line = summary.lines().find(|line| line.starts_with("  names"));
            assert_eq!(line.is_some(), told.is_some(), "{summary}");
            assert!(told.is_none_or(|told| summary.contains(told)), "{summary}");
        }
    }

    #[test]
    fn every_file_that_is_missing_wrong_or_open_to_others_is_named() {
        let folder = folder(&[
            ("jwt.secret", SECRET, 0o644),
            ("policy.json", r#"{"users": {"alice": ["ci:CreateAsrBuckt"]}}"#, 0o644),
        ]);
        let Err(problems) = check(&folder.path().join("gw.toml")) else { panic!() };
        assert_eq!(problems.len(), 3, "{problems:#?}");
        let shown: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        for part in ["/policy.json:1:22: ", "ci:CreateAsrBucket", "/keys: cannot be read", "chmod 600"] {
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
