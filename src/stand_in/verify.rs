//! Whether a request is signed by a key we know, now, over what it says.
//!
//! Written from the specification a second time (COS "Request Signature",
//! <https://cloud.tencent.com/document/product/436/7778>): it shares no line with the gateway's own signing,
//! so that a mistake there cannot hide here.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{AUTHORIZATION, HOST};
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::authorization::{Authorization, Malformed, Names, Said};
use super::keys::KnownKey;
use super::percent::{escape_name, escape_value};
use super::refusal::Refusal;
use super::request::Received;

const TOKEN_HEADERS: [&str; 2] = ["x-ci-security-token", "x-cos-security-token"];

/// What a verifier goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) keys: &'a [KnownKey],
    /// Whether `host` has to be among the signed headers.
    pub(super) require_signed_host: bool,
}

/// Says whether `request` is rightly signed at `now`.
///
/// What is signed is recomputed over exactly the names that the request lists. Beyond what upstream is known
/// to check, every query parameter must be listed, and the host if the terms say so.
///
/// # Errors
/// The first [`Refusal`], in the order: form, key, window, coverage, signature, token, the end of the key. Which of them upstream
/// finds first is not documented.
pub(super) fn verify(request: &Received, terms: Terms<'_>, now: Timestamp) -> Result<(), Refusal> {
    let authorization = authorization(request)?;
    let key = terms.keys.iter().find(|key| key.secret_id() == authorization.secret_id).ok_or(Refusal::UnknownKey)?;
    if authorization.window.is_over(now) {
        return Err(Refusal::Expired);
    }
    if !authorization.window.has_begun(now) {
        return Err(Refusal::NotYetValid);
    }
    if terms.require_signed_host && !authorization.headers.contains(HOST.as_str()) {
        return Err(Refusal::UnsignedHost);
    }
    parameters_are_covered(request, authorization.parameters)?;
    headers_are_there(request, authorization.headers)?;
    let signature = signature(&Stages::of(request, Said::from(&authorization)), &authorization, key);
    if !bool::from(signature.as_bytes().ct_eq(authorization.signature.as_bytes())) {
        return Err(Refusal::WrongSignature);
    }
    let tokens = TOKEN_HEADERS.iter().flat_map(|name| request.headers().get_all(*name)).map(AsRef::as_ref);
    if !key.accepts_tokens(tokens) {
        return Err(Refusal::WrongToken);
    }
    if key.has_ended(now) { Err(Refusal::EndedKey) } else { Ok(()) }
}

fn authorization(request: &Received) -> Result<Authorization<'_>, Refusal> {
    Ok(Authorization::parse(authorization_text(request)?)?)
}

fn authorization_text(request: &Received) -> Result<&str, Refusal> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let first = values.next().ok_or(Refusal::NoAuthorization)?;
    let text = first.to_str().map_err(|_| Malformed::Fields)?;
    if values.next().is_some() {
        return Err(Malformed::Fields.into());
    }
    Ok(text)
}

/// Our own view of what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stages {
    /// Step 5 of the specification; upstream calls it `FormatString` in its errors.
    pub(super) http_string: String,
    /// Step 6.
    pub(super) string_to_sign: String,
}

impl Stages {
    /// What a refused request would have had to sign, by its own lists; `None` where it says nothing of the kind.
    ///
    /// A list that breaks the rules is taken in the order in which it was written. What upstream shows of one
    /// is not documented.
    pub(super) fn shown(request: &Received) -> Option<Self> {
        authorization_text(request).ok().and_then(Said::read).map(|said| Self::of(request, said))
    }

    fn of(request: &Received, said: Said<'_>) -> Self {
        let http_string = format!(
            "{method}\n{path}\n{parameters}\n{headers}\n",
            method = request.method().as_str().to_ascii_lowercase(),
            path = request.path(),
            parameters = pairs(said.parameters, &parameters_of(request)),
            headers = pairs(said.headers, &headers_of(request)),
        );
        let digest = hex::encode(Sha1::digest(http_string.as_bytes()));
        let string_to_sign = format!("sha1\n{}\n{digest}\n", said.window);
        Self { http_string, string_to_sign }
    }
}

