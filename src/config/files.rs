//! The files that a configuration names: what each of them is, and which key names it.
//!
//! The sections tell them while they are read, so they are known also where another key is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::audit::Origin;
use crate::auth::{Algorithm, KeySource};
use crate::domain::{Mistake, Mistakes};
use crate::server::TlsSettings;

/// A file that the configuration names, or several that belong together, and what it is to be read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedFile {
    /// An issuer's keys, and the algorithms that they are for.
    IssuerKeys(KeySource, Vec<Algorithm>),
    /// The hashed API keys.
    ApiKeys(PathBuf),
    /// The policy.
    Policy(PathBuf),
    /// The policy that is asked beside it.
    Candidate(PathBuf),
    /// Our keys.
    Credentials(PathBuf),
    /// Keys that ask for those of a role.
    BaseKeys(PathBuf),
    /// The token by which a pod asks for the keys of a role.
    PodToken(PathBuf),
    /// A program that prints our keys.
    Program(PathBuf),
    /// Certificate, private key and, where they are asked for, the authorities of clients and their revocations.
    Tls(TlsSettings),
    /// The audit's file, which need not exist.
    Audit(PathBuf),
    /// The key that signs checkpoints of the log of this name.
    CheckpointKey(PathBuf, Origin),
}

impl NamedFile {
    fn read_by_reload(&self) -> Vec<&Path> {
        match self {
            Self::IssuerKeys(KeySource::Jwks(file) | KeySource::Secret(file), _)
            | Self::ApiKeys(file)
            | Self::Policy(file)
            | Self::Candidate(file)
            | Self::Credentials(file)
            | Self::BaseKeys(file) => vec![file],
            Self::Tls(tls) => {
                let TlsSettings { certificate, private_key, client_ca, client_crl } = tls;
                let of_clients = [client_ca, client_crl].into_iter().flatten();
                [certificate, private_key].into_iter().chain(of_clients).map(PathBuf::as_path).collect()
            }
            Self::IssuerKeys(KeySource::JwksUrl(fetched), _) => fetched.ca_file.as_deref().into_iter().collect(),
            // A log keeps its key until a restart; a token is read anew for each question, and replaced every hour.
            Self::Audit(_) | Self::CheckpointKey(..) | Self::PodToken(_) | Self::Program(_) => Vec::new(),
        }
    }
}

/// All files that a configuration names, as far as its keys could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    files: Vec<NamedFile>,
    /// The key that names each path, and where it stands.
    named_by: BTreeMap<String, String>,
}

impl Files {
    /// The files, in the order in which the sections name them.
    pub fn iter(&self) -> impl Iterator<Item = &NamedFile> {
        self.files.iter()
    }

    /// The paths of those that a reload reads again. The audit's file is not among them: it changes all the time.
    pub fn read_by_reload(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().flat_map(NamedFile::read_by_reload)
    }

    /// The mistake; one about a file of these that has no hint gets the key and the line that name the file.
    #[must_use]
    pub fn explain(&self, mistake: Mistake) -> Mistake {
        match (mistake.hint_text(), self.named_by.get(mistake.place())) {
            (None, Some(key)) => {
                mistake.hint(format!("{key} names it; relative paths begin at the configuration's folder"))
            }
            (Some(_), _) | (None, None) => mistake,
        }
    }

    pub(super) fn add(&mut self, file: NamedFile) {
        self.files.push(file);
    }

    /// Notes that the key `key`, which stands where `mistake` would, names `file`.
    pub(super) fn note(&mut self, file: &Path, key: &str, mistake: &Mistake) {
        let line = mistake.line().map(|line| format!(":{line}")).unwrap_or_default();
        let key = format!("{}{line} `{key}`", mistake.place());
        self.named_by.entry(file.display().to_string()).or_insert(key);
    }
}

/// A configuration that cannot be used, and the files that it names all the same.
#[derive(Clone, Debug)]
pub struct Broken {
    /// What is wrong with the configuration itself.
    pub mistakes: Mistakes,
    /// None where the text is no TOML: what it means would be a guess.
    pub files: Files,
}

impl From<Broken> for Mistakes {
    fn from(broken: Broken) -> Self {
        broken.mistakes
    }
}

impl From<Mistakes> for Broken {
    fn from(mistakes: Mistakes) -> Self {
        Self { mistakes, files: Files::default() }
    }
}
