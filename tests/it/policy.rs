//! `policy …`: the policy as an artefact, looked at without a gateway.

mod check;
mod diff;
mod questions;
mod test;

use serde_json::Value;

use crate::support::process::{Ended, Folder, run};

/// The one JSON object on standard output; nothing stands on standard error.
fn told(ended: &Ended) -> Value {
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// A file of the repository.
fn sample(name: &str) -> String {
    format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR"))
}
