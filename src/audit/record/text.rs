//! A text of others as it stands in a record: it cannot break the line, hide in it or make it too long.

use std::fmt::Write;

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::audit::Digest;
use crate::domain::is_printable;

/// `…sha256:` and 16 digits.
const MARK: usize = 3 + 7 + 16;

/// A text that is escaped wherever a person could misread it, and cut where it is longer than `MOST` bytes, escapes
/// included and quotes not. What was cut stands there as the beginning of the text's SHA-256, so that two long names stay
/// two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a, const MOST: usize>(pub(super) &'a str);

/// A name that others choose.
pub(super) type Name<'a> = Text<'a, 640>;
/// A text that is short by its type.
pub(super) type Word<'a> = Text<'a, 160>;

impl<const MOST: usize> Serialize for Text<'_, MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Of printable characters at most the quote and the backslash take two bytes instead of one.
        if self.0.len() <= MOST / 2 && self.0.chars().all(is_printable) {
            return serializer.serialize_str(self.0);
        }
        let raw = RawValue::from_string(format!("\"{}\"", bounded(self.0, MOST))).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

fn bounded(text: &str, most: usize) -> String {
    let mut whole = String::new();
    let mut cut = 0;
    for c in text.chars() {
        escape(c, &mut whole);
        if whole.len() > most {
            whole.truncate(cut);
            return format!("{whole}…sha256:{:.16}", Digest::of(&[text.as_bytes()]).to_string());
        }
        if whole.len() <= most.saturating_sub(MARK) {
            cut = whole.len();
        }
    }
    whole
}

/// RFC 8259 section 7: anything may be written as `\uXXXX`, in two halves beyond the first plane.
fn escape(c: char, out: &mut String) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        c if is_printable(c) => out.push(c),
        c => {
            for half in c.encode_utf16(&mut [0; 2]) {
                // Writing to a text does not fail.
                let _written = write!(out, "\\u{half:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_reads_back_the_same_or_as_its_beginning_with_a_digest(text in any::<String>(), times in 1_usize..60) {
            let text = text.repeat(times);
            let json = serde_json::to_string(&Text::<200>(&text)).unwrap();
            prop_assert!(json.len() <= 202, "{}", json.len());
            prop_assert!(json.chars().all(is_printable), "{json}");
            let read: String = serde_json::from_str(&json).unwrap();
            if read != text {
                let (beginning, digest) = read.rsplit_once("…sha256:").unwrap();
                prop_assert!(text.starts_with(beginning) && Digest::of(&[text.as_bytes()]).to_string().starts_with(digest));
                prop_assert_eq!(digest.len(), 16);
            }
        }
    }

    #[test]
    fn two_long_names_that_differ_at_their_end_stay_two() {
        let [a, b] = ["a", "b"]
            .map(|end| serde_json::to_string(&Text::<640>(&format!("{}{end}", "\u{202e}".repeat(400)))).unwrap());
        assert!(a != b && a.contains("…sha256:"), "{a}");
    }
}
