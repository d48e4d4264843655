//! Keys from the variables that every Tencent Cloud tool reads.

use std::env::VarError;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Asked, Issued, Source};
use crate::credentials::Keys;
use crate::domain::Mistake;

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
const TOKEN: &str = "TENCENTCLOUD_TOKEN";

/// The variables as a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Environment;

impl Source for Environment {
    fn keys(&self) -> Asked<'_> {
        Box::pin(async { Ok(Issued { keys: keys()?, expires: None }) })
    }
}

/// The keys of this process's environment.
///
/// # Errors
/// A [`Mistake`] that names the variable which is missing or unusable.
fn keys() -> Result<Keys, Mistake> {
    let secret_id = required(SECRET_ID)?;
    let secret_key = required(SECRET_KEY)?;
    let token = variable(TOKEN)?.filter(|token| !token.is_empty());
    Keys::new(&secret_id, &secret_key, token.as_ref().map(|token| token.as_str())).map_err(|why| {
        Mistake::new("environment", format!("the keys of {SECRET_ID} and {SECRET_KEY}: {why}")).hint(why.hint())
    })
}

/// Whether one of the two variables that make keys is not set, or to nothing: keys are elsewhere then, and not wrong.
pub(super) fn is_without_keys() -> bool {
    let is_missing = |name| variable(name).is_ok_and(|value| value.is_none_or(|value| value.is_empty()));
    [SECRET_ID, SECRET_KEY].into_iter().any(is_missing)
}

/// Where a program is looked for that is named without its folder.
pub(super) fn folders_of_programs() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|folders| std::env::split_paths(&folders).collect()).unwrap_or_default()
}

fn required(name: &str) -> Result<Zeroizing<String>, Mistake> {
    variable(name)?.ok_or_else(|| {
        Mistake::new("environment", format!("the variable {name} is not set")).hint(format!(
            "set {SECRET_ID} and {SECRET_KEY}; `serve` can also read a file: [credentials] source = \"file\""
        ))
    })
}

/// What `name` is set to.
///
/// # Errors
/// A [`Mistake`] if that is no text.
pub(super) fn variable(name: &str) -> Result<Option<Zeroizing<String>>, Mistake> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(Zeroizing::new(value))),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Mistake::new("environment", format!("the variable {name} holds bytes that are not UTF-8"))
                .hint("set it anew: keys are plain ASCII"))
        }
    }
}
