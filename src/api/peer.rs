//! Who is at the other end of the connection.

use std::net::SocketAddr;

/// The address that a request came from; `server` puts it on every request as an extension.
///
/// The socket's own word: no header such as `X-Forwarded-For` ever changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub SocketAddr);
