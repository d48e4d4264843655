//! Keys that were given for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::keys::KnownKey;

/// For so long after their end, keys are still known, and refused as ended ones.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Every key that was given.
#[derive(Debug)]
pub(super) struct Sessions {
    given: Mutex<Vec<(KnownKey, Timestamp)>>,
    lifetime: Duration,
}

/// Keys to be sent to whoever asked.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Session {
    pub(super) secret_id: String,
    pub(super) secret_key: String,
    pub(super) token: String,
    #[zeroize(skip)]
    pub(super) ends: Timestamp,
}

impl Sessions {
    /// None yet; each will last `lifetime` at most.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { given: Mutex::default(), lifetime }
    }

    /// Keys that nobody had before, for as long as is `wanted` and possible. Calls of Cloud Infinite are taken with them.
    ///
    /// # Errors
    /// What the system's source of chance says.
    pub(super) fn open(&self, wanted: Duration, now: Timestamp) -> Result<Session, getrandom::Error> {
        let mut bytes = [[0_u8; 16]; 3];
        getrandom::fill(bytes.as_flattened_mut())?;
        let [id, secret_key, token] = bytes.map(hex::encode);
        let ends = now.saturating_add(wanted.min(self.lifetime)).unwrap_or(now);
        let session = Session { secret_id: format!("AKID{id}"), secret_key, token: format!("{token}/+="), ends };
        let key = KnownKey::new(&session.secret_id, &session.secret_key, Some(&session.token)).until(ends);
        let mut given = self.given();
        given.retain(|(_, ends)| ends.saturating_add(REMEMBERED).is_ok_and(|forgotten| forgotten > now));
        given.push((key, ends));
        Ok(session)
    }

    pub(super) fn keys(&self) -> Vec<KnownKey> {
        self.given().iter().map(|(key, _)| key.clone()).collect()
    }

    fn given(&self) -> MutexGuard<'_, Vec<(KnownKey, Timestamp)>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
