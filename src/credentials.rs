//! Our Tencent Cloud keys: where they come from, how they are kept fresh and told apart, and a type that does not let them
//! out by accident.

mod account;
mod breaker;
mod generation;
mod held;
mod keys;
mod plain_file;
mod refresh;
mod refusal;
mod secret_file;
mod source;
mod stack;
mod state;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

pub use generation::Generation;
pub use keys::{InvalidKeys, Keys, SecretKey};
pub use plain_file::{open_regular, read_file, read_text};
pub use refusal::KeyRefusal;
pub use secret_file::read_secret_file;
pub use source::{
    Asked, AssumeRoleSettings, BaseSettings, CommandSettings, CvmRoleSettings, FileSettings, InvalidAddress,
    InvalidRole, Issued, MetadataUrl, RoleArn, RoleName, SessionName, Source, SourceSettings, StsUrl,
    WebIdentitySettings, environment_keys, file_keys, look_at_pod_token, look_at_program,
};
pub use stack::wipe_the_stack;
pub use state::{AccountState, GenerationState, Missing};

use account::{Account, AtHand};

use crate::domain::{AppId, Bucket, Mistake, Mistakes};

/// The name of the account of buckets that no other names.
pub const DEFAULT: &str = "default";

/// What the configuration says about our keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The account of every bucket that none of `accounts` is for.
    pub default: Option<DefaultSettings>,
    /// Accounts by their APPID, each once.
    pub accounts: Vec<AccountSettings>,
}

/// The account of every bucket that no other is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultSettings {
    /// Where its keys come from.
    pub source: SourceSettings,
    /// The accounts that the keys belong to; empty means that every bucket is tried with them.
    pub app_ids: Vec<AppId>,
}

/// The account of the buckets of one APPID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// The APPID.
    pub app_id: AppId,
    /// Where its keys come from.
    pub source: SourceSettings,
}

/// The keys for a request. They stay its own, whatever becomes of the account meanwhile.
#[derive(Clone, Debug)]
pub struct Chosen {
    keys: Arc<Generation>,
    account: Arc<Account>,
}

impl Chosen {
    /// The keys to sign with.
    #[must_use]
    pub fn keys(&self) -> &Arc<Generation> {
        &self.keys
    }

    /// Has their source asked again soon, because Cloud Infinite has refused them: it may have better ones by now.
    pub fn ask_anew(&self) {
        self.account.keyring().ask_anew(&self.keys);
    }

    /// What the account has at `now` to sign with after these keys were refused: newer ones that came meanwhile, or those
    /// from before. `None` if there is nothing else, or nothing better.
    #[must_use]
    pub fn other(&self, now: Timestamp) -> Option<Arc<Generation>> {
        self.account.other_than(&self.keys, now)
    }
}

/// The accounts of one generation of the configuration. What they hold changes by itself, and outlives reloads.
#[derive(Debug)]
pub struct Credentials {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    buckets: Buckets,
    account: Arc<Account>,
    /// What a reload has found, to be held once it is in force.
    found: Option<AtHand>,
}

/// Whose buckets an account is for.
#[derive(Debug)]
enum Buckets {
    Of(AppId),
    /// Those that nothing else is for; of these accounts alone, unless the list is empty.
    Others(Vec<AppId>),
}

impl Settings {
    /// How long the slowest source may take to answer, by its own bound.
    #[must_use]
    pub fn longest_answer(&self) -> Duration {
        let sources = self.accounts.iter().map(|account| &account.source);
        let sources = sources.chain(self.default.iter().map(|default| &default.source));
        sources.map(SourceSettings::longest_answer).max().unwrap_or_default()
    }
}

