//! A client certificate becomes a caller, by the one name of the configured kind that stands in it.
//!
//! The handshake has verified chain, validity, purpose and revocation; only the name is read here. It is read by `der`
//! and not by `webpki`, which passes over names that it cannot use: a certificate with one good name and one bad one
//! has two names, and names nobody.

mod der;

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::Reason;
use crate::domain::{Caller, Method};
use der::{Value, elements};

/// `dNSName` and `uniformResourceIdentifier` (RFC 5280 section 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;

/// Which part of a client certificate names the caller, `user:…` in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFrom {
    /// The only URI among the subject's alternative names, such as a SPIFFE id.
    SanUri,
    /// The only DNS name among them.
    SanDns,
    /// The only common name of the subject.
    SubjectCn,
}

impl UserFrom {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::SanUri, Self::SanDns, Self::SubjectCn];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SanUri => "san_uri",
            Self::SanDns => "san_dns",
            Self::SubjectCn => "subject_cn",
        }
    }

    /// The caller whom `certificate` names.
    pub(super) fn caller(self, certificate: &CertificateDer<'_>) -> Result<Arc<Caller>, Reason> {
        let names = self.names(certificate).ok_or(Reason::UnreadableCertificate)?;
        let [name] = names.as_slice() else { return Err(Reason::UnnamedCertificate) };
        let name = std::str::from_utf8(name).ok().filter(|name| self.is_name(name));
        let name = name.ok_or(Reason::InvalidCertificateName)?;
        let caller = Caller::new(name, Vec::<&str>::new(), Method::Certificate.as_str());
        caller.map(|caller| Arc::new(caller.known_by(Method::Certificate))).map_err(|_| Reason::InvalidCertificateName)
    }

    /// All names of this kind, good or bad; `None` if the certificate cannot be read.
    fn names(self, certificate: &[u8]) -> Option<Vec<&[u8]>> {
        let of_kind = |kind: u8| {
            let names = elements(der::alternative_names(certificate)?)?;
            Some(names.into_iter().filter(|name| name.tag == kind).map(|name| name.contents).collect())
        };
        match self {
            Self::SanUri => of_kind(URI),
            Self::SanDns => of_kind(DNS_NAME),
            Self::SubjectCn => common_names(certificate),
        }
    }

    /// The length and what is printable is for [`Caller::new`] to say.
    fn is_name(self, name: &str) -> bool {
        let kind = match self {
            Self::SanUri => is_uri(name),
            Self::SanDns => name.split('.').all(is_label),
            Self::SubjectCn => true,
        };
        kind && !name.contains('*')
    }
}

fn common_names(certificate: &[u8]) -> Option<Vec<&[u8]>> {
    // Other kinds of strings count, so that they cannot hide beside a good one; their bytes are no name.
    let text = |value: Value<'_>| matches!(value.tag, der::UTF8_STRING | der::PRINTABLE_STRING);
    let names = der::common_names(certificate)?;
    Some(names.into_iter().map(|name| if text(name) { name.contents } else { &[] }).collect())
}

/// `scheme:` and something behind it, all of it visible ASCII (RFC 3986 section 3).
fn is_uri(name: &str) -> bool {
    let Some((scheme, rest)) = name.split_once(':') else { return false };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme)
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 1034 section 3.5, with the underscore that names of services have.
fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
