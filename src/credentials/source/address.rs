//! The addresses of the services that give keys away.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use http::Uri;

use crate::domain::is_loopback;

/// The name of Tencent's metadata service, which resolves on its machines alone.
const METADATA: &str = "metadata.tencentyun.com";
/// The domain of Tencent's API, and so of the only ones that may make keys of ours.
const API_SUFFIX: &str = ".tencentcloudapi.com";

/// Where the metadata service is: a machine's own link, which nobody else can listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataUrl(Uri);

/// Where the Security Token Service is: over a connection whose other end is proved, or one that leaves no machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsUrl(Uri);

impl MetadataUrl {
    /// The address: scheme, host and perhaps a port.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl StsUrl {
    /// The address: scheme, host and perhaps a port.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for MetadataUrl {
    type Err = InvalidAddress;

    /// # Errors
    /// [`InvalidAddress`] says what is wrong with the text.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri = address(text)?;
        let is_ours = uri.host().is_some_and(|host| host == METADATA || is_loopback(host) || is_of_the_link(host));
        if uri.scheme_str() == Some("http") && is_ours { Ok(Self(uri)) } else { Err(InvalidAddress::NotTheLink) }
    }
}

impl FromStr for StsUrl {
    type Err = InvalidAddress;

    /// # Errors
    /// [`InvalidAddress`] says what is wrong with the text.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri = address(text)?;
        let host = uri.host().unwrap_or_default();
        let official = uri.scheme_str() == Some("https") && host.to_ascii_lowercase().ends_with(API_SUFFIX);
        if official || is_loopback(host) { Ok(Self(uri)) } else { Err(InvalidAddress::NotTheApi) }
    }
}

impl fmt::Display for MetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for StsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `http` or `https`, a host, perhaps a port, and nothing else.
fn address(text: &str) -> Result<Uri, InvalidAddress> {
    let uri = text.parse::<Uri>().map_err(|_| InvalidAddress::NotAUrl)?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(InvalidAddress::NotAUrl);
    };
    // `Uri` drops a fragment in silence.
    let more = authority.as_str().contains('@') || authority.host().is_empty() || text.contains(['#', '?']);
    if more || !matches!(uri.path(), "" | "/") { Err(InvalidAddress::MoreThanAnAddress) } else { Ok(uri) }
}

/// RFC 3927, section 2.1: 169.254/16 is never routed.
fn is_of_the_link(host: &str) -> bool {
    host.parse().is_ok_and(|ip: IpAddr| matches!(ip, IpAddr::V4(ip) if Ipv4Addr::is_link_local(&ip)))
}

/// Why a text is not the address of such a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not `http://host` or `https://host`.
    #[error("write scheme and host, such as `https://sts.tencentcloudapi.com`")]
    NotAUrl,
    /// User information, a path, a query or a fragment.
    #[error("write scheme, host and port only")]
    MoreThanAnAddress,
    /// A service that is neither Tencent's, proved, nor on this machine.
    #[error("write https and a host of tencentcloudapi.com, or 127.0.0.1: whoever is asked can sign in our name")]
    NotTheApi,
    /// A metadata service that is not on the machine's own link.
    #[error(
        "write http and metadata.tencentyun.com, an address in 169.254.0.0/16, or 127.0.0.1: what stands anywhere else is no metadata service"
    )]
    NotTheLink,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_service_is_on_the_machines_own_link() {
        for text in ["http://metadata.tencentyun.com", "http://169.254.0.23", "http://127.0.0.1:8000/"] {
            assert_eq!(
                text.parse::<MetadataUrl>().unwrap().to_string().trim_end_matches('/'),
                text.trim_end_matches('/')
            );
        }
        for text in
            ["http://10.0.0.1", "https://metadata.tencentyun.com", "http://169.254.0.23.evil.test", "http://localhost"]
        {
            assert_eq!(text.parse::<MetadataUrl>(), Err(InvalidAddress::NotTheLink), "{text}");
        }
    }

    #[test]
    fn the_token_service_is_proved_or_loopback() {
        for text in ["https://sts.tencentcloudapi.com", "http://127.0.0.1:9", "http://[::1]:9"] {
            assert!(text.parse::<StsUrl>().is_ok(), "{text}");
        }
        for text in [
            "http://sts.tencentcloudapi.com",
            "https://sts.tencentcloudapi.com.evil.test",
            "https://eviltencentcloudapi.com",
            "https://10.0.0.1",
            "http://localhost",
        ] {
            assert_eq!(text.parse::<StsUrl>(), Err(InvalidAddress::NotTheApi), "{text}");
        }
    }

    #[test]
    fn only_scheme_host_and_port_are_an_address() {
        for text in ["https://u:p@a.test", "https://a.test/path", "https://a.test/?q", "https://a.test/#f"] {
            assert_eq!(text.parse::<StsUrl>(), Err(InvalidAddress::MoreThanAnAddress), "{text}");
        }
        for text in ["", "a.test", "/x", "ftp://127.0.0.1", "file:///etc/passwd"] {
            assert_eq!(text.parse::<StsUrl>(), Err(InvalidAddress::NotAUrl), "{text}");
        }
    }
}
