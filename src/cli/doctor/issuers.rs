//! Whether the keys of an issuer can be had.

use super::finding::{Finding, Section};
use crate::auth::{IssuerSettings, KeySource};

/// Whether its keys are fetched.
pub(super) fn is_far(issuer: &IssuerSettings) -> bool {
    matches!(issuer.keys, KeySource::JwksUrl(_))
}

/// A finding of the section `jwks`; none if its file is broken, since that was told already.
pub(super) async fn look(issuer: &IssuerSettings) -> Vec<Finding> {
    let name = &issuer.issuer;
    match &issuer.keys {
        KeySource::Jwks(file) | KeySource::Secret(file) => match issuer.keys.check(&issuer.algorithms) {
            Ok(()) => vec![Finding::ok(Section::Jwks, format!("{name}: read from {}", file.display()))],
            Err(_told_as_a_file) => Vec::new(),
        },
        KeySource::JwksUrl(fetched) => match fetched.fetch_once(&issuer.algorithms).await {
            Ok(keys) => vec![Finding::ok(Section::Jwks, format!("{name}: {keys} keys fetched from {}", fetched.url))],
            Err(mistakes) => mistakes.iter().map(|mistake| Finding::mistake(Section::Jwks, mistake)).collect(),
        },
    }
}
