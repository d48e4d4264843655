//! One question to the Security Token Service (API version 2018-08-13), and its answer.
//!
//! Its answers have status 200 whatever they say: `{"Response":{"Credentials":…}}` or `{"Response":{"Error":…}}`. Source:
//! "AssumeRole", <https://www.tencentcloud.com/document/product/1150/49452>.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::asking::{exchange, quoted};
use super::tc3::{self, Call, Stages};
use super::temporary::Temporary;
use super::{Issued, StsUrl};
use crate::credentials::Keys;
use crate::domain::{Mistake, Region};
use crate::outgoing::{Exchange, Reply};

const OFFICIAL: &str = "https://sts.tencentcloudapi.com";
const SERVICE: &str = "sts";
const VERSION: &str = "2018-08-13";
/// What stands in the place of a signature where the service wants none.
const UNSIGNED: &str = "SKIP";
/// For a question, in bytes: the token of a pod is a few kilobytes.
const USUAL_BODY: usize = 16 * 1024;

/// The service at one address.
#[derive(Debug)]
pub(super) struct Sts {
    exchange: Exchange,
    address: Uri,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker<'a> {
    /// These keys.
    Signed(&'a Keys),
    /// Nobody that the service knows: the proof stands in the body.
    Unsigned,
}

/// What is asked, apart from the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The call's name.
    pub(super) action: &'static str,
    /// The region whose service is asked.
    pub(super) region: &'a Region,
    /// Who asks.
    pub(super) asker: Asker<'a>,
}

impl Sts {
    /// The service at `endpoint`, or Tencent's; nothing is dialled.
    ///
    /// # Errors
    /// A [`Mistake`] if it could not be proved that it is the one that answers.
    pub(super) fn new(endpoint: Option<&StsUrl>) -> Result<Self, Mistake> {
        let address = endpoint.map_or_else(|| Uri::from_static(OFFICIAL), |endpoint| endpoint.uri().clone());
        Ok(Self { exchange: exchange(&address, "the Security Token Service")?, address })
    }

    /// Asks for keys.
    ///
    /// # Errors
    /// A [`Mistake`] with the service's own code and words, and none of the keys.
    pub(super) async fn ask(&self, question: Question<'_>, body: &impl Serialize) -> Result<Issued, Mistake> {
        let place = format!("{} at {}", question.action, self.host());
        let request = self.request(question, body).map_err(|what| Mistake::new(place.as_str(), what))?;
        let reply = self.exchange.ask(request).await.map_err(|why| {
            Mistake::new(place.as_str(), why.to_string()).hint("see that this host is reached from here")
        })?;
        issued(&reply, &place)
    }

    /// What is signed is what is sent, a port included.
    fn host(&self) -> &str {
        self.address.authority().map_or("", http::uri::Authority::as_str)
    }

    fn request(&self, question: Question<'_>, body: &impl Serialize) -> Result<Request<Bytes>, String> {
        let mut text = Zeroizing::new(Vec::with_capacity(USUAL_BODY));
        serde_json::to_writer(&mut *text, body).map_err(|why| format!("the question cannot be written: {why}"))?;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address.clone();
        for (name, value) in self.headers(question, &text) {
            let mut value = HeaderValue::try_from(value).map_err(|_| format!("{name} cannot be a header"))?;
            value.set_sensitive(name == AUTHORIZATION || name == TOKEN);
            request.headers_mut().insert(name, value);
        }
        Ok(request.map(|_none| Bytes::from_owner(Owned(text))))
    }

    fn headers(&self, question: Question<'_>, body: &[u8]) -> Vec<(HeaderName, String)> {
        let Question { action, region, asker } = question;
        let at = Timestamp::now();
        let mut headers = vec![
            (HOST, self.host().to_owned()),
            (CONTENT_TYPE, tc3::CONTENT_TYPE.to_owned()),
            (USER_AGENT, "ci-gateway".to_owned()),
            (HeaderName::from_static("x-tc-action"), action.to_owned()),
            (HeaderName::from_static("x-tc-version"), VERSION.to_owned()),
            (HeaderName::from_static("x-tc-region"), region.as_str().to_owned()),
            (HeaderName::from_static("x-tc-timestamp"), at.as_second().to_string()),
        ];
        match asker {
            Asker::Signed(keys) => {
                let call = Call { service: SERVICE, host: self.host(), action, body, at };
                headers.push((AUTHORIZATION, Stages::of(&call).authorization(keys)));
                headers.extend(keys.token().map(|token| (TOKEN, token.to_owned())));
            }
            Asker::Unsigned => headers.push((AUTHORIZATION, UNSIGNED.to_owned())),
        }
        headers
    }
}

