//! How records hang together: each says the digest of the one before, and its own.
//!
//! A line is `{"v":1,"seq":N,"prev":"…",` … `,"hash":"…"}`. `hash` is the SHA-256 of the line's bytes before
//! `,"hash"`, `prev` is the `hash` of the record before, and of the first record 64 zeros. Whoever changes, removes or
//! moves a record has to change all that follow, and then no longer fits the checkpoints.

use super::merkle::Tree;
use super::{Digest, Record};

const HEAD: &[u8] = b"{\"v\":1,\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const INTENT: &[u8] = b",\"intent\":";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";
/// `,"hash":"`, 64 digits and `"}`.
const TAIL: usize = HASH.len() + 64 + END.len();

/// The place at which the next record will stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    prev: Digest,
    tree: Tree,
}

impl Position {
    /// After a record with this hash, which is the last in `tree`.
    #[must_use]
    pub fn after(hash: Digest, tree: Tree) -> Self {
        Self { prev: hash, tree }
    }

    /// The number of the next record: how many there are before it.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.tree.size()
    }

    /// The `hash` of the last record.
    #[must_use]
    pub fn prev(&self) -> Digest {
        self.prev
    }

    /// The tree over all records so far.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Puts `record` at this place: its line, with a line end, is appended to `out`, and the place moves on.
    pub fn seal(&mut self, record: &Record, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(HEAD);
        out.extend_from_slice(self.seq().to_string().as_bytes());
        out.extend_from_slice(PREV);
        out.extend_from_slice(&self.prev.to_hex());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(record.members());
        if let Some(intent) = record.intent_seq() {
            out.extend_from_slice(INTENT);
            out.extend_from_slice(intent.to_string().as_bytes());
        }
        let sealed = out.get(start..).unwrap_or_default();
        self.prev = Digest::of(&[sealed]);
        out.extend_from_slice(HASH);
        out.extend_from_slice(&self.prev.to_hex());
        out.extend_from_slice(END);
        self.tree.append(out.get(start..).unwrap_or_default());
        out.push(b'\n');
    }

    /// Moves on by a record that was read, if it stands at this place.
    ///
    /// # Errors
    /// [`Misplaced`], and the place is where it was.
    pub fn follow(&mut self, sealed: &Sealed<'_>) -> Result<(), Misplaced> {
        if sealed.seq != self.seq() {
            return Err(Misplaced::Seq { expected: self.seq(), found: sealed.seq });
        }
        if sealed.prev != self.prev {
            return Err(Misplaced::Prev);
        }
        self.prev = sealed.hash;
        self.tree.append(sealed.line);
        Ok(())
    }
}

/// A line whose digest holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    line: &'a [u8],
    seq: u64,
    prev: Digest,
    hash: Digest,
    members: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Reads a line, without its line end.
    ///
    /// # Errors
    /// [`Unsealed`] if it has not the form of a record, or its bytes are not those that its `hash` is of.
    pub fn read(line: &'a [u8]) -> Result<Self, Unsealed> {
        let cut = line.len().checked_sub(TAIL).ok_or(Unsealed::Form)?;
        let (sealed, tail) = line.split_at_checked(cut).ok_or(Unsealed::Form)?;
        let digits = tail.strip_prefix(HASH).and_then(|tail| tail.strip_suffix(END)).ok_or(Unsealed::Form)?;
        let hash = digest(digits).ok_or(Unsealed::Form)?;
        let rest = sealed.strip_prefix(HEAD).ok_or(Unsealed::Form)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (seq, rest) = rest.split_at_checked(digits).ok_or(Unsealed::Form)?;
        let (digits, rest) =
            rest.strip_prefix(PREV).and_then(|rest| rest.split_at_checked(64)).ok_or(Unsealed::Form)?;
        let prev = digest(digits).ok_or(Unsealed::Form)?;
        let members = rest.strip_prefix(b"\",").ok_or(Unsealed::Form)?;
        let seq = std::str::from_utf8(seq).ok().and_then(|seq| seq.parse().ok()).ok_or(Unsealed::Form)?;
        if Digest::of(&[sealed]) == hash { Ok(Self { line, seq, prev, hash, members }) } else { Err(Unsealed::Hash) }
    }

    /// Its number in the log, from 0.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The digest of the record before.
    #[must_use]
    pub fn prev(&self) -> Digest {
        self.prev
    }

    /// Its own digest.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// What it says, as JSON without the braces around it.
    #[must_use]
    pub fn members(&self) -> &'a [u8] {
        self.members
    }

    /// The line, without its line end.
    #[must_use]
    pub fn line(&self) -> &'a [u8] {
        self.line
    }
}

fn digest(digits: &[u8]) -> Option<Digest> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Why a line is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// It does not begin or end as records do.
    #[error("it has not the form of a record")]
    Form,
    /// Some of its bytes were changed.
    #[error("its bytes are not those that its hash is of")]
    Hash,
}

/// Why a record does not stand where it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Records are missing before it, or it stands there twice or too early.
    #[error("it is record {found}, and record {expected} should stand here")]
    Seq {
        /// The number that should stand there.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// It follows on another record than the one before it.
    #[error("it follows on another record than the one that stands before it")]
    Prev,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(position: &mut Position, members: &str) -> Vec<u8> {
        let mut line = Vec::new();
        position.seal(&Record::of_members(members), &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        line
    }

    #[test]
    fn what_was_sealed_is_followed_to_the_same_place() {
        let (mut writer, mut reader) = (Position::default(), Position::default());
        for members in [r#""type":"a""#, r#""type":"b","x":",\"hash\":\"""#, r#""type":"c""#] {
            let line = sealed(&mut writer, members);
            serde_json::from_slice::<serde_json::Value>(&line).unwrap();
            reader.follow(&Sealed::read(&line).unwrap()).unwrap();
            assert_eq!(reader, writer);
        }
        assert_eq!(reader.seq(), 3);
    }

    #[test]
    fn a_change_to_any_byte_of_a_line_is_seen() {
        let line = sealed(&mut Position::default(), r#""type":"intent","caller":"alice""#);
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(Sealed::read(&changed).is_err(), "byte {at} bit {bit}");
            }
            assert!(Sealed::read(&line[..at]).is_err() && Sealed::read(&line[at + 1..]).is_err());
        }
    }

    #[test]
    fn a_record_that_is_missing_twice_there_or_of_another_file_does_not_follow() {
        let mut writer = Position::default();
        let lines = [r#""n":1"#, r#""n":2"#, r#""n":3"#].map(|members| sealed(&mut writer, members));
        let [first, second, third] = [0, 1, 2].map(|n| Sealed::read(&lines[n]).unwrap());
        let mut reader = Position::default();
        reader.follow(&first).unwrap();
        let before = reader.clone();
        assert_eq!(reader.follow(&third), Err(Misplaced::Seq { expected: 1, found: 2 }));
        assert_eq!(reader.follow(&first), Err(Misplaced::Seq { expected: 1, found: 0 }));
        let mut other = Position::default();
        sealed(&mut other, r#""n":0"#);
        let stranger = sealed(&mut other, r#""n":2"#);
        assert_eq!(reader.follow(&Sealed::read(&stranger).unwrap()), Err(Misplaced::Prev));
        assert_eq!(reader, before);
        reader.follow(&second).unwrap();
    }
}
