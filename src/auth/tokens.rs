//! From a bearer token to its caller: by memory, by the keys at hand, or after one more fetch of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::cache::{Cache, Fingerprint, Verified};
use super::issuer::Issuer;
use super::jwks::{KeySetState, Remote};
use super::jwt::Unverified;
use super::keys::KeyRing;
use super::{Reason, Refused, Settings};
use crate::domain::{Caller, Mistake, Mistakes};

/// The issuers whose tokens are accepted.
pub(super) struct Tokens {
    issuers: Box<[Issuer]>,
    cache: Cache,
}

/// A token as it came, and over what.
#[derive(Clone, Copy)]
pub(super) struct Shown<'r> {
    pub(super) token: &'r str,
    pub(super) certificate: Option<&'r CertificateDer<'static>>,
    pub(super) now: Timestamp,
}

/// A token of which nothing is remembered.
pub(super) struct Fresh<'r> {
    tokens: &'r Tokens,
    shown: Shown<'r>,
    fingerprint: Option<Fingerprint>,
}

impl Fresh<'_> {
    /// The caller of the token. It waits only if the token asks for a key that its issuer may have by now, and then for
    /// one fetch, not beyond `deadline`.
    ///
    /// # Errors
    /// [`Refused`], which carries nothing of the token.
    pub(super) async fn prove(self, deadline: Instant) -> Result<Arc<Caller>, Refused> {
        let Self { tokens, shown, fingerprint } = self;
        let verified = match tokens.verify(shown) {
            Err(Unproved::SoFar(remote, _)) => tokens.after_fetch(remote, shown, deadline).await,
            certain => certain.map_err(Unproved::refused),
        }?;
        let caller = Arc::clone(&verified.proved.caller);
        if let Some(token) = fingerprint {
            tokens.cache.put(token, verified, shown.now);
        }
        Ok(caller)
    }
}

/// Why the keys at hand do not prove a token.
enum Unproved<'i> {
    /// It does not hold.
    Surely(Refused),
    /// It asks for a key that is not here, and what is fetched may have changed.
    SoFar(&'i Remote, Refused),
}

impl<E: Into<Refused>> From<E> for Unproved<'_> {
    fn from(refused: E) -> Self {
        Self::Surely(refused.into())
    }
}

impl Unproved<'_> {
    fn refused(self) -> Refused {
        match self {
            Self::Surely(refused) | Self::SoFar(_, refused) => refused,
        }
    }
}

impl Tokens {
    /// Reads the key files; keys that `previous` has fetched and that have the same origin stay.
    ///
    /// # Errors
    /// Every mistake in the settings and in the files.
    pub(super) fn load(settings: &Settings, previous: Option<&Self>) -> Result<Self, Mistakes> {
        let (mut issuers, mut mistakes, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        for one in &settings.issuers {
            mistakes.extend(one.mistakes());
            if !names.insert(&one.issuer) {
                let what = "this issuer is configured twice: its keys and rules would be ambiguous";
                mistakes.push(Mistake::new(one.place(), what).hint("put all of its keys and audiences into one"));
            }
            let before = previous.and_then(|previous| previous.issuer(&one.issuer));
            match Issuer::load(one, before.map(|(_, issuer)| issuer)) {
                Ok(issuer) => issuers.push(issuer),
                Err(found) => mistakes.extend(found.into_vec()),
            }
        }
        Mistakes::unless_any(mistakes, Self { issuers: issuers.into(), cache: Cache::new(settings.token_cache) })
    }

    /// What is remembered of a token, or what it takes to find out.
    ///
    /// # Errors
    /// [`Refused`] if the token was good, and is no more.
    pub(super) fn remembered<'a>(&'a self, shown: Shown<'a>) -> Result<Result<Arc<Caller>, Fresh<'a>>, Refused> {
        let fingerprint = self.cache.fingerprint(shown.token);
        let known = fingerprint.and_then(|token| self.cache.get(token, shown.now));
        match known.and_then(|known| self.again(&known, shown)) {
            Some(result) => result.map(Ok),
            None => Ok(Err(Fresh { tokens: self, shown, fingerprint })),
        }
    }

    /// The keys that are fetched.
    pub(super) fn remotes(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.issuers.iter().filter_map(|issuer| issuer.keys.remote())
    }

    /// What a metric shows of fetched keys.
    pub(super) fn key_sets(&self) -> Vec<KeySetState> {
        self.remotes().map(|remote| remote.state()).collect()
    }

    fn issuer(&self, name: &str) -> Option<(usize, &Issuer)> {
        self.issuers.iter().enumerate().find(|(_, issuer)| issuer.rules.issuer() == name)
    }

    /// What was found out earlier, if the keys that said so are still in force.
    fn again(&self, known: &Verified, shown: Shown<'_>) -> Option<Result<Arc<Caller>, Refused>> {
        let issuer = self.issuers.get(known.issuer)?;
        if issuer.keys.held().generation() != known.generation {
            return None;
        }
        let holds = issuer.rules.check_again(&known.proved, shown.certificate, shown.now);
        Some(holds.map(|()| Arc::clone(&known.proved.caller)).map_err(Refused::BadToken))
    }

    /// A fetch that was in flight may have begun before the issuer had the key, so there may be a second one.
    async fn after_fetch(&self, remote: &Remote, shown: Shown<'_>, deadline: Instant) -> Result<Verified, Refused> {
        let deadline = deadline.min(Instant::now() + remote.fetch_time());
        loop {
            let waited = remote.renewed(deadline).await;
            match self.verify(shown) {
                Err(Unproved::SoFar(..)) if waited => {}
                certain => return certain.map_err(Unproved::refused),
            }
        }
    }

    /// The order matters: nothing but `iss`, `typ`, `alg` and `kid` is looked at before the signature holds.
    fn verify(&self, shown: Shown<'_>) -> Result<Verified, Unproved<'_>> {
        let token = Unverified::parse(shown.token)?;
        let (number, issuer) = token.issuer().and_then(|name| self.issuer(name)).ok_or(Reason::UnknownIssuer)?;
        issuer.rules.check_type(token.header())?;
        let held = issuer.keys.held();
        let key = held.ring().and_then(|ring| ring.find(token.header()));
        let claims = token.verify(key.ok_or_else(|| unknown(issuer, held.ring()))?)?;
        let proved = Arc::new(issuer.rules.prove(claims, shown.certificate, shown.now)?);
        Ok(Verified { issuer: number, generation: held.generation(), proved })
    }
}

/// Nobody can say whether a token holds while its issuer has no keys at all.
fn unknown<'i>(issuer: &'i Issuer, ring: Option<&KeyRing>) -> Unproved<'i> {
    let refused = if ring.is_some() { Reason::UnknownKey.into() } else { Refused::KeysUnavailable };
    match issuer.keys.remote() {
        Some(remote) => Unproved::SoFar(remote, refused),
        None => Unproved::Surely(refused),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys_of = |issuer: &Issuer| issuer.keys.held().ring().map_or(0, KeyRing::len);
        f.debug_map().entries(self.issuers.iter().map(|issuer| (issuer.rules.issuer(), keys_of(issuer)))).finish()
    }
}
