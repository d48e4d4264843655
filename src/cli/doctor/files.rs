//! The configuration and the files that it names, each read as a start would.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::{Finding, Section};
use crate::auth::KeySource;
use crate::cli::named_files::mistakes_of;
use crate::config::{Config, NamedFile};
use crate::credentials::read_secret_file;
use crate::domain::Mistake;

/// The sections `config` and `permissions`, and what is wrong with files of the others.
pub(super) fn look(file: &Path, config: &Config) -> Vec<Finding> {
    let secrets: Vec<&Path> = config.files.iter().filter_map(secret).collect();
    let (fine, open): (Vec<_>, Vec<_>) = secrets.iter().map(|path| readable(path)).partition(Result::is_ok);
    let open: Vec<Mistake> = open.into_iter().filter_map(Result::err).collect();
    let mut findings = vec![Finding::ok(Section::Config, summary(file, config))];
    findings.extend(fine.into_iter().filter_map(Result::ok).map(|seen| Finding::ok(Section::Permissions, seen)));
    findings.extend(open.iter().map(|mistake| Finding::mistake(Section::Permissions, mistake)));
    for named in config.files.iter() {
        // What a secret's mode is was told already.
        let told = |mistake: &Mistake| {
            open.iter().any(|open| (open.place(), open.what()) == (mistake.place(), mistake.what()))
        };
        let mistakes = mistakes_of(named).into_iter().filter(|mistake| !told(mistake));
        findings.extend(mistakes.map(|mistake| Finding::mistake(section(named), &config.files.explain(mistake))));
    }
    findings
}

fn summary(file: &Path, config: &Config) -> String {
    let named = config.files.iter().count();
    let variables = match config.set_by_environment.as_slice() {
        [] => String::new(),
        set => format!("; set by the environment: {}", set.join(" ")),
    };
    format!("{} names {named} files{variables}", file.display())
}

/// The file of these that only its owner may read.
fn secret(named: &NamedFile) -> Option<&Path> {
    match named {
        NamedFile::Credentials(file)
        | NamedFile::BaseKeys(file)
        | NamedFile::IssuerKeys(KeySource::Secret(file), _)
        | NamedFile::CheckpointKey(file, _) => Some(file),
        NamedFile::Tls(tls) => Some(&tls.private_key),
        NamedFile::IssuerKeys(KeySource::Jwks(_) | KeySource::JwksUrl(_), _)
        | NamedFile::PodToken(_)
        | NamedFile::Program(_)
        | NamedFile::ApiKeys(_)
        | NamedFile::Policy(_)
        | NamedFile::Candidate(_)
        | NamedFile::Audit(_) => None,
    }
}

fn readable(path: &Path) -> Result<String, Mistake> {
    read_secret_file(path)?;
    let metadata = std::fs::metadata(path)
        .map_err(|why| Mistake::new(path.display().to_string(), format!("cannot be looked at: {why}")))?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    Ok(format!("{}: mode {mode:04o}, of user {owner}", path.display()))
}

fn section(named: &NamedFile) -> Section {
    match named {
        NamedFile::Credentials(_) | NamedFile::BaseKeys(_) | NamedFile::PodToken(_) | NamedFile::Program(_) => {
            Section::Keys
        }
        NamedFile::IssuerKeys(..) => Section::Jwks,
        NamedFile::Audit(_) | NamedFile::CheckpointKey(..) => Section::Audit,
        NamedFile::ApiKeys(_) | NamedFile::Policy(_) | NamedFile::Candidate(_) | NamedFile::Tls(_) => Section::Config,
    }
}
