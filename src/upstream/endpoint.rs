//! An address to connect to instead of Cloud Infinite's own.

use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::domain::is_loopback;

/// The domain under which a signed request may go without a further word.
const OFFICIAL_SUFFIX: &str = ".myqcloud.com";

/// Scheme and authority, without path, query or user information.
///
/// Signed requests are as good as the key for the length of their window, so where they may be sent is
/// decided here: to a loopback address, to `https://*.myqcloud.com`, or, if the operator says
/// `unsafe_endpoint = true`, elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
}

impl Endpoint {
    /// Reads `http://host:port` or `https://host[:port]`; `anywhere` lifts the restriction on the host.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] says what is wrong with the text or that the host needs the operator's word.
    pub fn parse(text: &str, anywhere: bool) -> Result<Self, InvalidEndpoint> {
        let parts = text.parse::<Uri>().map_err(|_| InvalidEndpoint::NotAUri)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(InvalidEndpoint::NotAUri);
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(InvalidEndpoint::Scheme);
        }
        let bare = parts.path_and_query.is_none_or(|path| path == "/") && !authority.as_str().contains('@');
        if !bare || authority.host().is_empty() || text.contains('#') {
            return Err(InvalidEndpoint::MoreThanAnAddress);
        }
        let official = scheme == Scheme::HTTPS && authority.host().to_ascii_lowercase().ends_with(OFFICIAL_SUFFIX);
        if anywhere || official || is_loopback(authority.host()) {
            Ok(Self { scheme, authority })
        } else if authority.host().eq_ignore_ascii_case("localhost") {
            Err(InvalidEndpoint::Localhost)
        } else {
            Err(InvalidEndpoint::NeedsUnsafe)
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// Why a text is not an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not `scheme://host`.
    #[error("not an address like `https://host` or `http://127.0.0.1:8000`")]
    NotAUri,
    /// Neither http nor https.
    #[error("the scheme is neither `http` nor `https`")]
    Scheme,
    /// A path, query, fragment or user information.
    #[error("an endpoint is scheme, host and port only")]
    MoreThanAnAddress,
    /// The name, which need not lead to loopback.
    #[error("write 127.0.0.1: the name `localhost` is whatever the resolver says")]
    Localhost,
    /// A host that signed requests do not go to unasked.
    #[error("signed requests go only to a loopback address or to `https://*.myqcloud.com`")]
    NeedsUnsafe,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_the_official_domain_need_no_further_word() {
        for text in ["http://127.0.0.1:8000", "http://127.9.9.9:1/", "http://[::1]:80", "https://ci.ap-x.myqcloud.com"]
        {
            assert!(Endpoint::parse(text, false).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_hosts_need_the_operators_word() {
        for text in [
            "http://ci.ap-x.myqcloud.com",
            "https://myqcloud.com.evil.test",
            "https://evilmyqcloud.com",
            "https://127.0.0.1.evil.test",
            "http://10.0.0.1",
            "http://0.0.0.0:1",
        ] {
            assert_eq!(Endpoint::parse(text, false), Err(InvalidEndpoint::NeedsUnsafe), "{text}");
            assert!(Endpoint::parse(text, true).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_name_localhost_is_told_apart_and_needs_the_operators_word_too() {
        for text in ["http://localhost:8000", "https://LocalHost"] {
            assert_eq!(Endpoint::parse(text, false), Err(InvalidEndpoint::Localhost), "{text}");
            assert!(Endpoint::parse(text, true).is_ok(), "{text}");
        }
        assert_eq!(Endpoint::parse("http://localhost.evil.test", false), Err(InvalidEndpoint::NeedsUnsafe));
    }

    #[test]
    fn more_than_an_address_is_refused_even_with_it() {
        for text in [
            "http://127.0.0.1/x",
            "http://127.0.0.1?x",
            "http://u@127.0.0.1",
            "http://127.0.0.1#f",
            "ftp://127.0.0.1",
            "127.0.0.1:1",
            "",
        ] {
            assert!(Endpoint::parse(text, true).is_err(), "{text}");
        }
    }
}
