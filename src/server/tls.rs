//! TLS of a listener: files in, an acceptor out.

mod clients;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::TlsSettings;
use crate::credentials::{read_file, read_secret_file};
use crate::domain::{Mistake, Mistakes};
use clients::Clients;

/// For a file of certificates or of revocations, in bytes; a list of revocations may have a million entries.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What a TLS listener needs, read and checked: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN (RFC 7301).
///
/// Its clones are one: what [`Self::replace`] puts in force is in force for the next handshake of all of them.
/// Connections that stand keep what they were made with, for at most an hour, and only as long as the same clients are
/// let in: with other authorities or another list of revocations, every client has to come again.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<Handshakes>>);

/// What handshakes are made with.
#[derive(Clone)]
pub(super) struct Handshakes {
    config: Arc<ServerConfig>,
    clients: Option<Arc<Clients>>,
    /// Cancelled when `clients` are no longer those that are let in.
    outdated: CancellationToken,
}

impl Tls {
    /// Reads the files and checks that they belong together.
    ///
    /// # Errors
    /// Every mistake, each with its file; nothing of the private key stands in it.
    pub fn load(settings: &TlsSettings) -> Result<Self, Mistakes> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let place = settings.certificate.display().to_string();
        let chain = certificates(&settings.certificate);
        let key = private_key(&settings.private_key);
        let clients = clients::checked(settings, Arc::clone(&provider));
        let mut found: Vec<Mistake> =
            [chain.as_ref().err(), key.as_ref().err()].into_iter().flatten().cloned().collect();
        found.extend(clients.as_ref().err().into_iter().flat_map(Mistakes::iter).cloned());
        Mistakes::unless_any(found, ())?;
        let (chain, key, clients) = (chain?, key?, clients?);
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|why| Mistake::new(place.as_str(), format!("TLS cannot be set up: {why}")))?;
        let (builder, clients) = match clients {
            None => (builder.with_no_client_auth(), None),
            Some((clients, verifier)) => (builder.with_client_cert_verifier(verifier), Some(Arc::new(clients))),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|why| {
            Mistake::new(place, format!("the certificate cannot be used with its private key: {why}"))
                .hint("give the server's own certificate first, and the private key that it was made for")
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if clients.is_some() {
            look_anew_each_time(&mut config);
        }
        let handshakes = Handshakes { config: Arc::new(config), clients, outdated: CancellationToken::new() };
        Ok(Self(Arc::new(ArcSwap::from_pointee(handshakes))))
    }

    /// Lets the next handshakes, of all clones, be made with what `fresh` was read from. What stands is outdated if other
    /// clients are let in now.
    pub fn replace(&self, fresh: &Self) {
        let (before, fresh) = (self.0.load_full(), fresh.0.load_full());
        if before.clients == fresh.clients {
            let outdated = before.outdated.clone();
            self.0.store(Arc::new(Handshakes { outdated, ..Handshakes::clone(&fresh) }));
        } else {
            self.0.store(fresh);
            before.outdated.cancel();
        }
    }

    /// What a handshake that begins now is made with.
    pub(super) fn handshakes(&self) -> Arc<Handshakes> {
        self.0.load_full()
    }
}

impl Handshakes {
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Cancelled as soon as clients are checked by other files than they are here.
    pub(super) fn outdated(&self) -> &CancellationToken {
        &self.outdated
    }
}

/// A resumed session brings its certificate along unchecked: one that has expired or was revoked meanwhile would pass.
fn look_anew_each_time(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Mistake> {
    read_file(path, LARGEST).map_err(|why| Mistake::new(path.display().to_string(), format!("cannot be read: {why}")))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let place = path.display().to_string();
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(Mistake::new(place, "holds no certificate")
            .hint("a PEM file is needed, with `-----BEGIN CERTIFICATE-----` in it")),
        Err(why) => Err(Mistake::new(place, format!("is not PEM: {why}"))
            .hint("a PEM file is needed, with `-----BEGIN CERTIFICATE-----` in it")),
    }
}

/// The error says nothing of the text, which may be a key.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Mistake> {
    let pem = read_secret_file(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        Mistake::new(path.display().to_string(), "holds no private key")
            .hint("a PEM file is needed, with an unencrypted `-----BEGIN PRIVATE KEY-----` in it")
    })
}
