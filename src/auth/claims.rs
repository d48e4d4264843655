//! What signed claims must say before their bearer is a caller (RFC 7519 section 4.1, RFC 8725 section 3).

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use super::binding::Binding;
use super::json::{Json, Object};
use super::jws::Header;
use super::jwt::Claims;
use super::times::{Times, in_seconds};
use super::{IssuerSettings, Profile, Reason, Refused};
use crate::domain::{Caller, Claim, is_printable};

/// In bytes, for `sub`, `client_id` and `jti`.
const LONGEST_ID: usize = 256;

/// 2^53: from here on an `f64` stands for several whole numbers, and one could pass for its neighbour.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// The rules of one issuer.
pub(super) struct Rules {
    issuer: Box<str>,
    audiences: Box<[String]>,
    user_claim: Box<str>,
    groups_claim: Box<str>,
    /// Before the names of its callers and groups.
    prefix: Box<str>,
    profile: Profile,
    required_scope: Option<Arc<str>>,
    /// In seconds, as the claims are.
    leeway: f64,
}

/// A caller, and what has to hold again whenever the same token comes.
#[derive(Clone)]
pub(super) struct Proved {
    pub(super) caller: Arc<Caller>,
    pub(super) times: Times,
    pub(super) binding: Option<Binding>,
}

impl Rules {
    /// The rules that the settings write down.
    pub(super) fn new(settings: &IssuerSettings) -> Self {
        Self {
            issuer: settings.issuer.as_str().into(),
            audiences: settings.audiences.as_slice().into(),
            user_claim: settings.user_claim.as_str().into(),
            groups_claim: settings.groups_claim.as_str().into(),
            prefix: settings.prefix.as_str().into(),
            profile: settings.profile,
            required_scope: settings.required_scope.as_deref().map(Into::into),
            leeway: settings.leeway.as_secs_f64(),
        }
    }

    /// The exact `iss` that these rules are for.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether the header is one of the profile (RFC 9068 section 4: an ID token is no access token).
    ///
    /// # Errors
    /// [`Reason::WrongType`] if it is not.
    pub(super) fn check_type(&self, header: &Header) -> Result<(), Reason> {
        match self.profile {
            Profile::Rfc9068 if !header.is_access_token => Err(Reason::WrongType),
            Profile::Rfc9068 | Profile::Jwt => Ok(()),
        }
    }

    /// The caller that `claims` speak of at `now` over a connection with `certificate`.
    ///
    /// # Errors
    /// [`Refused`] for the first rule that they break; the scope is asked for last, of a token that holds.
    pub(super) fn prove(
        &self,
        claims: Claims,
        certificate: Option<&CertificateDer<'_>>,
        now: Timestamp,
    ) -> Result<Proved, Refused> {
        let object = claims.object();
        self.check_audience(object)?;
        let times = Times::of(object)?;
        times.check(in_seconds(now), self.leeway)?;
        self.check_profile(object, &times)?;
        let binding = Binding::of(object)?;
        binding.map_or(Ok(()), |binding| binding.check(certificate))?;
        let caller = self.caller(object)?;
        self.check_scope(object)?;
        let caller = caller.with_claims(claims.into_object().into_members().filter_map(kept).collect());
        Ok(Proved { caller: Arc::new(caller), times, binding })
    }

    /// Whether what was proved earlier still holds.
    ///
    /// # Errors
    /// The [`Reason`] if it does not.
    pub(super) fn check_again(
        &self,
        proved: &Proved,
        certificate: Option<&CertificateDer<'_>>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        proved.times.check(in_seconds(now), self.leeway)?;
        proved.binding.map_or(Ok(()), |binding| binding.check(certificate))
    }

