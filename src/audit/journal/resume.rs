//! Where a log goes on: read from the end of its file, so that a start takes as long for a large file as for a small one.

use std::io;

use serde::Deserialize;

use super::file::LogFile;
use crate::audit::{Position, Sealed, Tree};

/// First part of the end that is read; four times as much again and again, if that is not enough.
const FIRST_WINDOW: u64 = 1024 * 1024;
/// More than there can be between two records that tell the tree: see the bounds of `audit.checkpoint_records`.
const LARGEST_WINDOW: u64 = 64 * 1024 * 1024;
const WORTH_A_LOOK: &[u8] = b"\"peaks\":[";

/// What is at the end of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The file is empty.
    Empty,
    /// The log goes on at `position`, and the first `len` bytes are sound.
    Known { position: Position, len: u64 },
    /// Nothing there says where the log stands; the first `len` bytes are whole lines.
    Foreign { len: u64 },
}

/// Reads the end of `file`.
pub(super) fn end_of(file: &mut LogFile) -> io::Result<End> {
    let size = file.len();
    if size == 0 || !file.is_regular() {
        return Ok(End::Empty);
    }
    let mut window = FIRST_WINDOW;
    loop {
        let from = size.saturating_sub(window);
        let bytes = file.read(from, window)?;
        if let Some((position, read)) = fold(&bytes, from == 0) {
            return Ok(End::Known { position, len: from.saturating_add(read) });
        }
        if from == 0 || window >= LARGEST_WINDOW {
            let lines = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            return Ok(End::Foreign { len: from.saturating_add(lines as u64) });
        }
        window *= 4;
    }
}

/// How many bytes of `file` are whole lines, as far as its end shows.
pub(super) fn whole_lines(file: &mut LogFile) -> io::Result<u64> {
    let from = file.len().saturating_sub(FIRST_WINDOW);
    let bytes = if file.is_regular() { file.read(from, FIRST_WINDOW)? } else { Vec::new() };
    Ok(from.saturating_add(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1)))
}

/// The position after the last record that follows from the last sound record which tells the tree, and how many bytes
/// there are to its end. The first line counts only if it is known to begin where `bytes` do.
fn fold(bytes: &[u8], is_whole: bool) -> Option<(Position, u64)> {
    let mut end = 0;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        end += line.len();
        (line, end)
    });
    let lines: Vec<_> = lines.skip(usize::from(!is_whole)).collect();
    let (at, mut position) = lines.iter().enumerate().rev().find_map(|(at, (line, _))| Some((at, told(line)?)))?;
    let mut good = 0;
    for (line, end) in lines.into_iter().skip(at) {
        let follows = record(line).is_some_and(|sealed| position.follow(&sealed).is_ok());
        if !follows {
            break;
        }
        good = end;
    }
    Some((position, good as u64))
}

/// A whole line.
fn record(line: &[u8]) -> Option<Sealed<'_>> {
    Sealed::read(line.strip_suffix(b"\n")?).ok()
}

#[derive(Deserialize)]
struct Told {
    r#type: String,
    size: Option<u64>,
    peaks: Option<Vec<String>>,
    tree: Option<TreePart>,
}

#[derive(Deserialize)]
struct TreePart {
    size: u64,
    peaks: Vec<String>,
}

/// The place of a sound record that tells the tree before it.
fn told(line: &[u8]) -> Option<Position> {
    if !line.windows(WORTH_A_LOOK.len()).any(|window| window == WORTH_A_LOOK) {
        return None;
    }
    let sealed = record(line)?;
    let told: Told = serde_json::from_slice(line).ok()?;
    let (size, peaks) = match told.r#type.as_str() {
        "opened" => told.tree.map(|tree| (tree.size, tree.peaks))?,
        "checkpoint" => (told.size?, told.peaks?),
        _ => return None,
    };
    let peaks = peaks.iter().map(|peak| peak.parse().ok()).collect::<Option<Vec<_>>>()?;
    let tree = Tree::from_peaks(size, peaks).filter(|_| size == sealed.seq())?;
    Some(Position::after(sealed.prev(), tree))
}
