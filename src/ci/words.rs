//! Words of Cloud Infinite that we hand on: only after they have been read.

use std::fmt;

use serde::Serialize;

use crate::domain::is_printable;

const LONGEST_CODE: usize = 64;
const LONGEST_REQUEST_ID: usize = 128;

/// The code of a fault, such as `AccessDenied`: letters, digits and dots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FaultCode(Box<str>);

impl FaultCode {
    /// The code in `text`; `None` if the text is anything else than a code.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_';
        let readable = !text.is_empty() && text.len() <= LONGEST_CODE && text.bytes().all(word);
        readable.then(|| Self(text.into()))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Cloud Infinite's name for one request, which its support asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The id in `text`; `None` if it holds anything but the characters of base64 and `_ - .`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let word = |b: u8| b.is_ascii_alphanumeric() || b"+/=_-.".contains(&b);
        let readable = !text.is_empty() && text.len() <= LONGEST_REQUEST_ID && text.bytes().all(word);
        readable.then(|| Self(text.into()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sentence of Cloud Infinite's for our log: printable, one line, at most 256 characters.
pub(super) fn sentence(text: &str) -> Box<str> {
    const LONGEST_SENTENCE: usize = 256;
    let printable = |c: char| if is_printable(c) { c } else { ' ' };
    text.trim().chars().take(LONGEST_SENTENCE).map(printable).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_could_carry_more_than_a_word_are_not_read() {
        for text in ["", "Access Denied", "<b>", "a\nb", "\u{1b}[31m", &"x".repeat(65)] {
            assert_eq!(FaultCode::read(text), None, "{text}");
        }
        for text in ["", "a b", "\"", "{}", &"x".repeat(129)] {
            assert_eq!(RequestId::read(text), None, "{text}");
        }
        assert_eq!(RequestId::read(" NjJmMzRlZGZfOTBm= ").unwrap().as_str(), "NjJmMzRlZGZfOTBm=");
    }

    #[test]
    fn a_sentence_is_one_line_of_bounded_length() {
        assert_eq!(&*sentence("a\r\nb\u{1b}c"), "a  b c");
        assert_eq!(&*sentence("a\u{202e}b\u{2066}c\u{2028}d\u{feff}e\u{200f}f"), "a b c d e f");
        assert_eq!(sentence(&"é".repeat(1000)).chars().count(), 256);
    }
}
