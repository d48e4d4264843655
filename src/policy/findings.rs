//! Mistakes while they are collected: by the byte at which they stand, until all are known.

use std::cell::{Cell, OnceCell};

use super::review::{Remark, Weight};
use crate::domain::{Mistake, is_printable, nearest};

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

    /// The mistake that it is in the file `place`.
    pub(super) fn at(self, place: &str) -> Mistake {
        Mistake::new(place, self.what).hint(self.hint)
    }

    /// The same advice, with `before` told first.
    pub(super) fn after(self, before: &str) -> Self {
        Self { what: format!("{before}: {}", self.what), ..self }
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

/// Why a part of a statement cannot be used. In our own statements all of it is a mistake; in a document that was
/// written for CAM, only some of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is not of the language.
    Wrong(Flaw),
    /// It is about another service.
    Foreign(Flaw),
    /// No request can match it.
    Never(Flaw),
    /// It asks for something that is not known here.
    Unclear(Flaw),
}

impl Unusable {
    pub(super) fn into_flaw(self) -> Flaw {
        match self {
            Self::Wrong(flaw) | Self::Foreign(flaw) | Self::Never(flaw) | Self::Unclear(flaw) => flaw,
        }
    }
}

/// The mistakes found so far in one text.
pub(super) struct Findings<'t> {
    text: &'t str,
    place: &'t str,
    line_ends: OnceCell<Vec<usize>>,
    /// A byte, and its column.
    counted: Cell<(usize, usize)>,
    found: Vec<(usize, Mistake)>,
    remarks: Vec<Remark>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str, place: &'t str) -> Self {
        Self {
            text,
            place,
            line_ends: OnceCell::new(),
            counted: Cell::new((0, 1)),
            found: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Notes a flaw in what stands at byte `at`.
    pub(super) fn add(&mut self, at: usize, flaw: Flaw) {
        let mistake = self.located(at, flaw);
        self.found.push((at, mistake));
    }

    /// Notes what may stand at byte `at`, but is hardly meant.
    pub(super) fn remark(&mut self, at: usize, weight: Weight, flaw: Flaw) {
        let mistake = self.located(at, flaw);
        self.remarks.push(Remark { weight, mistake });
    }

    fn located(&self, at: usize, flaw: Flaw) -> Mistake {
        let (line, column) = self.position(at);
        flaw.at(self.place).at_line(line).at_column(column)
    }

    /// The value, or the flaw noted at byte `at`.
    pub(super) fn check<T>(&mut self, at: usize, result: Result<T, Flaw>) -> Option<T> {
        result.map_err(|flaw| self.add(at, flaw)).ok()
    }

    /// Line and column of byte `at`, both counted from 1, columns in characters.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        // Made for the first mistake and kept: a file may have a hundred thousand of them.
        let ends = self.line_ends.get_or_init(|| {
            let bytes = self.text.bytes().enumerate();
            bytes.filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect()
        });
        let before = ends.partition_point(|end| *end < at);
        let begins = before.checked_sub(1).and_then(|last| ends.get(last)).map_or(0, |end| end + 1);
        // Mistakes come mostly in order: in a file of one line, counting goes on where it stopped.
        let (from, counted) =
            Some(self.counted.get()).filter(|(from, _)| (begins..=at).contains(from)).unwrap_or((begins, 1));
        let column = counted + self.text.get(from..at).map_or(0, |text| text.chars().count());
        self.counted.set((at, column));
        (before + 1, column)
    }

    /// Mistakes in the order of their lines, and remarks.
    pub(super) fn into_parts(mut self) -> (Vec<Mistake>, Vec<Remark>) {
        self.found.sort_by_key(|(at, _)| *at);
        (self.found.into_iter().map(|(_, mistake)| mistake).collect(), self.remarks)
    }
}

/// `text` in backticks, fit for a terminal: shortened, and with what is no printable character spelt out.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for (n, character) in text.chars().enumerate() {
        if n == LONGEST_QUOTE {
            shown.push('…');
            break;
        }
        if is_printable(character) { shown.push(character) } else { shown.extend(character.escape_default()) }
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
        let (mistakes, _) = findings.into_parts();
        let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.to_string().replace(" (hint: h)", "")).collect();
        let expected =
            ["p.toml:1:1: at 0", "p.toml:2:1: at 2", "p.toml:2:2: at 3", "p.toml:3:1: at 5", "p.toml:4:1: at 6"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let findings = Findings::new("ü = \"é\" x", "p");
        let positions = [0, 10, 0, 5, 10, 11].map(|at| findings.position(at));
        assert_eq!(positions, [(1, 1), (1, 9), (1, 1), (1, 5), (1, 9), (1, 10)]);
        let lines = Findings::new("é\né x\n", "p");
        assert_eq!([2, 6, 3, 5].map(|at| lines.position(at)), [(1, 2), (2, 3), (2, 1), (2, 2)]);
    }

    #[test]
    fn what_is_quoted_can_neither_move_the_cursor_nor_fill_the_screen() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "`a\\u{1b}[2J\\n`");
        assert_eq!(quoted("a\u{202e}b"), "`a\\u{202e}b`");
        assert_eq!(quoted(&"x".repeat(1_000)).chars().count(), LONGEST_QUOTE + 3);
    }
}
