//! What the configuration says about an issuer.

use std::path::PathBuf;
use std::time::Duration;

use super::{Algorithm, JwksUrl};
use crate::domain::{Mistake, is_printable};

/// Clocks that differ by more are broken; RFC 7519 section 4.1.4 speaks of "no more than a few minutes".
const LARGEST_LEEWAY: Duration = Duration::from_secs(5 * 60);
/// In bytes; it counts among the 256 of a name.
const LONGEST_PREFIX: usize = 64;

/// An issuer of JWTs whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The exact `iss`.
    pub issuer: String,
    /// At least one of these must stand in `aud`.
    pub audiences: Vec<String>,
    /// The algorithms that its keys may be used with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeySource,
    /// The claim that names the caller; `sub` unless configured.
    pub user_claim: String,
    /// The claim that lists the caller's groups; `groups` unless configured.
    pub groups_claim: String,
    /// How far clocks may differ, at most five minutes.
    pub leeway: Duration,
    /// What is put before the names of its callers and groups; perhaps nothing.
    pub prefix: String,
    /// Which rules its tokens follow.
    pub profile: Profile,
    /// A scope that its tokens must carry.
    pub required_scope: Option<String>,
}

/// Which rules an issuer's tokens follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// RFC 7519 as RFC 8725 wants it.
    Jwt,
    /// Access tokens as RFC 9068 writes them: `typ`, `iat`, `jti`, `client_id` and `sub` are required.
    Rfc9068,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with a shared secret, for HS256.
    Secret(PathBuf),
    /// A file with a JWK set (RFC 7517) of public keys, for the asymmetric algorithms.
    Jwks(PathBuf),
    /// The same, fetched.
    JwksUrl(FetchSettings),
}

/// How a JWK set is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchSettings {
    /// Where it is.
    pub url: JwksUrl,
    /// A PEM file of authorities that may vouch for the host, beside those of the platform.
    pub ca_file: Option<PathBuf>,
    /// From one fetch to the next, give or take a tenth.
    pub refresh: Duration,
    /// How long a set is used after it was last fetched; at least twice `refresh`.
    pub max_age: Duration,
    /// After a fetch that failed, and at least between two that tokens of unknown keys bring about.
    pub retry: Duration,
    /// The whole of one fetch.
    pub time: Duration,
}

/// How verified tokens are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCacheSettings {
    /// How many at most; none with 0.
    pub entries: usize,
    /// For how long at most; never beyond `exp`.
    pub time: Duration,
}

/// All that says who is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who vouches for callers by tokens; no two with the same `iss`.
    pub issuers: Vec<IssuerSettings>,
    /// How verified tokens are remembered.
    pub token_cache: TokenCacheSettings,
}

impl IssuerSettings {
    /// Every contradiction among the settings; the key file is not opened.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        let mut say = |what: String, hint: &str| found.push(Mistake::new(self.place(), what).hint(hint));
        if self.issuer.is_empty() {
            say("the issuer is empty".to_owned(), "write the exact `iss` of its tokens");
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            say("an audience is missing or empty".to_owned(), "write what its tokens carry as `aud`");
        }
        for (name, claim) in [("user_claim", &self.user_claim), ("groups_claim", &self.groups_claim)] {
            if claim.is_empty() {
                say(format!("{name} is empty"), "name a claim, or leave the key out for the default");
            }
        }
        if self.leeway > LARGEST_LEEWAY {
            say(format!("a leeway of {:?} is over five minutes", self.leeway), "set the clocks right; 30s is plenty");
        }
        if self.prefix.len() > LONGEST_PREFIX || !self.prefix.chars().all(is_printable) {
            say(
                format!("the prefix is over {LONGEST_PREFIX} bytes or not printable"),
                "write a word such as \"corp:\"",
            );
        }
        if self.required_scope.as_deref().is_some_and(|scope| !is_scope(scope)) {
            say("the required scope is not one scope".to_owned(), "write one word without blanks, `\"` and `\\`");
        }
        if self.algorithms.is_empty() {
            say("no algorithm is allowed".to_owned(), self.keys.fitting_algorithms());
        }
        for algorithm in self.algorithms.iter().filter(|algorithm| !self.keys.fits(**algorithm)) {
            let what = format!("`{}` cannot be used with {}", algorithm.as_str(), self.keys.in_words());
            say(what, self.keys.fitting_algorithms());
        }
        found
    }

    /// The words by which a mistake in these settings is found.
    pub(super) fn place(&self) -> String {
        format!("[[auth.jwt]] with issuer `{}`", self.issuer.escape_debug())
    }
}

