//! Our Tencent Cloud keys: where they come from, and a type that does not let them out by accident.

mod environment;
mod keys;
mod key_file;
mod secret_file;

use std::path::PathBuf;

pub use keys::{InvalidKeys, Keys, SecretKey};
pub use secret_file::read_secret_file;

use crate::domain::{AppId, Bucket, Mistake};

/// Where the keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and, for temporary keys, `TENCENTCLOUD_TOKEN`.
    Environment,
    /// A file that only its owner can read; see [`key_file`] for what may stand in it.
    File(PathBuf),
}

/// What the configuration says about our keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the keys come from.
    pub source: Source,
    /// The accounts that the keys belong to; empty means that every bucket is tried with them.
    pub app_ids: Vec<AppId>,
}

/// The keys of one generation of the configuration.
#[derive(Debug)]
pub struct Credentials {
    keys: Keys,
    app_ids: Vec<AppId>,
}

impl Credentials {
    /// Reads the keys from the configured source.
    ///
    /// # Errors
    /// A [`Mistake`] that names the variable or the file and never shows what stands in it.
    pub fn load(settings: &Settings) -> Result<Self, Mistake> {
        let keys = match &settings.source {
            Source::Environment => environment::keys()?,
            Source::File(path) => key_file::keys(path)?,
        };
        Ok(Self { keys, app_ids: settings.app_ids.clone() })
    }

    /// Credentials made of keys at hand, good for every account.
    #[must_use]
    pub fn of(keys: Keys) -> Self {
        Self { keys, app_ids: Vec::new() }
    }

    /// The keys for the account that owns `bucket`; `None` if none are configured for it.
    #[must_use]
    pub fn keys_for(&self, bucket: &Bucket) -> Option<&Keys> {
        let ours = self.app_ids.is_empty() || self.app_ids.contains(bucket.app_id());
        ours.then_some(&self.keys)
    }
}
