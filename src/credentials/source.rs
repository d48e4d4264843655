//! Where keys come from: each source in a file of its own, behind one trait.

mod address;
mod asking;
mod assume_role;
mod command;
mod cvm_role;
mod environment;
mod file;
mod role;
mod sts;
mod tc3;
mod temporary;
#[cfg(test)]
mod tests;
mod web_identity;

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;

pub use address::{InvalidAddress, MetadataUrl, StsUrl};
pub use role::{InvalidRole, RoleArn, RoleName, SessionName};

use super::Keys;
use crate::domain::{Mistake, Region};

/// Keys on their way from a source.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Issued, Mistake>> + Send + 'a>>;

/// Something that gives keys whenever it is asked, perhaps after a while.
///
/// It neither remembers nor repeats: an [`Account`](super::Account) does that, and asks one question at a time. Each source
/// bounds how long it takes and how much it reads.
pub trait Source: fmt::Debug + Send + Sync {
    /// Asks for keys.
    ///
    /// # Errors
    /// A [`Mistake`] that says what kept them from coming, and shows no part of a secret.
    fn keys(&self) -> Asked<'_>;
}

/// Keys as a source gave them.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The keys.
    pub keys: Keys,
    /// When they end by the source's word; `None` for those that last, or whose end it does not know.
    pub expires: Option<Timestamp>,
}

/// What the configuration says about the place that keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSettings {
    /// `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and, for temporary keys, `TENCENTCLOUD_TOKEN`.
    Environment,
    /// A file that only its owner can read.
    File(FileSettings),
    /// The role of the machine we run on.
    CvmRole(CvmRoleSettings),
    /// A role that other keys may take on.
    AssumeRole(AssumeRoleSettings),
    /// A role that a pod's token may take on.
    WebIdentity(WebIdentitySettings),
    /// A program of the operator's.
    Command(CommandSettings),
}

impl SourceSettings {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::File(_) => "file",
            Self::CvmRole(_) => "cvm_role",
            Self::AssumeRole(_) => "assume_role",
            Self::WebIdentity(_) => "web_identity",
            Self::Command(_) => "command",
        }
    }

    /// Whether it answers at once, and is asked at the start and at reloads; all others are asked in the background.
    pub(super) const fn is_at_hand(&self) -> bool {
        match self {
            Self::Environment | Self::File(_) => true,
            Self::CvmRole(_) | Self::AssumeRole(_) | Self::WebIdentity(_) | Self::Command(_) => false,
        }
    }

    /// How long it may take to answer.
    pub(super) fn longest_answer(&self) -> Duration {
        match self {
            Self::Environment | Self::File(_) => Duration::ZERO,
            Self::CvmRole(role) => role.longest_answer(),
            Self::AssumeRole(role) => match &role.base {
                BaseSettings::Environment | BaseSettings::File(_) => asking::TIME,
                BaseSettings::CvmRole(role) => role.longest_answer() + asking::TIME,
            },
            Self::WebIdentity(_) => asking::TIME,
            Self::Command(command) => command.time,
        }
    }

    /// The source itself; nothing is asked yet.
    ///
    /// # Errors
    /// A [`Mistake`] if it cannot be asked.
    pub(super) fn open(&self) -> Result<Arc<dyn Source>, Mistake> {
        match self {
            Self::Environment => Ok(Arc::new(environment::Environment)),
            Self::File(file) => Ok(Arc::new(file::KeyFile(file.path.clone()))),
            Self::Command(command) => Ok(Arc::new(command::Program(command.clone()))),
            Self::CvmRole(role) => Ok(Arc::new(cvm_role::CvmRole::new(role)?)),
            Self::AssumeRole(role) => Ok(Arc::new(assume_role::AssumeRole::new(role)?)),
            Self::WebIdentity(pod) => Ok(Arc::new(web_identity::WebIdentity::new(pod)?)),
        }
    }
}

/// The answer of a source that answers at once.
pub(super) fn at_once(source: &dyn Source) -> Result<Issued, Mistake> {
    match source.keys().as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(Mistake::new("credentials", "a source did not answer at once").hint("please report this")),
    }
}

