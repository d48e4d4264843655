//! Every way in which the stand-in says no, with the status, code and words of each.
//!
//! The codes are those of Cloud Infinite's lists; which of them upstream uses for a call on `/asrbucket` is
//! documented for few, so most pairs of situation and code are our nearest guess. Sources: "Error codes",
//! <https://www.tencentcloud.com/document/product/1045/43611>, and captures in public issues.

use std::borrow::Cow;

use hyper::StatusCode;

use super::authorization::Malformed;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    // The head.
    NotOneHost,
    HostsDisagree,
    UnreadableTarget,
    RepeatedParameter,
    BodyTooLarge,
    // The signature.
    NoAuthorization,
    Malformed(Malformed),
    UnknownKey,
    EndedKey,
    Expired,
    NotYetValid,
    UnsignedHost,
    UnsignedParameter(Box<str>),
    AbsentParameter(Box<str>),
    AbsentHeader(Box<str>),
    RepeatedHeader(Box<str>),
    WrongSignature,
    WrongToken,
    // The call.
    UnknownPath,
    MethodNotAllowed,
    ForeignHost,
    BucketName,
    RegionName,
    BucketHostNeeded,
    ListHostNeeded,
    NoLength,
    Argument(&'static str),
    NoSuchBucket,
    // The faults.
    Fault(u16),
    SlowDown,
}

impl Refusal {
    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotOneHost
            | Self::HostsDisagree
            | Self::UnreadableTarget
            | Self::RepeatedParameter
            | Self::BodyTooLarge
            | Self::Malformed(_)
            | Self::EndedKey
            | Self::ForeignHost
            | Self::BucketName
            | Self::RegionName
            | Self::BucketHostNeeded
            | Self::ListHostNeeded
            | Self::Argument(_) => StatusCode::BAD_REQUEST,
            Self::NoAuthorization
            | Self::UnknownKey
            | Self::Expired
            | Self::NotYetValid
            | Self::UnsignedHost
            | Self::UnsignedParameter(_)
            | Self::AbsentParameter(_)
            | Self::AbsentHeader(_)
            | Self::RepeatedHeader(_)
            | Self::WrongSignature
            | Self::WrongToken => StatusCode::FORBIDDEN,
            Self::UnknownPath | Self::NoSuchBucket => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoLength => StatusCode::LENGTH_REQUIRED,
            Self::Fault(status) => StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Self::SlowDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `Code` of the error.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NotOneHost
            | Self::HostsDisagree
            | Self::RepeatedParameter
            | Self::ForeignHost
            | Self::BucketHostNeeded
            | Self::ListHostNeeded => "InvalidRequest",
            Self::UnreadableTarget => "InvalidURI",
            Self::BodyTooLarge => "EntityTooLarge",
            Self::Malformed(_) | Self::Argument(_) => "InvalidArgument",
            Self::NoAuthorization
            | Self::Expired
            | Self::UnsignedHost
            | Self::UnsignedParameter(_)
            | Self::AbsentParameter(_)
            | Self::AbsentHeader(_)
            | Self::RepeatedHeader(_)
            | Self::WrongToken => "AccessDenied",
            Self::UnknownKey => "InvalidAccessKeyId",
            Self::EndedKey => "ExpiredToken",
            Self::NotYetValid => "RequestTimeTooSkewed",
            Self::WrongSignature => "SignatureDoesNotMatch",
            Self::UnknownPath => "NoSuchKey",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::BucketName => "InvalidBucketName",
            Self::RegionName => "InvalidRegionName",
            Self::NoLength => "MissingContentLength",
            Self::NoSuchBucket => "NoSuchBucket",
            Self::Fault(503) => "ServiceUnavailable",
            Self::Fault(501) => "NotImplemented",
            Self::Fault(_) => "InternalError",
            Self::SlowDown => "SlowDown",
        }
    }

    /// The `Message` of the error: for people, and for whoever debugs a client against the stand-in.
    pub(super) fn message(&self) -> Cow<'static, str> {
        let text = match self {
            Self::NotOneHost => "The request has not exactly one readable Host header.",
            Self::HostsDisagree => "The request target names another host than the Host header.",
            Self::UnreadableTarget => "The path or the query is not percent-encoded UTF-8.",
            Self::RepeatedParameter => "A query parameter occurs twice.",
            Self::BodyTooLarge => "The body is larger than 64 KiB.",
            Self::NoAuthorization => "Access Denied.",
            Self::Malformed(why) => return format!("{why}.").into(),
            Self::UnknownKey => "The Access Key Id you provided is not known.",
            Self::EndedKey => "The token of these temporary keys has expired.",
            Self::Expired => "Request has expired",
            Self::NotYetValid => "The window of the signature has not begun: compare your clock with ServerTime.",
            Self::UnsignedHost => "The Host header is not signed: q-header-list must name host.",
            Self::UnsignedParameter(name) => return format!("The query parameter {name} is not signed.").into(),
            Self::AbsentParameter(name) => return format!("q-url-param-list names {name}, which is absent.").into(),
            Self::AbsentHeader(name) => return format!("q-header-list names {name}, which is absent.").into(),
            Self::RepeatedHeader(name) => return format!("The signed header {name} occurs twice.").into(),
            Self::WrongSignature => "The Signature you specified is invalid.",
            Self::WrongToken => "This key needs its own token in x-ci-security-token.",
            Self::UnknownPath => "There is no such call.",
            Self::MethodNotAllowed => "The call knows POST, GET and DELETE.",
            Self::ForeignHost => {
                "The host is not one of Cloud Infinite: it is written <bucket>.ci.<region>.myqcloud.com."
            }
            Self::BucketName => "The bucket in the host is not written <name>-<APPID>.",
            Self::RegionName => "The region in the host is not a region's name.",
            Self::BucketHostNeeded => "POST and DELETE go to the bucket's host, <bucket>.ci.<region>.myqcloud.com.",
            Self::ListHostNeeded => "GET goes to the region's host, ci.<region>.myqcloud.com.",
            Self::NoLength => "You must provide the Content-Length HTTP header.",
            Self::Argument(what) => what,
            Self::NoSuchBucket => "The specified bucket does not exist.",
            Self::Fault(_) => "A fault that the stand-in was told to play.",
            Self::SlowDown => "Please reduce your request rate.",
        };
        text.into()
    }

    /// Whether the error tells the server's time: a client may correct its clock by it.
    pub(super) fn tells_time(&self) -> bool {
        matches!(self, Self::Expired | Self::NotYetValid)
    }

    /// Whether it is the signature that is refused, so that the error shows what we take to be signed.
    pub(super) fn is_about_the_signature(&self) -> bool {
        match self {
            Self::NoAuthorization
            | Self::Malformed(_)
            | Self::UnknownKey
            | Self::EndedKey
            | Self::Expired
            | Self::NotYetValid
            | Self::UnsignedHost
            | Self::UnsignedParameter(_)
            | Self::AbsentParameter(_)
            | Self::AbsentHeader(_)
            | Self::RepeatedHeader(_)
            | Self::WrongSignature
            | Self::WrongToken => true,
            Self::NotOneHost
            | Self::HostsDisagree
            | Self::UnreadableTarget
            | Self::RepeatedParameter
            | Self::BodyTooLarge
            | Self::UnknownPath
            | Self::MethodNotAllowed
            | Self::ForeignHost
            | Self::BucketName
            | Self::RegionName
            | Self::BucketHostNeeded
            | Self::ListHostNeeded
            | Self::NoLength
            | Self::Argument(_)
            | Self::NoSuchBucket
            | Self::Fault(_)
            | Self::SlowDown => false,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}
