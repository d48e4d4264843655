//! The section that says where the audit goes, and how sure it has to be.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::files::NamedFile;
use super::reader::Table;
use super::units::minutes;
use crate::audit::{Checkpoints, OnFailure, Origin, Settings, Sink};

/// A checkpoint is what a start reads back to: see `audit::journal::resume`.
const RECORDS: RangeInclusive<u32> = 10..=10_000;
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=minutes(60);
const KIB: u64 = 1024;
const RESERVES: RangeInclusive<u64> = 64 * KIB..=1024 * 1024 * KIB;

#[derive(Clone, Copy)]
enum Kind {
    File,
    Stdout,
    Both,
}

pub(super) fn audit(table: &Table<'_>) -> Option<Settings> {
    let sink = sink(table);
    let on_failure = table.choice("on_failure", &[("refuse", OnFailure::Refuse), ("serve", OnFailure::Serve)]);
    let name = table.parsed("name");
    let sync = table.choice("durability", &[("sync", true), ("os", false)]);
    let reserve = table.size("reserve", RESERVES);
    let records = table.number("checkpoint_records", RECORDS);
    let interval = table.duration("checkpoint_interval", INTERVALS);
    let (key_file, file) = signed(table, name.clone());
    Some(Settings {
        sink: sink?,
        on_failure: on_failure?,
        name: name?,
        sync: sync?,
        reserve: reserve?,
        checkpoints: Checkpoints { records: u64::try_from(records?).ok()?, interval: interval?, key_file, file },
    })
}

/// The key of checkpoints, and their file.
fn signed(table: &Table<'_>, name: Option<Origin>) -> (Option<PathBuf>, Option<PathBuf>) {
    let (key, file) = (table.path("checkpoint_key_file"), table.path("checkpoint_file"));
    table.names(key.clone().zip(name).map(|(key, name)| NamedFile::CheckpointKey(key, name)));
    if table.has("checkpoint_file") && !table.has("checkpoint_key_file") {
        table.mistake("checkpoint_file", "is set, and no checkpoint_key_file", "name the key that signs them");
    }
    (key, file)
}

/// `Some(None)` where nothing is written.
fn sink(table: &Table<'_>) -> Option<Option<Sink>> {
    let file = table.path("file");
    table.names(file.clone().map(NamedFile::Audit));
    let kind = table.choice("sink", &[("file", Kind::File), ("stdout", Kind::Stdout), ("both", Kind::Both)])?;
    match (kind, file) {
        (Kind::File, Some(file)) => Some(Some(Sink::File(file))),
        (Kind::Both, Some(file)) => Some(Some(Sink::Both(file))),
        (Kind::Stdout, None) => Some(Some(Sink::Stdout)),
        (Kind::Stdout, Some(_)) => {
            table.mistake("sink", "is `stdout`, and a file is named", "write `both`, or leave `file` out");
            None
        }
        (Kind::File, None) if !table.is_written("sink") => Some(None),
        (Kind::File | Kind::Both, None) => {
            if !table.has("file") {
                table.need("file", "name the file that records are appended to");
            }
            None
        }
    }
}
