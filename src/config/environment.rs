//! Variables that override the file: which are ours, and which key each of them sets.
//!
//! With the credentials' source this is the only reader of the process's environment.

use std::collections::BTreeMap;

use ::config::{Environment, Map};
use zeroize::Zeroizing;

use super::origins::in_words;
use crate::domain::Mistake;

const PREFIX: &str = "CI_GATEWAY";
const SEPARATOR: &str = "__";
/// Entries of a list of tables that can be named; what is named is made, with all before it.
const MOST_ENTRIES: usize = 64;

/// The process's variables that can be ours; the others, among which our keys may be, are wiped.
///
/// What is not UTF-8 is kept with replacement characters: [`read`] names it if it is ours.
pub(super) fn of_process() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.to_string_lossy().into_owned(), Zeroizing::new(value.into_encoded_bytes()));
        name.to_ascii_uppercase().starts_with(PREFIX).then(|| (name, String::from_utf8_lossy(&value).into_owned()))
    })
}

/// Whether the user wants no colour (<https://no-color.org>).
#[must_use]
pub fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Which log lines are written, in the language of `RUST_LOG`; `None` leaves the default.
#[must_use]
pub fn log_filter() -> Option<String> {
    std::env::var("RUST_LOG").ok()
}

/// What the variables say; whatever is named in `mistakes` is not in `set`.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// The variable of each path.
    pub(super) set: BTreeMap<String, Variable>,
    pub(super) mistakes: Vec<Mistake>,
}

/// A variable that sets a value.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    value: String,
}

impl Variable {
    /// The variable as a layer that holds nothing but the value at `path`.
    ///
    /// A text stays a text: what the crate calls parsing turns `007` into 7 before anybody knows what it is for.
    pub(super) fn source(&self, path: &str) -> Environment {
        let named = Map::from([(format!("{PREFIX}{SEPARATOR}{path}"), self.value.clone())]);
        Environment::with_prefix(PREFIX)
            .prefix_separator(SEPARATOR)
            .separator(SEPARATOR)
            .try_parsing(false)
            .source(Some(named))
    }
}

impl Variables {
    fn take(&mut self, path: String, name: String, value: String) {
        let refused = |what: String| Mistake::new(in_words(&name), what);
        if value.contains(char::REPLACEMENT_CHARACTER) {
            let what = "holds bytes that are not UTF-8".to_owned();
            self.mistakes.push(refused(what).hint("set it anew, as UTF-8"));
        } else if let Some(other) = self.set.get(&path) {
            self.mistakes.push(refused(format!("sets `{path}`, as {} does", other.name)).hint("unset one of the two"));
        } else {
            self.set.insert(path, Variable { name, value });
        }
    }
}

/// Picks the variables that are ours out of `environment`.
pub(super) fn read(environment: impl Iterator<Item = (String, String)>) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in environment.filter(|(_, value)| !value.is_empty()) {
        match key_of(&name) {
            Key::NotOurs => {}
            Key::Misspelt(what, hint) => variables.mistakes.push(Mistake::new(in_words(&name), what).hint(hint)),
            Key::Path(path) => variables.take(path, name, value),
        }
    }
    variables
}

enum Key {
    NotOurs,
    Misspelt(String, String),
    Path(String),
}

/// The path that a variable sets: `CI_GATEWAY__AUTH__JWT__0__ISSUER`, or `…JWT[0]…`, sets `auth.jwt[0].issuer`.
fn key_of(name: &str) -> Key {
    let upper = name.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('_')) else {
        return Key::NotOurs;
    };
    let Some(rest) = rest.strip_prefix('_') else {
        // Kubernetes sets CI_GATEWAY_PORT and its like for a service of our name: those are nobody's mistake.
        return match rest.contains(SEPARATOR) {
            true => misspelt(&format!("{PREFIX}{SEPARATOR}{rest}")),
            false => Key::NotOurs,
        };
    };
    if name != upper {
        return misspelt(&upper);
    }
    match path(rest) {
        Some(path) => Key::Path(path),
        None => Key::Misspelt(
            "is not the name of a key".to_owned(),
            format!(
                "write {PREFIX}__SECTION__KEY, and {PREFIX}__SECTION__LIST__0__KEY for the first entry of a list of tables (at most {MOST_ENTRIES})"
            ),
        ),
    }
}

