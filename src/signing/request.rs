//! A request to Cloud Infinite before and after it is signed.

use std::fmt;
use std::fmt::Write;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use super::canonical::escape;
use super::{Diagnosis, RefusedSignature, SigningError, Stages, View, Window};
use crate::credentials::Keys;

/// The header for temporary keys' token on Cloud Infinite's hosts
/// (<https://www.tencentcloud.com/document/product/1045/43609>).
const TOKEN: &str = "x-ci-security-token";

/// A request that is complete but for its signature; nobody can send one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: Method,
    host: String,
    path: &'static str,
    params: Vec<(&'static str, String)>,
}

impl Request {
    /// A request without a body to `path` on `host`; the parameters are given decoded.
    #[must_use]
    pub fn new(method: Method, host: String, path: &'static str, params: Vec<(&'static str, String)>) -> Self {
        Self { method, host, path, params }
    }

    /// Signs the request: every parameter and every header that it will carry is covered, `host` always.
    ///
    /// # Errors
    /// [`SigningError`] if the request has no canonical form or a value fits in no header.
    pub fn sign(self, keys: &Keys, window: Window) -> Result<SignedRequest, SigningError> {
        let mut headers = HeaderMap::with_capacity(4);
        if self.has_length() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(token) = keys.token() {
            headers.insert(HeaderName::from_static(TOKEN), secret_value(TOKEN, token)?);
        }
        let stages = self.stages(keys, window)?;
        let authorization = stages.authorization(keys.secret_id()).to_string();
        headers.insert(AUTHORIZATION, secret_value("authorization", &authorization)?);
        let host = HeaderValue::try_from(self.host.as_str()).map_err(|_| SigningError::HeaderValue("host"))?;
        headers.insert(HOST, host);
        let path_and_query = path_and_query(self.path, &self.params());
        Ok(SignedRequest { method: self.method, host: self.host, path_and_query, headers })
    }

    /// What of this request, signed with `keys` for `window`, was verified as something else.
    ///
    /// # Errors
    /// [`SigningError`] if it could not have been signed.
    pub fn diagnose(&self, keys: &Keys, window: Window, theirs: &RefusedSignature) -> Result<Diagnosis, SigningError> {
        self.stages(keys, window).map(|ours| Diagnosis::of(&ours, theirs))
    }

    fn stages(&self, keys: &Keys, window: Window) -> Result<Stages, SigningError> {
        let mut headers = vec![(HOST.as_str(), self.host.as_str())];
        if self.has_length() {
            headers.push((CONTENT_LENGTH.as_str(), "0"));
        }
        headers.extend(keys.token().map(|token| (TOKEN, token)));
        let view = View { method: self.method.as_str(), path: self.path, params: &self.params(), headers: &headers };
        Stages::compute(view, keys, window)
    }

    /// By hand: the HTTP client sends none for an empty body, and Cloud Infinite wants one on a POST.
    fn has_length(&self) -> bool {
        self.method != Method::GET
    }

    fn params(&self) -> Vec<(&str, &str)> {
        self.params.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// A request as it goes onto the wire. Only [`Request::sign`] makes one, and `upstream` sends nothing else.
pub struct SignedRequest {
    method: Method,
    host: String,
    path_and_query: String,
    headers: HeaderMap,
}

impl SignedRequest {
    /// The host that the signature is bound to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The request target, escaped exactly as it was signed.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The method and the headers, given away: a signature is used once.
    #[must_use]
    pub fn into_parts(self) -> (Method, HeaderMap) {
        (self.method, self.headers)
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedRequest({} https://{}{})", self.method, self.host, self.path_and_query)
    }
}

fn secret_value(name: &'static str, text: &str) -> Result<HeaderValue, SigningError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| SigningError::HeaderValue(name))?;
    value.set_sensitive(true);
    Ok(value)
}

fn path_and_query(path: &str, params: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (n, (name, value)) in params.iter().enumerate() {
        let separator = if n == 0 { '?' } else { '&' };
        // Writing to a String cannot fail.
        let _written = write!(target, "{separator}{}={}", escape(name), escape(value));
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST_NAME: &str = "test-1234567890.ci.ap-chongqing.myqcloud.com";

    fn keys(token: Option<&str>) -> Keys {
        // The key pair of Tencent's public documentation.
        Keys::new("AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q", "BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz", token).unwrap()
    }

    fn post() -> Request {
        Request::new(Method::POST, HOST_NAME.to_owned(), "/asrbucket", Vec::new())
    }

    fn authorization(signed: &SignedRequest) -> &str {
        signed.headers[AUTHORIZATION].to_str().unwrap()
    }

    #[test]
    fn a_post_signs_and_carries_host_and_content_length() {
        let signed = post().sign(&keys(None), "1660033331;1660043391".parse().unwrap()).unwrap();
        assert!(authorization(&signed).contains("&q-header-list=content-length;host&"));
        assert!(authorization(&signed).ends_with("&q-signature=c759e71f6de60ba62a669b699113b37b33dad274"));
        assert_eq!(signed.headers[CONTENT_LENGTH], "0");
        assert_eq!(signed.headers[HOST], HOST_NAME);
        assert_eq!(signed.headers.len(), 3);
    }

    #[test]
    fn a_token_is_signed_and_sent() {
        let signed = post().sign(&keys(Some("STS-tok/en+with=odd&chars")), "1;2".parse().unwrap()).unwrap();
        assert!(authorization(&signed).contains("&q-header-list=content-length;host;x-ci-security-token&"));
        assert_eq!(signed.headers[TOKEN], "STS-tok/en+with=odd&chars");
    }

    #[test]
    fn a_get_carries_its_parameters_in_the_spelling_that_was_signed() {
        let params = vec![("bucketNames", "a+b c".to_owned()), ("regions", String::new())];
        let get = Request::new(Method::GET, "ci.ap-chongqing.myqcloud.com".to_owned(), "/asrbucket", params);
        let signed = get.sign(&keys(None), "1;2".parse().unwrap()).unwrap();
        assert_eq!(signed.path_and_query(), "/asrbucket?bucketNames=a%2Bb%20c&regions=");
        assert!(authorization(&signed).contains("&q-header-list=host&q-url-param-list=bucketnames;regions&"));
        assert!(!signed.headers.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn debug_shows_neither_signature_nor_token() {
        let signed = post().sign(&keys(Some("marker")), "1;2".parse().unwrap()).unwrap();
        let shown = format!("{signed:?} {:?}", signed.headers);
        assert!(!shown.contains("marker") && !shown.contains("q-signature"), "{shown}");
    }
}
