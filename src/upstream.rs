//! The one door out.

use std::time::Duration;

mod endpoint;

pub use endpoint::{Endpoint, InvalidEndpoint};

/// How Cloud Infinite is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to connect instead of the real host; `Host` and the signature stay those of the real host.
    pub endpoint: Option<Endpoint>,
    /// For a connection to stand: name look-up, TCP and TLS.
    pub connect_timeout: Duration,
    /// From the request's first byte to the answer's last.
    pub response_timeout: Duration,
}
