//! Every way in which a request is not served, and the one place that turns it into status, code and sentence.

mod sentences;

use std::borrow::Cow;
use std::time::Duration;

use http::{Method, StatusCode};

use super::Refusal;
use super::limits::Whose;
use super::rate::OverRate;
use crate::audit::{Unwritten, UpstreamSeen};
use crate::auth::Refused;
use crate::ci::{Fault, FaultKind, RequestId, Unreadable};
use crate::credentials::NoKeys;
use crate::domain::{Code, InvalidBucket, InvalidRegion, Outcome};
use crate::policy::Denied;
use crate::signing::SigningError;
use crate::upstream::SendError;

/// Why a request is not served: closed, so that a new way to fail asks for its status, code and sentence.
#[derive(Debug)]
pub(super) enum Error {
    Refused(Refusal),
    NotFound,
    MethodNotAllowed(&'static str),
    InvalidBucket(InvalidBucket),
    InvalidRegion(InvalidRegion),
    RegionRequired,
    UnknownParameter,
    RepeatedParameter,
    ParameterEncoding,
    NotTrueOrFalse,
    Unauthenticated(Refused),
    OverRate(Whose, OverRate),
    Overloaded,
    Draining,
    Forbidden(Denied),
    BodyOnGet,
    BodyTooLarge,
    BodyTimeout,
    BodyBroken,
    BodyNotEmpty,
    ContentType,
    ContentEncoding,
    NoKeys(NoKeys),
    Audit(Unwritten),
    Signing(SigningError),
    /// The deadline passed before anything was sent.
    Late,
    Send(SendError),
    Fault(Fault, Option<Duration>),
    Unreadable(Unreadable, u16, Option<RequestId>),
    /// The work ended before its answer, which is a bug.
    Ended(Ended),
    /// The process ends before the work does.
    CutOff(Ended),
}

/// How work ended that gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Before anything was sent.
    Unsent,
    /// When something may have been sent.
    PerhapsSent,
}

/// What a caller who may come again is told to wait when nobody knows better.
const SHORT_WAIT: Duration = Duration::from_secs(1);
const UPSTREAM_WAIT: Duration = Duration::from_secs(5);
/// An issuer's keys that are missing are asked for about twice a minute.
const KEYS_WAIT: Duration = Duration::from_secs(10);

