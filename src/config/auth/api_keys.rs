//! `[auth.api_keys]`: the file of hashed keys.

use std::path::PathBuf;

use crate::config::files::NamedFile;
use crate::config::reader::Table;

/// `Some(None)` where there are no API keys.
pub(in crate::config) fn file(auth: &Table<'_>) -> Option<Option<PathBuf>> {
    let table = auth.table("api_keys");
    let file = table.path("file");
    if !table.is_there() {
        return Some(None);
    }
    table.need("file", "name the file of hashed keys; `ci-gateway key new` makes its entries");
    table.names(file.clone().map(NamedFile::ApiKeys));
    file.map(Some)
}
