//! Query parameters and headers in the one order and spelling that is signed (steps 3 and 4).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::SigningError;

/// Everything but `A-Z a-z 0-9 - _ . ~`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The spelling that is signed; the same goes onto the wire, so that nobody has to decode it the same way.
pub(super) fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

/// Names and pairs of the parameters or headers that a signature covers.
#[derive(Debug)]
pub(super) struct Canonical {
    /// `name;name`: `q-url-param-list` or `q-header-list`.
    pub(super) list: String,
    /// `name=value&name=value`: the third or fourth line of the HttpString.
    pub(super) text: String,
}

/// Which of the two lists is meant, for error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Parameter,
    Header,
}

impl Canonical {
    /// Escapes, lower-cases the names, and sorts by name alone: `a` comes before `a-b`, though `=` sorts
    /// after `-`.
    ///
    /// Duplicates are refused: the official SDKs do not agree on what they mean.
    pub(super) fn of<'a>(
        kind: Kind,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SigningError> {
        let mut pairs: Vec<(String, &str)> = pairs
            .into_iter()
            .map(|(name, value)| {
                let mut name = String::from(Cow::from(escape(name)));
                name.make_ascii_lowercase();
                (name, kind.trimmed(value))
            })
            .collect();
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (mut list, mut text) = (String::new(), String::new());
        let mut previous = None;
        for (name, value) in &pairs {
            if name.is_empty() {
                return Err(kind.nameless());
            }
            if previous == Some(name) {
                return Err(kind.duplicate(name));
            }
            if previous.replace(name).is_some() {
                list.push(';');
                text.push('&');
            }
            list.push_str(name);
            text.push_str(name);
            text.push('=');
            text.extend(escape(value));
        }
        Ok(Self { list, text })
    }
}

impl Kind {
    /// Blanks around a header's value are not part of it (RFC 9110 section 5.5); a parameter's are.
    fn trimmed(self, value: &str) -> &str {
        match self {
            Self::Parameter => value,
            Self::Header => value.trim_matches([' ', '\t']),
        }
    }

    fn duplicate(self, name: &str) -> SigningError {
        match self {
            Self::Parameter => SigningError::DuplicateParameter(name.into()),
            Self::Header => SigningError::DuplicateHeader(name.into()),
        }
    }

    fn nameless(self) -> SigningError {
        match self {
            Self::Parameter => SigningError::NamelessParameter,
            Self::Header => SigningError::NamelessHeader,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parameters<'a>(pairs: &[(&'a str, &'a str)]) -> Result<Canonical, SigningError> {
        Canonical::of(Kind::Parameter, pairs.iter().copied())
    }

    #[test]
    fn names_that_differ_only_in_case_are_duplicates() {
        let refused = parameters(&[("Prefix", "a"), ("prefix", "b")]).unwrap_err();
        assert_eq!(refused, SigningError::DuplicateParameter("prefix".into()));
        let refused = Canonical::of(Kind::Header, [("Host", "a"), ("host", "b")]).unwrap_err();
        assert_eq!(refused, SigningError::DuplicateHeader("host".into()));
    }

    #[test]
    fn escapes_are_lower_case_in_names_and_upper_case_in_values() {
        let canonical = parameters(&[("A[0]", "[x]/y z")]).unwrap();
        assert_eq!(canonical.list, "a%5b0%5d");
        assert_eq!(canonical.text, "a%5b0%5d=%5Bx%5D%2Fy%20z");
    }

    #[test]
    fn a_parameter_without_value_keeps_its_equals_sign() {
        assert_eq!(parameters(&[("acl", "")]).unwrap().text, "acl=");
    }

    #[test]
    fn blanks_around_a_headers_value_are_not_signed() {
        assert_eq!(Canonical::of(Kind::Header, [("Range", " bytes=0-9\t")]).unwrap().text, "range=bytes%3D0-9");
    }

    proptest! {
        #[test]
        fn any_order_of_the_same_pairs_gives_the_same_text(
            pairs in proptest::collection::btree_map("[a-zA-Z0-9\\-_.~\\[\\]]{1,6}", "\\PC{0,8}", 0..8),
            seed in any::<u64>(),
        ) {
            let mut shuffled: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let sorted = parameters(&shuffled);
            let turn = usize::try_from(seed % 7).unwrap() % shuffled.len().max(1);
            shuffled.rotate_left(turn);
            let rotated = parameters(&shuffled);
            prop_assert_eq!(sorted.is_ok(), rotated.is_ok());
            if let (Ok(a), Ok(b)) = (sorted, rotated) {
                prop_assert_eq!(a.text, b.text);
                prop_assert_eq!(a.list, b.list);
            }
        }

        #[test]
        fn what_is_signed_holds_no_separator_that_a_caller_wrote(name in "\\PC{1,8}", value in "\\PC{0,16}") {
            let canonical = parameters(&[(&name, &value)]).unwrap();
            prop_assert_eq!(canonical.text.matches('=').count(), 1);
            prop_assert!(!canonical.text.contains(['&', ';', '\n', ' ', '+', '/']));
        }
    }
}
