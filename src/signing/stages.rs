//! The signature, stage by stage.

use super::canonical::{Canonical, Kind};
use super::key::{SignKey, sha1_hex};
use super::{Authorization, Window};
use crate::credentials::Keys;

/// What of a request is signed: a view, borrowed from wherever the request stands.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The method, in any case.
    pub method: &'a str,
    /// The path, decoded, with its leading `/`.
    pub path: &'a str,
    /// Every query parameter, decoded.
    pub params: &'a [(&'a str, &'a str)],
    /// The headers that the signature shall cover, and no other.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Every stage of one signature, in the order in which they are computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stages {
    window: Window,
    header_list: String,
    url_param_list: String,
    http_string: String,
    string_to_sign: String,
    signature: String,
}

impl Stages {
    /// Signs `view` with `keys` for `window`.
    ///
    /// # Errors
    /// [`SigningError`] if the view has no single canonical form.
    pub fn compute(view: View<'_>, keys: &Keys, window: Window) -> Result<Self, SigningError> {
        let params = Canonical::of(Kind::Parameter, view.params.iter().copied())?;
        let headers = Canonical::of(Kind::Header, view.headers.iter().copied())?;
        let http_string = http_string(view, &params, &headers)?;
        let key_time = window.to_string();
        let string_to_sign = ["sha1\n", &key_time, "\n", &sha1_hex(&http_string), "\n"].concat();
        let signature = SignKey::derive(keys.secret_key(), &key_time).sign(&string_to_sign);
        Ok(Self {
            window,
            header_list: headers.list,
            url_param_list: params.list,
            http_string,
            string_to_sign,
            signature,
        })
    }

    /// The names of the signed headers, `q-header-list`.
    #[must_use]
    pub fn header_list(&self) -> &str {
        &self.header_list
    }

    /// The names of the signed parameters, `q-url-param-list`.
    #[must_use]
    pub fn url_param_list(&self) -> &str {
        &self.url_param_list
    }

    /// Step 5: method, path, parameters and headers, a line each.
    #[must_use]
    pub fn http_string(&self) -> &str {
        &self.http_string
    }

    /// Step 6: algorithm, window and the hash of the HttpString, a line each.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// Step 7: 40 hexadecimal characters.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Step 8: the header's fields, for the holder of `secret_id`.
    #[must_use]
    pub fn authorization<'a>(&'a self, secret_id: &'a str) -> Authorization<'a> {
        Authorization::new(secret_id, self.window, &self.header_list, &self.url_param_list, &self.signature)
    }
}

fn http_string(view: View<'_>, params: &Canonical, headers: &Canonical) -> Result<String, SigningError> {
    // Every part but the path is escaped or a token, so a line end in the path could pass for a part of its own.
    if !view.path.starts_with('/') || view.path.contains(['\n', '\r']) {
        return Err(SigningError::Path);
    }
    if view.method.is_empty() || !view.method.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(SigningError::Method);
    }
    let method = view.method.to_ascii_lowercase();
    Ok([&method, "\n", view.path, "\n", &params.text, "\n", &headers.text, "\n"].concat())
}

/// Why a request has no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The path does not begin with `/`, or holds a line end.
    #[error("the path must begin with `/` and hold no line end")]
    Path,
    /// The method is not letters.
    #[error("the method must be letters, such as `POST`")]
    Method,
    /// Two parameters with the same name once in lower case.
    #[error("the parameter `{0}` stands twice: a signature over duplicates is not defined")]
    DuplicateParameter(Box<str>),
    /// Two headers with the same name once in lower case.
    #[error("the header `{0}` stands twice: a signature over duplicates is not defined")]
    DuplicateHeader(Box<str>),
    /// A parameter without a name.
    #[error("a parameter has no name")]
    NamelessParameter,
    /// A header without a name.
    #[error("a header has no name")]
    NamelessHeader,
    /// A value that no header can hold.
    #[error("the header `{0}` has a value that HTTP does not allow")]
    HeaderValue(&'static str),
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn text<'a>(vector: &'a Value, stage: &str) -> &'a str {
        vector[stage].as_str().unwrap_or_else(|| panic!("{} has no {stage}", vector["name"]))
    }

    fn pairs(object: &Value) -> Vec<(&str, &str)> {
        object.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
    }

    #[test]
    fn every_stage_equals_what_the_official_sdks_compute() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/signing.json")).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 19, "only {} vectors", vectors.len());
        for vector in vectors {
            let name = text(vector, "name");
            let keys = Keys::new(text(vector, "secret_id"), text(vector, "secret_key"), None).unwrap();
            let window: Window = text(vector, "key_time").parse().unwrap();
            assert_eq!(
                SignKey::derive(keys.secret_key(), &window.to_string()).expose(),
                text(vector, "sign_key"),
                "{name}: sign key"
            );
            let (params, headers) = (pairs(&vector["params"]), pairs(&vector["signed_headers"]));
            let view =
                View { method: text(vector, "method"), path: text(vector, "path"), params: &params, headers: &headers };
            let stages = Stages::compute(view, &keys, window).unwrap();
            assert_eq!(stages.url_param_list(), text(vector, "url_param_list"), "{name}: parameter list");
            assert_eq!(stages.header_list(), text(vector, "header_list"), "{name}: header list");
            assert_eq!(stages.http_string(), text(vector, "http_string"), "{name}: HttpString");
            assert_eq!(sha1_hex(stages.http_string()), text(vector, "sha1_http_string"), "{name}: its hash");
            assert_eq!(stages.string_to_sign(), text(vector, "string_to_sign"), "{name}: StringToSign");
            assert_eq!(stages.signature(), text(vector, "signature"), "{name}: signature");
            let authorization = stages.authorization(keys.secret_id()).to_string();
            assert_eq!(authorization, text(vector, "authorization"), "{name}: authorization");
        }
    }

    #[test]
    fn a_path_that_could_pass_for_another_line_is_refused() {
        let keys = Keys::new("id", "key", None).unwrap();
        let window = "1;2".parse().unwrap();
        for (method, path, why) in [
            ("GET", "asrbucket", SigningError::Path),
            ("GET", "", SigningError::Path),
            ("GET", "/a\n\nhost=b", SigningError::Path),
            ("GE\nT", "/a", SigningError::Method),
            ("", "/a", SigningError::Method),
        ] {
            let view = View { method, path, params: &[], headers: &[] };
            assert_eq!(Stages::compute(view, &keys, window), Err(why), "{method} {path}");
        }
    }
}
