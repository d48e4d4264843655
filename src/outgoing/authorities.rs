//! Who may vouch for the other end.

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::domain::Mistake;

/// Authorities beside those of the platform; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// The certificates of a text in PEM.
    ///
    /// # Errors
    /// [`UnusableAuthorities`] if there is none, or one that cannot vouch.
    pub fn from_pem(pem: &[u8]) -> Result<Self, UnusableAuthorities> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|why| UnusableAuthorities::Unreadable(why.to_string().into()))?;
        let (usable, ignored) = RootCertStore::empty().add_parsable_certificates(found.iter().cloned());
        if usable == 0 || ignored > 0 {
            return Err(UnusableAuthorities::Ignored { usable, ignored });
        }
        Ok(Self(found))
    }

    /// These and the platform's; `peer` says in a mistake whom they are to vouch for.
    pub(super) fn with_those_of_the_platform(&self, peer: &str) -> Result<RootCertStore, Mistake> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots.add_parsable_certificates(self.0.iter().cloned());
        if roots.is_empty() {
            let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
            return Err(Mistake::new("root certificates", format!("{peer} cannot be checked: {why}"))
                .hint("install the package `ca-certificates`, or set SSL_CERT_FILE to a PEM file of roots"));
        }
        Ok(roots)
    }
}

/// Why a text holds no authorities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAuthorities {
    /// Not PEM.
    #[error("no certificates can be read: {0}")]
    Unreadable(Box<str>),
    /// No certificate, or some that cannot be used.
    #[error("{usable} certificates of authorities in it can be used, and {ignored} cannot")]
    Ignored {
        /// How many can be used.
        usable: usize,
        /// How many cannot.
        ignored: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_usable_certificate_is_no_authority() {
        let none = UnusableAuthorities::Ignored { usable: 0, ignored: 0 };
        assert_eq!(Authorities::from_pem(b"no certificate"), Err(none));
        let junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(Authorities::from_pem(junk), Err(UnusableAuthorities::Ignored { usable: 0, ignored: 1 }));
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(matches!(Authorities::from_pem(broken), Err(UnusableAuthorities::Unreadable(_))));
        let good = rcgen::generate_simple_self_signed(["authority.test".to_owned()]).unwrap().cert;
        let mixed = format!("{}{}", good.pem(), String::from_utf8_lossy(junk));
        assert_eq!(
            Authorities::from_pem(mixed.as_bytes()),
            Err(UnusableAuthorities::Ignored { usable: 1, ignored: 1 })
        );
        assert!(Authorities::from_pem(good.pem().as_bytes()).is_ok());
    }
}
