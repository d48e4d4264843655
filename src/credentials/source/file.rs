//! Keys from a file, in either of the two shapes that Tencent's own tools write, or in one of ours.
//!
//! - INI, as in `~/.tencentcloud/credentials`: lines `secret_id = …`, `secret_key = …`, optional `token = …`,
//!   under `[default]` or no section.
//! - JSON, as in `~/.tccli/default.credential`: `{"secretId": …, "secretKey": …, "token": …}`.
//! - Two lines: the SecretId, and the SecretKey.
//!
//! These tools also let a file name a role (`role_arn`, `role-arn`, `use-cvm-role`) whose keys they then ask for. Such a
//! file is refused: its own keys are not those that its writer means.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
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
    let parts = parts(text).map_err(|Wrong { what, hint }| Mistake::new(place.as_str(), what).hint(hint))?;
    Keys::new(&parts.secret_id, &parts.secret_key, parts.token.as_deref())
        .map_err(|why| Mistake::new(place, why.to_string()).hint(why.hint()))
}

const FORMS: &str = "write `secret_id = …` and `secret_key = …` on a line each; or just the two of them; or tccli's JSON with `secretId` and `secretKey`";
const ROLES: &str =
    "for keys of a role set [credentials] source = \"assume_role\" or \"cvm_role\", and take the role out of this file";
const NAMES: [&str; 3] = ["secret_id", "secret_key", "token"];
const NAMES_OF_ROLES: [&str; 4] = ["role_arn", "role-arn", "use_cvm_role", "use-cvm-role"];

/// Why a text gives no keys, without a word of it, and what to do.
#[derive(Debug)]
struct Wrong {
    what: String,
    hint: &'static str,
}

impl Wrong {
    fn form(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: FORMS }
    }

    fn role(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: ROLES }
    }
}

/// What tccli's JSON says of a role; the role itself does not matter here.
#[derive(Deserialize)]
struct Role {
    #[serde(default, alias = "role-arn", alias = "roleArn")]
    role_arn: Option<Value>,
    #[serde(default, alias = "use-cvm-role", alias = "useCvmRole")]
    use_cvm_role: Option<Value>,
}

impl Role {
    fn is_meant(&self) -> bool {
        let says_nothing = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty() || text.eq_ignore_ascii_case("false"),
            Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        };
        [&self.role_arn, &self.use_cvm_role].into_iter().flatten().any(|value| !says_nothing(value))
    }
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

fn parts(text: &str) -> Result<Parts, Wrong> {
    // Some editors begin a text in UTF-8 with a mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parts = if text.trim_start().starts_with('{') {
        json(text)
    } else if is_ini(text) {
        ini(text)
    } else {
        two_lines(text)
    }?;
    let quoted = |part: &str| part.starts_with(['\'', '"']) || part.ends_with(['\'', '"']);
    if quoted(&parts.secret_id) || quoted(&parts.secret_key) || parts.token.as_deref().is_some_and(quoted) {
        return Err(Wrong { what: "a key in the file stands in quotes".to_owned(), hint: "take the quotes away" });
    }
    Ok(parts)
}

/// A SecretId holds no `=`, and a SecretKey may end in one.
fn is_ini(text: &str) -> bool {
    let is_named = |line: &str| line.split_once('=').is_some_and(|(name, _)| NAMES.contains(&name.trim()));
    words(text).next().is_some_and(|line| line.contains('='))
        || words(text).any(|line| line.starts_with('[') || is_named(line))
}

/// The lines that say something.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

fn two_lines(text: &str) -> Result<Parts, Wrong> {
    let mut lines = words(text);
    match (lines.next(), lines.next(), lines.next()) {
        (Some(id), Some(key), None) => Ok(Parts { secret_id: id.to_owned(), secret_key: key.to_owned(), token: None }),
        _ => Err(Wrong::form("the key file holds neither names with values nor exactly two lines")),
    }
}

/// The error says nothing of the text: serde's own message may quote it.
fn json(text: &str) -> Result<Parts, Wrong> {
    let wrong = |why: serde_json::Error| {
        Wrong::form(format!("the key file is not the JSON of keys, at line {} column {}", why.line(), why.column()))
    };
    if serde_json::from_str::<Role>(text).map_err(wrong)?.is_meant() {
        return Err(Wrong::role(
            "the key file names a role whose keys are to be asked for, and it is read for its own keys",
        ));
    }
    let mut parts: Parts = serde_json::from_str(text).map_err(wrong)?;
    parts.token = parts.token.take().filter(|token| !token.is_empty());
    Ok(parts)
}

