//! A policy file as a tree, the same for both of its formats; every part knows the byte at which it stands.

mod from_json;
mod from_toml;

use std::borrow::Cow;
use std::path::Path;

use toml::value::Datetime;

use super::findings::{Findings, Flaw, quoted};

/// The two ways to write a policy; the schema is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML 1.0.
    Toml,
    /// JSON, RFC 8259.
    Json,
}

impl Format {
    /// The format that a file's ending promises: `.json` is JSON, everything else is TOML.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        if json { Self::Json } else { Self::Toml }
    }
}

/// The tree of `text`; `None` if it is not well-formed, which then is among the findings.
pub(super) fn read<'t>(text: &'t str, format: Format, findings: &mut Findings<'_>) -> Option<Node<'t>> {
    match format {
        Format::Toml => from_toml::read(text, findings),
        Format::Json => from_json::read(text, findings),
    }
}

/// Strings and the bytes at which they stand.
pub(super) type Texts<'t> = Vec<(usize, Cow<'t, str>)>;

/// A value and the byte at which it stands.
pub(super) struct Node<'t> {
    pub(super) at: usize,
    pub(super) value: Value<'t>,
}

/// The values that the schema has a use for, and the names of the others.
pub(super) enum Value<'t> {
    Text(Cow<'t, str>),
    /// A number as it is written, without the underscores that TOML allows.
    Number(Cow<'t, str>),
    Bool(bool),
    Time(Datetime),
    List(Vec<Node<'t>>),
    Table(Vec<Field<'t>>),
    Other(&'static str),
}

/// One key of a table.
pub(super) struct Field<'t> {
    pub(super) key: Cow<'t, str>,
    /// The byte at which the key stands; in JSON, if it has escapes, its value.
    pub(super) at: usize,
    pub(super) node: Node<'t>,
}

impl Value<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Time(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

impl<'t> Node<'t> {
    /// What to say when the value of `name` should have been something else.
    pub(super) fn instead_of(&self, name: &str, wanted: &str, hint: &str) -> Flaw {
        Flaw::new(format!("{} is {}, not {wanted}", quoted(name), self.value.kind()), hint)
    }

    /// The keys of a table called `name`.
    pub(super) fn fields(self, name: &str, findings: &mut Findings<'_>) -> Vec<Field<'t>> {
        match self.value {
            Value::Table(fields) => fields,
            Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) | Value::Other(_) => {
                findings.add(self.at, self.instead_of(name, "a table", "write keys and values below it"));
                Vec::new()
            }
        }
    }

    /// The one string that stands under `name`.
    pub(super) fn text(self, name: &str, hint: &str, findings: &mut Findings<'_>) -> Option<(usize, Cow<'t, str>)> {
        match self.value {
            Value::Text(text) => Some((self.at, text)),
            Value::Number(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
                findings.add(self.at, self.instead_of(name, "a string", hint));
                None
            }
        }
    }

    /// The strings that stand under `name`: one alone, or a list. CAM allows both.
    pub(super) fn texts(self, name: &str, hint: &str, findings: &mut Findings<'_>) -> Texts<'t> {
        match self.value {
            Value::Text(text) => vec![(self.at, text)],
            Value::List(items) => items.into_iter().filter_map(|item| item.text(name, hint, findings)).collect(),
            Value::Number(_) | Value::Bool(_) | Value::Time(_) | Value::Table(_) | Value::Other(_) => {
                findings.add(self.at, self.instead_of(name, "a string or a list of strings", hint));
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format_and_toml_is_the_usual_one() {
        for (path, format) in [
            ("policy.toml", Format::Toml),
            ("/etc/ci-gateway/policy.json", Format::Json),
            ("POLICY.JSON", Format::Json),
            ("policy", Format::Toml),
            ("policy.json.bak", Format::Toml),
        ] {
            assert_eq!(Format::of(Path::new(path)), format, "{path}");
        }
    }
}
