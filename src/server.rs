//! Listeners: connections in, strict heads only, and an orderly end.

use std::path::PathBuf;
use std::time::Duration;

/// How a listener treats its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Connections held at once; one more is told so and closed.
    pub max_connections: usize,
    /// From the first wait for a head to its last byte; also how long an idle connection is kept.
    pub header_read_timeout: Duration,
    /// TLS, where the listener speaks it.
    pub tls: Option<TlsSettings>,
}

/// The files of a TLS listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// PEM private key; nobody but the owner may read the file.
    pub private_key: PathBuf,
    /// PEM certificates of the authorities whose clients are let in; without it no client certificate is asked for.
    pub client_ca: Option<PathBuf>,
}
