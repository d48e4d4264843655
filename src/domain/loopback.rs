//! Which hosts are this machine for sure.

use core::net::{IpAddr, Ipv4Addr};

/// Whether `host`, as it stands in a URL, is a literal loopback address (RFC 1122 section 3.2.1.3, RFC 4291 section
/// 2.5.3). Only literal addresses: the name `localhost` is whatever the resolver says.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match literal.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_loopback(),
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.to_ipv4_mapped().as_ref().is_some_and(Ipv4Addr::is_loopback),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_cannot_leave_the_machine_are_loopback() {
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "::1", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost", "127.0.0.1.evil.test", "0.0.0.0", "[::]", "10.0.0.1", "127.1", "[::1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
