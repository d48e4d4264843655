//! A region of Tencent Cloud, such as `ap-chongqing`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

const LONGEST: usize = 32;

/// The name of a region: lower-case letters, digits and `-`, neither first nor last a dash.
///
/// INVARIANT: a DNS label without a dot. The set is open on purpose: Tencent adds regions, and the set in
/// which Smart Audio exists is not published in one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    /// # Errors
    /// [`InvalidRegion`] for a text that cannot be a region's name.
    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let dashed = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > LONGEST || dashed || !text.bytes().all(allowed) {
            return Err(InvalidRegion);
        }
        Ok(Self(text.into()))
    }
}

/// The text cannot be a region's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region is written like `ap-chongqing`: lower-case letters, digits and `-`, at most 32")]
pub struct InvalidRegion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_the_official_lists_are_accepted() {
        for text in ["ap-chongqing", "ap-beijing-1", "ap-shanghai-fsi", "na-siliconvalley", "eu-frankfurt"] {
            assert_eq!(text.parse::<Region>().map(|r| r.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn whatever_could_move_the_host_is_refused() {
        for text in ["", "-ap", "ap-", "ap.evil", "AP-BEIJING", "ap/..", "ap#", "ap:80", "ap beijing", "[::1]", "ap%2e"]
        {
            assert_eq!(text.parse::<Region>(), Err(InvalidRegion), "{text}");
        }
        assert_eq!("a".repeat(33).parse::<Region>(), Err(InvalidRegion));
    }
}
