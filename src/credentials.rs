//! Our Tencent Cloud keys: where they come from, and a type that does not let them out by accident.

mod environment;
mod generation;
mod keys;
mod key_file;
mod plain_file;
mod secret_file;

use std::path::PathBuf;
use std::sync::Arc;

pub use generation::Generation;
pub use keys::{InvalidKeys, Keys, SecretKey};
pub use plain_file::{open_regular, read_file, read_text};
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

/// The keys of one generation of the configuration, or why there are none.
#[derive(Debug)]
pub struct Credentials {
    keys: Result<Arc<Generation>, Mistake>,
    app_ids: Vec<AppId>,
}

impl Credentials {
    /// Reads the keys from the configured source.
    ///
    /// An environment without keys is no mistake of the configuration: `check` runs where the secrets are not. The
    /// process then starts, is not ready, says why, and refuses what needs a key.
    ///
    /// # Errors
    /// A [`Mistake`] that names the key file and never shows what stands in it.
    pub fn load(settings: &Settings) -> Result<Self, Mistake> {
        let keys = match &settings.source {
            Source::Environment => environment::keys(),
            Source::File(path) => Ok(key_file::keys(path)?),
        };
        let keys = keys.map(|keys| Arc::new(Generation::new(keys)));
        Ok(Self { keys, app_ids: settings.app_ids.clone() })
    }

    /// Why there are no keys; `None` when there are.
    #[must_use]
    pub fn missing(&self) -> Option<&Mistake> {
        self.keys.as_ref().err()
    }

    /// The keys themselves, whatever the account.
    ///
    /// # Errors
    /// Why there are none.
    pub fn into_keys(self) -> Result<Keys, Mistake> {
        self.keys.map(|generation| generation.keys().clone())
    }

    /// The keys for the account that owns `bucket`.
    ///
    /// # Errors
    /// [`NoKeys`] if the account is another one's, or if there are no keys at all.
    pub fn keys_for(&self, bucket: &Bucket) -> Result<Arc<Generation>, NoKeys> {
        if !self.app_ids.is_empty() && !self.app_ids.contains(bucket.app_id()) {
            return Err(NoKeys::OtherAccount);
        }
        self.keys.as_ref().map(Arc::clone).map_err(|_| NoKeys::Unavailable)
    }
}

/// Why there are no keys for a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// The bucket's account is none of the configured `app_ids`.
    OtherAccount,
    /// The source gave no usable keys.
    Unavailable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_given_for_the_configured_accounts_alone() {
        let keys = Arc::new(Generation::new(Keys::new("id", "key", None).unwrap()));
        let (ours, other) = ("a-1234567890".parse().unwrap(), "a-1234567891".parse().unwrap());
        let any = Credentials { keys: Ok(keys.clone()), app_ids: Vec::new() };
        assert!(any.keys_for(&ours).is_ok() && any.keys_for(&other).is_ok());
        let bound = Credentials { keys: Ok(keys), app_ids: vec!["1234567890".parse().unwrap()] };
        assert!(bound.keys_for(&ours).is_ok());
        assert_eq!(bound.keys_for(&other).unwrap_err(), NoKeys::OtherAccount);
    }

    #[test]
    fn without_keys_every_bucket_says_so_and_the_reason_is_kept() {
        let none = Credentials { keys: Err(Mistake::new("environment", "not set")), app_ids: Vec::new() };
        assert_eq!(none.keys_for(&"a-1".parse().unwrap()).unwrap_err(), NoKeys::Unavailable);
        assert_eq!(none.missing().unwrap().what(), "not set");
    }
}
