//! Keys from a file, in either of the two shapes that Tencent's own tools write, or in one of ours.
//!
//! - INI, as in `~/.tencentcloud/credentials`: lines `secret_id = …`, `secret_key = …`, optional `token = …`,
//!   under `[default]` or no section.
//! - JSON, as in `~/.tccli/default.credential`: `{"secretId": …, "secretKey": …, "token": …}`.
//! - Two lines: the SecretId, and the SecretKey.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Asked, Issued, Source};
use crate::credentials::{Keys, read_secret_file};
use crate::domain::Mistake;

/// A key file as a source.
#[derive(Clone, Debug)]
pub(super) struct KeyFile(pub(super) PathBuf);

impl Source for KeyFile {
    fn keys(&self) -> Asked<'_> {
        // A regular file, and a small one: nothing is waited for.
        Box::pin(async { Ok(Issued { keys: keys(&self.0)?, expires: None }) })
    }
}

/// The keys that stand in the file at `path`.
///
/// # Errors
/// A [`Mistake`] that names the file and what is wrong with it, never what stands in it.
fn keys(path: &Path) -> Result<Keys, Mistake> {
    let place = path.display().to_string();
    let bytes = read_secret_file(path)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Mistake::new(place.as_str(), "the key file is not UTF-8").hint("save the file as UTF-8"))?;
    let parts = parts(text).map_err(|what| {
        Mistake::new(place.as_str(), what)
            .hint("write `secret_id = …` and `secret_key = …` on a line each; or just the two of them; or tccli's JSON with `secretId` and `secretKey`")
    })?;
    Keys::new(&parts.secret_id, &parts.secret_key, parts.token.as_deref())
        .map_err(|why| Mistake::new(place, why.to_string()).hint(why.hint()))
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Parts {
    #[serde(alias = "secretId")]
    secret_id: String,
    #[serde(alias = "secretKey")]
    secret_key: String,
    #[serde(default)]
    token: Option<String>,
}

fn parts(text: &str) -> Result<Parts, String> {
    if text.trim_start().starts_with('{') {
        json(text)
    } else if words(text).any(|line| line.contains('=')) {
        ini(text)
    } else {
        two_lines(text)
    }
}

/// The lines that say something.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

fn two_lines(text: &str) -> Result<Parts, String> {
    let mut lines = words(text);
    match (lines.next(), lines.next(), lines.next()) {
        (Some(id), Some(key), None) => Ok(Parts { secret_id: id.to_owned(), secret_key: key.to_owned(), token: None }),
        _ => Err("the key file holds neither names with values nor exactly two lines".to_owned()),
    }
}

/// The error says nothing of the text: serde's own message may quote it.
fn json(text: &str) -> Result<Parts, String> {
    let mut parts: Parts = serde_json::from_str(text).map_err(|why| {
        format!("the key file is not the JSON of keys, at line {} column {}", why.line(), why.column())
    })?;
    parts.token = parts.token.take().filter(|token| !token.is_empty());
    Ok(parts)
}

fn ini(text: &str) -> Result<Parts, String> {
    let (mut secret_id, mut secret_key, mut token) = (None, None, None);
    let mut in_default = true;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            in_default = section == "default]";
            continue;
        }
        if !in_default {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(format!("line {} is not `name = value`", number + 1))?;
        let value = Zeroizing::new(value.trim().trim_matches('"').to_owned());
        let place = match name.trim() {
            "secret_id" => &mut secret_id,
            "secret_key" => &mut secret_key,
            "token" => &mut token,
            _ => return Err(format!("line {} names something other than secret_id, secret_key and token", number + 1)),
        };
        if place.replace(value).is_some() {
            return Err(format!("line {} gives a name a second time", number + 1));
        }
    }
    match (secret_id, secret_key) {
        (Some(id), Some(key)) => {
            Ok(Parts { secret_id: id.to_string(), secret_key: key.to_string(), token: token.map(|t| t.to_string()) })
        }
        (None, _) => Err("the key file has no `secret_id`".to_owned()),
        (_, None) => Err("the key file has no `secret_key`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(parts: Result<Parts, String>) -> (String, String, Option<String>) {
        let parts = parts.unwrap();
        (parts.secret_id.clone(), parts.secret_key.clone(), parts.token.clone())
    }

    #[test]
    fn both_shapes_give_the_same_keys() {
        let expected = ("id".to_owned(), "key".to_owned(), Some("tok".to_owned()));
        assert_eq!(pair(ini("# mine\n[default]\nsecret_id = id\nsecret_key=\"key\"\ntoken = tok\n")), expected);
        assert_eq!(pair(ini("secret_id=id\nsecret_key=key\ntoken=tok\n[other]\nsecret_id=no\n")), expected);
        assert_eq!(pair(json(r#"{"secretId":"id","secretKey":"key","token":"tok","type":"x"}"#)), expected);
        assert_eq!(pair(json(r#"{"secret_id":"id","secret_key":"key"}"#)), ("id".into(), "key".into(), None));
    }

    #[test]
    fn two_lines_are_the_id_and_the_key() {
        assert_eq!(pair(parts("# ours\n\nid\n  key  \n")), ("id".into(), "key".into(), None));
        assert_eq!(pair(parts("secret_id=id\nsecret_key=key\n")), ("id".into(), "key".into(), None));
        for text in ["", "id", "id\nkey\ntoken", "[default]\n"] {
            assert!(parts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_that_cannot_be_used_are_told_with_what_to_do() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        for (text, hint) in [
            ("secret_id = \" marker \"\nsecret_key = k\n", "remove the blanks"),
            ("secret_id =\nsecret_key = marker\n", "copy the SecretId"),
            ("secret_id = mar ker\nsecret_key = marker\n", "copy it anew"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let mistake = keys(file.path()).unwrap_err();
            assert!(mistake.hint_text().is_some_and(|told| told.contains(hint)), "{mistake}");
            assert!(!mistake.to_string().contains("mar"), "{mistake}");
        }
    }

    #[test]
    fn a_broken_file_is_described_without_quoting_it() {
        for text in [
            "secret_id = marker",
            "secret_key = marker",
            "marker",
            "secret_id = marker\nsecret_id = marker",
            "marker = 1",
            r#"{"secretId": "marker""#,
            r#"{"secretId": ["marker"], "secretKey": "marker"}"#,
        ] {
            let Err(what) = parts(text) else { panic!("{text} was accepted") };
            assert!(!what.contains("marker"), "{what}");
        }
    }
}
