//! Credentials become a caller: a token, an API key, or the certificate of the connection.
//!
//! [`credential`] finds the one that a request shows; [`api_key`] and [`certificate`] know the latter two.
//! A token goes through five rooms, and each hands on a stronger value: [`bearer`] takes the text from the head,
//! [`jws`] splits and decodes it, [`jwt`] finds its issuer, [`keys`] hold what may verify it, and [`claims`] make
//! the [`Caller`](crate::domain::Caller). [`tokens`] leads it there, unless [`cache`] remembers it; [`jwks`] fetches
//! keys. The signature itself is checked by `jsonwebtoken::crypto`; everything around it is done here, because that
//! crate lets pass what RFC 8725 refuses: a missing `aud`, `crit`, any `typ`, an `nbf` to come, an `oct` key in a key set.

mod algorithm;
mod api_key;
mod authenticator;
mod bearer;
mod binding;
mod cache;
mod certificate;
mod claims;
mod credential;
mod issuer;
mod json;
mod jwks;
mod jws;
mod jwt;
mod keys;
mod mint;
mod presented;
mod refused;
mod roca;
mod settings;
mod times;
mod tokens;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod wycheproof;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use api_key::{ApiKeys, CannotMakeKey, KEY_PATTERN, KeyTerms, KeyText, NewKey};
pub use authenticator::{Authenticator, Looked, Unproved};
pub use certificate::UserFrom;
pub use jwks::{InvalidJwksUrl, JwksUrl, KeySetState};
pub use mint::{CannotMint, DevelopmentClaims, SigningSecret, mint};
pub use presented::Presented;
pub use refused::{Reason, Refused};
pub use settings::{FetchSettings, IssuerSettings, KeySource, Profile, Settings, TokenCacheSettings};
pub use times::LONGEST_LIFETIME;
