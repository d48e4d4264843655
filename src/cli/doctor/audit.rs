//! Whether the audit file could take more records.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use rustix::fs::statvfs;

use super::finding::{Finding, Section};
use crate::audit::Sink;
use crate::cli::named_files::unwritable;
use crate::config::Config;
use crate::credentials::open_regular;

/// Some ten thousand records.
const LITTLE: u64 = 64 * 1024 * 1024;

/// The section `audit`; nothing is written. A file that cannot be appended to was told already.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let file = match &config.audit.sink {
        Some(Sink::File(file) | Sink::Both(file)) => file,
        Some(Sink::Stdout) => return vec![Finding::ok(Section::Audit, "it goes to standard output".to_owned())],
        None => {
            let hint = "set [audit] file: without it only the last line of each request remains, in the log";
            return vec![Finding::warning(Section::Audit, "there is no audit file", hint)];
        }
    };
    if unwritable(file).is_some() {
        return Vec::new();
    }
    [appendable(file)].into_iter().chain(space(file)).chain(torn(file)).collect()
}

fn appendable(file: &Path) -> Finding {
    match std::fs::metadata(file) {
        Ok(metadata) => {
            Finding::ok(Section::Audit, format!("{} can be appended to, {} bytes", file.display(), metadata.len()))
        }
        Err(_not_there_yet) => Finding::ok(Section::Audit, format!("{} will be made", file.display())),
    }
}

fn space(file: &Path) -> Option<Finding> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let system = statvfs(folder).ok()?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let seen = format!("{} MiB are free beside it", free / (1024 * 1024));
    let hint = "make room, or move the file to another volume: a request that cannot be recorded is refused";
    Some(match free {
        0 => Finding::problem(Section::Audit, seen, hint),
        free if free < LITTLE => Finding::warning(Section::Audit, seen, hint),
        _ => Finding::ok(Section::Audit, seen),
    })
}

/// A file whose last record has no end: the process that wrote it was cut off.
fn torn(file: &Path) -> Option<Finding> {
    let mut last = [0];
    let (mut file, _) = open_regular(file).ok()?;
    file.seek(SeekFrom::End(-1)).ok()?;
    file.read_exact(&mut last).ok()?;
    let hint = "nothing to do: the next start sets it aside; see `ci-gateway audit verify`";
    (last != *b"\n").then(|| Finding::warning(Section::Audit, "the last record has no end", hint))
}
