//! The whole way from a request's head to its caller.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::credential::Credential;
use super::jwks::KeySetState;
use super::tokens::{Shown, Tokens};
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
        let caller = match Credential::of(presented)? {
            Credential::Token(token) => {
                let shown = Shown { token, certificate: presented.certificate, now };
                return self.tokens.caller(shown, deadline).await;
            }
            Credential::ApiKey(key) => self.api_keys.caller(key, presented.source, now),
            Credential::Certificate(certificate) => self.user_from.ok_or(Refused::NoCredentials)?.caller(certificate),
        };
        caller.map_err(Refused::BadToken)
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

#[cfg(test)]
mod tests;
