//! What signed claims must say before their bearer is a caller (RFC 7519 section 4.1, RFC 8725 section 3).

use std::time::Duration;

use jiff::Timestamp;

use super::json::{Json, Object};
use super::jwt::Claims;
use super::{IssuerSettings, Reason};
use crate::domain::Caller;

/// The longest time from `iat` to `exp` (from now, if there is no `iat`): a year and a day.
///
/// There is no way to take a token back, so one that outlives its key is refused.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(366 * 86_400);

/// The rules of one issuer.
pub(super) struct Rules {
    issuer: Box<str>,
    audiences: Box<[String]>,
    user_claim: Box<str>,
    groups_claim: Box<str>,
    /// In seconds, as the claims are.
    leeway: f64,
}

impl Rules {
    /// The rules that the settings write down.
    pub(super) fn new(settings: &IssuerSettings) -> Self {
        Self {
            issuer: settings.issuer.as_str().into(),
            audiences: settings.audiences.as_slice().into(),
            user_claim: settings.user_claim.as_str().into(),
            groups_claim: settings.groups_claim.as_str().into(),
            leeway: settings.leeway.as_secs_f64(),
        }
    }

    /// The exact `iss` that these rules are for.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The caller that `claims` speak of at `now`. The issuer is part of the caller, and rates keep them apart; a policy's
    /// `user:NAME`, though, means that name from any configured issuer (`config/default.toml` says so to operators).
    ///
    /// # Errors
    /// The [`Reason`] of the first rule that they break.
    pub(super) fn caller(&self, claims: &Claims, now: Timestamp) -> Result<Caller, Reason> {
        let claims = claims.object();
        self.check_audience(claims)?;
        self.check_times(claims, now.as_duration().as_secs_f64())?;
        let name = claims.text(&self.user_claim).ok_or(Reason::InvalidCaller)?;
        let groups = match claims.get(&self.groups_claim) {
            None => Vec::new(),
            Some(groups) => groups.as_texts().ok_or(Reason::InvalidGroups)?,
        };
        Caller::new(name, groups, &self.issuer).map_err(|_| Reason::InvalidCaller)
    }

    fn check_audience(&self, claims: &Object) -> Result<(), Reason> {
        let named = claims.get("aud").and_then(Json::as_texts).ok_or(Reason::WrongAudience)?;
        let ours = |audience: &&str| self.audiences.iter().any(|our| our == audience);
        if named.iter().any(ours) { Ok(()) } else { Err(Reason::WrongAudience) }
    }

    fn check_times(&self, claims: &Object, now: f64) -> Result<(), Reason> {
        let expires = seconds(claims, "exp", Reason::InvalidExpiry)?.ok_or(Reason::InvalidExpiry)?;
        let not_before = seconds(claims, "nbf", Reason::InvalidNotBefore)?;
        let issued = seconds(claims, "iat", Reason::InvalidIssuedAt)?;
        if now >= expires + self.leeway {
            return Err(Reason::Expired);
        }
        if not_before.is_some_and(|from| from > now + self.leeway) {
            return Err(Reason::NotYetValid);
        }
        if issued.is_some_and(|issued| issued > now + self.leeway) {
            return Err(Reason::IssuedInFuture);
        }
        if expires - issued.unwrap_or(now) > LONGEST_LIFETIME.as_secs_f64() {
            return Err(Reason::LivesTooLong);
        }
        Ok(())
    }
}

/// A `NumericDate`: seconds, perhaps with a fraction; a string of digits is none.
fn seconds(claims: &Object, name: &str, otherwise: Reason) -> Result<Option<f64>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::Number(number)) if number.is_finite() => Ok(Some(*number)),
        Some(Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) | Json::Other) => Err(otherwise),
    }
}