/// Step 7. Never shown: whoever reads it could send it.
fn signature(stages: &Stages, authorization: &Authorization<'_>, key: &KnownKey) -> Zeroizing<String> {
    let sign_key = keyed_hash(key.secret_key(), authorization.window.as_str());
    keyed_hash(sign_key.as_bytes(), &stages.string_to_sign)
}

/// The lower-case hexadecimal HMAC-SHA1, which as such is the key of the next step.
fn keyed_hash(key: &[u8], message: &str) -> Zeroizing<String> {
    // An HMAC takes keys of every length; there is nothing that the error could be.
    let Ok(mut hmac) = Hmac::<Sha1>::new_from_slice(key) else { return Zeroizing::default() };
    hmac.update(message.as_bytes());
    Zeroizing::new(hex::encode(hmac.finalize().into_bytes()))
}

/// Names as signatures list them, with their escaped values.
type Values = BTreeMap<String, String>;

fn parameters_of(request: &Received) -> Values {
    request.parameters().map(|(name, value)| (name.to_owned(), escape_value(value.as_bytes()))).collect()
}

/// Of a header that came more than once, the first.
fn headers_of(request: &Received) -> Values {
    let mut values = Values::new();
    for (name, value) in request.headers() {
        values.entry(escape_name(name.as_ref())).or_insert_with(|| escape_value(value.as_bytes()));
    }
    values
}

/// What is listed and there, each once: a long list of one name makes no long text.
fn pairs(names: Names<'_>, values: &Values) -> String {
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    for name in names.iter().map(str::to_ascii_lowercase) {
        if let Some(value) = values.get(&name).filter(|_| !seen.contains(&name)) {
            pairs.push(format!("{name}={value}"));
            seen.insert(name);
        }
    }
    pairs.join("&")
}

fn parameters_are_covered(request: &Received, names: Names<'_>) -> Result<(), Refusal> {
    if let Some((name, _)) = request.parameters().find(|(name, _)| !names.contains(name)) {
        return Err(Refusal::UnsignedParameter(name.into()));
    }
    let values = parameters_of(request);
    let absent = names.iter().find(|name| !values.contains_key(*name));
    absent.map_or(Ok(()), |name| Err(Refusal::AbsentParameter(name.into())))
}

fn headers_are_there(request: &Received, names: Names<'_>) -> Result<(), Refusal> {
    for name in names.iter() {
        let count = request.headers().iter().filter(|(other, _)| escape_name(other.as_ref()) == name).take(2).count();
        match count {
            0 => return Err(Refusal::AbsentHeader(name.into())),
            1 => {}
            _ => return Err(Refusal::RepeatedHeader(name.into())),
        }
    }
    Ok(())
}

