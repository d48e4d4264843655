//! The escaping of a q-sign signature: everything but `A-Z a-z 0-9 - _ . ~`, in upper-case hexadecimal.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A value, escaped.
pub(super) fn escape_value(value: &[u8]) -> String {
    percent_encode(value, ESCAPED).to_string()
}

/// A name, escaped and then lower-cased, so that its escapes are lower-case too.
pub(super) fn escape_name(name: &[u8]) -> String {
    escape_value(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_cased_after_escaping_and_values_are_not() {
        assert_eq!(escape_name("A[0]".as_bytes()), "a%5b0%5d");
        assert_eq!(escape_value("A[0] ~!*'()/é".as_bytes()), "A%5B0%5D%20~%21%2A%27%28%29%2F%C3%A9");
    }
}
