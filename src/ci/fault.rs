//! Cloud Infinite's refusals.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::times::server_time;
use super::words::sentence;
use super::{FaultCode, RequestId, xml};
use crate::credentials::KeyRefusal;
use crate::domain::Outcome;
use crate::signing::RefusedSignature;

/// The code of a signature that is not the one of what was sent.
const WRONG_SIGNATURE: &str = "SignatureDoesNotMatch";
/// How Cloud Infinite says that a window is over (the Node SDK's `allowRetry` goes by it): `AccessDenied`, and this.
const EXPIRED: &str = "Request has expired";

/// A refusal: what Cloud Infinite said, and what it means for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    status: u16,
    kind: FaultKind,
    code: Option<FaultCode>,
    request_id: Option<RequestId>,
    message: Option<Box<str>>,
    server_time: Option<Timestamp>,
    refused_signature: Option<Box<RefusedSignature>>,
}

/// What a fault means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Our key, signature or CAM rights are refused.
    Denied,
    /// Our clock is too far from Cloud Infinite's.
    ClockSkew,
    /// The window of our signature is over by Cloud Infinite's clock.
    SignatureExpired,
    /// The bucket does not exist.
    BucketNotFound,
    /// The bucket is in a state that does not allow the call.
    Conflict,
    /// The request itself is refused.
    Rejected,
    /// We are sent elsewhere, which we do not follow: plain http, or a wrong region.
    Redirected,
    /// Too many requests.
    Throttled,
    /// Cloud Infinite has failed.
    Unavailable,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Denied,
        Self::ClockSkew,
        Self::SignatureExpired,
        Self::BucketNotFound,
        Self::Conflict,
        Self::Rejected,
        Self::Redirected,
        Self::Throttled,
        Self::Unavailable,
    ];

    /// The word in metrics and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::ClockSkew => "clock_skew",
            Self::SignatureExpired => "signature_expired",
            Self::BucketNotFound => "bucket_not_found",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Redirected => "redirected",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
        }
    }

    /// What became of the call: all but a failure of Cloud Infinite are refusals before anything was done.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Denied
            | Self::ClockSkew
            | Self::SignatureExpired
            | Self::BucketNotFound
            | Self::Conflict
            | Self::Rejected
            | Self::Redirected
            | Self::Throttled => Outcome::Rejected,
            Self::Unavailable => Outcome::Unknown,
        }
    }

    /// The code decides where it is one of those that say more than the status; everywhere else the status does.
    /// Source for the codes: <https://www.tencentcloud.com/document/product/436/7730>.
    fn of(status: u16, code: Option<&str>, message: Option<&str>) -> Self {
        match (status, code) {
            (_, Some("SlowDown" | "KmsFreqControl" | "RequestLimitExceeded")) | (429, _) => Self::Throttled,
            (500.., _) => Self::Unavailable,
            (300..=399, _) => Self::Redirected,
            (_, Some("NoSuchBucket")) => Self::BucketNotFound,
            (_, Some("RequestTimeTooSkewed")) => Self::ClockSkew,
            (_, Some("AccessDenied")) if message.is_some_and(|said| said.trim() == EXPIRED) => Self::SignatureExpired,
            (
                _,
                Some(
                    "AccessDenied" | "AccessForbidden" | "ExpiredToken" | "InvalidAccessKeyId" | "NoProcessAuthority"
                    | WRONG_SIGNATURE | "UserNotBucketOwner",
                ),
            )
            | (401 | 403, _) => Self::Denied,
            (409, _) => Self::Conflict,
            _ => Self::Rejected,
        }
    }
}

impl Fault {
    /// Reads the body of an answer whose status is no success: XML, one of the two JSON shapes, or nothing
    /// that can be read, which leaves the status.
    #[must_use]
    pub fn read(status: u16, header_request_id: Option<RequestId>, body: &[u8]) -> Self {
        let words = match body.trim_ascii_start().first() {
            Some(b'{') => Words::json(body),
            Some(_) => Words::xml(body),
            None => Words::default(),
        };
        let code = words.code.as_deref().and_then(FaultCode::read);
        Self {
            status,
            kind: FaultKind::of(status, code.as_ref().map(FaultCode::as_str), words.message.as_deref()),
            code,
            request_id: header_request_id.or_else(|| words.request_id.as_deref().and_then(RequestId::read)),
            message: words.message.as_deref().map(sentence),
            server_time: words.server_time.as_deref().and_then(server_time),
            refused_signature: words.refused_signature,
        }
    }

    /// What is refused, if it is the key, its end, or the signature made with it: before anything was carried out.
    ///
    /// The code alone does not say so: beside the status of a failure, what became of the call is not known.
    #[must_use]
    pub fn refuses_key(&self) -> Option<KeyRefusal> {
        let code = self.code.as_ref().filter(|_| self.kind == FaultKind::Denied)?;
        KeyRefusal::of(code.as_str())
    }

