//! The tree of a JSON file.
//!
//! serde_json tells a visitor no positions. A raw value borrows its piece of the text, so each level is read
//! into raw values first, and where a piece begins says where it stands.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Field, Findings, Flaw, Node, Value, quoted};

/// The schema is six levels deep; every level is read once more for the one below it.
const DEEPEST: usize = 16;
const HINT: &str = "texts and keys stand in double quotes, a comma between two entries and none after the last";

pub(super) fn read<'t>(text: &'t str, findings: &mut Findings<'_>) -> Option<Node<'t>> {
    let mut tree = Tree { text, findings, broken: false };
    // Some editors begin a file so; it is no part of JSON (RFC 8259 section 8.1).
    let root = match serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        Ok(raw) => tree.node(raw, 0),
        Err(why) => tree.not_json(0, &why),
    };
    (!tree.broken).then_some(root)
}

struct Tree<'t, 'f, 'p> {
    text: &'t str,
    findings: &'f mut Findings<'p>,
    broken: bool,
}

impl<'t> Tree<'t, '_, '_> {
    fn node(&mut self, raw: &'t RawValue, depth: usize) -> Node<'t> {
        let piece = raw.get();
        let at = (piece.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if depth > DEEPEST {
            self.broken = true;
            self.findings.add(at, Flaw::new("nested too deep", "a policy is a table of lists of tables of lists"));
            return Node { at, value: Value::Other("nested too deep") };
        }
        let value = match piece.as_bytes().first() {
            Some(b'"') => serde_json::from_str(piece).map(|Text(text)| Value::Text(text)),
            Some(b'[') => serde_json::from_str(piece).map(|items| self.list(items, depth)),
            Some(b'{') => serde_json::from_str(piece).map(|Fields(fields)| self.table(fields, depth)),
            Some(b't') => Ok(Value::Bool(true)),
            Some(b'f') => Ok(Value::Bool(false)),
            Some(b'n') => Ok(Value::Other("null")),
            Some(_) | None => Ok(Value::Number(piece.into())),
        };
        value.map_or_else(|why| self.not_json(at, &why), |value| Node { at, value })
    }

    fn list(&mut self, items: Vec<&'t RawValue>, depth: usize) -> Value<'t> {
        Value::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect())
    }

    fn table(&mut self, fields: Vec<(Cow<'t, str>, &'t RawValue)>, depth: usize) -> Value<'t> {
        let mut seen = HashSet::with_capacity(fields.len());
        let mut table = Vec::with_capacity(fields.len());
        for (key, raw) in fields {
            let node = self.node(raw, depth + 1);
            // JSON leaves open which of two counts (RFC 8259 section 4); TOML refuses by itself.
            if !seen.insert(key.clone()) {
                let what = format!("the key {} stands here a second time", quoted(&key));
                self.findings.add(self.key_at(&key, node.at), Flaw::new(what, "keep one of the two"));
            }
            table.push(Field { at: self.key_at(&key, node.at), key, node });
        }
        Value::Table(table)
    }

    /// The byte at which a key stands, its quote included, or `otherwise`: one with escapes is a copy.
    #[expect(clippy::ptr_arg, reason = "whether it is borrowed is what is asked")]
    fn key_at(&self, key: &Cow<'_, str>, otherwise: usize) -> usize {
        match key {
            Cow::Borrowed(key) => (key.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize + 1),
            Cow::Owned(_) => otherwise,
        }
    }

    /// Notes what serde_json says about the piece at byte `at`, without the position at the end of its sentence.
    fn not_json(&mut self, at: usize, why: &serde_json::Error) -> Node<'t> {
        self.broken = true;
        let within = self.text.get(at..).unwrap_or_default().split_inclusive('\n').take(why.line().saturating_sub(1));
        let line = at + within.map(str::len).sum::<usize>();
        let wanted = (line + why.column().saturating_sub(1)).min(self.text.len());
        let at = (line..=wanted).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(line);
        let sentence = why.to_string();
        let what = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(what, _)| what);
        self.findings.add(at, Flaw::new(format!("not JSON: {what}"), HINT));
        Node { at, value: Value::Other("unreadable") }
    }
}

/// A string that is borrowed unless it has escapes.
struct Text<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A table in the order of the file and with its repetitions, which a map would hide.
struct Fields<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Text(key), raw)) = map.next_entry()? {
            fields.push((key, raw));
        }
        Ok(Fields(fields))
    }
}
