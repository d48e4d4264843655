//! Listeners: connections in, strict heads only, and an orderly end.
//!
//! A connection's bytes meet the `guard` first, which lets through inspected heads (`head`) and the bodies that
//! they told of; hyper parses them, and the `reception` hands the requests on with what the connection knows. The
//! caller owns the signals: [`serve`] runs until its [`Drain`] has come to its end.

mod alarm;
mod connections;
mod drain;
mod exchange;
mod farewell;
mod fields;
mod guard;
mod head;
mod listener;
mod reception;
mod serve;
mod streams;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod turn_away;

use std::path::PathBuf;
use std::time::Duration;

pub use connections::Connections;
pub use drain::{Drain, Ended};
pub use head::{Framing, Head, inspect};
pub use listener::{ListenError, Listener};
pub use serve::serve;
pub use tls::Tls;

pub use crate::api::Peer;

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
    /// PEM lists of the certificates that those authorities have revoked.
    pub client_crl: Option<PathBuf>,
}
