//! Why a request has no caller: one sentence for whoever asked, one word for the log.

use std::sync::Arc;

/// A request without a proved caller.
///
/// The cases are told apart to the caller because RFC 6750 section 3.1 says so; the [`Reason`] is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// No credentials of a kind that the gateway knows.
    NoCredentials,
    /// More than one way to say who asks, as in a token beside an API key.
    SeveralMethods,
    /// Credentials that do not hold.
    BadToken(Reason),
    /// A token that holds and lacks the scope that its issuer's configuration asks for.
    InsufficientScope(Arc<str>),
    /// The issuer that the token names has no keys here at the moment, so nobody can say whether it holds.
    KeysUnavailable,
}

impl Refused {
    /// The word in the log and in a metric's label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::SeveralMethods => "several_methods",
            Self::BadToken(reason) => reason.as_str(),
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self::BadToken(reason)
    }
}

/// Why credentials do not hold. For the log alone: whoever guesses learns nothing from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// More than one `Authorization` header.
    SeveralCredentials,
    /// Over 8 KiB.
    TooLong,
    /// Not three parts of strict base64url (RFC 7515 sections 2 and 7.1).
    Malformed,
    /// The header is not an object of well-typed members that stand once each.
    MalformedHeader,
    /// The header asks for something that is not done here: `crit`, `b64`, `zip`, `enc`.
    UnsupportedHeader,
    /// `typ` says that this is another kind of token.
    WrongType,
    /// `alg` is not an algorithm of the gateway; `none` is one of these.
    UnsupportedAlgorithm,
    /// The claims are not an object whose members stand once each.
    MalformedClaims,
    /// `iss` is none of the configured issuers.
    UnknownIssuer,
    /// The issuer has no key of that `kid`, or, without a `kid`, not exactly one key for `alg`.
    UnknownKey,
    /// `alg` is not the algorithm of the key.
    WrongAlgorithm,
    /// The signature is not the key's.
    BadSignature,
    /// `aud` is missing, of the wrong type, or names none of our audiences.
    WrongAudience,
    /// `exp` is missing or not a number.
    InvalidExpiry,
    /// `exp` has passed.
    Expired,
    /// `exp` lies further from `iat` than any token may live.
    LivesTooLong,
    /// `nbf` is not a number.
    InvalidNotBefore,
    /// `nbf` has not come yet.
    NotYetValid,
    /// `iat` is not a number.
    InvalidIssuedAt,
    /// `iat` lies in the future.
    IssuedInFuture,
    /// The claim that names the caller is missing, of the wrong type, or no name.
    InvalidCaller,
    /// The claim that lists the groups is of the wrong type.
    InvalidGroups,
    /// `sub` is missing or no name, though the issuer's profile asks for it (RFC 9068 section 2.2).
    InvalidSubject,
    /// `client_id` is missing or no name, though the issuer's profile asks for it (RFC 9068 section 2.2).
    InvalidClient,
    /// `jti` is missing or no name, though the issuer's profile asks for it (RFC 9068 section 2.2).
    InvalidTokenId,
    /// `scope` is not one text (RFC 9068 section 2.2.3).
    InvalidScope,
    /// `cnf` is something else than the thumbprint of a certificate (RFC 8705 section 3.1).
    InvalidBinding,
    /// The token is bound to a certificate (`cnf`), and the connection has none or another.
    OtherCertificate,
    /// The API key has not the form of one.
    MalformedApiKey,
    /// The checksum of the API key is wrong: it was mistyped or cut off.
    DamagedApiKey,
    /// No API key has this id.
    UnknownApiKey,
    /// The API key has a known id and another secret.
    WrongApiKey,
    /// The API key is disabled.
    DisabledApiKey,
    /// The API key is past its end.
    ExpiredApiKey,
    /// The API key may not be used from this address.
    WrongNetwork,
    /// The certificate is not the DER of one.
    UnreadableCertificate,
    /// The certificate has not exactly one name of the configured kind.
    UnnamedCertificate,
    /// The certificate's name cannot be a caller's.
    InvalidCertificateName,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 38] = [
        Self::SeveralCredentials,
        Self::TooLong,
        Self::Malformed,
        Self::MalformedHeader,
        Self::UnsupportedHeader,
        Self::WrongType,
        Self::UnsupportedAlgorithm,
        Self::MalformedClaims,
        Self::UnknownIssuer,
        Self::UnknownKey,
        Self::WrongAlgorithm,
        Self::BadSignature,
        Self::WrongAudience,
        Self::InvalidExpiry,
        Self::Expired,
        Self::LivesTooLong,
        Self::InvalidNotBefore,
        Self::NotYetValid,
        Self::InvalidIssuedAt,
        Self::IssuedInFuture,
        Self::InvalidCaller,
        Self::InvalidGroups,
        Self::InvalidSubject,
        Self::InvalidClient,
        Self::InvalidTokenId,
        Self::InvalidScope,
        Self::InvalidBinding,
        Self::OtherCertificate,
        Self::MalformedApiKey,
        Self::DamagedApiKey,
        Self::UnknownApiKey,
        Self::WrongApiKey,
        Self::DisabledApiKey,
        Self::ExpiredApiKey,
        Self::WrongNetwork,
        Self::UnreadableCertificate,
        Self::UnnamedCertificate,
        Self::InvalidCertificateName,
    ];

    /// The word in the log and in a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeveralCredentials => "several_credentials",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::MalformedHeader => "malformed_header",
            Self::UnsupportedHeader => "unsupported_header",
            Self::WrongType => "wrong_type",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::MalformedClaims => "malformed_claims",
            Self::UnknownIssuer => "unknown_issuer",
            Self::UnknownKey => "unknown_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadSignature => "bad_signature",
            Self::WrongAudience => "wrong_audience",
            Self::InvalidExpiry => "invalid_expiry",
            Self::Expired => "expired",
            Self::LivesTooLong => "lives_too_long",
            Self::InvalidNotBefore => "invalid_not_before",
            Self::NotYetValid => "not_yet_valid",
            Self::InvalidIssuedAt => "invalid_issued_at",
            Self::IssuedInFuture => "issued_in_future",
            Self::InvalidCaller => "invalid_caller",
            Self::InvalidGroups => "invalid_groups",
            Self::InvalidSubject => "invalid_subject",
            Self::InvalidClient => "invalid_client",
            Self::InvalidTokenId => "invalid_token_id",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidBinding => "invalid_binding",
            Self::OtherCertificate => "other_certificate",
            Self::MalformedApiKey => "malformed_api_key",
            Self::DamagedApiKey => "damaged_api_key",
            Self::UnknownApiKey => "unknown_api_key",
            Self::WrongApiKey => "wrong_api_key",
            Self::DisabledApiKey => "disabled_api_key",
            Self::ExpiredApiKey => "expired_api_key",
            Self::WrongNetwork => "wrong_network",
            Self::UnreadableCertificate => "unreadable_certificate",
            Self::UnnamedCertificate => "unnamed_certificate",
            Self::InvalidCertificateName => "invalid_certificate_name",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: HashSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
