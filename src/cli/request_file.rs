//! The JSON that `sign` and `verify` read.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::credentials::{Keys, environment_keys};
use crate::domain::Mistake;
use crate::signing::{SigningError, Stages, View, Window};

/// A request as these commands see it: nothing is sent, and nothing is decoded or encoded before the signer does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestFile {
    method: String,
    path: String,
    #[serde(default)]
    params: Pairs,
    #[serde(default)]
    headers: Pairs,
    #[serde(default)]
    key_time: Option<String>,
    #[serde(default)]
    signed_headers: Option<Vec<String>>,
    /// Stages to compare with, such as the `FormatString` and `StringToSign` of Cloud Infinite's fault.
    #[serde(default)]
    pub(super) http_string: Option<String>,
    #[serde(default)]
    pub(super) string_to_sign: Option<String>,
    #[serde(default)]
    pub(super) signature: Option<String>,
    #[serde(default)]
    pub(super) authorization: Option<String>,
}

/// A JSON object's members in their order, duplicates kept so that the signer can refuse them.
#[derive(Debug, Default)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Why a request cannot be signed or verified.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("`{0}` cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    #[error("`{0}` is not the JSON of a request: {1} (hint: {HINT})")]
    NotARequest(String, String),
    #[error("`key_time` is missing: write it as `\"<start>;<end>\"` in Unix seconds")]
    NoKeyTime,
    #[error("`key_time` cannot be used: {0}")]
    KeyTime(#[from] crate::signing::InvalidWindow),
    #[error("`signed_headers` names `{0}`, which `headers` does not hold")]
    AbsentHeader(String),
    #[error("the request has no signature: {0}")]
    Signing(#[from] SigningError),
    #[error("{0}")]
    Keys(Mistake),
}

const HINT: &str = r#"it looks like {"method":"POST","path":"/asrbucket","params":{},"headers":{"host":"…"},"key_time":"1;2","signed_headers":["host"]}"#;

impl RequestFile {
    /// Reads a file, or standard input for `-`.
    pub(super) fn read(file: &Path) -> Result<Self, Problem> {
        let (place, text) = if file == Path::new("-") {
            let mut text = String::new();
            ("standard input".to_owned(), std::io::stdin().read_to_string(&mut text).map(|_| text))
        } else {
            (file.display().to_string(), std::fs::read_to_string(file))
        };
        let text = text.map_err(|why| Problem::Unreadable(place.clone(), why))?;
        serde_json::from_str(&text).map_err(|why| Problem::NotARequest(place, plainly(&why)))
    }

    /// The window of `key_time`.
    pub(super) fn window(&self) -> Result<Window, Problem> {
        let text = self.key_time.as_deref().ok_or(Problem::NoKeyTime)?;
        Ok(text.parse()?)
    }

    /// Whether `key_time` stands in the request.
    pub(super) fn has_key_time(&self) -> bool {
        self.key_time.is_some()
    }

    /// The names in `signed_headers`.
    pub(super) fn signed_headers(&self) -> Option<&[String]> {
        self.signed_headers.as_deref()
    }

    /// The value of a header, its name compared without case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let named = |pair: &&(String, String)| pair.0.eq_ignore_ascii_case(name);
        self.headers.0.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// The names of the parameters.
    pub(super) fn params(&self) -> impl Iterator<Item = &str> {
        self.params.0.iter().map(|(name, _)| name.as_str())
    }

    /// Every stage of the signature over the headers called `names`; without names, over all but `authorization`.
    pub(super) fn stages(&self, names: Option<&[String]>, window: Window, keys: &Keys) -> Result<Stages, Problem> {
        let params: Vec<(&str, &str)> = pairs(&self.params);
        let all = pairs(&self.headers).into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        let headers: Vec<(&str, &str)> = match names {
            None => all.collect(),
            Some(names) => {
                let absent = names.iter().find(|name| self.header(name).is_none());
                if let Some(name) = absent {
                    return Err(Problem::AbsentHeader(name.clone()));
                }
                all.filter(|(name, _)| names.iter().any(|named| named.eq_ignore_ascii_case(name))).collect()
            }
        };
        let view = View { method: &self.method, path: &self.path, params: &params, headers: &headers };
        Ok(Stages::compute(view, keys, window)?)
    }
}

/// What is wrong with the JSON and where, without serde's way of putting it.
fn plainly(why: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", why.line(), why.column());
    let sentence = why.to_string();
    let what = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(what, _)| what);
    match why.classify() {
        Category::Eof | Category::Io => format!("it ends at {place}, before the JSON does"),
        Category::Syntax => format!("{place} is not JSON: {what}"),
        Category::Data => match what.strip_prefix("invalid type: ").and_then(|kinds| kinds.split_once(", expected ")) {
            Some((found, expected)) => {
                let found = match found {
                    "sequence" => "a list",
                    "map" => "an object",
                    other => other,
                };
                format!("{place} holds {found} where {expected} belongs")
            }
            None => format!("{what} ({place})"),
        },
    }
}

fn pairs(pairs: &Pairs) -> Vec<(&str, &str)> {
    pairs.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The keys of the environment, as `serve` reads them.
pub(super) fn keys() -> Result<Keys, Problem> {
    environment_keys().map_err(Problem::Keys)
}

/// The file argument that both commands take.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RequestArg {
    /// The request as JSON; `-` reads standard input
    #[arg(long = "request", value_name = "FILE")]
    pub(super) file: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_is_told_in_plain_words_with_its_place() {
        for (text, told) in [
            ("", "it ends at line 1, column 0, before the JSON does"),
            (r#"{"method":"GET""#, "it ends at line 1, column 15, before the JSON does"),
            ("{\n  \"method\" \"GET\"}", "line 2, column 12 is not JSON: expected `:`"),
            (r#"{"method":1,"path":"/"}"#, "line 1, column 11 holds integer `1` where a string belongs"),
            (r#"{"method":"GET","path":"/","params":[]}"#, "holds a list where an object of texts belongs"),
            (r#"{"method":"GET"}"#, "missing field `path` (line 1, column 16)"),
        ] {
            let why = serde_json::from_str::<RequestFile>(text).unwrap_err();
            assert!(plainly(&why).ends_with(told), "{text}: {}", plainly(&why));
        }
    }
}
