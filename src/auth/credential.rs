//! The one credential in a request's head, not yet believed (RFC 6750 section 2: no more than one way at a time).

use http::HeaderName;
use http::header::AUTHORIZATION;
use rustls_pki_types::CertificateDer;

use super::api_key::PREFIX;
use super::{Presented, Reason, Refused, bearer};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request wants to be known by.
#[derive(Clone, Copy)]
pub(super) enum Credential<'r> {
    Token(&'r str),
    ApiKey(&'r str),
    /// Only if the head says nothing: who says who they are means it, also over a connection with a certificate.
    Certificate(&'r CertificateDer<'static>),
}

impl<'r> Credential<'r> {
    /// The credential that is `presented`.
    ///
    /// # Errors
    /// [`Refused`] if there is none, more than one, or one that has not the form of one.
    pub(super) fn of(presented: Presented<'r>) -> Result<Self, Refused> {
        let Presented { headers, certificate, .. } = presented;
        match (headers.contains_key(AUTHORIZATION), headers.contains_key(API_KEY)) {
            (true, true) => Err(Refused::SeveralMethods),
            (true, false) => bearer::token(headers).map(Self::of_bearer),
            (false, true) => api_key(presented).map(Self::ApiKey).map_err(Refused::BadToken),
            (false, false) => certificate.map(Self::Certificate).ok_or(Refused::NoCredentials),
        }
    }

    /// A JWT has no such prefix: it begins with the base64url of `{`.
    fn of_bearer(text: &'r str) -> Self {
        if text.starts_with(PREFIX) { Self::ApiKey(text) } else { Self::Token(text) }
    }
}

fn api_key(presented: Presented<'_>) -> Result<&str, Reason> {
    let mut values = presented.headers.get_all(API_KEY).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Reason::MalformedApiKey),
        (Some(_), Some(_)) => Err(Reason::SeveralCredentials),
        (None, _) => Err(Reason::MalformedApiKey),
    }
}
