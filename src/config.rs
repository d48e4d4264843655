//! Configuration: raw text in, ready-to-use values out, or every mistake at once.
//!
//! Three layers, each over the one before: `config/default.toml`, which is compiled in and is the documentation
//! too; the operator's file; and variables `CI_GATEWAY__SECTION__KEY`. `document` and `environment` read,
//! `layers` merges, `reader` and `values` take the tree apart, and `sections`, `auth` and `cloud` know
//! what there is. Nothing here opens a file other than the configuration itself.

mod auth;
mod audit_section;
mod cloud;
mod document;
mod environment;
mod files;
mod layers;
mod origins;
mod reader;
mod sections;
mod shown;
mod units;
mod unknown;
mod values;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::config::{Map, Value};
use sha2::{Digest, Sha256};

pub use environment::{log_filter, no_colour};
pub use files::{Broken, Files, NamedFile};
pub use layers::DEFAULT;

use crate::api::{Limits, TrustedProxies};
use crate::auth::UserFrom;
use crate::domain::{Bucket, Mistake, Mistakes, Region};
use crate::telemetry::LogFormat;
use crate::{audit, credentials, server, upstream};
use document::Lines;
use origins::Origins;
use reader::Reader;

/// A configuration is a few kilobytes.
const LARGEST: u64 = 1024 * 1024;

/// A valid configuration; the meaning and unit of each value stands in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The business listener and the time a request has.
    pub server: Server,
    /// The admin listener.
    pub admin: Admin,
    /// Who vouches for callers, no two with the same `iss`; at least one, unless there is another way to be known.
    pub auth: crate::auth::Settings,
    /// The file of hashed API keys.
    pub api_keys: Option<PathBuf>,
    /// What of a client certificate names its caller; without it, a certificate names nobody.
    pub user_from: Option<UserFrom>,
    /// The policy in CAM's language, JSON or TOML.
    pub policy_file: PathBuf,
    /// A policy that is asked beside it, and changes nothing.
    pub policy_candidate: Option<PathBuf>,
    /// Where our keys come from.
    pub credentials: credentials::Settings,
    /// Cloud Infinite.
    pub ci: Ci,
    /// Where records go; without a file each request leaves its last line in the log and no intent.
    pub audit: audit::Settings,
    /// Bounds on the work in progress.
    pub limits: Limits,
    /// How often the files are looked at for changes; `None` for never.
    pub watch_interval: Option<Duration>,
    /// The shape of log lines.
    pub log_format: LogFormat,
    /// `sha256:` and the hexadecimal digest of the operator's file.
    pub digest: Box<str>,
    /// The names of the variables that override the file, in order.
    pub set_by_environment: Vec<String>,
    /// The files that it names, and where.
    pub files: Files,
}

/// The business listener and the time a request has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How connections are treated.
    pub listener: server::Settings,
    /// The proxies whose word on a client's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// The whole of one request.
    pub request_timeout: Duration,
    /// How long "not ready" is shown before the listener closes.
    pub drain_delay: Duration,
    /// How long requests in progress may take to finish after that.
    pub drain_timeout: Duration,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens; never where the business listener does.
    pub listen: SocketAddr,
    /// How connections are treated; no TLS, few at once.
    pub listener: server::Settings,
}

/// Cloud Infinite: where buckets are and how it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ci {
    /// The region of buckets that have none of their own.
    pub default_region: Option<Region>,
    /// Buckets that have one.
    pub buckets: HashMap<Bucket, Region>,
    /// How it is reached.
    pub upstream: upstream::Settings,
    /// How long a signature is good for; 10 s to 10 min.
    pub signature_lifetime: Duration,
    /// How far signatures follow Cloud Infinite's clock; zero for not at all.
    pub max_clock_correction: Duration,
}

impl Config {
    /// Reads the file at `path` and this process's environment.
    ///
    /// # Errors
    /// Every mistake that can be found without opening another file, each with its place and a hint.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        Ok(Self::read(path)?)
    }

    /// As [`Config::load`], for whoever looks at the files that it names even if it has mistakes.
    ///
    /// # Errors
    /// The same mistakes, and the files whose keys could be read.
    pub fn read(path: &Path) -> Result<Self, Broken> {
        let text = read(path).map_err(Mistakes::from)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        whole(&text, &path.display().to_string(), folder, environment::of_process())
    }

    /// Reads `text`, which stands at `place` and names files relative to `folder`, under the variables of
    /// `environment`.
    ///
    /// # Errors
    /// As [`Config::load`]. Broken TOML is told by itself: what the rest means would be a guess.
    pub fn parse(
        text: &str,
        place: &str,
        folder: &Path,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Mistakes> {
        Ok(whole(text, place, folder, environment)?)
    }

    /// Every effective value in the shape of the file, for people who look from outside: paths, no secret.
    #[must_use]
    pub fn redacted(&self) -> serde_json::Value {
        shown::config(self)
    }
}

