//! A bound socket, with what it needs to serve.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{Settings, Tls};
use crate::domain::Mistakes;

/// A socket that listens; connections wait in the kernel until [`serve`](super::serve) takes them.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    pub(super) settings: Settings,
    pub(super) tls: Option<Tls>,
    address: SocketAddr,
}

impl Listener {
    /// Reads the TLS files, where there are any, and binds `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`ListenError`] tells what to do about it.
    pub async fn bind(address: SocketAddr, settings: &Settings) -> Result<Self, ListenError> {
        let tls = settings.tls.as_ref().map(Tls::load).transpose().map_err(ListenError::Tls)?;
        let socket = TcpListener::bind(address).await.map_err(|why| ListenError::of(address, why))?;
        let address = socket.local_addr().map_err(|why| ListenError::of(address, why))?;
        Ok(Self { socket, settings: settings.clone(), tls, address })
    }

    /// What its handshakes are made with, where it speaks TLS; a reload replaces it.
    #[must_use]
    pub fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// The address that is listened on, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port is taken.
    #[error(
        "cannot listen on `{0}`: the port is in use (hint: is another ci-gateway running? stop it, or choose another \
         `listen` address)"
    )]
    InUse(SocketAddr),
    /// The system does not let us have the port.
    #[error("cannot listen on `{0}`: not permitted (hint: choose a port from 1024 up, or grant CAP_NET_BIND_SERVICE)")]
    NotPermitted(SocketAddr),
    /// The address belongs to no interface.
    #[error("cannot listen on `{0}`: this machine has no such address (hint: `ip address` lists those that it has)")]
    NotOurs(SocketAddr),
    /// Anything else that the system says.
    #[error("cannot listen on `{0}`: {1}")]
    Other(SocketAddr, io::Error),
    /// The TLS files cannot be used.
    #[error("{0}")]
    Tls(Mistakes),
}

impl ListenError {
    fn of(address: SocketAddr, why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(address),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(address),
            _ => Self::Other(address, why),
        }
    }
}
