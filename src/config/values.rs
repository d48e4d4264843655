//! The kinds of values: each reader says what it wants, takes it or records a mistake, and goes on.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ::config::ValueKind;

use super::reader::Table;
use super::units;

/// Longest part of a value that a message repeats.
const LONGEST_ECHO: usize = 60;

/// Where a rate or a pace can be none at all.
pub(super) const OFF: &str = "off";

/// What is wrong with a value, and what to do; the key is put before it.
pub(super) struct Wrong {
    what: String,
    hint: String,
}

impl Wrong {
    /// Both as phrases: "`server.listen` {what} (hint: {hint})".
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// Each reader gives `None` where nothing stands, and where something wrong stands, which is recorded.
impl Table<'_> {
    /// A text that `parse` takes.
    pub(super) fn with<T>(&self, key: &str, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        self.read(key, |kind| parse(text_of(kind)?))
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.with(key, not_empty)
    }

    /// A text in the one form that the type has.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &str) -> Option<T> {
        self.with(key, parse)
    }

    /// An IP address and a port.
    pub(super) fn address(&self, key: &str) -> Option<SocketAddr> {
        self.with(key, |text| {
            let hint = "write an IP address and a port, as in `127.0.0.1:8080`, `0.0.0.0:8080` or `[::1]:8080`";
            text.parse().map_err(|_| Wrong::new(format!("is {}, which is no address", echo(text)), hint))
        })
    }

    /// The path of a file, relative to the folder of the configuration.
    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        let folder = self.folder();
        let path = self.with(key, |text| match text.starts_with('~') {
            true => Err(Wrong::new("begins with `~`, which only a shell understands", "write the path in full")),
            false => not_empty(text).map(|text| folder.join(text)),
        })?;
        self.note(key, &path);
        Some(path)
    }

    /// A duration within bounds.
    pub(super) fn duration(&self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        self.with(key, |text| duration_within(text, &bounds))
    }

    /// A duration within bounds, or `off`, which is `Some(None)`.
    pub(super) fn duration_or_off(&self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Option<Duration>> {
        self.with(key, |text| if text == OFF { Ok(None) } else { duration_within(text, &bounds).map(Some) })
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, key: &str, bounds: RangeInclusive<u32>) -> Option<usize> {
        let from_environment = self.comes_from_environment(key);
        self.read(key, |kind| {
            let hint = format!("write a whole number from {} to {}, without quotes", bounds.start(), bounds.end());
            let number = match kind {
                ValueKind::I64(number) => u32::try_from(*number).ok(),
                ValueKind::String(text) if from_environment => text.parse().ok(),
                _ => return Err(Wrong::new(format!("is {}, and no whole number", name_of(kind)), hint)),
            };
            let number = number.filter(|number| bounds.contains(number));
            number.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| Wrong::new("is out of bounds", hint))
        })
    }

    /// A size within bounds, in bytes.
    pub(super) fn size(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.with(key, |text| {
            let hint = "write a number and its unit, as in `64KiB` or `8MiB`";
            let size =
                units::size(text).ok_or_else(|| Wrong::new(format!("is {}, which is no size", echo(text)), hint))?;
            let (least, most) = (units::show_size(*bounds.start()), units::show_size(*bounds.end()));
            let outside = || Wrong::new(format!("is {}", echo(text)), format!("from `{least}` to `{most}`"));
            bounds.contains(&size).then_some(size).ok_or_else(outside)
        })
    }

    /// `true` or `false`.
    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        let from_environment = self.comes_from_environment(key);
        self.read(key, |kind| match kind {
            ValueKind::Boolean(switch) => Ok(*switch),
            ValueKind::String(text) if from_environment && text == "true" => Ok(true),
            ValueKind::String(text) if from_environment && text == "false" => Ok(false),
            _ => Err(Wrong::new("is neither true nor false", "write `true` or `false`, without quotes")),
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.with(key, |text| one_of(text, words))
    }

    /// A list of texts; one text alone is a list of one. A variable separates them with commas, or writes a JSON list.
    pub(super) fn list<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<T>> {
        let kind = self.value(key)?;
        let items: Vec<(String, Result<T, Wrong>)> = match kind {
            ValueKind::Array(items) => {
                let parsed = items.iter().map(|item| text_of(&item.kind).and_then(&parse));
                parsed.enumerate().map(|(n, item)| (format!("{key}[{n}]"), item)).collect()
            }
            ValueKind::String(texts) if self.comes_from_environment(key) => {
                let texts = self.or_mistake(key, separated(texts))?;
                texts.iter().map(|text| (key.to_owned(), parse(text))).collect()
            }
            _ => vec![(key.to_owned(), text_of(kind).and_then(parse))],
        };
        // All of them first: the second wrong item is told as well as the first.
        let items: Vec<Option<T>> = items.into_iter().map(|(path, item)| self.or_mistake(&path, item)).collect();
        items.into_iter().collect()
    }

    fn read<T>(&self, key: &str, parse: impl FnOnce(&ValueKind) -> Result<T, Wrong>) -> Option<T> {
        let kind = self.value(key)?;
        self.or_mistake(key, parse(kind))
    }

    fn or_mistake<T>(&self, key: &str, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.mistake(key, &wrong.what, &wrong.hint)).ok()
    }
}

/// The texts of a variable's list.
fn separated(list: &str) -> Result<Vec<String>, Wrong> {
    if !list.trim_start().starts_with('[') {
        return Ok(list.split(',').map(|text| text.trim().to_owned()).collect());
    }
    let hint = "write a JSON list, as in [\"one\", \"two\"], or the texts alone with commas between them";
    serde_json::from_str(list).map_err(|_| Wrong::new("begins with `[` and is no JSON list of texts", hint))
}

fn duration_within(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let hint = "write a number and its unit, as in `250ms`, `5s` or `1m30s`";
    let duration =
        units::duration(text).ok_or_else(|| Wrong::new(format!("is {}, which is no duration", echo(text)), hint))?;
    let (least, most) = (units::show_duration(*bounds.start()), units::show_duration(*bounds.end()));
    let outside = || Wrong::new(format!("is {}", echo(text)), format!("from `{least}` to `{most}`"));
    bounds.contains(&duration).then_some(duration).ok_or_else(outside)
}

/// The text itself, if there is any.
pub(super) fn not_empty(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        Err(Wrong::new("is empty", "write a text, or leave the key out"))
    } else {
        Ok(text.to_owned())
    }
}

/// A text in the one form that the type has.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|why: T::Err| Wrong::new(format!("is {}", echo(text)), why.to_string()))
}

/// The value of one of a few words.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    let known = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| Wrong::new(format!("is {}", echo(text)), format!("one of {}", known())))
}

/// A value as a message shows it: in one line, and not without end.
pub(super) fn echo(text: &str) -> String {
    let shown: String = text.chars().take(LONGEST_ECHO).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(LONGEST_ECHO).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

fn text_of(kind: &ValueKind) -> Result<&str, Wrong> {
    match kind {
        ValueKind::String(text) => Ok(text),
        _ => Err(Wrong::new(format!("is {}, and no text", name_of(kind)), "write a text in double quotes")),
    }
}

fn name_of(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a number",
        ValueKind::Float(_) => "a date, a fraction or an endless number",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    }
}