impl Error {
    /// The status and the code of the contract's table.
    pub(super) fn status_and_code(&self) -> (StatusCode, Code) {
        match self {
            Self::Refused(refusal) => refused(*refusal),
            Self::NotFound => (StatusCode::NOT_FOUND, Code::NotFound),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed),
            Self::InvalidBucket(_) => (StatusCode::BAD_REQUEST, Code::InvalidBucket),
            Self::InvalidRegion(_) => (StatusCode::BAD_REQUEST, Code::InvalidRegion),
            Self::RegionRequired => (StatusCode::BAD_REQUEST, Code::RegionRequired),
            Self::UnknownParameter
            | Self::RepeatedParameter
            | Self::ParameterEncoding
            | Self::NotTrueOrFalse
            | Self::BodyOnGet
            | Self::BodyBroken
            | Self::BodyNotEmpty => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            Self::Unauthenticated(Refused::NoCredentials) => (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
            // RFC 6750 section 3.1.
            Self::Unauthenticated(Refused::SeveralMethods) => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            Self::Unauthenticated(Refused::BadToken(_)) => (StatusCode::UNAUTHORIZED, Code::InvalidToken),
            Self::Unauthenticated(Refused::InsufficientScope(_)) => (StatusCode::FORBIDDEN, Code::Forbidden),
            Self::Unauthenticated(Refused::KeysUnavailable) => (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded),
            Self::OverRate(..) => (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded),
            Self::Draining | Self::CutOff(_) => (StatusCode::SERVICE_UNAVAILABLE, Code::Draining),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, Code::Forbidden),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::BodyTooLarge),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, Code::InvalidRequest),
            Self::ContentType | Self::ContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidRequest),
            Self::NoKeys(NoKeys::OtherAccount) => (StatusCode::FORBIDDEN, Code::AccountNotConfigured),
            Self::NoKeys(NoKeys::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, Code::CredentialsUnavailable),
            Self::Audit(_) => (StatusCode::SERVICE_UNAVAILABLE, Code::AuditUnavailable),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, Code::UpstreamTimeout),
            Self::Send(why) => unsent(why),
            Self::Fault(fault, _) => faulted(fault.kind()),
            Self::Unreadable(..) => (StatusCode::BAD_GATEWAY, Code::UpstreamUnreadable),
            Self::Signing(_) | Self::Ended(_) => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        }
    }

    /// What became of the call at Cloud Infinite.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Send(why) => why.outcome(),
            Self::Fault(fault, _) => fault.kind().outcome(),
            Self::Unreadable(..) | Self::Ended(Ended::PerhapsSent) | Self::CutOff(Ended::PerhapsSent) => {
                Outcome::Unknown
            }
            Self::Refused(_)
            | Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::InvalidBucket(_)
            | Self::InvalidRegion(_)
            | Self::RegionRequired
            | Self::UnknownParameter
            | Self::RepeatedParameter
            | Self::ParameterEncoding
            | Self::NotTrueOrFalse
            | Self::Unauthenticated(_)
            | Self::OverRate(..)
            | Self::Overloaded
            | Self::Draining
            | Self::Forbidden(_)
            | Self::BodyOnGet
            | Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::BodyNotEmpty
            | Self::ContentType
            | Self::ContentEncoding
            | Self::NoKeys(_)
            | Self::Audit(_)
            | Self::Signing(_)
            | Self::Late
            | Self::Ended(Ended::Unsent)
            | Self::CutOff(Ended::Unsent) => Outcome::NotSent,
        }
    }

    /// Whether the same request may be sent again as it is. What may have taken effect is looked at first, unless it
    /// only reads.
    pub(super) fn is_retryable(&self, method: &Method) -> bool {
        let (_, code) = self.status_and_code();
        code.is_retryable() && (self.outcome() != Outcome::Unknown || *method == Method::GET)
    }

    /// For how long the caller is asked to wait; every 429 and 503 says so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::OverRate(_, over) => Some(over.wait),
            Self::Unauthenticated(Refused::KeysUnavailable) => Some(KEYS_WAIT),
            Self::Fault(fault, wait) => match fault.kind() {
                FaultKind::Throttled | FaultKind::Unavailable => Some(wait.unwrap_or(UPSTREAM_WAIT)),
                FaultKind::Denied
                | FaultKind::ClockSkew
                | FaultKind::SignatureExpired
                | FaultKind::BucketNotFound
                | FaultKind::Conflict
                | FaultKind::Rejected
                | FaultKind::Redirected => None,
            },
            other => match other.status_and_code() {
                (StatusCode::SERVICE_UNAVAILABLE, Code::UpstreamUnavailable) => Some(UPSTREAM_WAIT),
                (StatusCode::SERVICE_UNAVAILABLE, _) => Some(SHORT_WAIT),
                (_, _) => None,
            },
        }
    }

    /// Cloud Infinite's refusal, if that is what it is.
    pub(super) fn fault(&self) -> Option<&Fault> {
        if let Self::Fault(fault, _) = self { Some(fault) } else { None }
    }

    /// What was seen of Cloud Infinite's answer.
    pub(super) fn upstream(&self) -> Option<UpstreamSeen> {
        match self {
            Self::Fault(fault, _) => Some(UpstreamSeen {
                status: fault.status(),
                code: fault.code().cloned(),
                request_id: fault.request_id().cloned(),
            }),
            Self::Unreadable(_, status, request_id) => {
                Some(UpstreamSeen { status: *status, code: None, request_id: request_id.clone() })
            }
            _ => None,
        }
    }

    /// The reason for the log, where it says more than the code; nothing in it is secret.
    pub(super) fn cause(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Refused(refusal) => Some(refusal.as_str().into()),
            Self::Unauthenticated(Refused::NoCredentials) => None,
            Self::Unauthenticated(refused) => Some(refused.as_str().into()),
            Self::Audit(why) => Some(why.to_string().into()),
            Self::Signing(why) => Some(why.to_string().into()),
            Self::Send(why) => Some(why.to_string().into()),
            Self::Fault(fault, _) => fault.message().map(Cow::Borrowed),
            Self::Unreadable(why, ..) => Some(why.to_string().into()),
            _ => None,
        }
    }
}

fn refused(refusal: Refusal) -> (StatusCode, Code) {
    let status = match refusal {
        Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
        Refusal::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
        Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
        Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Refusal::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
        Refusal::Method => return (StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed),
        Refusal::RequestLine
        | Refusal::HeaderLine
        | Refusal::BareLineEnd
        | Refusal::Version
        | Refusal::Target
        | Refusal::TargetByte
        | Refusal::Host
        | Refusal::RepeatedHeader
        | Refusal::ContentLength
        | Refusal::LengthAndEncoding
        | Refusal::TransferEncoding => StatusCode::BAD_REQUEST,
    };
    (status, Code::InvalidRequest)
}

fn unsent(why: &SendError) -> (StatusCode, Code) {
    match why {
        SendError::Address => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        SendError::Connect(_) | SendError::ConnectTimeout | SendError::Tls(_) | SendError::Closed(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Code::UpstreamUnavailable)
        }
        SendError::NotHttp(_) | SendError::Truncated | SendError::TooLarge => {
            (StatusCode::BAD_GATEWAY, Code::UpstreamUnreadable)
        }
        SendError::Timeout => (StatusCode::GATEWAY_TIMEOUT, Code::UpstreamTimeout),
    }
}

fn faulted(kind: FaultKind) -> (StatusCode, Code) {
    match kind {
        FaultKind::Denied | FaultKind::ClockSkew | FaultKind::SignatureExpired => {
            (StatusCode::BAD_GATEWAY, Code::UpstreamDenied)
        }
        FaultKind::BucketNotFound => (StatusCode::NOT_FOUND, Code::BucketNotFound),
        FaultKind::Conflict => (StatusCode::CONFLICT, Code::UpstreamRejected),
        FaultKind::Rejected | FaultKind::Redirected => (StatusCode::BAD_GATEWAY, Code::UpstreamRejected),
        FaultKind::Throttled | FaultKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::UpstreamUnavailable),
    }
}
