//! The stand-in: a model of Cloud Infinite on a real socket.
//!
//! It knows the activation calls of the six services, keeps what is switched on in memory, verifies every
//! signature by code of its own, and can be told to misbehave. Beside it are the two services that give keys for a while: the
//! metadata service of a machine, and the Security Token Service. `ci-gateway dev` talks to it, our tests do, and
//! `ci-gateway stand-in` gives it to other teams. It shares nothing with the gateway but the nouns of
//! [`crate::domain`].
//!
//! Where upstream's behaviour is not documented, the code says so at the place that decides. Signatures in the
//! query string (presigned addresses) are not known here.

mod answer;
mod authorization;
mod connection;
mod enrolments;
mod fault;
mod key_service;
mod keys;
mod ledger;
mod metadata;
mod percent;
mod place;
mod refusal;
mod request;
mod sessions;
mod strike;
mod sts;
mod tc3;
mod verify;
mod world;
mod xml;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::Bucket;
use connection::{Tasks, Transport};
use world::World;

pub use fault::{Fault, KeyServiceFault, UnknownFault};
pub use key_service::{KeyService, KeyServiceSettings};
pub use keys::KnownKey;
pub use ledger::{Answered, Arrival};
pub use strike::{Faults, Strike};

/// How a stand-in behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The keys that requests may be signed with; [`StandIn::set_keys`] changes them later.
    pub keys: Vec<KnownKey>,
    /// Whether a signature must cover `host`. The gateway promises it; whether upstream insists is not known.
    pub require_signed_host: bool,
    /// The buckets that exist.
    pub buckets: KnownBuckets,
    /// What the services know that give keys for a while.
    pub key_services: KeyServiceSettings,
    /// The faults at the start; [`StandIn::set_faults`] changes them later.
    pub faults: Faults,
}

impl Settings {
    /// The usual: this one key, a signed host, all buckets but the missing, no faults.
    #[must_use]
    pub fn with_key(key: KnownKey) -> Self {
        Self {
            keys: vec![key],
            require_signed_host: true,
            buckets: KnownBuckets::AllButMissing,
            key_services: KeyServiceSettings::default(),
            faults: Faults::none(),
        }
    }
}

/// Which buckets exist; a call on another one is answered with 404 `NoSuchBucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBuckets {
    /// Every bucket whose name does not begin with `missing-`.
    AllButMissing,
    /// These, in every region.
    Only(Vec<Bucket>),
}

/// A running stand-in. Clones are handles to the same one.
///
/// It runs until [`StandIn::stop`] or the end of its runtime, whichever comes first; dropping the handles
/// does not end it.
#[derive(Clone)]
pub struct StandIn {
    address: SocketAddr,
    tasks: Tasks,
}

impl StandIn {
    /// Starts on a listener, in plain HTTP. Needs a Tokio runtime around it.
    #[must_use]
    pub fn start(listener: TcpListener, settings: Settings) -> Self {
        Self::on(listener, settings, Transport::Plain)
    }

    /// Starts on a listener, in HTTPS. `tls` holds the certificate; HTTP/1.1 is all that is spoken.
    #[must_use]
    pub fn start_tls(listener: TcpListener, settings: Settings, tls: rustls::ServerConfig) -> Self {
        Self::on(listener, settings, Transport::Tls(TlsAcceptor::from(Arc::new(tls))))
    }

    fn on(listener: TcpListener, settings: Settings, transport: Transport) -> Self {
        // A listener that is bound has an address; if the system cannot say it, nobody can connect either.
        let address = listener.local_addr().unwrap_or_else(|_| (Ipv4Addr::UNSPECIFIED, 0).into());
        let world = Arc::new(World::new(settings));
        let tasks = Tasks { world, stop: CancellationToken::new(), tracker: TaskTracker::new() };
        tasks.spawn_accepting(listener, transport);
        Self { address, tasks }
    }

    /// Where it listens, with the real port if the listener was bound to port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The calls of Cloud Infinite so far, in the order of their arrival: the latest 10 000 of them. Questions for keys are
    /// not among them.
    ///
    /// A request is there before anything is done about it, so that an empty list means that nothing came.
    #[must_use]
    pub fn requests(&self) -> Vec<Arrival> {
        self.tasks.world.ledger().arrivals()
    }

    /// How many calls of Cloud Infinite have arrived so far.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.tasks.world.ledger().count()
    }

    /// The questions so far that asked the Security Token Service.
    #[must_use]
    pub fn sts_requests(&self) -> Vec<Arrival> {
        self.tasks.world.asked(KeyService::Sts)
    }

    /// The questions so far that asked the metadata service.
    #[must_use]
    pub fn metadata_requests(&self) -> Vec<Arrival> {
        self.tasks.world.asked(KeyService::Metadata)
    }

    /// Each request from now on, questions for keys among them, when it is finished. A reader that is 1024 behind misses the oldest.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arrival> {
        self.tasks.world.ledger().watch()
    }

    /// Replaces the faults; requests that have arrived keep what they have met.
    pub fn set_faults(&self, faults: impl Into<Faults>) {
        self.tasks.world.set_faults(faults.into());
    }

    /// Replaces the keys, as an account's owner does who makes a new one and deletes the old.
    pub fn set_keys(&self, keys: &[KnownKey]) {
        self.tasks.world.set_keys(keys);
    }

    /// Stops accepting, drops every connection, and returns when nothing of it runs any more.
    pub async fn stop(self) {
        self.tasks.stop.cancel();
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).finish_non_exhaustive()
    }
}