    /// Whether key and signature were taken: what is refused is about the bucket.
    #[must_use]
    pub fn takes_key(&self) -> bool {
        match self.kind {
            FaultKind::BucketNotFound | FaultKind::Conflict => true,
            FaultKind::Denied
            | FaultKind::ClockSkew
            | FaultKind::SignatureExpired
            | FaultKind::Rejected
            | FaultKind::Redirected
            | FaultKind::Throttled
            | FaultKind::Unavailable => false,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What it means.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Cloud Infinite's word for it.
    #[must_use]
    pub fn code(&self) -> Option<&FaultCode> {
        self.code.as_ref()
    }

    /// Cloud Infinite's id of the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// Cloud Infinite's sentence, for our log alone.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Cloud Infinite's time, which it tells with refusals that may come of the clock.
    #[must_use]
    pub fn server_time(&self) -> Option<Timestamp> {
        self.server_time
    }

    /// What was verified instead of what we signed, if our signature is what is refused.
    #[must_use]
    pub fn refused_signature(&self) -> Option<&RefusedSignature> {
        self.refused_signature.as_deref()
    }
}

#[derive(Default)]
struct Words {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    server_time: Option<String>,
    refused_signature: Option<Box<RefusedSignature>>,
}

impl Words {
    /// `<Error>` with `Code`, `Message`, `RequestId`; every other node (`Resource`, `TraceId`, `StringToSign`,
    /// …) may be there or not.
    fn xml(body: &[u8]) -> Self {
        let Some(error) = xml::parse(body).ok().filter(|root| root.name() == "Error") else {
            return Self::default();
        };
        let text = |name| error.child_text(name).map(str::to_owned);
        let refused_signature = (error.child_text("Code") == Some(WRONG_SIGNATURE))
            .then(|| RefusedSignature::new(error.child_text("FormatString"), error.child_text("StringToSign")).into());
        Self {
            code: text("Code"),
            message: text("Message"),
            request_id: text("RequestId"),
            server_time: text("ServerTime"),
            refused_signature,
        }
    }

    /// `{"Code","Message","RequestId"}` or `{"code","message","request_id"}`, the code a word or a number.
    fn json(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Error {
            #[serde(alias = "Code")]
            code: Option<Value>,
            #[serde(alias = "Message")]
            message: Option<String>,
            #[serde(alias = "RequestId")]
            request_id: Option<String>,
        }
        let Some(error) = Some(body)
            .filter(|body| body.len() <= xml::LARGEST_ANSWER)
            .and_then(|body| serde_json::from_slice::<Error>(body).ok())
        else {
            return Self::default();
        };
        let code = error.code.and_then(|code| match code {
            Value::String(word) => Some(word),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        });
        // This form shows nothing of what was verified.
        let refused_signature =
            (code.as_deref() == Some(WRONG_SIGNATURE)).then(|| RefusedSignature::new(None, None).into());
        Self { code, message: error.message, request_id: error.request_id, refused_signature, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>AccessDenied</Code>\n\t<Message>Access Denied.</Message>\n\t<RequestId>NjJm</RequestId>\n\t<TraceId>OGVm</TraceId>\n</Error>";

    fn kind(status: u16, code: &str) -> FaultKind {
        Fault::read(status, None, format!("<Error><Code>{code}</Code></Error>").as_bytes()).kind()
    }

    #[test]
    fn the_documented_xml_is_read_with_and_without_resource() {
        for body in [DOCUMENTED.to_owned(), DOCUMENTED.replace("<RequestId>", "<Resource>h/p</Resource><RequestId>")] {
            let fault = Fault::read(403, None, body.as_bytes());
            assert_eq!(fault.code().unwrap().as_str(), "AccessDenied");
            assert_eq!(fault.request_id().unwrap().as_str(), "NjJm");
            assert_eq!(fault.message(), Some("Access Denied."));
            assert_eq!(fault.kind(), FaultKind::Denied);
        }
    }

    #[test]
    fn both_shapes_of_json_are_read() {
        let fault = Fault::read(404, None, br#" {"Code":"NoSuchBucket","Message":"m","RequestId":"r1"}"#);
        assert_eq!((fault.kind(), fault.request_id().unwrap().as_str()), (FaultKind::BucketNotFound, "r1"));
        let fault = Fault::read(400, None, br#"{"code":4001,"message":"m","request_id":"r2"}"#);
        assert_eq!((fault.kind(), fault.code().unwrap().as_str()), (FaultKind::Rejected, "4001"));
    }

    #[test]
    fn without_readable_words_the_status_speaks() {
        for body in [
            &b""[..],
            b"<html><body>Bad Gateway",
            b"\xff\xfe",
            b"{",
            b"<Error>",
            b"<Other/>",
            b"<!DOCTYPE html><html/>",
        ] {
            for (status, expected) in [
                (302, FaultKind::Redirected),
                (308, FaultKind::Redirected),
                (400, FaultKind::Rejected),
                (403, FaultKind::Denied),
                (404, FaultKind::Rejected),
                (409, FaultKind::Conflict),
                (429, FaultKind::Throttled),
                (500, FaultKind::Unavailable),
                (503, FaultKind::Unavailable),
            ] {
                let fault = Fault::read(status, None, body);
                assert_eq!((fault.kind(), fault.code(), fault.message()), (expected, None, None), "{status}");
            }
        }
    }

    #[test]
    fn codes_that_say_more_than_their_status_decide() {
        assert_eq!(kind(503, "SlowDown"), FaultKind::Throttled);
        assert_eq!(kind(503, "ServiceUnavailable"), FaultKind::Unavailable);
        assert_eq!(kind(400, "ExpiredToken"), FaultKind::Denied);
        assert_eq!(kind(403, "RequestTimeTooSkewed"), FaultKind::ClockSkew);
        assert_eq!(kind(404, "NoSuchBucket"), FaultKind::BucketNotFound);
        assert_eq!(kind(404, "NoSuchKey"), FaultKind::Rejected);
        assert_eq!(kind(409, "InvalidBucketState"), FaultKind::Conflict);
        assert_eq!(kind(400, "BadRquest"), FaultKind::Rejected);
    }

    #[test]
    fn a_key_is_refused_by_a_refusal_and_not_by_a_failure_that_has_its_code() {
        let codes = [
            ("InvalidAccessKeyId", true),
            ("SignatureDoesNotMatch", true),
            ("ExpiredToken", true),
            ("AccessDenied", false),
            ("RequestTimeTooSkewed", false),
        ];
        for (code, of_the_key) in codes {
            let body = format!("<Error><Code>{code}</Code></Error>");
            let refuses = |status| Fault::read(status, None, body.as_bytes()).refuses_key().is_some();
            assert_eq!([refuses(400), refuses(403)], [of_the_key; 2], "{code}");
            for status in [302, 429, 500, 503] {
                assert!(!refuses(status), "{status} {code}");
            }
        }
    }

    #[test]
    fn a_key_is_taken_where_the_refusal_is_about_the_bucket() {
        let takes = |status, code: &str| {
            Fault::read(status, None, format!("<Error><Code>{code}</Code></Error>").as_bytes()).takes_key()
        };
        assert!(takes(404, "NoSuchBucket") && takes(409, "InvalidBucketState"));
        for (status, code) in
            [(403, "AccessDenied"), (404, "NoSuchKey"), (400, "InvalidArgument"), (500, "NoSuchBucket")]
        {
            assert!(!takes(status, code), "{status} {code}");
        }
    }

    #[test]
    fn a_window_that_is_over_is_told_from_missing_rights_and_the_time_is_read() {
        let expired = DOCUMENTED.replace("Access Denied.", "Request has expired");
        let expired = expired.replace("<RequestId>", "<ServerTime>2019-04-09T03:39:20Z</ServerTime><RequestId>");
        let fault = Fault::read(403, None, expired.as_bytes());
        assert_eq!(
            (fault.kind(), fault.server_time()),
            (FaultKind::SignatureExpired, "2019-04-09T03:39:20Z".parse().ok())
        );
        let fault = Fault::read(403, None, expired.replace("20Z", "20").as_bytes());
        assert_eq!((fault.kind(), fault.server_time()), (FaultKind::SignatureExpired, None));
        let fault = Fault::read(400, None, expired.replace("AccessDenied", "ExpiredToken").as_bytes());
        assert_eq!(fault.kind(), FaultKind::Denied);
    }

    #[test]
    fn what_was_verified_is_kept_of_a_wrong_signature_alone_and_shown_nowhere() {
        let nodes = "<StringToSign>sha1\n1;2\nmarker\n</StringToSign><FormatString>get\n/\n\nmarker</FormatString>";
        let told = |code: &str| format!("<Error><Code>{code}</Code>{nodes}</Error>");
        let fault = Fault::read(403, None, told("SignatureDoesNotMatch").as_bytes());
        let kept = RefusedSignature::new(Some("get\n/\n\nmarker"), Some("sha1\n1;2\nmarker"));
        assert_eq!((fault.kind(), fault.refused_signature()), (FaultKind::Denied, Some(&kept)));
        assert!(!format!("{fault:?}").contains("marker"));
        assert_eq!(Fault::read(403, None, told("AccessDenied").as_bytes()).refused_signature(), None);
        let json = Fault::read(403, None, br#"{"Code":"SignatureDoesNotMatch","FormatString":"marker"}"#);
        assert_eq!(json.refused_signature(), Some(&RefusedSignature::new(None, None)));
    }

    #[test]
    fn words_that_are_none_do_not_pass() {
        let fault = Fault::read(
            400,
            None,
            b"<Error><Code>&lt;script&gt;</Code><RequestId>a b</RequestId><Message>x&#10;y</Message></Error>",
        );
        assert_eq!((fault.code(), fault.request_id(), fault.message()), (None, None, Some("x y")));
    }

    #[test]
    fn the_headers_request_id_wins_over_the_bodys() {
        let fault = Fault::read(403, RequestId::read("from-header"), DOCUMENTED.as_bytes());
        assert_eq!(fault.request_id().unwrap().as_str(), "from-header");
    }
}
