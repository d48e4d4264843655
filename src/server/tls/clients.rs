//! Whose clients get through the handshake.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;

use super::certificates;
use crate::domain::{Mistake, Mistakes};
use crate::server::TlsSettings;

const WANTED: &str = "a PEM file is needed, with `-----BEGIN X509 CRL-----` in it";

/// Asks for certificates of the authorities in `settings`, if there are any: their chain, time and purpose are checked,
/// and, where there are lists, that none of the chain is revoked.
///
/// With lists, a certificate about which no list says anything is refused, and so is everyone when a list is past its
/// next update: who revokes certificates wants to know, and a list that is kept back would otherwise undo it.
pub(super) fn verifier(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Mistakes> {
    let Some(authorities) = settings.client_ca.as_deref() else { return Ok(None) };
    let roots = roots(authorities);
    let lists = settings.client_crl.as_deref().map_or_else(|| Ok(Vec::new()), revocations);
    let found = [roots.as_ref().err(), lists.as_ref().err()];
    Mistakes::unless_any(found.into_iter().flatten().cloned().collect(), ())?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots?), provider);
    let verifier = builder.with_crls(lists?).enforce_revocation_expiration().build().map_err(|why| match why {
        VerifierBuilderError::InvalidCrl(why) => {
            let list = settings.client_crl.as_deref().unwrap_or(authorities);
            Mistake::new(list.display().to_string(), format!("holds a list that cannot be used: {why:?}")).hint(WANTED)
        }
        why => Mistake::new(authorities.display().to_string(), format!("cannot be used to check clients: {why}")),
    })?;
    Ok(Some(verifier))
}

fn roots(path: &Path) -> Result<RootCertStore, Mistake> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|why| {
            let what = format!("holds a certificate that cannot be an authority: {why}");
            Mistake::new(path.display().to_string(), what)
                .hint("give the certificates of those that sign your clients' certificates")
        })?;
    }
    Ok(roots)
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Mistake> {
    let place = path.display().to_string();
    let pem = std::fs::read(path).map_err(|why| Mistake::new(place.as_str(), format!("cannot be read: {why}")))?;
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        Ok(_) => Err(Mistake::new(place, "holds no list of revoked certificates").hint(WANTED)),
        Err(why) => Err(Mistake::new(place, format!("is not PEM: {why}")).hint(WANTED)),
    }
}
