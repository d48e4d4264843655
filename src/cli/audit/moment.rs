//! A moment as people give it: exactly, as a day, or as so long ago.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// What `--since` and `--until` take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// That moment.
    At(Timestamp),
    /// So long before now.
    Ago(SignedDuration),
}

impl Moment {
    /// As seen from `now`.
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const HINT: &str =
            "write a moment such as `2027-01-31T00:00:00Z`, a day in UTC such as `2027-01-31`, or `2h` for so long ago";
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        // A date would also be read from a longer text.
        if text.len() == "2027-01-31".len()
            && let Ok(day) = text.parse::<Date>()
        {
            return day.to_zoned(TimeZone::UTC).map(|day| Self::At(day.timestamp())).map_err(|_| HINT);
        }
        let days = |text: &str| {
            text.strip_suffix('d')?.parse::<u32>().ok().map(|n| SignedDuration::from_hours(i64::from(n) * 24))
        };
        let ago = days(text).or_else(|| text.parse().ok()).filter(|ago| !ago.is_negative());
        ago.map(Self::Ago).ok_or(HINT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_a_day_and_so_long_ago_are_read_and_nothing_else() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00+08:00", "2026-11-22T02:00:00Z"),
            ("2026-11-21", "2026-11-21T00:00:00Z"),
            ("2h", "2026-11-22T10:00:00Z"),
            ("1h 30m", "2026-11-22T10:30:00Z"),
            ("7d", "2026-11-15T12:00:00Z"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().from(now), expected.parse::<Timestamp>().unwrap(), "{text}");
        }
        for text in ["", "yesterday", "-2h", "2026-11-22T10:00:00", "2026-13-01", "5", "-1d"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert_eq!(Moment::Ago(SignedDuration::MAX).from(now), Timestamp::MIN);
    }
}
