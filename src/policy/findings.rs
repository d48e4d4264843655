//! Mistakes while they are collected: by the byte at which they stand, until all are known.

use std::cell::OnceCell;

use crate::domain::{Mistake, Mistakes, nearest};

/// The longest part of a policy that a message repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// What is wrong with a piece of text, for whoever knows where the piece stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    what: String,
    hint: String,
}

impl Flaw {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// `word` stands where one of `known` should.
    pub(super) fn unknown(kind: &str, word: &str, known: &[&str]) -> Self {
        let hint = match nearest(word, known.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known here: {}", known.iter().map(|known| quoted(known)).collect::<Vec<_>>().join(", ")),
        };
        Self::new(format!("unknown {kind} {}", quoted(word)), hint)
    }
}

/// The mistakes found so far in one text.
pub(super) struct Findings<'t> {
    text: &'t str,
    place: &'t str,
    line_ends: OnceCell<Vec<usize>>,
    found: Vec<(usize, Mistake)>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str, place: &'t str) -> Self {
        Self { text, place, line_ends: OnceCell::new(), found: Vec::new() }
    }

    /// Notes a flaw in what stands at byte `at`.
    pub(super) fn add(&mut self, at: usize, flaw: Flaw) {
        let mistake = Mistake::new(self.place, flaw.what).at_line(self.line(at)).hint(flaw.hint);
        self.found.push((at, mistake));
    }

    /// The value, or the flaw noted at byte `at`.
    pub(super) fn check<T>(&mut self, at: usize, result: Result<T, Flaw>) -> Option<T> {
        result.map_err(|flaw| self.add(at, flaw)).ok()
    }

    /// The line of byte `at`, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        // Made for the first mistake and kept: a file may have a hundred thousand of them.
        let ends = self.line_ends.get_or_init(|| {
            let bytes = self.text.bytes().enumerate();
            bytes.filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect()
        });
        ends.partition_point(|end| *end < at) + 1
    }

    /// `value` if nothing is wrong, else the mistakes in the order of their lines.
    pub(super) fn unless_any<T>(mut self, value: T) -> Result<T, Mistakes> {
        self.found.sort_by_key(|(at, _)| *at);
        Mistakes::unless_any(self.found.into_iter().map(|(_, mistake)| mistake).collect(), value)
    }
}

/// `text` in backticks, fit for a terminal: shortened, and with control characters spelt out.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for (n, character) in text.chars().enumerate() {
        if n == LONGEST_QUOTE {
            shown.push('…');
            break;
        }
        if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown.push('`');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one_and_mistakes_sorted_by_them() {
        let mut findings = Findings::new("a\nbc\n\nd", "p.toml");
        for at in [6, 0, 2, 3, 5] {
            findings.add(at, Flaw::new(format!("at {at}"), "h"));
        }
        let shown = findings.unless_any(()).unwrap_err().to_string();
        let shown = shown.replace(" (hint: h)", "");
        assert_eq!(shown, "p.toml:1: at 0\np.toml:2: at 2\np.toml:2: at 3\np.toml:3: at 5\np.toml:4: at 6");
    }

    #[test]
    fn what_is_quoted_can_neither_move_the_cursor_nor_fill_the_screen() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "`a\\u{1b}[2J\\n`");
        assert_eq!(quoted(&"x".repeat(1_000)).chars().count(), LONGEST_QUOTE + 3);
    }
}
