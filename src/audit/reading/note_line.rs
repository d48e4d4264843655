//! The line in which a signed checkpoint stands among the records, on standard output.

use serde::Deserialize;

use super::Line;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteLine {
    r#type: String,
    note: String,
}

impl Line<'_> {
    /// The signed note, if the line is one of `{"type":"checkpoint","note":…}`.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        // A record has more members.
        let line: NoteLine = serde_json::from_slice(self.bytes).ok()?;
        (line.r#type == "checkpoint").then_some(line.note)
    }
}