impl Credentials {
    /// Opens the accounts, and reads the keys that are at hand. An account of `previous` with the same name and source
    /// is kept: what is found for it counts from [`Self::begin`] on. One with the same name and another source hands its keys
    /// on, so that there is something to sign with until the other source gives keys.
    ///
    /// An environment without keys is no mistake of the configuration: `check` runs where the secrets are not. The
    /// process then starts, is not ready, says why, and refuses what needs a key.
    ///
    /// # Errors
    /// Every [`Mistake`] about a key file or a source, which never shows what stands in it.
    pub fn load(settings: &Settings, previous: Option<&Self>, now: Timestamp) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let accounts = settings.accounts.iter().map(|account| (Buckets::Of(account.app_id.clone()), &account.source));
        let default =
            settings.default.iter().map(|account| (Buckets::Others(account.app_ids.clone()), &account.source));
        let entries = accounts.chain(default).filter_map(|(buckets, source)| {
            let entry = Entry::load(buckets, source, previous, now);
            entry.map_err(|mistake| mistakes.push(mistake)).ok()
        });
        let entries = entries.collect();
        Mistakes::unless_any(mistakes, Self { entries })
    }

    /// Puts in force what was found, and keeps fresh what is not at hand. Needs a runtime.
    pub fn begin(&mut self, now: Timestamp) {
        for entry in &mut self.entries {
            if let Some(found) = entry.found.take() {
                entry.account.take(found, now);
            }
            entry.account.keep_fresh();
        }
    }

    /// Asks every source that is not at hand, once and all at the same time: for a command, which ends before its keys do.
    /// What keeps them from coming is [`Self::each_missing`].
    pub async fn ask_once(&self) {
        let mut questions = JoinSet::new();
        for entry in &self.entries {
            let account = Arc::clone(&entry.account);
            questions.spawn(async move { account.ask_once().await });
        }
        while questions.join_next().await.is_some() {}
    }

    /// The accounts that have nothing to sign with at `now`, and why.
    #[must_use]
    pub fn each_missing(&self, now: Timestamp) -> Vec<Missing> {
        self.entries.iter().filter_map(|entry| entry.account.missing(now)).collect()
    }

    /// Why the gateway cannot work at `now`: no account has anything to sign with, or one has not been heard of at all
    /// yet. One account without keys among others does not stop those.
    #[must_use]
    pub fn missing(&self, now: Timestamp) -> Option<Missing> {
        let missing: Vec<_> =
            self.entries.iter().filter_map(|entry| Some((entry, entry.account.missing(now)?))).collect();
        let nothing = missing.len() == self.entries.len();
        missing.into_iter().find(|(entry, _)| nothing || !entry.account.keyring().held().answered).map(|(_, why)| why)
    }

    /// What is told of each account at `now`; a signature of ours lives for `lifetime`.
    #[must_use]
    pub fn states(&self, now: Timestamp, lifetime: Duration) -> Vec<AccountState> {
        self.entries.iter().map(|entry| entry.account.state(now, lifetime)).collect()
    }

    /// The keys for the account that owns `bucket`, for a request that begins at `now`. Nothing is waited for.
    ///
    /// # Errors
    /// [`NoKeys`] if there is no such account, or if it has nothing to sign with.
    pub fn keys_for(&self, bucket: &Bucket, now: Timestamp) -> Result<Chosen, NoKeys> {
        let entry = self.entries.iter().find(|entry| entry.buckets.include(bucket.app_id()));
        let account = &entry.ok_or(NoKeys::OtherAccount)?.account;
        Ok(Chosen { keys: account.choose(now)?, account: Arc::clone(account) })
    }
}

impl Entry {
    fn load(
        buckets: Buckets,
        source: &SourceSettings,
        previous: Option<&Credentials>,
        now: Timestamp,
    ) -> Result<Self, Mistake> {
        let name = buckets.name().to_owned();
        let mut accounts = previous.into_iter().flat_map(|previous| &previous.entries).map(|entry| &entry.account);
        let before = accounts.find(|account| account.keyring().name() == name);
        match before.filter(|account| account.is_of(source)) {
            Some(kept) => Ok(Self { buckets, found: kept.look()?, account: Arc::clone(kept) }),
            None => {
                let account = Account::open(&name, source, before.map(AsRef::as_ref), now)?;
                Ok(Self { buckets, found: None, account: Arc::new(account) })
            }
        }
    }
}

impl Buckets {
    fn name(&self) -> &str {
        match self {
            Self::Of(app_id) => app_id.as_str(),
            Self::Others(_) => DEFAULT,
        }
    }

    fn include(&self, app_id: &AppId) -> bool {
        match self {
            Self::Of(ours) => ours == app_id,
            Self::Others(ours) => ours.is_empty() || ours.contains(app_id),
        }
    }
}

/// Why there are no keys for a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// No configured account is the bucket's.
    OtherAccount,
    /// The account has nothing to sign with.
    Unavailable,
}

#[cfg(test)]
mod tests;
