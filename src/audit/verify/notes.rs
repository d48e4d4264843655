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

/// Checkpoints in the order of their sizes, and what else stood among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    noted: Vec<Noted>,
    /// With none, no signature is looked at.
    verifiers: Vec<Verifier>,
    unverified: Vec<Unverified>,
    half_written: Vec<String>,
}

/// Notes that stand one after the other and are signed with none of the keys that were named: the log's key was renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// Where the first of them stands: `FILE:LINE`.
    pub place: String,
    /// How many there are.
    pub count: u64,
}

impl Notes {
    /// None yet; those that are read must be signed with one of the keys of `verifiers`, if there are any.
    #[must_use]
    pub fn signed_with(verifiers: Vec<Verifier>) -> Self {
        Self { verifiers, ..Self::default() }
    }

    /// Reads a file of notes, with an empty line after each; what is none is told in `findings`, and the next is read. A
    /// note that was written in half is no finding if whole ones follow: they say all that it did.
    ///
    /// # Errors
    /// What the reader says.
    pub fn read(&mut self, name: &str, reader: impl BufRead, findings: &mut Vec<Finding>) -> io::Result<()> {
        let mut paragraphs = Paragraphs { reader, number: 0 };
        let mut reading = Reading { name, notes: self, findings, run: None, bad: Vec::new() };
        let mut text: Option<(u64, Vec<u8>)> = None;
        while let Some((line, paragraph)) = paragraphs.advance()? {
            // So a note that was torn off does not take the next one with it.
            if paragraph.starts_with("\u{2014}".as_bytes()) {
                let (line, text) = text.take().unwrap_or((line, Vec::new()));
                reading.take(line, &[text.as_slice(), b"\n", &paragraph].concat());
            } else if let Some((line, text)) = text.replace((line, paragraph)) {
                reading.take(line, &text);
            }
        }
        if let Some((line, text)) = text {
            reading.take(line, &text);
        }
        reading.finish();
        self.noted.sort_by_key(|noted| noted.checkpoint.size());
        Ok(())
    }

    /// The checkpoint that a note is, if one of the keys has signed it and no signature is forged.
    pub(super) fn judge(&self, note: &str) -> Result<Checkpoint, BadNote> {
        if self.verifiers.is_empty() {
            return Checkpoint::read(note, None);
        }
        let mut best = Err(BadNote::OtherLog);
        for verifier in &self.verifiers {
            match Checkpoint::read(note, Some(verifier)) {
                Ok(checkpoint) => best = Ok(checkpoint),
                Err(bad @ (BadNote::Form | BadNote::Forged)) => return Err(bad),
                Err(BadNote::NotSigned) if best.is_err() => best = Err(BadNote::NotSigned),
                Err(BadNote::NotSigned | BadNote::OtherLog) => {}
            }
        }
        best
    }

    /// One that stands among the records, and is signed with another key.
    pub(super) fn add_unverified(&mut self, name: &str, line: u64) {
        let here = |run: &&mut Unverified| run.place.rsplit_once(':').is_some_and(|(file, _)| file == name);
        match self.unverified.last_mut().filter(here) {
            Some(run) => run.count += 1,
            None => self.unverified.push(Unverified { place: format!("{name}:{line}"), count: 1 }),
        }
    }

    /// Whether a key was named, so that the signatures of all that are here hold.
    #[must_use]
    pub fn are_verified(&self) -> bool {
        !self.verifiers.is_empty()
    }

    /// Those that are signed with another key.
    #[must_use]
    pub fn unverified(&self) -> &[Unverified] {
        &self.unverified
    }

    /// Where notes stand that were written in half, with whole ones behind them: `FILE:LINE`.
    #[must_use]
    pub fn half_written(&self) -> &[String] {
        &self.half_written
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// The one that covers most.
    #[must_use]
    pub fn last(&self) -> Option<&Noted> {
        self.noted.last()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Noted> {
        self.noted.get(index)
    }

    /// How many cover fewer than `size` records.
    pub(super) fn before(&self, size: u64) -> usize {
        self.noted.partition_point(|noted| noted.checkpoint.size() < size)
    }
}

/// A file on its way into the notes.
struct Reading<'n> {
    name: &'n str,
    notes: &'n mut Notes,
    findings: &'n mut Vec<Finding>,
    /// Those by another key since the last that is not.
    run: Option<Unverified>,
    /// Without the form of a note, since the last that has it.
    bad: Vec<u64>,
}

impl Reading<'_> {
    fn take(&mut self, line: u64, note: &[u8]) {
        let judged = std::str::from_utf8(note).map_err(|_| BadNote::Form).and_then(|note| self.notes.judge(note));
        match judged {
            Ok(checkpoint) => {
                self.whole();
                self.end_run();
                self.notes.noted.push(Noted { name: self.name.to_owned(), line, checkpoint });
            }
            Err(BadNote::NotSigned) => {
                self.whole();
                let place = || Unverified { place: format!("{}:{line}", self.name), count: 0 };
                self.run.get_or_insert_with(place).count += 1;
            }
            Err(BadNote::Form) => self.bad.push(line),
            Err(bad @ (BadNote::OtherLog | BadNote::Forged)) => self.found(line, bad),
        }
    }

    /// What was bad before was written in half.
    fn whole(&mut self) {
        let places = self.bad.drain(..).map(|line| format!("{}:{line}", self.name));
        self.notes.half_written.extend(places);
    }

    fn end_run(&mut self) {
        self.notes.unverified.extend(self.run.take());
    }

    fn found(&mut self, line: u64, bad: BadNote) {
        self.findings.push(Finding::new(self.name.to_owned(), line, None, Wrong::Note(bad)));
    }

    fn finish(mut self) {
        self.end_run();
        for line in std::mem::take(&mut self.bad) {
            self.found(line, BadNote::Form);
        }
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
