//! Where a request comes from: the peer's address, or what a trusted proxy says instead.
//!
//! One answer for all who ask: `qcs:ip` in the policy, networks of API keys, the rate of failed authentication, the log.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of proxies whose `X-Forwarded-For` is believed; of anyone else no header is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks; IPv4 ones in their own form, not mapped into IPv6.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The networks.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }

    /// The address of who asked: that of `peer`, or, if that is a trusted proxy, the right-most one in
    /// `X-Forwarded-For` that is not.
    ///
    /// It is read from the right, and what stands left of that address is the client's own text: not looked at. None if
    /// the proxies leave nobody, or if what they wrote is no plain address: whoever sits behind a proxy that cannot be
    /// understood is not taken for the proxy. `Forwarded` (RFC 7239) is not read.
    pub(super) fn client(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.0.ip().to_canonical();
        if !self.trusts(peer) {
            return Some(peer);
        }
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        let from_the_right = lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for written in from_the_right {
            let written = std::str::from_utf8(written).ok()?;
            let address = written.trim_matches([' ', '\t']).parse::<IpAddr>().ok()?.to_canonical();
            if !self.trusts(address) {
                return Some(address);
            }
        }
        None
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn client(peer: &str, lines: &[&str]) -> Option<String> {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let peer = Peer(format!("{peer}:443").parse().unwrap());
        TrustedProxies::new(trusted.to_vec()).client(peer, &headers).map(|address| address.to_string())
    }

    #[test]
    fn of_a_trusted_proxy_the_right_most_address_that_is_no_proxy_is_taken() {
        for (lines, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.9,192.0.2.1 ,10.1.1.1,\t10.2.2.2"], "192.0.2.1"),
            (&["198.51.100.9", "192.0.2.1", "10.1.1.1"], "192.0.2.1"),
            (&["10.1.1.1, 192.0.2.1"], "192.0.2.1"),
            (&["2001:db8::7, 2001:db9::7"], "2001:db9::7"),
            (&["192.0.2.1, ::ffff:10.9.9.9"], "192.0.2.1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
        ] {
            assert_eq!(client("10.0.0.1", lines).as_deref(), Some(expected), "{lines:?}");
        }
        assert_eq!(client("[::ffff:10.0.0.1]", &["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(client("[2001:db8::1]", &["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn what_a_client_wrote_itself_cannot_make_its_address_unknown() {
        for lines in [&["unknown, 192.0.2.1"][..], &[",192.0.2.1"], &["x"; 2][..1], &["\u{e9}", "192.0.2.1, 10.1.1.1"]]
        {
            let expected = if lines == ["x"] { None } else { Some("192.0.2.1".to_owned()) };
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn where_a_trusted_proxy_says_nothing_that_can_be_understood_there_is_no_address() {
        for lines in [
            &[][..],
            &[""],
            &["10.1.1.1"],
            &["10.1.1.1, 10.2.2.2"],
            &["unknown"],
            &["192.0.2.1, unknown"],
            &["192.0.2.1,"],
            &["192.0.2.1,,10.1.1.1"],
            &["192.0.2.1, x, 10.1.1.1"],
            &["192.0.2.1:80"],
            &["[2001:db9::1]"],
            &["[2001:db9::1]:80"],
            &["fe80::1%eth0"],
            &["192.0.2.01"],
            &["192.0.2"],
            &["3221225985"],
            &["0xc0.0.2.1"],
            &["192.0.2.1 10.0.0.1"],
            &["\"192.0.2.1\""],
            &["for=192.0.2.1"],
            &["192.0.2.1\u{e9}"],
            &["192.0.2.1", ""],
        ] {
            assert_eq!(client("10.0.0.1", lines), None, "{lines:?}");
        }
    }

    #[test]
    fn of_anyone_else_no_header_is_believed() {
        for lines in [&[][..], &["10.0.0.1"], &["192.0.2.1"], &["unknown"]] {
            assert_eq!(client("203.0.113.7", lines).as_deref(), Some("203.0.113.7"));
            assert_eq!(client("[::ffff:203.0.113.7]", lines).as_deref(), Some("203.0.113.7"));
        }
    }

    proptest! {
        #[test]
        fn whatever_a_caller_writes_before_it_the_proxys_word_decides(
            text in "[0-9a-f.:, x\\t]{0,60}", client_address in any::<[u8; 4]>(),
        ) {
            let address = IpAddr::from(client_address);
            let [first, ..] = client_address;
            prop_assume!(first != 10);
            let seen = client("10.0.0.1", &[&text, &address.to_string()]);
            prop_assert_eq!(seen, Some(address.to_string()));
        }
    }
}
