//! Whether a question is signed as TC3-HMAC-SHA256 wants it.
//!
//! Written from the specification a second time ("Signature v3",
//! <https://www.tencentcloud.com/document/product/267/37447>): it shares no line with the gateway's own signing. What is
//! signed is recomputed over the headers that the request lists.

use hmac::{Hmac, KeyInit, Mac};
use hyper::http::request::Parts;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keys::KnownKey;
use super::sts::Refusal;

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SERVICE: &str = "sts";
/// Upstream takes a time that is so many seconds off, either way.
const MOST_SECONDS_OFF: u64 = 300;
const TOKEN: &str = "x-tc-token";

/// `TC3-HMAC-SHA256 Credential=<id>/<date>/<service>/tc3_request, SignedHeaders=<names>, Signature=<hex>`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Authorization<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    names: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut fields = fields.split(',').map(str::trim);
        let scope = fields.next()?.strip_prefix("Credential=")?;
        let names = fields.next()?.strip_prefix("SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix("Signature=")?;
        let mut parts = scope.split('/');
        let (secret_id, date, service) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next() == Some("tc3_request") && parts.next().is_none() && fields.next().is_none();
        is_whole.then_some(Self { secret_id, date, service, names, signature })
    }
}

/// The key that the question is rightly signed with at `now`.
///
/// # Errors
/// The first [`Refusal`], in the order: form, time, scope, key, signature, token. Which of them upstream finds first is not
/// documented.
pub(super) fn verify<'a>(
    head: &Parts,
    body: &[u8],
    keys: &'a [KnownKey],
    now: Timestamp,
) -> Result<&'a KnownKey, Refusal> {
    let text = header(head, "authorization").ok_or(Refusal::NoSignature)?;
    let authorization = Authorization::parse(text).ok_or(Refusal::Malformed)?;
    let seconds = header(head, "x-tc-timestamp").ok_or(Refusal::Malformed)?;
    let at: Timestamp =
        seconds.parse().ok().and_then(|at| Timestamp::from_second(at).ok()).ok_or(Refusal::Malformed)?;
    if now.as_second().abs_diff(at.as_second()) > MOST_SECONDS_OFF {
        return Err(Refusal::Expired);
    }
    if authorization.date != at.strftime("%Y-%m-%d").to_string() || authorization.service != SERVICE {
        return Err(Refusal::Scope);
    }
    let key = keys.iter().find(|key| key.secret_id() == authorization.secret_id).ok_or(Refusal::UnknownKey)?;
    let canonical = canonical_request(head, body, authorization.names).ok_or(Refusal::Malformed)?;
    let signature = signature(&canonical, seconds, &authorization, key);
    if !bool::from(signature.as_bytes().ct_eq(authorization.signature.as_bytes())) {
        return Err(Refusal::Signature);
    }
    let tokens = head.headers.get_all(TOKEN).iter().map(AsRef::as_ref);
    if key.accepts_tokens(tokens) && !key.has_ended(now) { Ok(key) } else { Err(Refusal::Token) }
}

/// The one value of a header.
pub(super) fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let mut values = head.headers.get_all(name).iter();
    let (first, second) = (values.next()?, values.next());
    if second.is_some() { None } else { first.to_str().ok() }
}

/// `None` if the list is not in order, does not have the two that must be there, or names a header that is not there once.
fn canonical_request(head: &Parts, body: &[u8], names: &str) -> Option<String> {
    let listed: Vec<_> = names.split(';').collect();
    let has = |wanted: &str| listed.contains(&wanted);
    if !listed.is_sorted_by(|a, b| a < b) || !has("content-type") || !has("host") {
        return None;
    }
    let mut lines = String::new();
    for name in listed {
        let value = header(head, name).filter(|_| !name.bytes().any(|byte| byte.is_ascii_uppercase()))?;
        lines.push_str(&format!("{name}:{}\n", value.trim().to_lowercase()));
    }
    let digest = hex::encode(Sha256::digest(body));
    Some(format!("{}\n/\n\n{lines}\n{names}\n{digest}", head.method))
}

/// Never shown: whoever reads it could send it.
fn signature(canonical: &str, seconds: &str, authorization: &Authorization<'_>, key: &KnownKey) -> Zeroizing<String> {
    let Authorization { date, service, .. } = authorization;
    let digest = hex::encode(Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{seconds}\n{date}/{service}/tc3_request\n{digest}");
    let mut chain = Zeroizing::new([b"TC3", key.secret_key()].concat());
    for link in [date, service, "tc3_request", &to_sign] {
        chain = keyed_hash(&chain, link);
    }
    Zeroizing::new(hex::encode(&*chain))
}

fn keyed_hash(key: &[u8], message: &str) -> Zeroizing<Vec<u8>> {
    // HMAC takes keys of every length: the error cannot occur.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

/// The authorization that [`verify`] takes: for tests of clients in raw bytes.
#[cfg(test)]
pub(super) fn authorize(head: &Parts, body: &[u8], names: &str, key: &KnownKey) -> String {
    let seconds = header(head, "x-tc-timestamp").unwrap();
    let date = Timestamp::from_second(seconds.parse().unwrap()).unwrap().strftime("%Y-%m-%d").to_string();
    let authorization =
        Authorization { secret_id: key.secret_id(), date: &date, service: SERVICE, names, signature: "" };
    let signature = signature(&canonical_request(head, body, names).unwrap(), seconds, &authorization, key);
    format!(
        "{ALGORITHM} Credential={}/{date}/{SERVICE}/tc3_request, SignedHeaders={names}, Signature={}",
        key.secret_id(),
        *signature
    )
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let body = br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let head = Request::post("/")
            .header("content-type", "application/json; charset=utf-8")
            .header("host", "cvm.tencentcloudapi.com")
            .header("x-tc-action", "DescribeInstances")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let stars = "*".repeat(32);
        let text = format!(
            "TC3-HMAC-SHA256 Credential=AKID{stars}/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host;x-tc-action, \
             Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
        );
        let authorization = Authorization::parse(&text).unwrap();
        let canonical = canonical_request(&head, body, authorization.names).unwrap();
        let key = KnownKey::new(&format!("AKID{stars}"), &stars, None);
        assert_eq!(*signature(&canonical, "1551113065", &authorization, &key), authorization.signature);
    }

    #[test]
    fn an_authorization_of_another_form_is_none() {
        let good =
            "TC3-HMAC-SHA256 Credential=A/2019-02-25/sts/tc3_request, SignedHeaders=content-type;host, Signature=ab";
        assert!(Authorization::parse(good).is_some());
        for (from, to) in [
            ("TC3-HMAC-SHA256 ", ""),
            ("TC3-", "TC4-"),
            ("/tc3_request", ""),
            ("tc3_request", "tc3_request/x"),
            ("Credential=", "credential="),
            ("SignedHeaders=content-type;host, ", ""),
            (", Signature=ab", ""),
            ("Signature=ab", "Signature=ab, More=1"),
        ] {
            assert_eq!(Authorization::parse(&good.replace(from, to)), None, "{from} -> {to}");
        }
    }

    #[test]
    fn a_list_of_signed_headers_is_sorted_and_names_what_is_there() {
        let head = Request::post("/")
            .header("content-type", "application/json")
            .header("host", "h")
            .header("x-twice", "1")
            .header("x-twice", "2")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        assert!(canonical_request(&head, b"", "content-type;host").is_some());
        for names in
            ["host;content-type", "host", "content-type", "content-type;host;x-none", "content-type;host;x-twice"]
        {
            assert_eq!(canonical_request(&head, b"", names), None, "{names}");
        }
    }
}
