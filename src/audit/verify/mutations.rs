//! Random changes to a log, of which every one must be found, and at the right line.
//!
//! `CI_GATEWAY_MUTATIONS` is their number, 5 000 without it; `CI_GATEWAY_MUTATIONS_SEED` repeats a run that failed.

use super::samples::{Said, judged, noted, ordinary, signer, written};
use super::{Finding, Notes, Wrong};
use crate::audit::{Digest, Sealed};

const USUAL: u64 = 5_000;
const RECORDS: u64 = 120;
/// The record with which the second file begins.
const ROTATED: usize = 60;
/// The rest of the record is a hash over what comes before, and an end.
const SEALED_TAIL: usize = ",\"hash\":\"\"}\n".len() + 64;

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// What the verdict must say.
enum Expected {
    /// The first line that differs, counted over both files from 0.
    FirstDifference,
    /// The line after this one: it says the digest of what stood there.
    After(usize),
    /// Record `k` was written anew and all that follow with it: only a checkpoint can tell, and says which it covers.
    Signed(usize),
}

/// The lines of both files.
type Lines = Vec<Vec<u8>>;

/// What changes are made of.
struct Draw<'a> {
    chance: &'a mut Chance,
    said: &'a [Said],
    lines: &'a Lines,
    /// How many records the newest checkpoint covers.
    covered: usize,
}

impl Draw<'_> {
    /// A line, and a byte of it.
    fn byte(&mut self) -> (usize, usize) {
        let line = self.line();
        (line, self.chance.below(self.lines[line].len()))
    }

    fn line(&mut self) -> usize {
        self.chance.below(self.lines.len())
    }

    /// A line that a checkpoint covers.
    fn covered(&mut self) -> usize {
        self.chance.below(self.covered)
    }

    /// The lines with one of them changed.
    fn with(&self, line: usize, change: impl FnOnce(&mut Vec<u8>)) -> Lines {
        let mut changed = self.lines.clone();
        change(&mut changed[line]);
        changed
    }

    fn around(&self, change: impl FnOnce(&mut Lines)) -> Lines {
        let mut changed = self.lines.clone();
        change(&mut changed);
        changed
    }
}

