//! Where a log goes on: read from the end of its file, so that a start takes as long for a large file as for a small one.

use std::io::{self, BufRead, Read};

use jiff::Timestamp;
use serde::Deserialize;

use super::file::LogFile;
use crate::audit::{LONGEST_LINE, Position, Sealed, Tree};

/// What is read at once on the way back from the end.
const WINDOW: u64 = 1024 * 1024;
const WORTH_A_LOOK: &[u8] = b"\"peaks\":[";

/// What is at the end of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The file is empty.
    Empty,
    /// The log goes on at `position`, and the first `len` bytes are sound.
    Known {
        position: Position,
        len: u64,
        /// When the last record that tells the tree was written.
        told: Timestamp,
    },
    /// Nothing there says where the log stands; the first `len` bytes are whole lines.
    Foreign { len: u64 },
}

/// Reads the end of `file`.
pub(super) fn end_of(file: &mut LogFile) -> io::Result<End> {
    if file.len() == 0 || !file.is_regular() {
        return Ok(End::Empty);
    }
    let Some(Told { at, position, time: told }) = last_told(file)? else {
        return Ok(End::Foreign { len: whole_lines(file)? });
    };
    let (position, len) = followed(file, at, position)?;
    Ok(End::Known { position, len, told })
}

/// How many bytes of `file` are whole lines: all up to the last line end.
pub(super) fn whole_lines(file: &mut LogFile) -> io::Result<u64> {
    let mut to = if file.is_regular() { file.len() } else { 0 };
    while to > 0 {
        let from = to.saturating_sub(WINDOW);
        let bytes = file.read(from, to - from)?;
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from.saturating_add(end as u64 + 1));
        }
        to = from;
    }
    Ok(0)
}

/// The last sound record that tells the tree before it, wherever in the file it stands.
fn last_told(file: &mut LogFile) -> io::Result<Option<Told>> {
    let mut to = file.len();
    while to > 0 {
        let from = to.saturating_sub(WINDOW);
        // The byte before tells whether a line begins here; a line that begins before `to` may end behind it.
        let first = from.saturating_sub(1);
        let bytes = file.read(first, to - first + LONGEST_LINE as u64)?;
        let mut end = first;
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
            end += line.len() as u64;
            (end - line.len() as u64, line)
        });
        if let Some(told) = lines.skip(usize::from(from > 0)).filter_map(|(at, line)| told(at, line)).last() {
            return Ok(Some(told));
        }
        to = from;
    }
    Ok(None)
}

/// The position after the last record that follows on `position`, which is that of the record at the byte `at`, and how
/// many bytes there are to its end.
fn followed(file: &mut LogFile, at: u64, mut position: Position) -> io::Result<(Position, u64)> {
    let mut lines = file.reader(at)?;
    let (mut good, mut line) = (at, Vec::new());
    loop {
        line.clear();
        lines.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', &mut line)?;
        if record(&line).is_none_or(|sealed| position.follow(&sealed).is_err()) {
            return Ok((position, good));
        }
        good = good.saturating_add(line.len() as u64);
    }
}

/// A whole line.
fn record(line: &[u8]) -> Option<Sealed<'_>> {
    Sealed::read(line.strip_suffix(b"\n")?).ok()
}

/// A record that tells the tree before it.
struct Told {
    /// The byte with which it begins.
    at: u64,
    /// Its place.
    position: Position,
    time: Timestamp,
}

#[derive(Deserialize)]
struct Members {
    r#type: String,
    time: Timestamp,
    size: Option<u64>,
    peaks: Option<Vec<String>>,
    tree: Option<TreePart>,
}

#[derive(Deserialize)]
struct TreePart {
    size: u64,
    peaks: Vec<String>,
}

/// What the line at the byte `at` tells, if it is such a record.
fn told(at: u64, line: &[u8]) -> Option<Told> {
    if !line.windows(WORTH_A_LOOK.len()).any(|window| window == WORTH_A_LOOK) {
        return None;
    }
    let sealed = record(line)?;
    let members: Members = serde_json::from_slice(line).ok()?;
    let (size, peaks) = match members.r#type.as_str() {
        "opened" => members.tree.map(|tree| (tree.size, tree.peaks))?,
        "checkpoint" => (members.size?, members.peaks?),
        _ => return None,
    };
    let peaks = peaks.iter().map(|peak| peak.parse().ok()).collect::<Option<Vec<_>>>()?;
    let tree = Tree::from_peaks(size, peaks).filter(|_| size == sealed.seq())?;
    Some(Told { at, position: Position::after(sealed.prev(), tree), time: members.time })
}