    /// The issuer is part of the caller, and its prefix of the names, so that two issuers' `alice` can be two in a policy.
    fn caller(&self, claims: &Object) -> Result<Caller, Reason> {
        let name = claims.text(&self.user_claim).filter(|name| !name.is_empty()).ok_or(Reason::InvalidCaller)?;
        let groups = match claims.get(&self.groups_claim) {
            None => Vec::new(),
            Some(groups) => groups.as_texts().ok_or(Reason::InvalidGroups)?,
        };
        if groups.iter().any(|group| group.is_empty()) {
            return Err(Reason::InvalidCaller);
        }
        let groups = groups.into_iter().map(|group| self.prefixed(group));
        Caller::new(&self.prefixed(name), groups, &self.issuer).map_err(|_| Reason::InvalidCaller)
    }

    fn prefixed<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.prefix.is_empty() { name.into() } else { format!("{}{name}", self.prefix).into() }
    }

    fn check_audience(&self, claims: &Object) -> Result<(), Reason> {
        let named = claims.get("aud").and_then(Json::as_texts).ok_or(Reason::WrongAudience)?;
        let ours = |audience: &&str| self.audiences.iter().any(|our| our == audience);
        if named.iter().any(ours) { Ok(()) } else { Err(Reason::WrongAudience) }
    }

    /// What RFC 9068 section 2.2 requires beyond RFC 7519.
    fn check_profile(&self, claims: &Object, times: &Times) -> Result<(), Reason> {
        match self.profile {
            Profile::Jwt => return Ok(()),
            Profile::Rfc9068 => {}
        }
        if !times.tell_issue() {
            return Err(Reason::InvalidIssuedAt);
        }
        let ids =
            [("sub", Reason::InvalidSubject), ("client_id", Reason::InvalidClient), ("jti", Reason::InvalidTokenId)];
        for (name, otherwise) in ids {
            claims.text(name).filter(|text| is_id(text)).ok_or(otherwise)?;
        }
        scopes(claims).map(drop)
    }

    fn check_scope(&self, claims: &Object) -> Result<(), Refused> {
        let Some(required) = &self.required_scope else { return Ok(()) };
        let named = scopes(claims)?.split(' ').any(|scope| scope == &**required);
        if named { Ok(()) } else { Err(Refused::InsufficientScope(Arc::clone(required))) }
    }
}

/// The scopes that a token carries, with blanks between them (RFC 9068 section 2.2.3); a list of them is none.
fn scopes(claims: &Object) -> Result<&str, Reason> {
    match claims.get("scope") {
        None => Ok(""),
        Some(scope) => scope.as_text().ok_or(Reason::InvalidScope),
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_ID && text.chars().all(is_printable)
}

/// A claim as conditions ask about it; `null` is as good as none.
fn kept((name, value): (String, Json)) -> Option<(Box<str>, Claim)> {
    let claim = match value {
        Json::Null => return None,
        Json::List(list) => list.into_iter().map(plain).collect::<Option<_>>().map_or(Claim::Other, Claim::List),
        other => plain(other).unwrap_or(Claim::Other),
    };
    Some((name.into(), claim))
}

/// A value that has no parts, and is exactly what was written.
fn plain(value: Json) -> Option<Claim> {
    match value {
        Json::Text(text) => Some(Claim::Text(text.into())),
        Json::Number(number) => (number.abs() < INEXACT).then_some(Claim::Number(number)),
        Json::Bool(value) => Some(Claim::Bool(value)),
        Json::List(_) | Json::Object(_) | Json::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Option<Claim> {
        let object = Object::parse(format!("{{\"c\":{text}}}").as_bytes()).unwrap();
        object.into_members().find_map(kept).map(|(_, claim)| claim)
    }

    #[test]
    fn a_number_that_is_not_exact_is_no_number_and_null_is_no_claim() {
        for exact in ["9007199254740991", "-9007199254740991", "0.5"] {
            assert_eq!(claim(exact), Some(Claim::Number(exact.parse().unwrap())), "{exact}");
        }
        for inexact in ["9007199254740992", "9007199254740993", "-9007199254740993", "1e300", "[9007199254740993]"] {
            assert_eq!(claim(inexact), Some(Claim::Other), "{inexact}");
        }
        assert_eq!(claim("null"), None);
    }
}