fn misspelt(right: &str) -> Key {
    Key::Misspelt("looks like one of ours, and would not be read".to_owned(), format!("did you mean {right}?"))
}

/// `None` for an empty part, a character that no key has, or an entry's number beyond the bound.
fn path(rest: &str) -> Option<String> {
    let mut path = String::new();
    for part in rest.split(SEPARATOR) {
        let (word, number) = word_and_number(part)?;
        if let Some(word) = word {
            let dot = if path.is_empty() { "" } else { "." };
            path = format!("{path}{dot}{}", word.to_ascii_lowercase());
        }
        if let Some(number) = number {
            let number: usize = number.parse().ok().filter(|n| *n < MOST_ENTRIES && !path.is_empty())?;
            path = format!("{path}[{number}]");
        }
    }
    Some(path)
}

/// The parts of `JWT`, `JWT[0]` and `0`.
fn word_and_number(part: &str) -> Option<(Option<&str>, Option<&str>)> {
    if part.bytes().all(|b| b.is_ascii_digit()) {
        return Some((None, Some(part)));
    }
    let (word, number) = match part.split_once('[') {
        Some((word, number)) => (word, Some(number.strip_suffix(']')?)),
        None => (part, None),
    };
    let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_word.then_some((Some(word), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Variables {
        read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn both_ways_of_writing_a_number_give_the_same_path() {
        for name in ["CI_GATEWAY__AUTH__JWT__0__ISSUER", "CI_GATEWAY__AUTH__JWT[0]__ISSUER"] {
            assert_eq!(of(&[(name, "x")]).set.keys().collect::<Vec<_>>(), ["auth.jwt[0].issuer"]);
        }
        assert_eq!(
            of(&[("CI_GATEWAY__CI__DEFAULT_REGION", "x")]).set.keys().collect::<Vec<_>>(),
            ["ci.default_region"]
        );
    }

    #[test]
    fn what_kubernetes_sets_and_what_is_empty_is_passed_over() {
        let variables = of(&[
            ("CI_GATEWAY_PORT", "tcp://10.0.0.1:80"),
            ("CI_GATEWAY_SERVICE_HOST", "10.0.0.1"),
            ("CI_GATEWAY_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("PATH", "/bin"),
            ("CI_GATEWAYS__X", "1"),
            ("CI_GATEWAY__SERVER__LISTEN", ""),
        ]);
        assert!(variables.set.is_empty() && variables.mistakes.is_empty(), "{variables:?}");
    }

    #[test]
    fn a_name_that_would_be_passed_over_silently_is_a_mistake_with_the_right_name() {
        for name in ["CI_GATEWAY_SERVER__LISTEN", "ci_gateway__server__listen", "CI_GATEWAY__SERVER__listen"] {
            let mistakes = of(&[(name, "x")]).mistakes;
            assert_eq!(mistakes[0].place(), format!("environment variable {name}"));
            assert_eq!(mistakes[0].hint_text(), Some("did you mean CI_GATEWAY__SERVER__LISTEN?"));
        }
    }

    #[test]
    fn a_name_that_is_no_path_is_refused_before_room_is_made_for_it() {
        for rest in [
            "",
            "A____B",
            "A.B",
            "A__JWT[99999999999999]",
            "A[64]",
            "A__64",
            "A[-1]",
            "A[0",
            "A[0]]",
            "0__A",
            "[0]",
            "A[0][1]",
            "A=",
            "Ä",
        ] {
            let variables = of(&[(&format!("CI_GATEWAY__{rest}"), "x")]);
            assert_eq!((variables.set.len(), variables.mistakes.len()), (0, 1), "{rest}");
        }
    }

    #[test]
    fn two_names_of_the_same_path_are_a_mistake() {
        let twice = of(&[("CI_GATEWAY__A[0]__B", "x"), ("CI_GATEWAY__A__0__B", "y")]);
        assert_eq!(twice.mistakes.len(), 1, "{twice:?}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_named() {
        assert_eq!(of(&[("CI_GATEWAY__POLICY__FILE", "a\u{fffd}")]).mistakes.len(), 1);
    }
}