fn whole(
    text: &str,
    place: &str,
    folder: &Path,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Broken> {
    let mut variables = environment::read(environment);
    let document = match document::read(text, place) {
        Ok(document) => document,
        Err(syntax) => return Err(all([syntax, variables.mistakes].concat(), place).into()),
    };
    let values = layers::merge(&document, &mut variables).map_err(|why| unmerged(place, &why))?;
    let mut mistakes = [document.mistakes, variables.mistakes].concat();
    let named = variables.set.into_iter().map(|(path, variable)| (path, variable.name)).collect();
    let origins = Origins { place: place.to_owned(), lines: document.lines, variables: named };
    let reader = Reader::new(&origins, folder);
    let config = interpret(&reader, &values, text, &origins);
    let files = reader.files();
    mistakes.extend(reader.finish(&values));
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        Some(_) | None => Err(Broken { mistakes: all(mistakes, place), files }),
    }
}

fn unmerged(place: &str, why: &::config::ConfigError) -> Mistakes {
    let what = format!("cannot be merged with the environment: {why}");
    Mistake::new(place, what).hint("unset the variables CI_GATEWAY__…, and please report this").into()
}

fn read(path: &Path) -> Result<String, Mistake> {
    let place = path.display().to_string();
    let cannot = |why: std::io::Error| {
        Mistake::new(place.as_str(), format!("cannot be read: {why}"))
            .hint("name a configuration file with --config FILE")
    };
    let bytes = credentials::read_file(path, LARGEST).map_err(cannot)?;
    String::from_utf8(bytes).map_err(|why| {
        let valid = why.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(why.as_bytes().get(..valid).unwrap_or_default()).into_owned();
        let (line, _) = Lines::of(&before).position(valid);
        Mistake::new(place.as_str(), "is not UTF-8").at_line(line).hint("save the file as UTF-8")
    })
}

fn interpret(reader: &Reader<'_>, values: &Map<String, Value>, text: &str, origins: &Origins) -> Option<Config> {
    let root = reader.root(values);
    let server = sections::server(&root.table("server"));
    let admin_table = root.table("admin");
    let admin = sections::admin(&admin_table);
    let auth_table = root.table("auth");
    let auth = auth::auth(&auth_table);
    let api_keys = auth::api_keys::file(&auth_table);
    let user_from = auth::mtls::user_from(&auth_table, server.as_ref());
    let (policy_file, policy_candidate) = sections::policies(&root.table("policy"));
    let credentials = cloud::keys::credentials(&root.table("credentials"));
    let ci_table = root.table("ci");
    let ci = cloud::ci(&ci_table);
    let audit = audit_section::audit(&root.table("audit"));
    let limits = sections::limits(&root.table("limits"));
    let watch_interval = sections::watch_interval(&root.table("reload"));
    let log_format = sections::log_format(&root.table("telemetry"));
    if let (Some(server), Some(admin)) = (&server, &admin) {
        sections::check_addresses(&admin_table, server.listen, admin.listen);
    }
    if let (Some(server), Some(ci)) = (&server, &ci) {
        cloud::check_time_outs(&ci_table, &ci.upstream, server.request_timeout);
    }
    Some(Config {
        server: server?,
        admin: admin?,
        auth: auth?,
        api_keys: api_keys?,
        user_from: user_from?,
        policy_file: policy_file?,
        policy_candidate,
        credentials: credentials?,
        ci: ci?,
        audit: audit?,
        limits: limits?,
        watch_interval: watch_interval?,
        log_format: log_format?,
        digest: format!("sha256:{}", hex::encode(Sha256::digest(text))).into(),
        set_by_environment: origins.variables.values().cloned().collect(),
        files: reader.files(),
    })
}

/// In the order of the file, and what belongs to no line of it last.
fn all(mut mistakes: Vec<Mistake>, place: &str) -> Mistakes {
    mistakes.sort_by_key(|mistake| (mistake.place() != place, mistake.line().unwrap_or(usize::MAX)));
    // None at all cannot be as long as `default.toml` has every default, which a test says it has.
    let bug =
        || Mistake::new(place, "cannot be used, and no mistake was found in it").hint("please report this").into();
    Mistakes::unless_any(mistakes, ()).err().unwrap_or_else(bug)
}
