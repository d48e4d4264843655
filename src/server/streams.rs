//! The strict head over HTTP/2, where the frames are hyper's business and the fields arrive parsed.

use http::Request;
use http::header::HOST;

use super::fields::{Known, MOST_FIELDS};
use super::head::inspect_method;
use super::target;
use crate::api::Refusal;

/// Judges a request by the rules that hold for a head of HTTP/1, as far as HTTP/2 leaves them open.
///
/// It leaves none open about line ends, the framing of bodies and the form of fields (RFC 9113 section 8).
pub(super) fn inspect<B>(request: &Request<B>) -> Result<(), Refusal> {
    inspect_method(request.method().as_str().as_bytes())?;
    let origin = request.uri().path_and_query().map_or("", |origin| origin.as_str());
    match target::inspect(origin.as_bytes())? {
        None => {}
        Some(_) => return Err(Refusal::Target),
    }
    if request.headers().len() > MOST_FIELDS {
        return Err(Refusal::HeadTooLarge);
    }
    for known in Known::ALL {
        let mut values = request.headers().get_all(known.as_str()).iter();
        if let Some(value) = values.next() {
            known.inspect(value.as_bytes().trim_ascii())?;
        }
        if values.next().is_some() {
            return Err(known.when_repeated());
        }
    }
    inspect_authority(request)
}

/// `:authority`, `Host`, or both and the same (RFC 9113 section 8.3.1).
fn inspect_authority<B>(request: &Request<B>) -> Result<(), Refusal> {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = request.headers().get(HOST).map(|host| host.as_bytes().trim_ascii());
    let agreed = match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    };
    if agreed && authority.is_none_or(target::is_authority) { Ok(()) } else { Err(Refusal::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        inspect(&request.body(()).unwrap())
    }

    #[test]
    fn plain_requests_pass() {
        assert_eq!(judged("GET", "https://x:8443/v1/a?b=c", &[("accept", "a"), ("accept", "b")]), Ok(()));
        assert_eq!(judged("POST", "https://x/", &[("host", "X"), ("content-length", "2")]), Ok(()));
        assert_eq!(judged("GET", "/a", &[("host", "x")]), Ok(()));
        assert_eq!(judged("TRACE", "https://x/", &[]), Ok(()));
    }

    #[test]
    fn what_is_refused_in_a_head_of_http_1_is_refused_here() {
        for (method, uri, headers, refusal) in [
            ("CONNECT", "x:80", &[][..], Refusal::Method),
            ("OPTIONS", "*", &[("host", "x")], Refusal::Target),
            ("GET", "https://x/a/../b", &[], Refusal::TargetByte),
            ("GET", "https://x/a%2fb", &[], Refusal::TargetByte),
            ("GET", "https://x/a;b", &[], Refusal::TargetByte),
            ("GET", "/a", &[], Refusal::Host),
            ("GET", "https://x/", &[("host", "y")], Refusal::Host),
            ("GET", "https://u@x/", &[], Refusal::Host),
            ("GET", "https://x/", &[("host", "x"), ("host", "x")], Refusal::Host),
            ("GET", "https://x/", &[("authorization", "a"), ("authorization", "a")], Refusal::RepeatedHeader),
            ("GET", "https://x/", &[("x-api-key", "é")], Refusal::HeaderLine),
            ("GET", "https://x/", &[("expect", "x")], Refusal::Expectation),
            ("GET", "https://x/", &[("content-length", "+1")], Refusal::ContentLength),
            ("GET", "https://x/", &[("a", "b"); 65], Refusal::HeadTooLarge),
        ] {
            assert_eq!(judged(method, uri, headers), Err(refusal), "{method} {uri} {headers:?}");
        }
    }
}
