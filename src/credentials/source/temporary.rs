//! Keys for a while, in the words that Tencent's services share.

use jiff::Timestamp;
use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Issued;
use crate::credentials::Keys;
use crate::domain::Mistake;

/// A SecretId, its SecretKey and their token, as a service sends them.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Temporary {
    tmp_secret_id: String,
    tmp_secret_key: String,
    token: String,
}

impl Temporary {
    /// The keys until `ends`, in Unix seconds; `place` says in a mistake who gave them.
    ///
    /// # Errors
    /// A [`Mistake`] that shows no part of them.
    pub(super) fn until(&self, ends: i64, place: &str) -> Result<Issued, Mistake> {
        let mistake = |what: String| Mistake::new(place, what);
        let keys = Keys::new(&self.tmp_secret_id, &self.tmp_secret_key, Some(&self.token))
            .map_err(|why| mistake(format!("gave keys that cannot be used: {why}")))?;
        let expires = Timestamp::from_second(ends)
            .map_err(|_| mistake("gave keys with an end that is no time: ExpiredTime is out of range".to_owned()))?;
        Ok(Issued { keys, expires: Some(expires) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(id: &str, token: &str) -> Temporary {
        Temporary { tmp_secret_id: id.into(), tmp_secret_key: "marker".into(), token: token.into() }
    }

    #[test]
    fn keys_with_their_end_are_taken() {
        let issued = temporary("AKID", "token").until(1_660_033_391, "x").unwrap();
        assert_eq!((issued.keys.secret_id(), issued.keys.token()), ("AKID", Some("token")));
        assert_eq!(issued.expires.map(Timestamp::as_second), Some(1_660_033_391));
    }

    #[test]
    fn keys_that_could_not_be_used_are_refused_and_not_shown() {
        for refused in [temporary("mar\nker", "t").until(9, "x"), temporary("AKID", "").until(9, "x")] {
            let why = refused.unwrap_err().to_string();
            assert!(why.starts_with("x: gave keys that cannot be used") && !why.contains("mar"), "{why}");
        }
        assert!(temporary("AKID", "t").until(i64::MAX, "x").is_err());
    }
}