type Change = fn(&mut Draw<'_>) -> Lines;

/// Those that show at the first line that differs.
const CHANGES: [(&str, Change); 13] = [
    ("a bit is flipped", |draw| {
        let ((line, byte), bit) = (draw.byte(), draw.chance.below(8));
        draw.with(line, |line| line[byte] ^= 1 << bit)
    }),
    ("a byte is replaced", |draw| {
        let ((line, byte), to) = (draw.byte(), draw.chance.next() as u8);
        draw.with(line, |line| line[byte] = to)
    }),
    ("a digit is changed", |draw| {
        let (line, more) = (draw.line(), 1 + draw.chance.below(9) as u8);
        let digits: Vec<usize> =
            (0..draw.lines[line].len()).filter(|n| draw.lines[line][*n].is_ascii_digit()).collect();
        let digit = digits[draw.chance.below(digits.len())];
        draw.with(line, |line| line[digit] = b'0' + (line[digit] - b'0' + more) % 10)
    }),
    ("bytes are spliced in", |draw| {
        let (line, byte) = draw.byte();
        let random: Vec<u8> = (0..=draw.chance.below(20)).map(|_| draw.chance.next() as u8).collect();
        draw.with(line, |line| drop(line.splice(byte..byte, random)))
    }),
    ("bytes are deleted", |draw| {
        let ((line, byte), more) = (draw.byte(), 1 + draw.chance.below(20));
        draw.with(line, |line| drop(line.drain(byte..(byte + more).min(line.len()))))
    }),
    ("lines are deleted", |draw| {
        let (from, most) = (draw.covered(), 1 + draw.chance.below(5));
        let to = (from + most).min(draw.covered);
        draw.around(|lines| drop(lines.drain(from..to)))
    }),
    ("a line is there a second time", |draw| {
        let (line, after) = (draw.line(), draw.line());
        draw.around(|lines| lines.insert(line.max(after) + 1, lines[line].clone()))
    }),
    ("two lines are swapped", |draw| {
        let (one, other) = (draw.line(), draw.line());
        draw.around(|lines| lines.swap(one, other))
    }),
    ("a line is moved", |draw| {
        let (from, to) = (draw.line(), draw.line());
        draw.around(|lines| {
            let line = lines.remove(from);
            lines.insert(to, line);
        })
    }),
    ("a line is inserted", |draw| {
        const TEXTS: [&[u8]; 4] = [b"\n", b"{}\n", b"{\"v\":1,\"type\":\"intent\"}\n", b"\0\n"];
        let (line, text) = (draw.line(), TEXTS[draw.chance.below(TEXTS.len())]);
        draw.around(|lines| lines.insert(line, text.to_vec()))
    }),
    ("the file is cut after a line", |draw| {
        let line = draw.covered();
        draw.around(|lines| lines.truncate(line))
    }),
    ("the file is cut inside a line", |draw| {
        let (line, byte) = draw.byte();
        draw.around(|lines| {
            lines[line].truncate(byte.max(1));
            lines.truncate(line + 1);
        })
    }),
    ("line ends are changed", |draw| {
        let (line, all) = (draw.line(), draw.chance.below(2) == 0);
        draw.around(|lines| {
            let end = if all { lines.len() } else { line + 1 };
            lines[line..end].iter_mut().for_each(|line| line.insert(line.len() - 1, b'\r'));
        })
    }),
];

fn mutate(draw: &mut Draw<'_>) -> (&'static str, Lines, Expected) {
    let (kind, at) = (draw.chance.below(CHANGES.len() + 3), draw.covered());
    if let Some((what, change)) = CHANGES.get(kind) {
        return (what, change(draw), Expected::FirstDifference);
    }
    let mut said = draw.said.to_vec();
    match kind - CHANGES.len() {
        0 => {
            let changed = draw.with(at, |line| *line = rehashed(line));
            ("a record is changed and hashed anew", changed, Expected::After(at))
        }
        1 => {
            said[at] = Said::Other("\"type\":\"intent\",\"forged\":true".to_owned());
            ("all is written anew from a record on", written(&said).lines, Expected::Signed(at))
        }
        _ => {
            said.remove(at);
            ("a record is taken out and the rest written anew", written(&said).lines, Expected::Signed(at))
        }
    }
}

fn rehashed(line: &[u8]) -> Vec<u8> {
    let sealed = String::from_utf8(line[..line.len() - SEALED_TAIL].to_vec()).unwrap();
    let sealed = sealed.replace("\"2026-", "\"2025-");
    format!("{sealed},\"hash\":\"{}\"}}\n", Digest::of(&[sealed.as_bytes()])).into_bytes()
}

/// The two files, in the order in which they are read: the second begins with the record that it began with, wherever that
/// stands now.
fn files(before: &Lines, after: &Lines) -> [Vec<u8>; 2] {
    let cut = after.iter().position(|line| *line == before[ROTATED]).unwrap_or(ROTATED.min(after.len()));
    let (first, second) = after.split_at(cut);
    if first.first() == Some(&before[ROTATED]) && second.first() == Some(&before[0]) {
        [second.concat(), first.concat()]
    } else {
        [first.concat(), second.concat()]
    }
}

/// The line over both files, from 0, at which two logs differ.
fn first_difference(before: &[u8], after: &[u8]) -> usize {
    let (mut before, mut after) = (before.split_inclusive(|b| *b == b'\n'), after.split_inclusive(|b| *b == b'\n'));
    (0..).find(|_| before.next() != after.next()).unwrap()
}

/// The number of the first sound record.
fn first_seq(file: &[u8]) -> Option<u64> {
    file.split(|b| *b == b'\n').find_map(|line| Sealed::read(line).ok()).map(|sealed| sealed.seq())
}

/// The line of a finding over both files, from 0.
fn line(finding: &Finding, files: &[Vec<u8>; 2]) -> usize {
    let before = if finding.name() == "1" { files[0].split_inclusive(|b| *b == b'\n').count() } else { 0 };
    before + finding.line() as usize - 1
}

fn check(chance: &mut Chance, said: &[Said], lines: &Lines, notes: &Notes, covered: usize) {
    let (what, changed, expected) = mutate(&mut Draw { chance, said, lines, covered });
    if changed == *lines {
        return;
    }
    let files = files(lines, &changed);
    let verdict = judged(&files, notes.clone());
    let finding = verdict.finding.unwrap_or_else(|| panic!("not found: {what}"));
    // Files are read in the order of their first sound records: what moves these is found, and told in that order.
    if first_seq(&files[0]) > first_seq(&files[1]) {
        return;
    }
    let found = line(&finding, &files);
    let right = match expected {
        Expected::FirstDifference => {
            // Any record that begins a file can begin a log whose beginning is elsewhere; the next line tells.
            let begins_elsewhere = usize::from(changed.first() == lines.get(ROTATED));
            found == first_difference(&lines.concat(), &files.concat()) + begins_elsewhere
        }
        Expected::After(changed) => match finding.wrong() {
            // A checkpoint ends just there, and sees it before the next line does.
            Wrong::NotWhatWasSigned { .. } => found == changed,
            _ => found == changed + 1,
        },
        Expected::Signed(forged) => match finding.wrong() {
            Wrong::NotWhatWasSigned { from, size, .. } => (*from..*size).contains(&(forged as u64)),
            Wrong::Truncated { .. } => found == changed.len(),
            _ => false,
        },
    };
    assert!(right, "{what}: told at line {found}: {finding}");
}

#[test]
fn every_random_change_is_found_and_told_at_the_first_line_that_shows_it() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let times = number("CI_GATEWAY_MUTATIONS").unwrap_or(USUAL);
    let seed = number("CI_GATEWAY_MUTATIONS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let mut said = ordinary(RECORDS);
    said[ROTATED] = Said::Opened("rotated");
    let log = written(&said);
    let notes = noted(&log.notes, Some(signer().verifier()));
    let covered = notes.last().unwrap().checkpoint.size() as usize;
    assert_eq!(covered, lines_before_the_last(&log.lines));
    println!("{times} changes with CI_GATEWAY_MUTATIONS_SEED={seed}");
    let mut chance = Chance(seed);
    for _ in 0..times {
        check(&mut chance, &said, &log.lines, &notes, covered);
    }
}

/// The last record is the checkpoint itself, which nothing covers.
fn lines_before_the_last(lines: &Lines) -> usize {
    lines.len() - 1
}
