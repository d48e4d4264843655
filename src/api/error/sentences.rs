//! What a caller reads about an error.

use std::borrow::Cow;

use super::{Ended, Error};
use crate::api::Refusal;
use crate::api::limits::Whose;
use crate::api::rate::OverRate;
use crate::auth::Refused;
use crate::ci::FaultKind;
use crate::credentials::NoKeys;
use crate::policy::Denied;
use crate::upstream::SendError;

impl Error {
    /// What happened, for the caller: one sentence and what to do. Nothing that an unverified token says and none
    /// of Cloud Infinite's words are in it.
    #[expect(clippy::too_many_lines, reason = "one arm for each way to fail")]
    pub(in crate::api) fn detail(&self) -> Cow<'static, str> {
        let sentence = match self {
            Self::Refused(refusal) => refusal_sentence(*refusal),
            Self::NotFound => {
                "there is nothing at this path; GET /openapi.json on the business listener lists what there is"
            }
            Self::MethodNotAllowed(allow) => return format!("this path takes {allow} and no other method").into(),
            Self::InvalidBucket(why) => return format!("the bucket in the path cannot be one: {why}").into(),
            Self::InvalidRegion(why) => return format!("the parameter `region` cannot be one: {why}").into(),
            Self::RegionRequired => {
                "no region is known for this bucket: add `?region=…`, or have the gateway's operator configure one"
            }
            Self::UnknownParameter => "the only query parameters are `region` and `validate_only`",
            Self::RepeatedParameter => "a query parameter stands twice: send each once",
            Self::NotTrueOrFalse => "the parameter `validate_only` is `true` or `false`",
            Self::ParameterEncoding => "a query parameter's value is not UTF-8",
            Self::Unauthenticated(Refused::NoCredentials) => {
                "no credentials: send `Authorization: Bearer <token>` with a token of an issuer that the gateway knows, or an API key in `X-Api-Key`"
            }
            Self::Unauthenticated(Refused::SeveralMethods) => {
                "`Authorization` and `X-Api-Key` both say who asks: send one of them"
            }
            // The same sentence for every reason: which one it was stands in the gateway's log.
            Self::Unauthenticated(Refused::BadToken(_)) => {
                "the credentials are not accepted: a token must be of the right issuer and audience, in time and signed; an API key whole, in force and used from its network"
            }
            Self::Unauthenticated(Refused::InsufficientScope(scope)) => {
                return format!(
                    "the token holds, but lacks the scope `{scope}`: ask its issuer for one that carries it"
                )
                .into();
            }
            Self::Unauthenticated(Refused::KeysUnavailable) => {
                "the keys of the token's issuer are not available here, so the token cannot be checked: try again in a moment"
            }
            Self::OverRate(whose, over) => return over_rate(*whose, over),
            Self::Overloaded => "too many requests are in flight: try again in a moment",
            Self::Draining | Self::CutOff(Ended::Unsent) => {
                "this instance is about to stop: try again, another one will answer"
            }
            Self::CutOff(Ended::PerhapsSent) => {
                "this instance stops before Cloud Infinite has answered: look with a GET whether the call took effect"
            }
            Self::Forbidden(denied) => return forbidden(denied),
            Self::BodyOnGet => "a GET takes no body",
            Self::BodyTooLarge => "the body is over 4 KiB: this call takes none, or `{}`",
            Self::BodyTimeout => "the body did not arrive in time: this call takes none, or `{}`",
            Self::BodyBroken => "the body's framing is broken: this call takes none, or `{}`",
            Self::BodyNotEmpty => "the body is not `{}`: this call takes none, or the empty JSON object",
            Self::ContentType => "a body must be `{}` with `Content-Type: application/json`; better send none",
            Self::ContentEncoding => "a body must not be encoded: this call takes none, or `{}`",
            Self::NoKeys(NoKeys::OtherAccount) => {
                "the gateway holds no key for the account at the end of the bucket's name: check the bucket, or ask its operator"
            }
            Self::NoKeys(NoKeys::Unavailable) => {
                "the gateway holds no usable key at the moment: its operator has to act"
            }
            Self::Audit(_) => "the gateway cannot write its audit record, so it does not act: its operator has to",
            Self::Late => "the time for this request was over before anything was sent: try again",
            Self::Send(why) => send_sentence(why),
            Self::Fault(fault, _) => fault_sentence(fault.kind()),
            Self::Unreadable(why, ..) => {
                return format!(
                    "Cloud Infinite's answer cannot be read: {why}; whether the call took effect is not known"
                )
                .into();
            }
            Self::Ended(Ended::PerhapsSent) => {
                "the gateway failed after the call was sent: look with a GET whether it took effect"
            }
            Self::Signing(_) | Self::Ended(Ended::Unsent) => {
                "the gateway failed; its operator finds the reason under this request id"
            }
        };
        Cow::Borrowed(sentence)
    }
}

