//! Durations and rates as operators write them.

use std::time::Duration;

use jiff::fmt::friendly::{Spacing, SpanParser, SpanPrinter};

use super::values::OFF;
use crate::api::Rate;

/// The units of sizes, and which power of two each is; the largest first, and `B` last, which ends all of them.
const SIZES: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

/// So many minutes, which the standard library cannot say at our minimum version.
pub(super) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// A duration such as `250ms`, `5s` or `1m30s`; `None` for anything else, so also for a bare number or a
/// negative one.
///
/// The grammar is jiff's "friendly" one, without its years to days: how long those are is a matter of a calendar.
pub(super) fn duration(text: &str) -> Option<Duration> {
    SpanParser::new().parse_unsigned_duration(text).ok()
}

/// The duration in the words that [`duration`] reads, as in `1m30s`.
pub(super) fn show_duration(duration: Duration) -> String {
    SpanPrinter::new().spacing(Spacing::None).unsigned_duration_to_string(&duration)
}

/// A size such as `64KiB` or `8MiB`, in bytes; `None` for anything else, so also for a bare number.
pub(super) fn size(text: &str) -> Option<u64> {
    let (unit, shift) = SIZES.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    number.checked_mul(1 << shift)
}

/// The size in the words that [`size`] reads.
pub(super) fn show_size(bytes: u64) -> String {
    let whole = SIZES.iter().find(|(_, shift)| bytes.is_multiple_of(1 << shift) && bytes > 0);
    let (unit, shift) = whole.copied().unwrap_or(("B", 0));
    format!("{}{unit}", bytes >> shift)
}

/// A rate such as `100/1s`: at least one request, in at least a millisecond.
pub(super) fn rate(text: &str) -> Option<Rate> {
    const SHORTEST: Duration = Duration::from_millis(1);
    let (requests, period) = text.split_once('/')?;
    let requests = requests.trim().parse().ok().filter(|requests| *requests > 0)?;
    let period = duration(period.trim()).filter(|period| *period >= SHORTEST)?;
    Some(Rate { requests, period })
}

/// The rate in the words that [`rate`] reads, and `off` for none.
pub(super) fn show_rate(rate: Option<Rate>) -> String {
    match rate {
        Some(Rate { requests, period }) => format!("{requests}/{}", show_duration(period)),
        None => OFF.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, milliseconds) in
            [("250ms", 250), ("5s", 5000), ("1m30s", 90_000), ("1m 30s", 90_000), ("2 min", 120_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_not_a_duration() {
        for text in ["5", "", " ", "-1s", "1s ago", "1d", "1w", "1y", "s", "5 x", "nan", "1e5s", "PT3S", "5s,"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_has_a_number_and_a_period() {
        assert_eq!(rate("100/1s"), Some(Rate { requests: 100, period: Duration::from_secs(1) }));
        assert_eq!(rate("5 / 250ms"), Some(Rate { requests: 5, period: Duration::from_millis(250) }));
        for text in ["0/1s", "100", "100/", "/1s", "100/0s", "100/s", "-1/1s", "1/1s/1s", "1.5/1s", "1/1us"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        for (text, bytes) in [("64KiB", 65_536), ("8MiB", 8 << 20), ("1GiB", 1 << 30), ("7B", 7), ("2 MiB", 2 << 20)] {
            assert_eq!(size(text), Some(bytes), "{text}");
            assert_eq!(size(&show_size(bytes)), Some(bytes), "{text}");
        }
        for text in ["", "64", "KiB", "-1KiB", "1.5MiB", "64KB", "64kib", "99999999999GiB", "1 KiB B"] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!((show_size(8 << 20).as_str(), show_size(1025).as_str()), ("8MiB", "1025B"));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(milliseconds in 0u64..100_000_000, requests in 1u32..) {
            let period = Duration::from_millis(milliseconds);
            prop_assert_eq!(duration(&show_duration(period)), Some(period));
            let shown = Some(Rate { requests, period: period.max(Duration::from_millis(1)) });
            prop_assert_eq!(rate(&show_rate(shown)), shown);
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,40}") {
            let _ = (duration(&text), rate(&text));
        }
    }
}
