//! Tokens that hold only over a connection with a certain client certificate (RFC 8705 section 3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::Reason;
use super::json::{Json, Object};

/// The SHA-256 of the certificate that a token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding([u8; 32]);

impl Binding {
    /// What the claim `cnf` says; `None` where there is none.
    ///
    /// # Errors
    /// [`Reason::InvalidBinding`] unless `cnf` is exactly `{"x5t#S256": …}`: a way of confirmation that is not
    /// understood must not be taken for none (RFC 7800 section 3.1).
    pub(super) fn of(claims: &Object) -> Result<Option<Self>, Reason> {
        let Some(confirmation) = claims.get("cnf") else { return Ok(None) };
        Self::thumbprint(confirmation).map(|thumbprint| Some(Self(thumbprint))).ok_or(Reason::InvalidBinding)
    }

    fn thumbprint(confirmation: &Json) -> Option<[u8; 32]> {
        const MEMBER: &str = "x5t#S256";
        let Json::Object(members) = confirmation else { return None };
        let text = members.has_only(MEMBER).then(|| members.text(MEMBER))??;
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
    }

    /// Whether the connection has the certificate.
    ///
    /// # Errors
    /// [`Reason::OtherCertificate`] if it has another or none.
    pub(super) fn check(&self, certificate: Option<&CertificateDer<'_>>) -> Result<(), Reason> {
        let shown = certificate.map(Sha256::digest);
        if shown.is_some_and(|shown| shown.as_slice() == self.0) { Ok(()) } else { Err(Reason::OtherCertificate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cnf: &str) -> Result<Option<Binding>, Reason> {
        Binding::of(&Object::parse(format!("{{\"cnf\":{cnf}}}").as_bytes()).unwrap())
    }

    // Row 77.
    #[test]
    fn only_the_thumbprint_of_a_certificate_is_a_binding() {
        let thumbprint = URL_SAFE_NO_PAD.encode([7; 32]);
        assert_eq!(of(&format!(r#"{{"x5t#S256":"{thumbprint}"}}"#)), Ok(Some(Binding([7; 32]))));
        assert_eq!(Binding::of(&Object::parse(b"{}").unwrap()), Ok(None));
        for cnf in [
            "null",
            "{}",
            "[]",
            r#""x5t#S256""#,
            r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#,
            &format!(r#"{{"x5t#S256":"{thumbprint}","kid":"k"}}"#),
            &format!(r#"{{"x5t#s256":"{thumbprint}"}}"#),
            &format!(r#"{{"x5t#S256":["{thumbprint}"]}}"#),
            &format!(r#"{{"x5t#S256":"{thumbprint}="}}"#),
            &format!(r#"{{"x5t#S256":"{}"}}"#, URL_SAFE_NO_PAD.encode([7; 20])),
            r#"{"x5t#S256":""}"#,
        ] {
            assert_eq!(of(cnf), Err(Reason::InvalidBinding), "{cnf}");
        }
    }

    #[test]
    fn it_holds_with_the_one_certificate_and_without_any_it_does_not() {
        let certificate = CertificateDer::from(b"certificate".as_slice());
        let binding = Binding(Sha256::digest(b"certificate").into());
        assert_eq!(binding.check(Some(&certificate)), Ok(()));
        assert_eq!(binding.check(None), Err(Reason::OtherCertificate));
        let other = CertificateDer::from(b"Certificate".as_slice());
        assert_eq!(binding.check(Some(&other)), Err(Reason::OtherCertificate));
    }
}
