//! The whole way from a request's head to its caller.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::claims::Rules;
use super::credential::Credential;
use super::jwt::Unverified;
use super::keys::KeyRing;
use super::{ApiKeys, IssuerSettings, Presented, Reason, Refused, UserFrom};
use crate::domain::{Caller, Mistake, Mistakes};

/// Who is believed: the issuers with their keys at hand, the API keys, and whether a certificate names its caller. It
/// never changes: new keys are a new one.
pub struct Authenticator {
    issuers: Box<[Issuer]>,
    api_keys: ApiKeys,
    user_from: Option<UserFrom>,
}

struct Issuer {
    rules: Rules,
    keys: KeyRing,
}

impl Authenticator {
    /// Reads the key file of every issuer.
    ///
    /// # Errors
    /// Every mistake in the settings and in the files, each with the issuer or the file that it is in. Secrets
    /// are not shown.
    pub fn load(settings: &[IssuerSettings]) -> Result<Self, Mistakes> {
        let (mut issuers, mut mistakes, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        for one in settings {
            mistakes.extend(one.mistakes());
            if !names.insert(&one.issuer) {
                let what = "this issuer is configured twice: its keys and rules would be ambiguous";
                mistakes.push(Mistake::new(one.place(), what).hint("put all of its keys and audiences into one"));
            }
            match KeyRing::load(&one.keys, &one.algorithms) {
                Ok(keys) => issuers.push(Issuer { rules: Rules::new(one), keys }),
                Err(found) => mistakes.extend(found.into_vec()),
            }
        }
        Mistakes::unless_any(mistakes, Self { issuers: issuers.into(), api_keys: ApiKeys::default(), user_from: None })
    }

    /// The same, with these API keys, and with callers named by that part of their certificate.
    #[must_use]
    pub fn with(self, api_keys: ApiKeys, user_from: Option<UserFrom>) -> Self {
        Self { api_keys, user_from, ..self }
    }

    /// The caller whose credentials are `presented` and hold at `now`.
    ///
    /// # Errors
    /// [`Refused`], which carries nothing of the credentials.
    pub fn authenticate(&self, presented: Presented<'_>, now: Timestamp) -> Result<Arc<Caller>, Refused> {
        let caller = match Credential::of(presented)? {
            Credential::Token(token) => self.caller(token, now).map(Arc::new),
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

    /// The exact `iss` of every accepted issuer, as configured.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|issuer| issuer.rules.issuer())
    }

    /// The order matters: nothing but `iss`, `alg` and `kid` is looked at before the signature holds.
    fn caller(&self, token: &str, now: Timestamp) -> Result<Caller, Reason> {
        let token = Unverified::parse(token)?;
        let claimed = token.issuer().ok_or(Reason::UnknownIssuer)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.rules.issuer() == claimed);
        let issuer = issuer.ok_or(Reason::UnknownIssuer)?;
        let key = issuer.keys.find(token.header()).ok_or(Reason::UnknownKey)?;
        let claims = token.verify(key)?;
        issuer.rules.caller(&claims, now)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys_by_issuer = self.issuers.iter().map(|issuer| (issuer.rules.issuer(), issuer.keys.len()));
        f.debug_map().entries(keys_by_issuer).finish()
    }
}

#[cfg(test)]
mod tests;
