//! One configured issuer: its rules, and its keys wherever they come from.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::claims::Rules;
use super::jwks::Remote;
use super::keys::{Held, KeyRing};
use super::{Algorithm, IssuerSettings, KeySource};
use crate::domain::Mistakes;

/// An issuer whose tokens are accepted.
pub(super) struct Issuer {
    pub(super) rules: Rules,
    pub(super) keys: Keys,
}

/// An issuer's keys.
pub(super) enum Keys {
    /// Of a file. They never change, and are held as fetched ones are so that both are read in one way.
    Fixed(ArcSwap<Held>),
    /// Fetched.
    Remote(Arc<Remote>),
}

impl Issuer {
    /// Reads the issuer's key file, or prepares to fetch its keys; those that `previous` has fetched stay.
    ///
    /// # Errors
    /// Every mistake in the file, or that keeps the keys from being fetched safely.
    pub(super) fn load(settings: &IssuerSettings, previous: Option<&Self>) -> Result<Self, Mistakes> {
        let keys = match &settings.keys {
            KeySource::Secret(path) => Keys::fixed(KeyRing::of_secret_file(path)?),
            KeySource::Jwks(path) => Keys::fixed(KeyRing::of_set_file(path, &settings.algorithms)?),
            KeySource::JwksUrl(fetch) => {
                Keys::Remote(Remote::load(settings, fetch, previous.and_then(|issuer| issuer.keys.remote()))?)
            }
        };
        Ok(Self { rules: Rules::new(settings), keys })
    }
}

impl Keys {
    fn fixed(ring: KeyRing) -> Self {
        Self::Fixed(ArcSwap::from_pointee(Held::new(ring)))
    }

    /// The keys in force.
    pub(super) fn held(&self) -> Guard<Arc<Held>> {
        match self {
            Self::Fixed(held) => held.load(),
            Self::Remote(remote) => remote.held(),
        }
    }

    /// Where they are fetched, if they are.
    pub(super) fn remote(&self) -> Option<&Arc<Remote>> {
        match self {
            Self::Fixed(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }
}

impl KeySource {
    /// Reads the files that it names, and keeps nothing of them; nothing is fetched.
    ///
    /// # Errors
    /// Every mistake in the files, among them that no key is for one of `algorithms`.
    pub fn check(&self, algorithms: &[Algorithm]) -> Result<(), Mistakes> {
        match self {
            Self::Secret(path) => KeyRing::of_secret_file(path).map(drop).map_err(Mistakes::from),
            Self::Jwks(path) => KeyRing::of_set_file(path, algorithms).map(drop),
            Self::JwksUrl(fetch) => Remote::check(fetch),
        }
    }
}
