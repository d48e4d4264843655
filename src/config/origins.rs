//! Where each value comes from, so that a mistake can be found by whoever made it.

use std::collections::{BTreeMap, HashMap};

use crate::domain::Mistake;

/// Where values stand: lines of the operator's file, and variables that override them.
///
/// A path names a value: `server.listen`, `auth.jwt[0].issuer`.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// The operator's file, as it is shown.
    pub(super) place: String,
    /// The line of each path of that file.
    pub(super) lines: HashMap<String, usize>,
    /// The variable that sets each path.
    pub(super) variables: BTreeMap<String, String>,
}

impl Origins {
    /// A mistake about the value at `path`, located as nearly as can be: its variable, its line, those of what
    /// is inside of it, else the line of the table around it.
    pub(super) fn mistake(&self, path: &str, what: impl Into<Box<str>>) -> Mistake {
        if let Some(variable) = around(path).find_map(|here| self.variables.get(here)) {
            return Mistake::new(in_words(variable), what);
        }
        for here in around(path) {
            if let Some(line) = self.lines.get(here) {
                return Mistake::new(self.place.as_str(), what).at_line(*line);
            }
            if let Some(variable) = self.variable_within(here) {
                return Mistake::new(in_words(variable), what);
            }
        }
        Mistake::new(self.place.as_str(), what)
    }

    /// Whether the operator has set the value, or something inside of it.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.lines.contains_key(path) || self.comes_from_environment(path)
    }

    /// Whether a variable has set the value, or something inside of it.
    pub(super) fn comes_from_environment(&self, path: &str) -> bool {
        self.variables.contains_key(path) || self.variable_within(path).is_some()
    }

    fn variable_within(&self, path: &str) -> Option<&String> {
        let inside = |set: &str| set.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']));
        self.variables.iter().find(|(set, _)| inside(set)).map(|(_, variable)| variable)
    }
}

/// How the place of a variable is written in a [`Mistake`].
pub(super) fn in_words(variable: &str) -> String {
    format!("environment variable {variable}")
}

/// The path itself, then the tables and lists that hold it, up to the section.
fn around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |here| here.rfind(['.', '[']).and_then(|end| here.get(..end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(path: &str) -> String {
        let origins = Origins {
            place: "gw.toml".to_owned(),
            lines: [("server".to_owned(), 3), ("server.listen".to_owned(), 4)].into(),
            variables: [
                ("server.listen".to_owned(), "X__SERVER__LISTEN".to_owned()),
                ("auth.jwt[0].issuer".to_owned(), "X__AUTH__JWT__0__ISSUER".to_owned()),
            ]
            .into(),
        };
        origins.mistake(path, "w").to_string()
    }

    #[test]
    fn a_mistake_is_where_its_value_was_set_last() {
        assert_eq!(place_of("server.listen"), "environment variable X__SERVER__LISTEN: w");
        assert_eq!(place_of("server.listen[0]"), "environment variable X__SERVER__LISTEN: w");
        assert_eq!(place_of("server"), "gw.toml:3: w");
    }

    #[test]
    fn what_was_not_set_is_located_by_what_is_around_it() {
        assert_eq!(place_of("server.tls.certificate"), "gw.toml:3: w");
        assert_eq!(place_of("auth.jwt[0].audience"), "environment variable X__AUTH__JWT__0__ISSUER: w");
        assert_eq!(place_of("policy.file"), "gw.toml: w");
    }
}
