//! Reading the log: from the bytes of its files to what each record says, a line at a time.

mod entry;
mod note_line;

use std::io::{self, BufRead, Read};

pub use entry::{Answered, Asked, Damaged, Entry, TreeSeen, UpstreamRead};

use super::{Sealed, Unsealed};

/// A line with more bytes is no record; this only bounds the memory, records are far shorter.
const LONGEST: usize = 64 * 1024;

/// The lines of a file, counted from 1.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    number: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// From the place where `reader` stands.
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0, bytes: Vec::new() }
    }

    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    /// What the reader says.
    pub fn advance(&mut self) -> io::Result<Option<Line<'_>>> {
        self.bytes.clear();
        // The bound is far below what overflows.
        let most = LONGEST as u64 + 1;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let end = if self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
            End::Whole
        } else if read > LONGEST {
            self.reader.skip_until(b'\n')?;
            End::TooLong
        } else {
            End::Torn
        };
        Ok(Some(Line { number: self.number, bytes: &self.bytes, end }))
    }

    /// How many lines were read.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What the file begins with, as far as the reader's buffer shows it.
    ///
    /// # Errors
    /// What the reader says.
    pub fn beginning(&mut self) -> io::Result<Beginning> {
        let ahead = self.reader.fill_buf()?;
        if ahead.is_empty() {
            return Ok(Beginning::Nothing);
        }
        let first = ahead.split(|byte| *byte == b'\n').find_map(|line| Sealed::read(line).ok());
        Ok(first.map_or(Beginning::Unknown, |sealed| Beginning::Record(sealed.seq())))
    }
}

/// What a file begins with; in the order in which files make a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beginning {
    /// It is empty.
    Nothing,
    /// Its first sound record has this number.
    Record(u64),
    /// There is no sound record.
    Unknown,
}

/// A line as it stands in the file, without its end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    number: u64,
    bytes: &'a [u8],
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Torn,
    TooLong,
}

impl<'a> Line<'a> {
    /// Its number in the file, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The record in it, if its digest holds.
    ///
    /// # Errors
    /// [`BadLine`].
    pub fn sealed(&self) -> Result<Sealed<'a>, BadLine> {
        match self.end {
            End::Torn => return Err(BadLine::Torn),
            End::TooLong => return Err(BadLine::TooLong),
            End::Whole => {}
        }
        if self.bytes.last() == Some(&b'\r') {
            return Err(BadLine::CarriageReturn);
        }
        Sealed::read(self.bytes).map_err(|why| match why {
            Unsealed::Form => BadLine::Form,
            Unsealed::Hash => BadLine::Changed,
        })
    }
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// The file ends within it.
    #[error("the file ends within this line")]
    Torn,
    /// It is far too long.
    #[error("the line is longer than any record")]
    TooLong,
    /// It ends with a carriage return.
    #[error("the line ends with a carriage return: the line ends were changed")]
    CarriageReturn,
    /// It does not begin or end as records do.
    #[error("the line has not the form of a record")]
    Form,
    /// Its digest does not hold.
    #[error("the bytes of this record were changed: they are not those that its `hash` is of")]
    Changed,
    /// It is of none of the types.
    #[error("the record is of the type {0:?}, which this version does not know")]
    UnknownType(Box<str>),
    /// It does not say what a record of its type says.
    #[error("the record does not say what a record of its type says: {0}")]
    Members(Box<str>),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Position, Record};

    fn read(bytes: &[u8]) -> Vec<Result<u64, BadLine>> {
        let mut lines = Lines::new(bytes);
        let mut read = Vec::new();
        while let Some(line) = lines.advance().unwrap() {
            assert_eq!(line.number(), read.len() as u64 + 1);
            read.push(line.sealed().map(|sealed| sealed.seq()));
        }
        read
    }

    #[test]
    fn each_line_is_a_record_or_says_why_not_and_the_next_one_is_read_in_any_case() {
        let mut log = Vec::new();
        let mut position = Position::default();
        position.seal(&Record::of_members(r#""type":"intent""#), &mut log);
        log.extend_from_slice(b"\nx\n");
        log.extend_from_slice(&vec![b'y'; 3 * LONGEST]);
        log.extend_from_slice(b"\n");
        position.seal(&Record::of_members(r#""type":"outcome""#), &mut log);
        let (form, long) = (Err(BadLine::Form), Err(BadLine::TooLong));
        assert_eq!(read(&log), [Ok(0), form.clone(), form, long, Ok(1)]);
        log.pop();
        assert_eq!(read(&log)[4], Err(BadLine::Torn));
        log.extend_from_slice(b"\r\n");
        assert_eq!(read(&log)[4], Err(BadLine::CarriageReturn));
        assert_eq!(read(b""), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).iter().all(Result::is_err));
        }

        #[test]
        fn whatever_a_sealed_record_says_is_read_or_refused_without_a_panic(
            kind in "(opened|intent|outcome|checkpoint|recovered|[a-z]{0,9})",
            members in "(,\"(time|size|root|peaks|tree|reason)\":([0-9]{1,25}|\"\\PC{0,9}\"|\\[\\]|\\{\\})){0,4}\\PC{0,9}",
        ) {
            let mut line = Vec::new();
            let members = format!("\"type\":\"{kind}\"{members}");
            Position::default().seal(&Record::of_members(&members), &mut line);
            if let Some(Ok(sealed)) = Lines::new(line.as_slice()).advance().unwrap().map(|line| line.sealed()) {
                prop_assert!(Entry::read(&sealed).is_err() || kind == "recovered");
            }
        }
    }
}