/// One `scope-token` of RFC 6749 section 3.3, which can stand in a header in quotes as it is.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

impl KeySource {
    /// One key, one family: a public key must never be taken for an HMAC secret (RFC 8725 section 3.1).
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Secret(_) => algorithm.is_symmetric(),
            Self::Jwks(_) | Self::JwksUrl(_) => !algorithm.is_symmetric(),
        }
    }

    fn in_words(&self) -> &'static str {
        match self {
            Self::Secret(_) => "a shared secret",
            Self::Jwks(_) | Self::JwksUrl(_) => "a set of public keys",
        }
    }

    fn fitting_algorithms(&self) -> &'static str {
        match self {
            Self::Secret(_) => "write algorithms = [\"HS256\"] beside secret_file",
            Self::Jwks(_) => "write some of \"RS256\", \"ES256\" and \"EdDSA\" beside jwks_file",
            Self::JwksUrl(_) => "write some of \"RS256\", \"ES256\" and \"EdDSA\" beside jwks_url",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> IssuerSettings {
        IssuerSettings {
            issuer: "https://issuer.example".to_owned(),
            audiences: vec!["ci-gateway".to_owned()],
            algorithms: vec![Algorithm::Hs256],
            keys: KeySource::Secret("secret".into()),
            user_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
            leeway: Duration::from_secs(30),
            prefix: String::new(),
            profile: Profile::Jwt,
            required_scope: None,
        }
    }

    fn fetched() -> FetchSettings {
        let time = Duration::from_secs(1);
        let url = "https://issuer.example/jwks".parse().unwrap();
        FetchSettings { url, ca_file: None, refresh: time, max_age: time, retry: time, time }
    }

    #[test]
    fn settings_without_a_contradiction_have_no_mistake() {
        assert_eq!(settings().mistakes(), []);
        let keys = KeySource::Jwks("jwks".into());
        let algorithms = vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
        assert_eq!(IssuerSettings { keys, algorithms, ..settings() }.mistakes(), []);
    }

    #[test]
    fn every_contradiction_is_told_at_once_with_the_issuer_and_a_cure() {
        let broken = IssuerSettings {
            audiences: vec![],
            algorithms: vec![Algorithm::Hs256, Algorithm::Es256],
            user_claim: String::new(),
            leeway: Duration::from_secs(301),
            ..settings()
        };
        let told: Vec<String> = broken.mistakes().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told.iter().all(|line| line.contains("https://issuer.example") && line.contains("hint: ")));
    }

    // Rows 34 and 36.
    #[test]
    fn no_algorithm_and_one_of_the_wrong_family_are_refused() {
        for (keys, algorithms) in [
            (KeySource::Secret("s".into()), vec![]),
            (KeySource::Jwks("j".into()), vec![]),
            (KeySource::Secret("s".into()), vec![Algorithm::Rs256]),
            (KeySource::Jwks("j".into()), vec![Algorithm::Hs256]),
            (KeySource::JwksUrl(fetched()), vec![Algorithm::Hs256]),
        ] {
            assert_eq!(IssuerSettings { keys, algorithms, ..settings() }.mistakes().len(), 1);
        }
    }
}