fn refusal_sentence(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::RequestLine => "the request line is not `METHOD target HTTP/1.1`",
        Refusal::HeaderLine => "a header line is not `Name: value`, is folded, or holds a forbidden byte",
        Refusal::BareLineEnd => "a line of the head ends with something else than CR LF",
        Refusal::Version => "the HTTP version is neither 1.1 nor 1.0",
        Refusal::Target => "the request target must be a path, or an address with the same host as `Host`",
        Refusal::TargetByte => "the request target holds a byte or an escape that no path of this API has",
        Refusal::TargetTooLong => "the request target is over 4 KiB",
        Refusal::Host => "there must be exactly one `Host` header, with a host and at most a port",
        Refusal::RepeatedHeader => "a header that may stand once stands twice",
        Refusal::ContentLength => "`Content-Length` must be plain digits",
        Refusal::LengthAndEncoding => "`Content-Length` and `Transfer-Encoding` must not stand together",
        Refusal::TransferEncoding => "`Transfer-Encoding` must be `chunked`, once, on HTTP/1.1",
        Refusal::UnknownCoding => "the only transfer coding is `chunked`",
        Refusal::Expectation => "the only expectation is `100-continue`",
        Refusal::Method => "this method is not served on any path",
        Refusal::HeadTooLarge => "the head has over 64 fields or 16 KiB",
        Refusal::HeadTimeout => "the head did not arrive in time",
    }
}

fn send_sentence(why: &SendError) -> &'static str {
    match why {
        SendError::Address => "the gateway failed; its operator finds the reason under this request id",
        SendError::Connect(_) => "Cloud Infinite cannot be reached; nothing was sent",
        SendError::ConnectTimeout => "Cloud Infinite did not take a connection in time; nothing was sent",
        SendError::Tls(_) => "no trusted connection to Cloud Infinite came about; nothing was sent",
        SendError::Closed(_) => {
            "Cloud Infinite closed the connection without an answer: look with a GET whether the call took effect"
        }
        SendError::NotHttp(_) => {
            "what came back from Cloud Infinite is not HTTP; whether the call took effect is not known"
        }
        SendError::Truncated => "Cloud Infinite's answer is cut off; whether the call took effect is not known",
        SendError::TooLarge => "Cloud Infinite's answer is over 64 KiB; whether the call took effect is not known",
        SendError::Timeout => "Cloud Infinite did not answer in time: look with a GET whether the call took effect",
    }
}

fn fault_sentence(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Denied => {
            "Cloud Infinite refuses the gateway's own key, signature or rights; this is not the caller's fault, its operator has to act"
        }
        FaultKind::ClockSkew | FaultKind::SignatureExpired => {
            "Cloud Infinite's clock and the gateway's differ too far; this is not the caller's fault, its operator has to act"
        }
        FaultKind::BucketNotFound => {
            "Cloud Infinite does not know the bucket in this region: check its name and region"
        }
        FaultKind::Conflict => "the bucket is in a state that does not allow this call",
        FaultKind::Rejected => "Cloud Infinite refuses the request itself",
        FaultKind::Redirected => {
            "Cloud Infinite sends the gateway elsewhere, and it does not follow: check the bucket's region"
        }
        FaultKind::Throttled => "Cloud Infinite asks for fewer requests: try again later",
        FaultKind::Unavailable => {
            "Cloud Infinite has failed: look with a GET whether the call took effect, then try again"
        }
    }
}

fn over_rate(whose: Whose, over: &OverRate) -> Cow<'static, str> {
    let (requests, period) = (over.rate.requests, over.rate.period);
    let what = match whose {
        Whose::Caller => "requests",
        Whose::Source => "failed authentications from your address",
    };
    format!("over the rate of {requests} {what} in {period:?}: wait as long as `Retry-After` says").into()
}

/// The statement's name is the operator's own and meant to be asked about.
fn forbidden(denied: &Denied) -> Cow<'static, str> {
    let action = denied.action();
    match denied.statement() {
        Some(statement) => format!("the policy's statement `{statement}` denies {action} on this bucket").into(),
        None => {
            format!("no statement of the policy permits {action} on this bucket: ask the gateway's operator").into()
        }
    }
}
