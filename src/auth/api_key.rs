//! API keys: who holds one is its caller, from the networks and until the time that its entry names.
//!
//! The gateway keeps a file of hashes. A key is 190 random bits, so one SHA-256 of it is as good as a slow hash would
//! be: there is nothing to guess at. Whatever is wrong with a key, the same work has been done before that is told.

mod file;
mod new_key;
mod text;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::Reason;
use crate::domain::{Caller, Mistakes};

pub use new_key::{CannotMakeKey, KeyTerms, NewKey};
pub(super) use text::PREFIX;
pub use text::{KEY_PATTERN, KeyText};

/// The SHA-256 of a whole key.
type Hash = [u8; 32];

/// What an unknown key is compared with; no text is known whose hash this is.
const NOBODY: Hash = [0; 32];

/// The keys that are accepted, by their ids. It never changes: a changed file is read into a new one.
#[derive(Default)]
pub struct ApiKeys(HashMap<Box<str>, StoredKey>);

/// What the file says about a key.
struct StoredKey {
    hash: Hash,
    caller: Arc<Caller>,
    not_after: Option<Timestamp>,
    /// Where it may be used from; from anywhere if there is none.
    networks: Box<[IpNet]>,
    disabled: bool,
}

impl ApiKeys {
    /// Reads the file of hashed keys at `path`.
    ///
    /// # Errors
    /// Every mistake in it, with its line; no value of the file is repeated.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        let text = file::open(path)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads `text` as the file that stands at `place`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, place: &str) -> Result<Self, Mistakes> {
        file::read(text, place).map(Self)
    }

    /// How many keys the file has, those among them that open nothing any more.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The caller who holds the key `text`, which comes from `source` at `now`.
    pub(super) fn caller(&self, text: &str, source: Option<IpAddr>, now: Timestamp) -> Result<Arc<Caller>, Reason> {
        let key = KeyText::parse(text).ok_or(Reason::MalformedApiKey)?;
        let (stored, intact) = (self.0.get(key.id()), key.is_intact());
        // For an unknown id too, so that time does not tell which ids there are.
        let holds = bool::from(key.hash().ct_eq(stored.map_or(&NOBODY, |stored| &stored.hash)));
        match stored {
            _ if !intact => Err(Reason::DamagedApiKey),
            None => Err(Reason::UnknownApiKey),
            Some(_) if !holds => Err(Reason::WrongApiKey),
            Some(stored) => stored.in_force(source, now).map(|()| Arc::clone(&stored.caller)),
        }
    }
}

impl StoredKey {
    fn in_force(&self, source: Option<IpAddr>, now: Timestamp) -> Result<(), Reason> {
        if self.disabled {
            return Err(Reason::DisabledApiKey);
        }
        if self.not_after.is_some_and(|end| end <= now) {
            return Err(Reason::ExpiredApiKey);
        }
        let is_near = |source: IpAddr| self.networks.iter().any(|network| network.contains(&source));
        // A dual-stack socket shows an IPv4 peer as `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2).
        if self.networks.is_empty() || source.map(|source| source.to_canonical()).is_some_and(is_near) {
            Ok(())
        } else {
            Err(Reason::WrongNetwork)
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests;
