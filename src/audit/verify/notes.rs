//! The signed checkpoints of a log, read from their file.

use std::io::{self, BufRead, Read};

use super::{Finding, Wrong};
use crate::audit::{BadNote, Checkpoint, LONGEST_NOTE, Verifier};

/// A checkpoint, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The file.
    pub name: String,
    /// The line there on which it begins.
    pub line: u64,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Noted {
    /// `FILE:LINE`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.name, self.line)
    }
}

/// Checkpoints in the order of their sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(Vec<Noted>);

impl Notes {
    /// Reads a file of notes, with an empty line after each; what is none is told in `findings`, and the next is read.
    ///
    /// # Errors
    /// What the reader says.
    pub fn read(
        &mut self,
        name: &str,
        reader: impl BufRead,
        verifier: Option<&Verifier>,
        findings: &mut Vec<Finding>,
    ) -> io::Result<()> {
        let mut take = |line: u64, note: &[u8]| {
            let checkpoint =
                std::str::from_utf8(note).map_err(|_| BadNote::Form).and_then(|note| Checkpoint::read(note, verifier));
            match checkpoint {
                Ok(checkpoint) => self.0.push(Noted { name: name.to_owned(), line, checkpoint }),
                Err(bad) => findings.push(Finding::new(name.to_owned(), line, None, Wrong::Note(bad))),
            }
        };
        let mut paragraphs = Paragraphs { reader, number: 0 };
        let mut text: Option<(u64, Vec<u8>)> = None;
        while let Some((line, paragraph)) = paragraphs.advance()? {
            // So a note that was torn off does not take the next one with it.
            if paragraph.starts_with("\u{2014}".as_bytes()) {
                let (line, text) = text.take().unwrap_or((line, Vec::new()));
                take(line, &[text.as_slice(), b"\n", &paragraph].concat());
            } else if let Some((line, text)) = text.replace((line, paragraph)) {
                take(line, &text);
            }
        }
        if let Some((line, text)) = text {
            take(line, &text);
        }
        self.0.sort_by_key(|noted| noted.checkpoint.size());
        Ok(())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one that covers most.
    #[must_use]
    pub fn last(&self) -> Option<&Noted> {
        self.0.last()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Noted> {
        self.0.get(index)
    }

    /// How many cover fewer than `size` records.
    pub(super) fn before(&self, size: u64) -> usize {
        self.0.partition_point(|noted| noted.checkpoint.size() < size)
    }
}

/// Runs of lines with empty ones between them.
struct Paragraphs<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Paragraphs<R> {
    /// The next, with the number of its first line; one that is too long for a note is cut.
    fn advance(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut paragraph = Vec::new();
        let mut first = 0;
        let most = LONGEST_NOTE as u64 + 1;
        loop {
            let mut line = Vec::new();
            let read = self.reader.by_ref().take(most).read_until(b'\n', &mut line)?;
            self.number += u64::from(line.ends_with(b"\n") || read == 0);
            match line.as_slice() {
                b"" if paragraph.is_empty() => return Ok(None),
                b"\n" if paragraph.is_empty() => {}
                b"" | b"\n" => return Ok(Some((first, paragraph))),
                _ => {
                    if paragraph.is_empty() {
                        first = self.number + u64::from(!line.ends_with(b"\n"));
                    }
                    if paragraph.len() <= LONGEST_NOTE {
                        paragraph.extend_from_slice(&line);
                    }
                }
            }
        }
    }
}
