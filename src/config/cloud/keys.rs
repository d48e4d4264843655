//! `[credentials]` and its accounts: where our keys come from.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::files::NamedFile;
use crate::config::reader::Table;
use crate::config::units::minutes;
use crate::config::values::{Wrong, parse};
use crate::credentials::{
    AccountSettings, AssumeRoleSettings, BaseSettings, CommandSettings, CvmRoleSettings, DefaultSettings, FileSettings,
    SessionName, Settings, SourceSettings, WebIdentitySettings,
};
use crate::domain::AppId;

/// What `source` may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Environment,
    File,
    CvmRole,
    AssumeRole,
    WebIdentity,
    Command,
}

const SOURCES: [(&str, Kind); 6] = [
    ("environment", Kind::Environment),
    ("file", Kind::File),
    ("cvm_role", Kind::CvmRole),
    ("assume_role", Kind::AssumeRole),
    ("web_identity", Kind::WebIdentity),
    ("command", Kind::Command),
];
/// Whose keys may ask for those of a role.
const BASES: [(&str, Kind); 3] =
    [("environment", Kind::Environment), ("file", Kind::File), ("cvm_role", Kind::CvmRole)];

/// Every key that is about some source.
const KEYS: [&str; 15] = [
    "file",
    "previous_file",
    "command",
    "command_timeout",
    "role_name",
    "metadata_endpoint",
    "base",
    "role_arn",
    "role_session_name",
    "role_duration",
    "external_id",
    "sts_region",
    "sts_endpoint",
    "provider_id",
    "token_file",
];

/// What an entry says that leaves these keys out; a test holds the words of `default.toml` to these.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const ROLE_SESSION_NAME: &str = "ci-gateway";
const ROLE_DURATION: Duration = minutes(120);

const COMMAND_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=minutes(1);
/// `DurationSeconds` of AssumeRole; the longest that a role can allow.
const ROLE_DURATIONS: RangeInclusive<Duration> = minutes(1)..=minutes(12 * 60);

impl Kind {
    /// The keys that say more about it.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Environment => &[],
            Self::File => &["file", "previous_file"],
            Self::CvmRole => &["role_name", "metadata_endpoint"],
            Self::AssumeRole => {
                &["base", "role_arn", "role_session_name", "role_duration", "external_id", "sts_region", "sts_endpoint"]
            }
            Self::WebIdentity => &[
                "role_arn",
                "role_session_name",
                "role_duration",
                "sts_region",
                "sts_endpoint",
                "provider_id",
                "token_file",
            ],
            Self::Command => &["command", "command_timeout"],
        }
    }

    fn name(self) -> &'static str {
        SOURCES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

pub(in crate::config) fn credentials(table: &Table<'_>) -> Option<Settings> {
    let app_ids = table.list("app_ids", parse);
    let accounts = accounts(table);
    // Where accounts are named and nothing else is, no bucket of another is meant.
    let is_wanted = table.is_written("source") || accounts.as_ref().is_none_or(Vec::is_empty);
    let default = source(table);
    let default = if is_wanted { Some(DefaultSettings { source: default?, app_ids: app_ids? }) } else { None };
    Some(Settings { default, accounts: accounts? })
}

fn accounts(table: &Table<'_>) -> Option<Vec<AccountSettings>> {
    let entries = table.tables("account")?;
    let mut accounts: Vec<AccountSettings> = Vec::with_capacity(entries.len());
    let mut complete = true;
    for entry in &entries {
        entry.need("app_id", "the APPID at the end of its buckets' names");
        entry.need("source", "say where its keys come from, as in [credentials]");
        let (app_id, source) = (entry.parsed::<AppId>("app_id"), source(entry));
        if app_id.as_ref().is_some_and(|app_id| accounts.iter().any(|earlier| earlier.app_id == *app_id)) {
            entry.mistake("app_id", "is the account of an earlier entry too", "keep one of the two");
        }
        match (app_id, source) {
            (Some(app_id), Some(source)) => accounts.push(AccountSettings { app_id, source }),
            _ => complete = false,
        }
    }
    complete.then_some(accounts)
}

fn source(table: &Table<'_>) -> Option<SourceSettings> {
    let kind = table.choice("source", &SOURCES);
    let base = if kind == Some(Kind::AssumeRole) { base_kind(table) } else { None };
    refuse_others(table, kind, base);
    let kind = kind?;
    match kind {
        Kind::Environment => Some(SourceSettings::Environment),
        Kind::File => file(table).map(SourceSettings::File),
        Kind::CvmRole => cvm_role(table).map(SourceSettings::CvmRole),
        Kind::AssumeRole => assume_role(table, base).map(SourceSettings::AssumeRole),
        Kind::WebIdentity => web_identity(table).map(SourceSettings::WebIdentity),
        Kind::Command => command(table).map(SourceSettings::Command),
    }
}

/// Tells every key that says nothing about the chosen source.
fn refuse_others(table: &Table<'_>, kind: Option<Kind>, base: Option<Kind>) {
    for key in KEYS {
        // Known, whatever the source.
        let is_set = table.value(key).is_some();
        let is_ours = |kind: Kind| kind.keys().contains(&key);
        let Some(kind) = kind.filter(|kind| is_set && !is_ours(*kind) && !base.is_some_and(is_ours)) else { continue };
        let what = format!("is set, and source is `{}`", kind.name());
        let others: Vec<_> = SOURCES.iter().filter(|(_, kind)| is_ours(*kind)).map(|(name, _)| *name).collect();
        let hint = format!("remove it, or set source = \"{}\"", others.join("\" or \""));
        table.mistake(key, &what, &hint);
    }
}

