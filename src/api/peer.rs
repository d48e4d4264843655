//! Who is at the other end of the connection.

use std::net::SocketAddr;

/// The address that a request came from; `server` puts it on every request as an extension.
///
/// The socket's own word: no header ever changes it. Where a trusted proxy says that it asks for somebody else, that is
/// the client's address (`api::client_address`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub SocketAddr);
