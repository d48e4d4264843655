//! Everything that a request shows of who sent it.

use std::net::IpAddr;

use http::HeaderMap;
use rustls_pki_types::CertificateDer;

/// What a request presents, before any of it is believed.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'r> {
    /// Its head.
    pub headers: &'r HeaderMap,
    /// The client certificate of its connection, whose chain the handshake has verified.
    pub certificate: Option<&'r CertificateDer<'static>>,
    /// The address that it comes from.
    pub source: Option<IpAddr>,
}

impl<'r> From<&'r HeaderMap> for Presented<'r> {
    /// Over a connection without a client certificate, from nobody knows where.
    fn from(headers: &'r HeaderMap) -> Self {
        Self { headers, certificate: None, source: None }
    }
}
