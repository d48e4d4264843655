//! Keys that nobody asked for, each with what it was probably meant to be.

use std::collections::BTreeMap;

use ::config::{Map, Value, ValueKind};

use super::origins::Origins;
use super::reader::Asked;
use crate::domain::{Mistake, nearest};

/// A mistake for every key of `values` that is not among those `asked` for.
pub(super) fn keys(values: &Map<String, Value>, asked: &BTreeMap<String, Asked>, origins: &Origins) -> Vec<Mistake> {
    let mut walk = Walk { asked, origins, mistakes: Vec::new() };
    walk.table(values, "");
    walk.mistakes
}

/// The path with every entry's number left out: `auth.jwt[].issuer`.
pub(super) fn any_entry(path: &str) -> String {
    path.split('[').map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join("[")
}

struct Walk<'a> {
    asked: &'a BTreeMap<String, Asked>,
    origins: &'a Origins,
    mistakes: Vec<Mistake>,
}

impl Walk<'_> {
    fn table(&mut self, values: &Map<String, Value>, table: &str) {
        for (key, value) in values {
            let path = join(table, key);
            match (self.asked.get(&any_entry(&path)), &value.kind) {
                (None, _) => self.unknown(table, key),
                (Some(Asked::Table), ValueKind::Table(values)) => self.table(values, &path),
                (Some(Asked::Tables), ValueKind::Array(entries)) => self.entries(entries, &path),
                // A value, or something in place of a table: whoever asked for it has told so.
                (Some(Asked::Value | Asked::Table | Asked::Tables), _) => {}
            }
        }
    }

    fn entries(&mut self, entries: &[Value], path: &str) {
        for (n, entry) in entries.iter().enumerate() {
            if let ValueKind::Table(values) = &entry.kind {
                self.table(values, &format!("{path}[{n}]"));
            }
        }
    }

    fn unknown(&mut self, table: &str, key: &str) {
        let path = join(table, key);
        let mistake = self.origins.mistake(&path, format!("unknown key `{path}`"));
        self.mistakes.push(mistake.hint(self.hint(&any_entry(table), key)));
    }

    /// The most telling of: not a place for secrets; the table that has such a key; the nearest key of this table;
    /// all keys of this table.
    fn hint(&self, table: &str, key: &str) -> String {
        if is_secret(key) {
            return "no secret stands in a configuration: name a file that holds it".to_owned();
        }
        let elsewhere: Vec<&str> = self.asked.keys().filter(|path| last(path) == key).map(String::as_str).collect();
        if !elsewhere.is_empty() {
            return format!("did you mean `{}`?", elsewhere.join("` or `"));
        }
        let here: Vec<&str> = self.asked.keys().filter(|path| parent(path) == table).map(|path| last(path)).collect();
        match nearest(key, here.iter().copied()) {
            Some(near) => format!("did you mean `{}`?", join(table, near)),
            None => format!("known here: {}", here.join(", ")),
        }
    }
}

fn is_secret(key: &str) -> bool {
    ["secret_id", "secret_key", "secret", "token", "password", "key"].contains(&key)
}

fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_entries_are_left_out() {
        assert_eq!(any_entry("auth.jwt[12].issuer"), "auth.jwt[].issuer");
        assert_eq!(any_entry("server.listen"), "server.listen");
    }
}
