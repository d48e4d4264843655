//! A JSON web token (RFC 7519): a signature over claims.

use super::Reason;
use super::json::Object;
use super::jws::{Header, Jws};
use super::keys::Key;

/// Claims that nobody has vouched for. All that they are asked is whose they claim to be.
pub(super) struct Unverified<'t> {
    jws: Jws<'t>,
    claims: Object,
}

impl<'t> Unverified<'t> {
    /// Reads a token's form.
    ///
    /// # Errors
    /// The [`Reason`] if it has not the form of a JWT.
    pub(super) fn parse(token: &'t str) -> Result<Self, Reason> {
        let jws = Jws::parse(token)?;
        let claims = Object::parse(jws.payload()).map_err(|_| Reason::MalformedClaims)?;
        Ok(Self { jws, claims })
    }

    /// `iss`, to choose whose keys are asked; `None` if it is missing or no string.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// The header, to choose the key.
    pub(super) fn header(&self) -> &Header {
        self.jws.header()
    }

    /// The claims, if `key` made the signature.
    ///
    /// # Errors
    /// The [`Reason`] if it did not.
    pub(super) fn verify(self, key: &Key) -> Result<Claims, Reason> {
        self.jws.verify(key)?;
        Ok(Claims(self.claims))
    }
}

/// Claims that the holder of a key of their issuer has signed; only [`Unverified::verify`] makes them.
pub(super) struct Claims(Object);

impl Claims {
    /// The claims.
    pub(super) fn object(&self) -> &Object {
        &self.0
    }

    /// The claims, for whoever keeps them.
    pub(super) fn into_object(self) -> Object {
        self.0
    }
}
