//! Whose clients get through the handshake.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use super::{certificates, read};
use crate::domain::{Mistake, Mistakes};
use crate::server::TlsSettings;

const WANTED: &str = "a PEM file is needed, with `-----BEGIN X509 CRL-----` in it";

/// Who is let in: two of these are equal if they let in the same.
#[derive(PartialEq, Eq)]
pub(super) struct Clients {
    authorities: Vec<CertificateDer<'static>>,
    revocations: Vec<CertificateRevocationListDer<'static>>,
}

/// With what checks them in a handshake.
type Checked = (Clients, Arc<dyn ClientCertVerifier>);

/// Asks for certificates of the authorities in `settings`, if there are any: their chain, time and purpose are checked,
/// and, where there are lists, that none of the chain is revoked.
///
/// With lists, a certificate about which no list says anything is refused, and so is everyone when a list is past its
/// next update: who revokes certificates wants to know, and a list that is kept back would otherwise undo it.
pub(super) fn checked(settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Option<Checked>, Mistakes> {
    let Some(file) = settings.client_ca.as_deref() else { return Ok(None) };
    let authorities = certificates(file);
    let roots = authorities.as_ref().map_err(Clone::clone).and_then(|found| roots(file, found));
    let lists = settings.client_crl.as_deref().map_or_else(|| Ok(Vec::new()), revocations);
    let found = [roots.as_ref().err(), lists.as_ref().err()];
    Mistakes::unless_any(found.into_iter().flatten().cloned().collect(), ())?;
    let clients = Clients { authorities: authorities?, revocations: lists? };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots?), provider);
    let verifier =
        builder.with_crls(clients.revocations.iter().cloned()).enforce_revocation_expiration().build().map_err(
            |why| match why {
                VerifierBuilderError::InvalidCrl(why) => {
                    let list = settings.client_crl.as_deref().unwrap_or(file);
                    Mistake::new(list.display().to_string(), format!("holds a list that cannot be used: {why:?}"))
                        .hint(WANTED)
                }
                why => Mistake::new(file.display().to_string(), format!("cannot be used to check clients: {why}")),
            },
        )?;
    Ok(Some((clients, verifier)))
}

fn roots(path: &Path, authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, Mistake> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate.clone()).map_err(|why| {
            let what = format!("holds a certificate that cannot be an authority: {why}");
            Mistake::new(path.display().to_string(), what)
                .hint("give the certificates of those that sign your clients' certificates")
        })?;
    }
    Ok(roots)
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Mistake> {
    let place = path.display().to_string();
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        Ok(_) => Err(Mistake::new(place, "holds no list of revoked certificates").hint(WANTED)),
        Err(why) => Err(Mistake::new(place, format!("is not PEM: {why}")).hint(WANTED)),
    }
}
