//! Bytes at the end of the file that do not follow: kept beside it, for whoever wants to see.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;

use super::file::{LogFile, make_durable};
use crate::audit::Digest;
use crate::audit::reading::{BadLine, Lines};
use crate::audit::record::{Aside, Recovery};

/// Two starts in one second are told apart by a number.
const MOST_NAMES: u32 = 100;

/// Copies all that stands behind the sound part of `file`, which is at `path`, to a file of its own beside it; there the
/// record `expected` should stand. When this returns the copy is durable, its name too.
pub(super) fn set_aside(file: &mut LogFile, path: &Path, expected: u64) -> io::Result<Recovery> {
    let end = file.len();
    let (name, mut copy) = beside(path)?;
    let bytes = io::copy(&mut file.reader(end)?, &mut copy)?;
    copy.sync_all()?;
    make_durable(path)?;
    let aside = Aside { file: name, bytes, sha256: Digest::of_all(file.reader(end)?)? };
    Ok(match last_record(file, end)? {
        None => Recovery::TornTail(aside),
        Some(last) => Recovery::Damaged { aside, from: expected, to: last.unwrap_or(expected).max(expected) },
    })
}

/// Whether there are records behind the byte `from`, and the largest number of those that are sound.
///
/// A write that was cut short leaves half a line and nothing behind it. Whole records that do not follow were in order
/// once: somebody changed what was acknowledged, or the disk has lost some of it.
fn last_record(file: &mut LogFile, from: u64) -> io::Result<Option<Option<u64>>> {
    let mut lines = Lines::new(file.reader(from)?);
    let mut found: Option<Option<u64>> = None;
    while let Some(line) = lines.advance()? {
        match line.sealed() {
            Ok(sealed) => found = Some(found.flatten().max(Some(sealed.seq()))),
            Err(BadLine::Changed | BadLine::CarriageReturn) => found = Some(found.flatten()),
            Err(BadLine::Torn | BadLine::TooLong | BadLine::Form) => {}
            Err(BadLine::UnknownType(_) | BadLine::Members(_)) => {}
        }
    }
    Ok(found)
}

/// A new file beside `path`, and its name.
fn beside(path: &Path) -> io::Result<(String, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    for n in 0..MOST_NAMES {
        let name = if n == 0 { format!("{name}.torn-{time}") } else { format!("{name}.torn-{time}-{n}") };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.with_file_name(&name)) {
            Ok(file) => return Ok((name, file)),
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
