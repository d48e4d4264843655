//! The whole way from a request's head to its caller.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::credential::Credential;
use super::jwks::KeySetState;
use super::tokens::{Fresh, Shown, Tokens};
use super::{ApiKeys, Presented, Refused, Settings, UserFrom};
use crate::domain::{Caller, Mistakes};

/// Who is believed: the issuers with their keys at hand, the API keys, and whether a certificate names its caller. Other
/// settings are another one; of itself it changes only in keys that are fetched, and its background work ends with it.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Tokens,
    api_keys: ApiKeys,
    user_from: Option<UserFrom>,
}

impl Authenticator {
    /// Reads the key file of every issuer. Keys that `previous` has fetched from the same address under the same
    /// settings stay at hand; others are fetched once [`Self::keep_fresh`] is called.
    ///
    /// # Errors
    /// Every mistake in the settings and in the files, each with the issuer or the file that it is in. Secrets
    /// are not shown.
    pub fn load(settings: &Settings, previous: Option<&Self>) -> Result<Self, Mistakes> {
        let tokens = Tokens::load(settings, previous.map(|previous| &previous.tokens))?;
        Ok(Self { tokens, api_keys: ApiKeys::default(), user_from: None })
    }

    /// The same, with these API keys, and with callers named by that part of their certificate.
    #[must_use]
    pub fn with(self, api_keys: ApiKeys, user_from: Option<UserFrom>) -> Self {
        Self { api_keys, user_from, ..self }
    }

    /// Begins to fetch keys, at once and then in the background; a second call does nothing. Needs a runtime.
    pub fn keep_fresh(&self) {
        self.tokens.remotes().for_each(|remote| remote.keep_fresh());
    }

    /// A first look at the credentials that are `presented` at `now`, which costs next to nothing: what is remembered, and
    /// what the handshake has proved already.
    ///
    /// # Errors
    /// [`Refused`], which carries nothing of the credentials.
    pub fn look<'a>(&'a self, presented: Presented<'a>, now: Timestamp) -> Result<Looked<'a>, Refused> {
        match Credential::of(presented)? {
            Credential::Token(token) => {
                let shown = Shown { token, certificate: presented.certificate, now };
                let remembered = self.tokens.remembered(shown)?;
                Ok(remembered.map_or_else(|fresh| Looked::Unproved(Unproved(Proof::Token(fresh))), Looked::Known))
            }
            Credential::ApiKey(key) => {
                let (keys, source) = (&self.api_keys, presented.source);
                Ok(Looked::Unproved(Unproved(Proof::ApiKey { keys, key, source, now })))
            }
            Credential::Certificate(certificate) => {
                let caller = self.user_from.ok_or(Refused::NoCredentials)?.caller(certificate);
                caller.map(Looked::Known).map_err(Refused::BadToken)
            }
        }
    }

    /// The caller whose credentials are `presented` and hold at `now`.
    ///
    /// It waits for nothing but, where the token names a key that its issuer may have by now, one fetch of that issuer's
    /// keys, and not beyond `deadline`.
    ///
    /// # Errors
    /// [`Refused`], which carries nothing of the credentials.
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Arc<Caller>, Refused> {
        match self.look(presented, now)? {
            Looked::Known(caller) => Ok(caller),
            Looked::Unproved(credential) => credential.prove(deadline).await,
        }
    }

    /// The API keys that are accepted.
    #[must_use]
    pub fn api_keys(&self) -> &ApiKeys {
        &self.api_keys
    }

    /// What is known about the keys that are fetched.
    #[must_use]
    pub fn key_sets(&self) -> Vec<KeySetState> {
        self.tokens.key_sets()
    }
}

/// What a first look at credentials tells.
pub enum Looked<'a> {
    /// Whose they are.
    Known(Arc<Caller>),
    /// That they have to be looked into.
    Unproved(Unproved<'a>),
}

/// Credentials that may hold.
pub struct Unproved<'a>(Proof<'a>);

/// What it takes to find out.
enum Proof<'a> {
    Token(Fresh<'a>),
    ApiKey { keys: &'a ApiKeys, key: &'a str, source: Option<IpAddr>, now: Timestamp },
}

impl Unproved<'_> {
    /// Whose they are, by cryptography. See [`Authenticator::authenticate`].
    ///
    /// # Errors
    /// [`Refused`], which carries nothing of the credentials.
    pub async fn prove(self, deadline: Instant) -> Result<Arc<Caller>, Refused> {
        match self.0 {
            Proof::Token(token) => token.prove(deadline).await,
            Proof::ApiKey { keys, key, source, now } => keys.caller(key, source, now).map_err(Refused::BadToken),
        }
    }
}

#[cfg(test)]
mod tests;
