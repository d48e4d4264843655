//! Walks the tree of values and remembers what was asked for: whatever was not is an unknown key.
//!
//! So there is no second list of keys that could fall behind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use ::config::{Map, Value, ValueKind};

use super::files::{Files, NamedFile};
use super::origins::Origins;
use super::unknown;
use crate::domain::Mistake;

/// One reading of the whole configuration.
pub(super) struct Reader<'a> {
    origins: &'a Origins,
    folder: &'a Path,
    asked: RefCell<BTreeMap<String, Asked>>,
    mistakes: RefCell<Vec<Mistake>>,
    files: RefCell<Files>,
}

/// What a path was asked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// One value, or a list of plain ones.
    Value,
    /// A table.
    Table,
    /// A list of tables.
    Tables,
}

impl<'a> Reader<'a> {
    /// A reader of values that come from `origins`; relative paths among them are relative to `folder`.
    pub(super) fn new(origins: &'a Origins, folder: &'a Path) -> Self {
        Self { origins, folder, asked: RefCell::default(), mistakes: RefCell::default(), files: RefCell::default() }
    }

    /// The tree itself, from which all tables come.
    pub(super) fn root<'r>(&'r self, values: &'r Map<String, Value>) -> Table<'r> {
        Table { reader: self, path: String::new(), contents: Contents::There(values) }
    }

    /// The files that were named so far.
    pub(super) fn files(&self) -> Files {
        self.files.borrow().clone()
    }

    /// Every mistake, those of keys that nobody asked for among them.
    pub(super) fn finish(self, values: &Map<String, Value>) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.extend(unknown::keys(values, &self.asked.into_inner(), self.origins));
        mistakes
    }

    /// The paths of all values that were asked for, entries without their number.
    #[cfg(test)]
    pub(super) fn known_values(&self) -> std::collections::BTreeSet<String> {
        let asked = self.asked.borrow();
        asked.iter().filter(|(_, as_what)| **as_what == Asked::Value).map(|(path, _)| path.clone()).collect()
    }
}

/// A table of the tree, or the place where one could be.
pub(super) struct Table<'r> {
    reader: &'r Reader<'r>,
    path: String,
    contents: Contents<'r>,
}

#[derive(Clone, Copy)]
enum Contents<'r> {
    There(&'r Map<String, Value>),
    Absent,
    /// Something else stands there; that is told, and nothing is missing from it.
    NoTable,
}

impl<'r> Table<'r> {
    /// The table at `key`; one that is not there is as good as an empty one.
    pub(super) fn table(&self, key: &str) -> Table<'r> {
        self.ask(key, Asked::Table);
        let contents = match self.kind(key) {
            None => Contents::Absent,
            Some(ValueKind::Table(values)) => Contents::There(values),
            Some(_) => {
                let hint = format!("write [{}] and its keys below it", self.path_of(key));
                self.mistake(key, "is a table, and no value", &hint);
                Contents::NoTable
            }
        };
        Table { reader: self.reader, path: self.path_of(key), contents }
    }

    /// The tables of a list; `None` if something else stands there, which is told.
    pub(super) fn tables(&self, key: &str) -> Option<Vec<Table<'r>>> {
        self.ask(key, Asked::Tables);
        let entries = match self.kind(key) {
            None => return Some(Vec::new()),
            Some(ValueKind::Array(entries)) => entries,
            Some(_) => {
                let hint = format!("write [[{}]], in two brackets, above each entry", self.path_of(key));
                self.mistake(key, "is a list of tables", &hint);
                return None;
            }
        };
        Some(entries.iter().enumerate().map(|(n, entry)| self.entry(key, n, &entry.kind)).collect())
    }

    fn entry(&self, key: &str, n: usize, entry: &'r ValueKind) -> Table<'r> {
        let key = format!("{key}[{n}]");
        let contents = match entry {
            ValueKind::Table(values) => Contents::There(values),
            // A variable has named an entry beyond it.
            ValueKind::Nil => {
                self.mistake(&key, "is missing, and a later entry is there", "count the entries from 0");
                Contents::NoTable
            }
            _ => {
                self.mistake(&key, "is a table, and no value", "give each entry its keys");
                Contents::NoTable
            }
        };
        Table { reader: self.reader, path: self.path_of(&key), contents }
    }

    /// What stands at `key`, which is asked for as one value.
    pub(super) fn value(&self, key: &str) -> Option<&'r ValueKind> {
        self.ask(key, Asked::Value);
        self.kind(key)
    }

    /// Whether something stands at `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.kind(key).is_some()
    }

    /// Whether the table itself is there.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.contents, Contents::There(_))
    }

    /// Records a mistake if nothing stands at `key`; `hint` says what should.
    pub(super) fn need(&self, key: &str, hint: &str) {
        if !self.has(key) && !matches!(self.contents, Contents::NoTable) {
            self.mistake(key, "is missing", hint);
        }
    }

    /// A key that the gateway will have: known, and refused if it is set.
    pub(super) fn later(&self, key: &str, instead: &str) {
        if self.value(key).is_some() {
            self.mistake(key, "is not available in this build yet", instead);
        }
    }

    /// Records a mistake about `key`.
    pub(super) fn mistake(&self, key: &str, what: &str, hint: &str) {
        let path = self.path_of(key);
        let mistake = self.reader.origins.mistake(&path, format!("`{path}` {what}")).hint(hint);
        self.reader.mistakes.borrow_mut().push(mistake);
    }

    /// Records a file that the table names, if it could be read which.
    pub(super) fn names(&self, file: Option<NamedFile>) {
        if let Some(file) = file {
            self.reader.files.borrow_mut().add(file);
        }
    }

    /// Records that `key` is what names `file`.
    pub(super) fn note(&self, key: &str, file: &Path) {
        let path = self.path_of(key);
        let place = self.reader.origins.mistake(&path, "");
        self.reader.files.borrow_mut().note(file, &path, &place);
    }

    /// Whether the operator has set `key`, in the file or in the environment.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.reader.origins.is_written(&self.path_of(key))
    }

    /// Whether a variable has set `key`: such values are all texts.
    pub(super) fn comes_from_environment(&self, key: &str) -> bool {
        self.reader.origins.comes_from_environment(&self.path_of(key))
    }

    /// The folder of the operator's file.
    pub(super) fn folder(&self) -> &'r Path {
        self.reader.folder
    }

    fn kind(&self, key: &str) -> Option<&'r ValueKind> {
        let Contents::There(values) = self.contents else { return None };
        values.get(key).map(|value| &value.kind).filter(|kind| !matches!(kind, ValueKind::Nil))
    }

    fn ask(&self, key: &str, as_what: Asked) {
        let path = unknown::any_entry(&self.path_of(key));
        self.reader.asked.borrow_mut().insert(path, as_what);
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
