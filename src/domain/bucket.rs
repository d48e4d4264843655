//! A bucket's full name, `<name>-<APPID>`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A DNS label: the full bucket name is the first label of the host that is called.
const LONGEST_BUCKET: usize = 63;
const LONGEST_NAME: usize = 50;
const LONGEST_APP_ID: usize = 20;

/// The full name of a bucket: lower-case letters, digits and `-`, ending in `-` and the APPID.
///
/// INVARIANT: a valid DNS label without a dot, so that it cannot reach beyond the place it is given in a
/// host name. Cheap to clone. Source: "Bucket naming", <https://cloud.tencent.com/document/product/436/14518>.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    full_name: Arc<str>,
    app_id: AppId,
}

impl Bucket {
    /// The whole name, as in `test-1234567890`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full_name
    }

    /// The account number at the end of the name.
    #[must_use]
    pub fn app_id(&self) -> &AppId {
        &self.app_id
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_name)
    }
}

impl FromStr for Bucket {
    type Err = InvalidBucket;

    /// # Errors
    /// [`InvalidBucket`] says which rule the text breaks.
    fn from_str(text: &str) -> Result<Self, InvalidBucket> {
        if text.len() > LONGEST_BUCKET {
            return Err(InvalidBucket::TooLong);
        }
        let (name, app_id) = text.rsplit_once('-').ok_or(InvalidBucket::NoAppId)?;
        let app_id: AppId = app_id.parse()?;
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.starts_with('-') || name.ends_with('-') {
            return Err(InvalidBucket::Dash);
        }
        if !name.bytes().all(allowed) {
            return Err(InvalidBucket::Character);
        }
        if name.len() > LONGEST_NAME {
            return Err(InvalidBucket::TooLong);
        }
        Ok(Self { full_name: text.into(), app_id })
    }
}

/// The number of a Tencent Cloud account, the last part of its buckets' names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppId(Arc<str>);

impl AppId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AppId {
    type Err = InvalidBucket;

    /// # Errors
    /// [`InvalidBucket::NoAppId`] for anything but 1 to 20 digits.
    fn from_str(text: &str) -> Result<Self, InvalidBucket> {
        let digits = !text.is_empty() && text.len() <= LONGEST_APP_ID;
        if digits && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidBucket::NoAppId)
        }
    }
}

/// Why a text is not a bucket name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBucket {
    /// No `-<digits>` at the end.
    #[error("a bucket is written `<name>-<APPID>`, as in `test-1234567890`: the APPID is missing")]
    NoAppId,
    /// A character outside `[a-z0-9-]`.
    #[error("a bucket name holds only lower-case letters, digits and `-`")]
    Character,
    /// The name part is empty, or begins or ends with a dash.
    #[error("a bucket name neither begins nor ends with `-`")]
    Dash,
    /// Over 50 characters of name, or 63 in all.
    #[error("a bucket name has at most 50 characters before its APPID")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_example_is_read_with_its_account() {
        let bucket: Bucket = "test-1234567890".parse().unwrap();
        assert_eq!(bucket.as_str(), "test-1234567890");
        assert_eq!(bucket.app_id().as_str(), "1234567890");
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (text, expected) in [
            ("", InvalidBucket::NoAppId),
            ("test", InvalidBucket::NoAppId),
            ("test-", InvalidBucket::NoAppId),
            ("test-12a", InvalidBucket::NoAppId),
            ("-1234567890", InvalidBucket::Dash),
            ("--1234567890", InvalidBucket::Dash),
            ("a--1234567890", InvalidBucket::Dash),
            ("-a-1234567890", InvalidBucket::Dash),
            ("Test-1234567890", InvalidBucket::Character),
            ("te.st-1234567890", InvalidBucket::Character),
            ("te%2Fst-1234567890", InvalidBucket::Character),
            ("té-1234567890", InvalidBucket::Character),
        ] {
            assert_eq!(text.parse::<Bucket>(), Err(expected), "{text}");
        }
        assert_eq!(format!("{}-1", "a".repeat(51)).parse::<Bucket>(), Err(InvalidBucket::TooLong));
        assert_eq!(format!("{}-1", "a".repeat(70)).parse::<Bucket>(), Err(InvalidBucket::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_dns_label(text in "\\PC{0,70}") {
            if let Ok(bucket) = text.parse::<Bucket>() {
                prop_assert_eq!(bucket.as_str(), text.as_str());
                prop_assert!(text.len() <= 63);
                prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(text.ends_with(bucket.app_id().as_str()));
            }
        }

        #[test]
        fn every_well_formed_name_is_accepted(text in "[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?-[0-9]{1,12}") {
            prop_assert!(text.parse::<Bucket>().is_ok());
        }
    }
}
