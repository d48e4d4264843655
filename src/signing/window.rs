//! The time in which a signature holds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// How long before now a window begins, so that a clock that is ahead of Tencent's does no harm.
const BACKDATED_SECONDS: i64 = 60;

/// From-until in Unix seconds: the `KeyTime` of the documentation, written `from;until`.
///
/// INVARIANT: `0 <= from < until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: i64,
    until: i64,
}

impl Window {
    /// A difference of clocks that no signature suffers from: half of the time that a window begins before now. In seconds.
    pub const HARMLESS_SECONDS: i64 = BACKDATED_SECONDS / 2;

    /// The window of a request signed at `now`: from a minute ago until `lifetime` from now.
    #[must_use]
    pub fn around(now: Timestamp, lifetime: Duration) -> Self {
        let now = now.as_second().max(BACKDATED_SECONDS);
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX).max(1);
        Self { from: now - BACKDATED_SECONDS, until: now.saturating_add(lifetime) }
    }

    /// Whether a signature for this window holds at `moment`.
    #[must_use]
    pub fn holds(self, moment: Timestamp) -> bool {
        (self.from..=self.until).contains(&moment.as_second())
    }

    /// The first second in which the signature holds.
    #[must_use]
    pub fn from(self) -> i64 {
        self.from
    }

    /// The last second in which the signature holds.
    #[must_use]
    pub fn until(self) -> i64 {
        self.until
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.from, self.until)
    }
}

impl FromStr for Window {
    type Err = InvalidWindow;

    /// # Errors
    /// [`InvalidWindow`] unless the text is two runs of digits around a `;`, the first number the smaller.
    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let (from, until) = text.split_once(';').ok_or(InvalidWindow)?;
        let (from, until) = (seconds(from)?, seconds(until)?);
        if from < until { Ok(Self { from, until }) } else { Err(InvalidWindow) }
    }
}

/// Exactly what is signed: no sign, no blank and no leading zero, since the text itself is hashed.
fn seconds(digits: &str) -> Result<i64, InvalidWindow> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().map_err(|_| InvalidWindow) } else { Err(InvalidWindow) }
}

/// The text is not a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a window is written `<start>;<end>` in Unix seconds, the start before the end")]
pub struct InvalidWindow;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reaches_from_a_minute_ago_until_the_lifetime_has_passed() {
        let now = Timestamp::from_second(1_660_033_391).unwrap();
        assert_eq!(Window::around(now, Duration::from_secs(300)).to_string(), "1660033331;1660033691");
    }

    #[test]
    fn only_the_text_that_will_be_hashed_again_is_read() {
        assert_eq!("1660033331;1660043391".parse::<Window>().unwrap().to_string(), "1660033331;1660043391");
        for text in [
            "",
            "1",
            "1;",
            ";1",
            "2;1",
            "1;1",
            " 1;2",
            "+1;2",
            "01;2",
            "1;2;3",
            "-1;2",
            "1,2",
            "9999999999999999999999;1",
        ] {
            assert_eq!(text.parse::<Window>(), Err(InvalidWindow), "{text}");
        }
    }

    #[test]
    fn no_clock_and_no_lifetime_makes_an_empty_window() {
        for (now, lifetime) in [(0, 0), (-5, 1), (253_402_207_200, u64::MAX)] {
            let window = Window::around(Timestamp::from_second(now).unwrap(), Duration::from_secs(lifetime));
            assert!(0 <= window.from() && window.from() < window.until());
        }
    }
}