fn file(table: &Table<'_>) -> Option<FileSettings> {
    let path = key_file(table, NamedFile::Credentials);
    let previous = named(table, "previous_file", NamedFile::Credentials);
    let previous = or_default(table, "previous_file", previous.map(Some), None);
    Some(FileSettings { path: path?, previous: previous? })
}

fn key_file(table: &Table<'_>, read_as: fn(PathBuf) -> NamedFile) -> Option<PathBuf> {
    table.need("file", "name the file that holds secret_id and secret_key");
    named(table, "file", read_as)
}

/// The path at `key`, told to be one that is to be looked at.
fn named(table: &Table<'_>, key: &str, read_as: fn(PathBuf) -> NamedFile) -> Option<PathBuf> {
    let path = table.path(key);
    table.names(path.clone().map(read_as));
    path
}

fn cvm_role(table: &Table<'_>) -> Option<CvmRoleSettings> {
    let role_name = or_default(table, "role_name", table.parsed("role_name").map(Some), None);
    let endpoint = address(table, "metadata_endpoint");
    Some(CvmRoleSettings { role_name: role_name?, endpoint: endpoint? })
}

fn base_kind(table: &Table<'_>) -> Option<Kind> {
    table.need("base", "whose keys ask for the role's: `environment`, `file` or `cvm_role`");
    table.choice("base", &BASES)
}

fn assume_role(table: &Table<'_>, base: Option<Kind>) -> Option<AssumeRoleSettings> {
    table.need("role_arn", "the role, as in `qcs::cam::uin/100001:roleName/ci-gateway`");
    table.need("sts_region", "the region whose Security Token Service is asked, as in `ap-guangzhou`");
    let base = match base {
        Some(Kind::File) => key_file(table, NamedFile::BaseKeys).map(BaseSettings::File),
        Some(Kind::CvmRole) => cvm_role(table).map(BaseSettings::CvmRole),
        // `base` has no other words.
        Some(_) => Some(BaseSettings::Environment),
        None => None,
    };
    let role_arn = table.parsed("role_arn");
    let external_id = or_default(table, "external_id", table.text("external_id").map(Some), None);
    let (role_session_name, duration) = (session_name(table), duration(table));
    let (region, endpoint) = (table.parsed("sts_region"), address(table, "sts_endpoint"));
    Some(AssumeRoleSettings {
        base: base?,
        role_arn: role_arn?,
        role_session_name: role_session_name?,
        duration: duration?,
        external_id: external_id?,
        region: region?,
        endpoint: endpoint?,
    })
}

/// What is left out comes from the variables of TKE.
fn web_identity(table: &Table<'_>) -> Option<WebIdentitySettings> {
    let region = or_default(table, "sts_region", table.parsed("sts_region").map(Some), None);
    let provider_id = or_default(table, "provider_id", table.text("provider_id").map(Some), None);
    let token_file = or_default(table, "token_file", named(table, "token_file", NamedFile::PodToken).map(Some), None);
    let role_arn = or_default(table, "role_arn", table.parsed("role_arn").map(Some), None);
    let (role_session_name, duration, endpoint) =
        (session_name(table), duration(table), address(table, "sts_endpoint"));
    Some(WebIdentitySettings {
        region: region?,
        provider_id: provider_id?,
        token_file: token_file?,
        role_arn: role_arn?,
        role_session_name: role_session_name?,
        duration: duration?,
        endpoint: endpoint?,
    })
}

fn session_name(table: &Table<'_>) -> Option<SessionName> {
    or_default(table, "role_session_name", table.parsed("role_session_name"), ROLE_SESSION_NAME.parse().ok()?)
}

fn duration(table: &Table<'_>) -> Option<Duration> {
    or_default(table, "role_duration", table.duration("role_duration", ROLE_DURATIONS), ROLE_DURATION)
}

/// Without the text: somebody may have written a password into it.
fn address<T: FromStr<Err: Display>>(table: &Table<'_>, key: &str) -> Option<Option<T>> {
    let read = table.with(key, |text| text.parse::<T>().map_err(|why| Wrong::new("cannot be used", why.to_string())));
    or_default(table, key, read.map(Some), None)
}

fn command(table: &Table<'_>) -> Option<CommandSettings> {
    table.need("command", "the program and its arguments, as in [\"/usr/bin/keys\", \"--json\"]");
    let words = table.list("command", |text| Ok(text.to_owned()));
    let timeout = table.duration("command_timeout", COMMAND_TIMEOUTS);
    let time = or_default(table, "command_timeout", timeout, COMMAND_TIMEOUT);
    let mut words = words?.into_iter();
    match words.next().filter(|program| !program.is_empty()) {
        Some(program) => {
            // A bare name is looked for in PATH.
            let program = if program.contains('/') { table.folder().join(program) } else { program.into() };
            table.names(Some(NamedFile::Program(program.clone())));
            Some(CommandSettings { program, arguments: words.collect(), time: time? })
        }
        None => {
            table.mistake("command", "names no program", "write the program first, then its arguments");
            None
        }
    }
}

fn or_default<T>(table: &Table<'_>, key: &str, read: Option<T>, default: T) -> Option<T> {
    if table.has(key) { read } else { Some(default) }
}
