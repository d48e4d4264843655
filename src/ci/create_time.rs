//! The moment in which a bucket was enrolled, as Cloud Infinite writes it.

use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// A `CreateTime`: `2022-08-09T16:23:11+0800`, on the product page with a stray `>` behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateTime {
    /// Read: RFC 3339 with the offset that Cloud Infinite gave.
    Read(String),
    /// There, but not a moment; the text, cut to 64 printable characters.
    Raw(String),
    /// Not given.
    Absent,
}

impl CreateTime {
    /// Reads the text of the node; without a node there is no text.
    #[must_use]
    pub fn read(text: Option<&str>) -> Self {
        const LONGEST_RAW: usize = 64;
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Self::Absent;
        };
        match rfc3339(text) {
            Some(moment) => Self::Read(moment),
            None => Self::Raw(text.chars().filter(|c| !c.is_control()).take(LONGEST_RAW).collect()),
        }
    }
}

/// Only date, time and offset in the long form: jiff would also read a bare date, a zone's name or a week.
fn rfc3339(text: &str) -> Option<String> {
    let text = text.strip_suffix('>').unwrap_or(text);
    let plain = |b: u8| b.is_ascii_digit() || b"-:+.TZ".contains(&b);
    if !text.bytes().all(plain) || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let pieces = Pieces::parse(text).ok()?;
    let offset: Offset = pieces.to_numeric_offset()?;
    let moment = pieces.date().to_datetime(pieces.time()?);
    let timestamp = offset.to_timestamp(moment).ok()?;
    Some(timestamp.display_with_offset(offset).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_spellings_become_rfc3339() {
        let expected = CreateTime::Read("2022-08-09T16:23:11+08:00".to_owned());
        for text in [
            "2022-08-09T16:23:11+0800",
            "2022-08-09T16:23:11+0800>",
            "2022-08-09T16:23:11+08:00",
            " 2022-08-09T16:23:11+0800\n",
        ] {
            assert_eq!(CreateTime::read(Some(text)), expected, "{text}");
        }
        assert_eq!(
            CreateTime::read(Some("2020-08-20T16:14:34Z")),
            CreateTime::Read("2020-08-20T16:14:34+00:00".to_owned())
        );
    }

    #[test]
    fn what_is_no_moment_is_kept_as_it_came() {
        for text in [
            "yesterday",
            "2022-08-09",
            "2022-08-09 16:23:11",
            "2022-13-09T16:23:11+0800",
            "2022-08-09T16:23:11",
            "2022-08-09T16:23:11+0800>>",
        ] {
            assert_eq!(CreateTime::read(Some(text)), CreateTime::Raw(text.to_owned()), "{text}");
        }
        assert_eq!(CreateTime::read(Some("  ")), CreateTime::Absent);
        assert_eq!(CreateTime::read(None), CreateTime::Absent);
        assert_eq!(CreateTime::read(Some("a\u{1b}b")), CreateTime::Raw("ab".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,80}|[0-9TZ:+.>-]{0,40}") {
            let _read = CreateTime::read(Some(&text));
        }
    }
}
