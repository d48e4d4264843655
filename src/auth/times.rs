//! When a token holds (RFC 7519 sections 4.1.4 to 4.1.6).

use std::time::Duration;

use jiff::Timestamp;

use super::Reason;
use super::json::{Json, Object};

/// The longest time from `iat` to `exp` (from now, if there is no `iat`): a year and a day.
///
/// There is no way to take a token back, so one that outlives its key is refused.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(366 * 86_400);

/// The `exp`, `nbf` and `iat` of one token, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    expires: f64,
    not_before: Option<f64>,
    issued: Option<f64>,
}

impl Times {
    /// The times that `claims` tell.
    ///
    /// # Errors
    /// The [`Reason`] if `exp` is missing or if one of them is no number.
    pub(super) fn of(claims: &Object) -> Result<Self, Reason> {
        Ok(Self {
            expires: seconds(claims, "exp", Reason::InvalidExpiry)?.ok_or(Reason::InvalidExpiry)?,
            not_before: seconds(claims, "nbf", Reason::InvalidNotBefore)?,
            issued: seconds(claims, "iat", Reason::InvalidIssuedAt)?,
        })
    }

    /// Whether the token holds at `now`, where clocks may differ by `leeway`; all in seconds.
    ///
    /// # Errors
    /// The [`Reason`] if it does not.
    pub(super) fn check(&self, now: f64, leeway: f64) -> Result<(), Reason> {
        if now >= self.expires + leeway {
            return Err(Reason::Expired);
        }
        if self.not_before.is_some_and(|from| from > now + leeway) {
            return Err(Reason::NotYetValid);
        }
        if self.issued.is_some_and(|issued| issued > now + leeway) {
            return Err(Reason::IssuedInFuture);
        }
        if self.expires - self.issued.unwrap_or(now) > LONGEST_LIFETIME.as_secs_f64() {
            return Err(Reason::LivesTooLong);
        }
        Ok(())
    }

    /// The `exp`.
    pub(super) fn expires(&self) -> f64 {
        self.expires
    }

    /// Whether there is an `iat`.
    pub(super) fn tell_issue(&self) -> bool {
        self.issued.is_some()
    }
}

/// `now` as claims write it: Unix seconds with a fraction.
pub(super) fn in_seconds(now: Timestamp) -> f64 {
    now.as_duration().as_secs_f64()
}

/// A `NumericDate`: seconds, perhaps with a fraction; a string of digits is none.
fn seconds(claims: &Object, name: &str, otherwise: Reason) -> Result<Option<f64>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::Number(number)) if number.is_finite() => Ok(Some(*number)),
        Some(Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) | Json::Bool(_) | Json::Null) => {
            Err(otherwise)
        }
    }
}
