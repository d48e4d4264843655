//! A TOML text becomes a tree of values, and the line of every value is kept.
//!
//! The `config` crate could read the text itself, but it tells no lines, takes a date for a text, and reads a
//! quoted first key such as `"a[999999999999]"` as an instruction to make room for that many entries. So the
//! tree is made here, of plain keys and of the kinds that a configuration has, and that crate merges.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use ::config::{Map, Value, ValueKind};
use toml::de::{DeArray, DeTable, DeValue};

use crate::domain::Mistake;

/// Stands for a value that is wrong under every key; whoever reads the key says so, and where.
const NO_KEY_TAKES_IT: ValueKind = ValueKind::Float(0.0);

/// What was read from a text; whatever is named in `mistakes` is not in `values`.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) values: Map<String, Value>,
    pub(super) lines: HashMap<String, usize>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Reads the whole of `text`, which stands at `place`.
///
/// # Errors
/// Every mistake in the TOML itself, one a line: what such a text means further on would be a guess.
pub(super) fn read(text: &str, place: &str) -> Result<Document, Vec<Mistake>> {
    let starts = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(syntax_mistakes(&errors, &starts, place));
    }
    let mut walk = Walk { place, starts, document: Document::default() };
    let values = walk.table(table.get_ref(), "");
    Ok(Document { values, ..walk.document })
}

/// The message of each error without the line itself: a line could hold what should not be shown.
fn syntax_mistakes(errors: &[toml::de::Error], starts: &Lines, place: &str) -> Vec<Mistake> {
    let mut by_line = BTreeMap::new();
    for error in errors {
        let (line, column) = starts.position(error.span().unwrap_or_default().start);
        let what = format!("not TOML at column {column}: {}", error.message());
        let hint = "texts stand in double quotes, each key once in its table, tables in [brackets]";
        by_line.entry(line).or_insert_with(|| Mistake::new(place, what).at_line(line).hint(hint));
    }
    by_line.into_values().collect()
}

struct Walk<'a> {
    place: &'a str,
    starts: Lines,
    document: Document,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let line = self.starts.line(&key.span());
            if !is_plain(name) {
                self.mistake(line, format!("unknown key `{}`", name.escape_debug()), "keys are plain words");
                continue;
            }
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            self.document.lines.insert(path.clone(), line);
            let kind = self.value(value.get_ref(), &path);
            values.insert(name.to_owned(), Value::new(None, kind));
        }
        values
    }

    fn array(&mut self, array: &DeArray<'_>, path: &str) -> Vec<Value> {
        let mut values = Vec::with_capacity(array.len());
        for (n, value) in array.iter().enumerate() {
            let path = format!("{path}[{n}]");
            self.document.lines.insert(path.clone(), self.starts.line(&value.span()));
            let kind = self.value(value.get_ref(), &path);
            values.push(Value::new(None, kind));
        }
        values
    }

    fn value(&mut self, value: &DeValue<'_>, path: &str) -> ValueKind {
        match value {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            DeValue::Boolean(switch) => ValueKind::Boolean(*switch),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => ValueKind::I64(number),
                Err(_) => NO_KEY_TAKES_IT,
            },
            DeValue::Float(_) | DeValue::Datetime(_) => NO_KEY_TAKES_IT,
            DeValue::Array(array) => ValueKind::Array(self.array(array, path)),
            DeValue::Table(table) => ValueKind::Table(self.table(table, path)),
        }
    }

    fn mistake(&mut self, line: usize, what: String, hint: &str) {
        self.document.mistakes.push(Mistake::new(self.place, what).at_line(line).hint(hint));
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Where the lines of a text begin, in bytes.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    /// The line in which `span` begins, from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        self.position(span.start).0
    }

    /// Line and column (in bytes) of an offset, both from 1.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = self.0.get(line.saturating_sub(1)).copied().unwrap_or_default();
        (line, offset.saturating_sub(start) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let text = "[a]\nb = 1\n\n[a.c]\nd = [\n  'x',\n  'y',\n]\n[[e.f]]\ng = 1\n[[e.f]]\nh = { i = 1 }\r\nj.k = 1\n";
        let document = read(text, "t").unwrap();
        for (path, line) in [
            ("a", 1),
            ("a.b", 2),
            ("a.c", 4),
            ("a.c.d", 5),
            ("a.c.d[0]", 6),
            ("a.c.d[1]", 7),
            ("e.f[0]", 9),
            ("e.f[0].g", 10),
            ("e.f[1]", 11),
            ("e.f[1].h.i", 12),
            ("e.f[1].j.k", 13),
        ] {
            assert_eq!(document.lines.get(path), Some(&line), "{path}");
        }
    }

    #[test]
    fn every_broken_line_is_named_and_none_is_quoted() {
        let mistakes = read("a = marker\nb = 1\nc = \"marker\n[d\n", "gw.toml").unwrap_err();
        let lines: Vec<_> = mistakes.iter().filter_map(Mistake::line).collect();
        assert!(lines == [1, 3, 4], "{mistakes:?}");
        assert!(mistakes.iter().all(|mistake| !mistake.to_string().contains("marker")));
        // A key in two spellings, which a table would silently take the last of.
        assert_eq!(read("a = 1\n\"a\" = 2\n", "t").unwrap_err()[0].line(), Some(2));
    }

    #[test]
    fn a_mark_of_byte_order_and_line_ends_of_windows_are_passed_over() {
        let document = read("\u{feff}[a]\r\nb = 1\r\n", "t").unwrap();
        assert_eq!((document.lines.get("a"), document.lines.get("a.b")), (Some(&1), Some(&2)));
    }

    #[test]
    fn a_date_is_not_taken_for_a_text_nor_an_endless_number_for_a_number() {
        let document = read("a = 1.5\nb = 2020-01-01\nc = 99999999999999999999\nd = nan\n", "t").unwrap();
        assert!(document.values.values().all(|value| value.kind == NO_KEY_TAKES_IT));
    }

    #[test]
    fn a_quoted_key_is_no_path() {
        let document = read("\"a[999999999999]\" = 1\n\"server.listen\" = 2\n\"\\u001b\" = 3\n", "t").unwrap();
        assert!(document.values.is_empty());
        assert_eq!(document.mistakes.len(), 3);
        assert!(!document.mistakes[2].to_string().contains('\u{1b}'));
    }
}
