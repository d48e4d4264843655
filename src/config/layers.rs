//! The three layers become one tree.

use ::config::{ConfigError, Map, Source, Value, ValueKind};

use super::document::{self, Document};
use super::environment::Variables;
use super::origins::in_words;
use crate::domain::Mistake;

/// Every key, its meaning and its default, as shipped.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// The defaults, over them the operator's file, over that the variables, in the order of their paths.
///
/// A variable that would put a key into something that is no table, or a text in place of a table, is told in
/// `variables.mistakes` and left out: the crate would make room for it and drop what stands there.
///
/// # Errors
/// What the `config` crate has to say; no known input makes it fail.
pub(super) fn merge(document: &Document, variables: &mut Variables) -> Result<Map<String, Value>, ConfigError> {
    let defaults = document::read(DEFAULT, "config/default.toml").unwrap_or_default();
    let mut values = over(defaults.values, Layer(document.values.clone()))?;
    for (path, variable) in std::mem::take(&mut variables.set) {
        if fits(&values, &path) {
            values = over(values, variable.source(&path))?;
            variables.set.insert(path, variable);
        } else {
            let what = format!("`{path}` does not go with what is set there already");
            let hint = "only keys take a value, not their section; an entry of a list of tables goes by its number";
            variables.mistakes.push(Mistake::new(in_words(&variable.name), what).hint(hint));
        }
    }
    Ok(values)
}

fn over(
    values: Map<String, Value>,
    upper: impl Source + Send + Sync + 'static,
) -> Result<Map<String, Value>, ConfigError> {
    let merged = ::config::Config::builder().add_source(Layer(values)).add_source(upper).build()?;
    match merged.cache.kind {
        ValueKind::Table(values) => Ok(values),
        _ => Ok(Map::new()),
    }
}

/// A layer that has been read already.
#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Whether a text can be set at `path` and all else stay: on the way there are tables and lists as the path
/// says, or nothing yet, and at its end there is no table.
fn fits(values: &Map<String, Value>, path: &str) -> bool {
    let mut steps = path.split(['.', '[']);
    let mut here = steps.next().and_then(|section| values.get(section));
    for step in steps {
        let number = step.strip_suffix(']');
        here = match (here.map(|value| &value.kind), number) {
            (None | Some(ValueKind::Nil), _) => return true,
            (Some(ValueKind::Table(values)), None) => values.get(step),
            (Some(ValueKind::Array(entries)), Some(number)) => number.parse().ok().and_then(|n: usize| entries.get(n)),
            _ => return false,
        };
    }
    !here.is_some_and(|value| matches!(value.kind, ValueKind::Table(_)))
}
