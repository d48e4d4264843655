//! A key that is being given out.

use std::fmt::{self, Write};

use ipnet::IpNet;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{KeyText, file, text};
use crate::domain::{Caller, InvalidCaller, Method};

/// Whose a new key is, and where and how long it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTerms {
    /// `user:…` in the policy.
    pub caller: String,
    /// `group:…` in the policy.
    pub groups: Vec<String>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// Where it may be used from; from anywhere if there is none.
    pub networks: Vec<IpNet>,
}

/// A new key and what belongs into the file of hashes.
pub struct NewKey {
    key: Zeroizing<String>,
    terms: KeyTerms,
}

/// Why no key can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotMakeKey {
    /// A name that no caller or group can have.
    #[error(transparent)]
    Caller(#[from] InvalidCaller),
    /// The system gives no random bytes.
    #[error("no randomness for a key: {0}")]
    Random(#[from] getrandom::Error),
}

impl NewKey {
    /// Makes a key under `terms` from the system's randomness.
    ///
    /// # Errors
    /// [`CannotMakeKey`].
    pub fn make(terms: KeyTerms) -> Result<Self, CannotMakeKey> {
        Caller::new(&terms.caller, terms.groups.iter().map(String::as_str), Method::ApiKey.as_str())?;
        Ok(Self { key: text::random()?, terms })
    }

    /// The key itself: shown once to whoever asked for it, and kept nowhere.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.key
    }

    /// The part that names it in the file, in records and in the log.
    #[must_use]
    pub fn id(&self) -> &str {
        KeyText::parse(&self.key).map_or("", |key| key.id())
    }

    /// The lines for the file of hashes, in TOML.
    #[must_use]
    pub fn entry(&self) -> String {
        let hash = KeyText::parse(&self.key).map(|key| hex::encode(key.hash())).unwrap_or_default();
        let mut entry = format!("[[key]]\nid = \"{}\"\ncaller = {}\n", self.id(), quoted(&self.terms.caller));
        add_list(&mut entry, "groups", &self.terms.groups);
        // Writing to a text does not fail.
        let _ = writeln!(entry, "hash = \"sha256:{hash}\"");
        if let Some(end) = self.terms.not_after {
            let _ = writeln!(entry, "not_after = {end}");
        }
        let networks: Vec<String> = self.terms.networks.iter().map(ToString::to_string).collect();
        add_list(&mut entry, "networks", &networks);
        entry
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKey({})", self.id())
    }
}

impl KeyTerms {
    /// A network as `--network` and the file write it.
    ///
    /// # Errors
    /// What is wrong with it and what to do, in one sentence.
    pub fn network(text: &str) -> Result<IpNet, String> {
        file::network(text).map_err(|(what, hint)| format!("it {what} ({hint})"))
    }
}

fn add_list(entry: &mut String, name: &str, texts: &[String]) {
    if !texts.is_empty() {
        let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        let _ = writeln!(entry, "{name} = [{}]", texts.join(", "));
    }
}

/// A basic string of TOML; names hold no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
