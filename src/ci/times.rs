//! The two ways in which an answer tells Cloud Infinite's time.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;

/// As in RFC 9110 section 5.6.7, in its order.
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The moment in a `Date` header: an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
///
/// `None` for everything else, the two obsolete forms and a weekday that is not that of its date among it: what a clock
/// is corrected by is read strictly.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    let (weekday, rest) = text.split_once(", ")?;
    let (_, weekday) = WEEKDAYS.iter().find(|(name, _)| *name == weekday)?;
    let mut parts = rest.split(' ');
    let (day, month, year, time, zone) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if zone != "GMT" || parts.next().is_some() {
        return None;
    }
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    let date = Date::new(number(year, 4)?, i8::try_from(month).ok()?, number(day, 2)?.try_into().ok()?).ok()?;
    let moment = at(date, time)?;
    (date.weekday() == *weekday).then_some(moment)
}

/// The moment in a fault's `ServerTime`, as in `2019-04-09T03:39:20Z`; `None` for any other form.
pub(super) fn server_time(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    at(Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?, time)
}

fn at(date: Date, time: &str) -> Option<Timestamp> {
    let mut parts = time.split(':').map(|part| number(part, 2).and_then(|number| i8::try_from(number).ok()));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    let moment = DateTime::new(date.year(), date.month(), date.day(), hour, minute, second, 0).ok()?;
    Offset::UTC.to_timestamp(moment).ok()
}

fn number(digits: &str, length: usize) -> Option<i16> {
    let plain = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use jiff::fmt::rfc2822::DateTimePrinter;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Timestamp::from_second(784_111_777).ok());
        assert_eq!(server_time("2019-04-09T03:39:20Z"), Timestamp::from_second(1_554_781_160).ok());
    }

    #[test]
    fn what_is_no_imf_fixdate_is_no_date() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
        for text in ["", "2019-04-09 03:39:20Z", "2019-04-09T03:39:20", "2019-04-09T03:39:20+08:00", "2019-4-9T3:9:2Z"]
        {
            assert_eq!(server_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_that_is_written_is_read_back(second in 0_i64..253_402_207_200) {
            let moment = Timestamp::from_second(second).unwrap();
            let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap();
            prop_assert_eq!(http_date(&text), Some(moment));
            prop_assert_eq!(server_time(&moment.to_string()), Some(moment));
        }

        #[test]
        fn no_text_breaks_the_readers(text in "\\PC{0,40}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT") {
            let _read = (http_date(&text), server_time(&text));
        }
    }
}