/// An `Authorization` for tests, made of the same stages; that these are right is what the vectors show.
#[cfg(test)]
pub(super) fn authorize(head: &hyper::http::request::Parts, lists: [&str; 2], window: &str, key: &KnownKey) -> String {
    let [headers, parameters] = lists;
    let id = key.secret_id();
    let start = format!(
        "q-sign-algorithm=sha1&q-ak={id}&q-sign-time={window}&q-key-time={window}\
         &q-header-list={headers}&q-url-param-list={parameters}&q-signature="
    );
    let unsigned = format!("{start}{}", "0".repeat(40));
    let authorization = Authorization::parse(&unsigned).unwrap();
    let stages = Stages::of(&Received::read(head).unwrap(), Said::from(&authorization));
    format!("{start}{}", *signature(&stages, &authorization, key))
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use hyper::http::request::Parts;
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/signing.json"));

    fn vectors() -> Vec<Value> {
        let file: Value = serde_json::from_str(VECTORS).unwrap();
        file["vectors"].as_array().unwrap().clone()
    }

    fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
        vector[field].as_str().unwrap()
    }

    /// The head that a client of this vector puts on the wire.
    fn head(vector: &Value) -> Parts {
        let pairs = |field: &str| vector[field].as_object().unwrap().clone().into_iter();
        let escape = |text: &str| escape_value(text.as_bytes());
        let path: Vec<String> = text(vector, "path").split('/').map(escape).collect();
        let query: Vec<String> = pairs("params")
            .map(|(name, value)| format!("{}={}", escape(&name), escape(value.as_str().unwrap())))
            .collect();
        let mut request =
            Request::builder().method(text(vector, "method")).uri(format!("{}?{}", path.join("/"), query.join("&")));
        let headers =
            pairs("headers").chain(pairs("signed_headers").filter(|(name, _)| vector["headers"].get(name).is_none()));
        for (name, value) in headers {
            request = request.header(name, value.as_str().unwrap());
        }
        let mut head = request.header(AUTHORIZATION, text(vector, "authorization")).body(()).unwrap().into_parts().0;
        // Two vectors sign no header at all; a request still has a host.
        head.headers.entry(HOST).or_insert_with(|| "test-1234567890.ci.ap-chongqing.myqcloud.com".parse().unwrap());
        head
    }

    fn key(vector: &Value) -> KnownKey {
        KnownKey::new(text(vector, "secret_id"), text(vector, "secret_key"), None)
    }

    fn start(vector: &Value) -> Timestamp {
        let (start, _) = text(vector, "key_time").split_once(';').unwrap();
        Timestamp::from_second(start.parse().unwrap()).unwrap()
    }

    #[test]
    fn every_vector_verifies_and_agrees_at_every_stage() {
        let vectors = vectors();
        assert!(vectors.len() >= 19, "{}", vectors.len());
        for vector in vectors {
            let name = text(&vector, "name");
            let request = Received::read(&head(&vector)).unwrap();
            let authorization = authorization(&request).unwrap();
            let stages = Stages::of(&request, Said::from(&authorization));
            assert_eq!(
                *keyed_hash(key(&vector).secret_key(), text(&vector, "key_time")),
                text(&vector, "sign_key"),
                "{name}"
            );
            assert_eq!(stages.http_string, text(&vector, "http_string"), "{name}");
            assert_eq!(stages.string_to_sign, text(&vector, "string_to_sign"), "{name}");
            let signature = signature(&stages, &authorization, &key(&vector));
            assert_eq!(*signature, text(&vector, "signature"), "{name}");
            let terms = Terms { keys: &[key(&vector)], require_signed_host: authorization.headers.contains("host") };
            assert!(verify(&request, terms, start(&vector)).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_vector_with_any_signed_part_changed_does_not_verify() {
        for vector in vectors() {
            let name = text(&vector, "name");
            let refused = |vector: &Value| {
                let request = Received::read(&head(vector)).unwrap();
                let keys = [key(vector)];
                verify(&request, Terms { keys: &keys, require_signed_host: false }, start(vector)).is_err()
            };
            for field in ["signed_headers", "params"] {
                for part in vector[field].as_object().unwrap().keys() {
                    let mut changed = vector.clone();
                    let container = if field == "params" { "params" } else { "headers" };
                    changed[container][part] = "changed".into();
                    assert!(refused(&changed), "{name}: {field} {part}");
                }
            }
            for (field, value) in [("method", "PATCH"), ("path", "/other"), ("secret_key", "another")] {
                let mut changed = vector.clone();
                changed[field] = value.into();
                assert!(refused(&changed), "{name}: {field}");
            }
        }
    }

    #[test]
    fn names_sort_as_whole_names_and_not_as_pairs() {
        let vector = vectors().into_iter().find(|vector| text(vector, "name") == "param-key-prefix-order").unwrap();
        let request = Received::read(&head(&vector)).unwrap();
        let names: Vec<_> = request.parameters().map(|(name, _)| name).collect();
        assert_eq!(names.join(";"), text(&vector, "url_param_list"));
    }
}
