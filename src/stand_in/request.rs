//! A request as it arrived, with what a signature covers taken apart once.

use std::collections::BTreeMap;

use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use super::percent::escape_name;
use super::refusal::Refusal;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Received {
    method: Method,
    host: Box<str>,
    path: Box<str>,
    parameters: BTreeMap<String, Parameter>,
    headers: HeaderMap,
}

#[derive(Debug)]
struct Parameter {
    name: Box<str>,
    value: Box<str>,
}

impl Received {
    /// Takes the head apart. Both forms of the target are read, `/asrbucket` and
    /// `http://<host>/asrbucket`, as a client sends the second when this is its proxy.
    ///
    /// # Errors
    /// A [`Refusal`] when there is not exactly one host, the target names another one, or its path or
    /// query is not percent-encoded UTF-8 with every parameter once.
    pub(super) fn read(head: &Parts) -> Result<Self, Refusal> {
        Ok(Self {
            method: head.method.clone(),
            host: host(&head.headers, &head.uri)?.into(),
            path: decoded(head.uri.path())?,
            parameters: parameters(head.uri.query().unwrap_or_default())?,
            headers: head.headers.clone(),
        })
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// The `Host` header, as it was sent.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The path, decoded; neither normalised nor cut.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the length of the body is announced.
    pub(super) fn announces_length(&self) -> bool {
        self.headers.contains_key(CONTENT_LENGTH)
    }

    /// The value of a query parameter by its exact name, decoded; empty if it is absent.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.values().find(|parameter| *parameter.name == *name).map_or("", |parameter| &*parameter.value)
    }

    /// The query parameters by their names as a signature lists them, in order, with decoded values.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(key, parameter)| (key.as_str(), &*parameter.value))
    }
}

fn host<'a>(headers: &'a HeaderMap, target: &Uri) -> Result<&'a str, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::NotOneHost) };
    let host = host.to_str().map_err(|_| Refusal::NotOneHost)?;
    match target.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Err(Refusal::HostsDisagree),
        Some(_) | None => Ok(host),
    }
}

fn parameters(query: &str) -> Result<BTreeMap<String, Parameter>, Refusal> {
    let mut parameters = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        // `+` stays a plus: official SDKs write a blank as `%20`, and what is signed is the decoded text.
        let (name, value) = (decoded(name)?, decoded(value)?);
        let key = escape_name(name.as_bytes());
        // Two names that differ in case only are one name to a signature: which of them it covers nobody knows.
        if parameters.insert(key, Parameter { name, value }).is_some() {
            return Err(Refusal::RepeatedParameter);
        }
    }
    Ok(parameters)
}

fn decoded(text: &str) -> Result<Box<str>, Refusal> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Refusal::UnreadableTarget)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn read(target: &str, hosts: &[&str]) -> Result<Received, Refusal> {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        Received::read(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn both_forms_of_the_target_are_read() {
        for target in ["/asrbucket?a=%20b&c", "http://ci.ap-x.myqcloud.com/asrbucket?a=%20b&c"] {
            let read = read(target, &["ci.ap-x.myqcloud.com"]).unwrap();
            assert_eq!((read.host(), read.path()), ("ci.ap-x.myqcloud.com", "/asrbucket"));
            assert_eq!(read.parameters().collect::<Vec<_>>(), [("a", " b"), ("c", "")]);
        }
    }

    #[test]
    fn a_target_that_disagrees_with_the_host_is_refused() {
        for target in
            ["http://other.myqcloud.com/", "http://ci.ap-x.myqcloud.com:80/", "http://u@ci.ap-x.myqcloud.com/"]
        {
            assert!(matches!(read(target, &["ci.ap-x.myqcloud.com"]), Err(Refusal::HostsDisagree)), "{target}");
        }
    }

    #[test]
    fn there_is_exactly_one_host() {
        assert!(matches!(read("/", &[]), Err(Refusal::NotOneHost)));
        assert!(matches!(read("/", &["a", "a"]), Err(Refusal::NotOneHost)));
        assert!(matches!(read("http://a/", &[]), Err(Refusal::NotOneHost)));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert!(matches!(read("/?a=1&a=2", &["h"]), Err(Refusal::RepeatedParameter)));
        assert!(matches!(read("/?a=1&A=2", &["h"]), Err(Refusal::RepeatedParameter)));
        assert!(matches!(read("/%ff", &["h"]), Err(Refusal::UnreadableTarget)));
        assert!(matches!(read("/?a=%ff", &["h"]), Err(Refusal::UnreadableTarget)));
    }

    #[test]
    fn a_path_is_decoded_once_and_not_normalised() {
        assert_eq!(read("//a/../%252F%2F", &["h"]).unwrap().path(), "//a/../%2F/");
    }
}