fn ini(text: &str) -> Result<Parts, Wrong> {
    let [mut secret_id, mut secret_key, mut token] = [None, None, None];
    let (mut in_default, mut elsewhere) = (true, false);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            in_default = section == "default]";
            elsewhere |= !in_default;
            continue;
        }
        if !in_default {
            continue;
        }
        let (name, value) = pair(line, number)?;
        let place = match name {
            "secret_id" => &mut secret_id,
            "secret_key" => &mut secret_key,
            "token" => &mut token,
            _ => return Err(other_name(name, number)),
        };
        if place.replace(value).is_some() {
            return Err(Wrong::form(format!("line {number} gives a name a second time")));
        }
    }
    match (secret_id, secret_key) {
        (Some(id), Some(key)) => {
            let token = token.map(|token| token.to_string()).filter(|token| !token.is_empty());
            Ok(Parts { secret_id: id.to_string(), secret_key: key.to_string(), token })
        }
        (None, None) if elsewhere => Err(Wrong {
            what: "the key file has no keys under [default]".to_owned(),
            hint: "only [default] is read, and what stands before any section: move the keys there",
        }),
        (None, _) => Err(Wrong::form("the key file has no `secret_id`")),
        (_, None) => Err(Wrong::form("the key file has no `secret_key`")),
    }
}

fn pair(line: &str, number: usize) -> Result<(&str, Zeroizing<String>), Wrong> {
    let pair = line.split_once('=').ok_or_else(|| Wrong::form(format!("line {number} is not `name = value`")))?;
    let (name, value) = (pair.0.trim(), pair.1.trim());
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Ok((name, Zeroizing::new(bare.to_owned())))
}

fn other_name(name: &str, number: usize) -> Wrong {
    if NAMES_OF_ROLES.contains(&name) {
        Wrong::role(format!(
            "line {number} names a role whose keys are to be asked for, and the file is read for its own keys"
        ))
    } else {
        Wrong::form(format!("line {number} names something other than secret_id, secret_key and token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: Result<Parts, Wrong>) -> (String, String, Option<String>) {
        let parts = parts.unwrap();
        (parts.secret_id.clone(), parts.secret_key.clone(), parts.token.clone())
    }

    #[test]
    fn both_shapes_give_the_same_keys() {
        let expected = ("id".to_owned(), "key".to_owned(), Some("tok".to_owned()));
        assert_eq!(read(ini("# mine\n[default]\nsecret_id = id\nsecret_key=\"key\"\ntoken = tok\n")), expected);
        assert_eq!(read(ini("secret_id=id\nsecret_key=key\ntoken=tok\n[other]\nsecret_id=no\n")), expected);
        assert_eq!(read(json(r#"{"secretId":"id","secretKey":"key","token":"tok","type":"x"}"#)), expected);
        assert_eq!(read(json(r#"{"secret_id":"id","secret_key":"key"}"#)), ("id".into(), "key".into(), None));
    }

    #[test]
    fn two_lines_are_the_id_and_the_key() {
        assert_eq!(read(parts("# ours\n\nid\n  key  \n")), ("id".into(), "key".into(), None));
        assert_eq!(read(parts("secret_id=id\nsecret_key=key\n")), ("id".into(), "key".into(), None));
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
            let Err(Wrong { what, .. }) = parts(text) else { panic!("{text} was accepted") };
            assert!(!what.contains("marker"), "{what}");
        }
    }

    #[test]
    fn a_file_that_names_a_role_is_refused_with_the_source_to_set() {
        let keys = r#""secretId":"id","secretKey":"key""#;
        for role in [r#""role-arn":"qcs::cam::uin/1:roleName/a""#, r#""use-cvm-role":true"#, r#""use-cvm-role":"True""#]
        {
            let Err(why) = parts(&format!("{{{keys},{role}}}")) else { panic!("{role} was accepted") };
            assert!(why.what.contains("role") && why.hint.contains("assume_role"), "{why:?}");
        }
        let Err(why) = parts("[default]\nsecret_id=id\nsecret_key=key\nrole_arn=x\n") else { panic!() };
        assert!(why.what.contains("line 4") && why.hint.contains("assume_role"), "{why:?}");
        for none in [r#""role-arn":"""#, r#""role-arn":null"#, r#""use-cvm-role":false"#, r#""use-cvm-role":"false""#] {
            assert_eq!(read(parts(&format!("{{{keys},{none}}}"))), ("id".into(), "key".into(), None), "{none}");
        }
    }

    #[test]
    fn what_editors_and_copying_leave_behind_is_understood_or_told() {
        let keys = ("id".to_owned(), "key".to_owned(), None);
        for text in [
            "\u{feff}secret_id=id\nsecret_key=key\ntoken =\n",
            "\u{feff}id\r\nkey\r\n",
            "[default]\nsecret_id=id\nsecret_key=key\ntoken=\"\"\n",
        ] {
            assert_eq!(read(parts(text)), keys, "{text}");
        }
        assert_eq!(read(parts("id\nkey=\n")), ("id".into(), "key=".into(), None));
        for text in [
            "'id'\n'key'\n",
            "\"id\"\n\"key\"\n",
            "secret_id='id'\nsecret_key='key'\n",
            "secret_id=id\nsecret_key=\"key\n",
        ] {
            let Err(why) = parts(text) else { panic!("{text} was accepted") };
            assert!(why.what.contains("quotes"), "{why:?}");
        }
        let Err(why) = parts("[prod]\nsecret_id = id\nsecret_key = key\n") else { panic!() };
        assert!(why.hint.contains("only [default] is read"), "{why:?}");
        assert!(parts("id\nsecret_key=key\n").is_err());
    }
}