const TOKEN: HeaderName = HeaderName::from_static("x-tc-token");

/// A body that is overwritten when it has been sent.
struct Owned(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    error: Option<Refused>,
    credentials: Option<Temporary>,
    expired_time: Option<i64>,
    #[serde(default)]
    request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    code: String,
    #[serde(default)]
    message: String,
}

fn issued(reply: &Reply, place: &str) -> Result<Issued, Mistake> {
    if reply.status() != StatusCode::OK {
        let what = format!("answers with status {}, where 200 is wanted", reply.status().as_u16());
        return Err(Mistake::new(place, what));
    }
    // Without serde's words: they may quote the text.
    let unreadable = |what: &str| Mistake::new(place, format!("the answer {what}"));
    let Envelope { response } = serde_json::from_slice(reply.body())
        .map_err(|_| unreadable("is not the JSON of this service").hint("see whether a proxy answers in its place"))?;
    if let Some(refused) = response.error {
        return Err(refused.told(place, &response.request_id));
    }
    match (response.credentials, response.expired_time) {
        (Some(temporary), Some(ends)) => temporary.until(ends, place),
        (Some(_), None) => Err(unreadable("does not say when its keys end")),
        (None, _) => Err(unreadable("has neither keys nor an error")),
    }
}

impl Refused {
    fn told(&self, place: &str, request_id: &str) -> Mistake {
        let (code, message) = (quoted(&self.code), quoted(&self.message));
        let mistake = Mistake::new(place, format!("refused: {code}: {message} (RequestId {})", quoted(request_id)));
        match self.hint() {
            Some(hint) => mistake.hint(hint),
            None => mistake,
        }
    }

    /// What to do, by the code or the family before its dot. Source: the service's list of codes,
    /// <https://www.tencentcloud.com/document/product/1150/49453>, and the common ones of the API.
    fn hint(&self) -> Option<&'static str> {
        let family = self.code.split('.').next().unwrap_or_default();
        match (self.code.as_str(), family) {
            ("AuthFailure.SignatureFailure", _) => {
                Some("the SecretKey is not the one of its SecretId: copy both anew from the console")
            }
            ("AuthFailure.SignatureExpire", _) => Some("this machine's clock is over five minutes off: let NTP set it"),
            ("AuthFailure.SecretIdNotFound", _) => {
                Some("the SecretId is unknown, disabled or deleted: look it up in the console")
            }
            ("AuthFailure.TokenFailure", _) => {
                Some("the keys that ask are temporary, and their token is wrong or over")
            }
            ("AuthFailure.UnauthorizedOperation", _) | (_, "UnauthorizedOperation") => {
                Some("allow sts:AssumeRole to the keys that ask, and let the role's trust policy name them")
            }
            (_, "InvalidParameter" | "InvalidParameterValue" | "MissingParameter") => {
                Some("compare the role, session name, duration and external id of [credentials] with the role in CAM")
            }
            (_, "ResourceNotFound") => Some("there is no such role or identity provider: compare it with CAM"),
            (_, "RequestLimitExceeded") => Some("it is asked too often; the next question comes later by itself"),
            (_, "InternalError") => Some("this is Tencent's trouble; it is asked again by itself"),
            (_, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_refusals_come_with_what_to_do() {
        for (code, hint) in [
            ("AuthFailure.SignatureFailure", "SecretKey"),
            ("AuthFailure.SignatureExpire", "NTP"),
            ("AuthFailure.SecretIdNotFound", "SecretId"),
            ("AuthFailure.TokenFailure", "token"),
            ("AuthFailure.UnauthorizedOperation", "trust policy"),
            ("UnauthorizedOperation", "trust policy"),
            ("InvalidParameter.OverTimeError", "duration"),
            ("InvalidParameterValue", "duration"),
            ("ResourceNotFound.RoleNotFound", "no such role"),
            ("RequestLimitExceeded", "later"),
            ("InternalError.SystemError", "Tencent's"),
        ] {
            let refused = Refused { code: code.to_owned(), message: "why\nnot".to_owned() };
            let mistake = refused.told("AssumeRole", "r-1");
            assert_eq!(mistake.what(), format!("refused: {code}: why not (RequestId r-1)"));
            assert!(mistake.hint_text().is_some_and(|text| text.contains(hint)), "{mistake}");
        }
        let refused = Refused { code: "Unheard.Of".to_owned(), message: String::new() };
        assert_eq!(refused.told("AssumeRole", "").hint_text(), None);
    }
}
