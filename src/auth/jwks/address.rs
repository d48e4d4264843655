//! The address that an issuer serves its keys at.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use crate::domain::is_loopback;

/// An `https` address, or an `http` one of a literal loopback address: whoever can change a key set on its way can
/// make tokens, so it comes over a connection whose other end is proved, or over none that leaves the machine.
///
/// The same rule as for `ci.endpoint`; a name such as `localhost` is whatever the resolver says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksUrl(Uri);

impl JwksUrl {
    /// The address.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether the other end has to prove who it is.
    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }
}

impl FromStr for JwksUrl {
    type Err = InvalidJwksUrl;

    /// # Errors
    /// [`InvalidJwksUrl`] says what is wrong with the text.
    fn from_str(text: &str) -> Result<Self, InvalidJwksUrl> {
        let uri = text.parse::<Uri>().map_err(|_| InvalidJwksUrl::NotAUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(InvalidJwksUrl::NotAUrl);
        };
        // `Uri` drops a fragment in silence.
        if authority.as_str().contains('@') || text.contains('#') || authority.host().is_empty() {
            return Err(InvalidJwksUrl::MoreThanAnAddress);
        }
        match scheme.as_str() {
            "https" => Ok(Self(uri)),
            "http" if is_loopback(authority.host()) => Ok(Self(uri)),
            "http" => Err(InvalidJwksUrl::Plain),
            _ => Err(InvalidJwksUrl::NotAUrl),
        }
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not the address of a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwksUrl {
    /// Not `https://host/path`.
    #[error("write an address such as `https://issuer.example.com/.well-known/jwks.json`")]
    NotAUrl,
    /// User information or a fragment.
    #[error("write scheme, host, port, path and query only")]
    MoreThanAnAddress,
    /// `http` to anything but a loopback address.
    #[error("write https: whoever can change the keys on their way can make tokens; http is for 127.0.0.1 alone")]
    Plain,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Row 59: the host is pinned by the configuration, and proved.
    #[test]
    fn keys_come_over_https_or_from_a_loopback_address() {
        for (text, https) in [
            ("https://issuer.example/jwks?v=1", true),
            ("https://10.0.0.1:8443/", true),
            ("http://127.0.0.1:8000/jwks", false),
            ("http://[::1]/jwks", false),
            ("http://127.9.9.9/jwks", false),
        ] {
            assert_eq!(text.parse::<JwksUrl>().unwrap().is_https(), https, "{text}");
        }
        for text in
            ["http://issuer.example/jwks", "http://10.0.0.1/", "http://localhost/", "http://127.0.0.1.evil.test"]
        {
            assert_eq!(text.parse::<JwksUrl>(), Err(InvalidJwksUrl::Plain), "{text}");
        }
        for text in ["", "/jwks", "issuer.example", "ftp://127.0.0.1/x", "file:///etc/passwd"] {
            assert_eq!(text.parse::<JwksUrl>(), Err(InvalidJwksUrl::NotAUrl), "{text}");
        }
        for text in ["https://u:p@issuer.example/", "https://127.0.0.1@evil.test/", "https://issuer.example/#f"] {
            assert_eq!(text.parse::<JwksUrl>(), Err(InvalidJwksUrl::MoreThanAnAddress), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_and_what_it_takes_is_proved_or_loopback(text in "(https?://)?\\PC{0,40}") {
            if let Ok(url) = text.parse::<JwksUrl>() {
                prop_assert!(url.is_https() || url.uri().host().is_some_and(is_loopback), "{text}");
            }
        }
    }
}