/// The keys that stand in the environment.
///
/// # Errors
/// A [`Mistake`] that names the variable which is missing or unusable.
pub fn environment_keys() -> Result<Keys, Mistake> {
    at_once(&environment::Environment).map(|issued| issued.keys)
}

/// The keys that stand in the file at `path`.
///
/// # Errors
/// A [`Mistake`] that names the file and never shows what stands in it.
pub fn file_keys(path: &Path) -> Result<Keys, Mistake> {
    at_once(&file::KeyFile(path.to_owned())).map(|issued| issued.keys)
}

/// Whether the environment holds no keys, which is no mistake in them.
pub(super) fn environment_is_without_keys() -> bool {
    environment::is_without_keys()
}

/// Looks whether the file at `path` holds a pod's token.
///
/// # Errors
/// A [`Mistake`] that names the file and never shows what stands in it.
pub fn look_at_pod_token(path: &Path) -> Result<(), Mistake> {
    web_identity::token(path).map(drop)
}

/// Looks whether `program` could be started, without starting it: a path, or a name that `PATH` finds.
///
/// # Errors
/// A [`Mistake`] that names the program and says what is wrong with it.
pub fn look_at_program(program: &Path) -> Result<(), Mistake> {
    command::look(program)
}

/// A key file; see [`file`] for what may stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// The keys to sign with.
    pub path: PathBuf,
    /// The keys from before, kept beside them.
    pub previous: Option<PathBuf>,
}

/// The role of the machine: a metadata service at an address of the link gives its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CvmRoleSettings {
    /// Which role; `None` for the one that the machine has.
    pub role_name: Option<RoleName>,
    /// Where the service is; `None` for Tencent's, `http://metadata.tencentyun.com`.
    pub endpoint: Option<MetadataUrl>,
}

impl CvmRoleSettings {
    /// Without a name, that is asked for first.
    fn longest_answer(&self) -> Duration {
        if self.role_name.is_some() { asking::TIME } else { asking::TIME * 2 }
    }
}

/// A role that keys of `base` take on at the Security Token Service (`AssumeRole`, API version 2018-08-13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRoleSettings {
    /// Whose keys ask.
    pub base: BaseSettings,
    /// The role.
    pub role_arn: RoleArn,
    /// The name that the cloud's own records show for what is done with the keys.
    pub role_session_name: SessionName,
    /// How long the keys are wanted for, at most 12 hours.
    pub duration: Duration,
    /// A word that the role's owner may ask for.
    pub external_id: Option<String>,
    /// The region whose service is asked.
    pub region: Region,
    /// Where the service is; `None` for Tencent's, `https://sts.tencentcloudapi.com`.
    pub endpoint: Option<StsUrl>,
}

/// Whose keys may ask for a role's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseSettings {
    /// Those of the environment.
    Environment,
    /// Those of a file.
    File(PathBuf),
    /// Those of the machine's role.
    CvmRole(CvmRoleSettings),
}

/// A role that the token of a pod in TKE takes on (`AssumeRoleWithWebIdentity`). `None` means what TKE puts into the pod's
/// environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentitySettings {
    /// `TKE_REGION`.
    pub region: Option<Region>,
    /// `TKE_PROVIDER_ID`.
    pub provider_id: Option<String>,
    /// `TKE_WEB_IDENTITY_TOKEN_FILE`; read anew each time, as TKE replaces it.
    pub token_file: Option<PathBuf>,
    /// `TKE_ROLE_ARN`.
    pub role_arn: Option<RoleArn>,
    /// The name that the cloud's own records show for what is done with the keys.
    pub role_session_name: SessionName,
    /// How long the keys are wanted for, at most 12 hours.
    pub duration: Duration,
    /// Where the service is; `None` for Tencent's, `https://sts.tencentcloudapi.com`.
    pub endpoint: Option<StsUrl>,
}

/// A program that prints keys as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program; found by `PATH` unless it is a path.
    pub program: PathBuf,
    /// What it is started with; no shell reads it.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub time: Duration,
}
