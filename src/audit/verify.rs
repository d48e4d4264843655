//! Whether a log is what the gateway wrote: the chain followed over its files, and the tree held against checkpoints.
//!
//! What the chain cannot see, that somebody has written all records anew from one on, the signed checkpoints do: whoever
//! keeps one elsewhere can tell. Records after the newest checkpoint are covered by the chain alone.

mod finding;
mod notes;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead};

pub use finding::{Finding, Wrong};
pub use notes::{Noted, Notes, Unverified};

use super::reading::{Damaged, Entry, Line, Lines};
use super::{BadNote, Digest, Grove, Kind, Misplaced, Position, Sealed, Tree, leaf};

/// A file of the log.
#[derive(Debug)]
pub struct Log<R> {
    /// What it is called in findings.
    pub name: String,
    /// Its lines.
    pub lines: Lines<R>,
}

/// What was looked at, as far as it was found in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The name that the log gives itself.
    pub log: Option<String>,
    /// The number of the first record that was looked at.
    pub begins: u64,
    /// The number that the next record will have: how many there are, from the first of the log on.
    pub ends: u64,
    /// The root of the tree over them; `None` if the files were not followed to their end.
    pub root: Option<Digest>,
    /// How many signed checkpoints were found to be of this log.
    pub agreed: u64,
    /// How many records the newest of them covers.
    pub covered: u64,
    /// How many signed checkpoints are of records before the first that was looked at.
    pub unseen: u64,
    /// Where something was made good before it went on.
    pub recoveries: Vec<Recovery>,
}

/// That something was made good, as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The file.
    pub name: String,
    /// The line there.
    pub line: u64,
    /// What it was.
    pub reason: String,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was in order.
    pub seen: Seen,
    /// The first thing that was not.
    pub finding: Option<Finding>,
    /// The checkpoints that it was held against, with what was said of those that stand in the log itself.
    pub notes: Notes,
}

/// The files in the order of the log: by the number of their first sound record. Those without one come last.
///
/// # Errors
/// What a reader says, with the name of its file.
pub fn in_order<R: BufRead>(logs: Vec<Log<R>>) -> Result<Vec<Log<R>>, Unread> {
    let mut told = Vec::new();
    for mut log in logs {
        let first = log.lines.beginning().map_err(|why| Unread { name: log.name.clone(), why })?;
        told.push((first, log));
    }
    told.sort_by_key(|(first, _)| *first);
    Ok(told.into_iter().map(|(_, log)| log).collect())
}

/// Follows the log through `logs`, and holds its tree against `notes`. With a `grove`, the leaves are kept there.
///
/// # Errors
/// What a reader says, with the name of its file.
pub fn verify<R: BufRead>(logs: &mut [Log<R>], notes: Notes, grove: Option<&mut Grove>) -> Result<Verdict, Unread> {
    let mut walk = Walk { position: None, told: None, notes, next_note: 0, seen: Seen::default(), grove };
    let mut last = (String::new(), 0);
    for log in logs {
        let finding = log.walk(&mut walk).map_err(|why| Unread { name: log.name.clone(), why })?;
        if finding.is_some() {
            return Ok(Verdict { seen: walk.seen, finding, notes: walk.notes });
        }
        last = (log.name.clone(), log.lines.number());
    }
    let wrong = walk.truncated().or_else(|| walk.nothing()).or_else(|| walk.unsigned());
    let finding = wrong.map(|wrong| Finding::new(last.0, last.1 + 1, None, wrong));
    Ok(Verdict { seen: walk.seen, finding, notes: walk.notes })
}

/// A file could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{name}: cannot be read: {why}")]
pub struct Unread {
    /// The file.
    pub name: String,
    /// What the system says.
    #[source]
    pub why: io::Error,
}

impl<R: BufRead> Log<R> {
    fn walk(&mut self, walk: &mut Walk<'_>) -> io::Result<Option<Finding>> {
        let finding = loop {
            let Some(line) = self.lines.advance()? else { return Ok(None) };
            if let Err((seq, wrong)) = walk.step(&self.name, &line) {
                break Finding::new(self.name.clone(), line.number(), seq, wrong);
            }
        };
        self.explained(finding).map(Some)
    }

    /// Records that seem to be missing may stand further down.
    fn explained(&mut self, finding: Finding) -> io::Result<Finding> {
        let Wrong::Missing { from, .. } = *finding.wrong() else { return Ok(finding) };
        while let Some(line) = self.lines.advance()? {
            if line.sealed().is_ok_and(|sealed| sealed.seq() == from) {
                let wrong = Wrong::Moved { seq: from, to_line: line.number() };
                return Ok(Finding::new(self.name.clone(), finding.line(), finding.seq(), wrong));
            }
        }
        Ok(finding)
    }
}

/// What is wrong, and the record's number if it is known.
type Stop = (Option<u64>, Wrong);

struct Walk<'g> {
    /// `None` before the first record.
    position: Option<Position>,
    /// Size and root of the last tree that a checkpoint told.
    told: Option<(u64, Digest)>,
    notes: Notes,
    next_note: usize,
    seen: Seen,
    grove: Option<&'g mut Grove>,
}

impl Walk<'_> {
    fn step(&mut self, name: &str, line: &Line<'_>) -> Result<(), Stop> {
        let expected = self.position.as_ref().map(Position::seq);
        let sealed = match (line.sealed(), line) {
            (Ok(sealed), _) => sealed,
            (Err(bad), line) => {
                let note = line.note().ok_or((expected, bad.into()))?;
                return self.noted(name, line, &note).map_err(|wrong| (None, wrong));
            }
        };
        let at = Some(sealed.seq());
        let kind = Kind::of(&sealed).map_err(|bad| (at, bad.into()))?;
        if self.position.is_none() {
            self.begin(&sealed, kind).map_err(|wrong| (at, wrong))?;
        }
        let Some(position) = &mut self.position else { return Ok(()) };
        let before = matches!(kind, Kind::Opened | Kind::Checkpoint).then(|| position.tree().clone());
        position.follow(&sealed).map_err(|misplaced| (at, misplaced.into()))?;
        if let Some(grove) = &mut self.grove {
            grove.append(leaf(sealed.line()));
        }
        let size = position.seq();
        match (kind, before) {
            (Kind::Recovered, _) => self.recovered(name, line, &sealed).map_err(|wrong| (at, wrong))?,
            (Kind::Intent | Kind::Outcome | Kind::Opened | Kind::Checkpoint, None) => {}
            (Kind::Intent | Kind::Outcome | Kind::Opened | Kind::Checkpoint, Some(before)) => {
                self.tells(&sealed, &before).map_err(|wrong| (at, wrong))?;
            }
        }
        self.seen.ends = size;
        self.agrees_with_notes().map_err(|wrong| (at, wrong))
    }

    /// The first record: that of the whole log, or one that says what the tree was before it.
    fn begin(&mut self, sealed: &Sealed<'_>, kind: Kind) -> Result<(), Wrong> {
        let position = if sealed.seq() == 0 {
            Position::default()
        } else if kind == Kind::Opened {
            let Entry::Opened { tree, .. } = Entry::read(sealed)? else { return Err(Wrong::NoBeginning) };
            let tree = tree.tree().filter(|tree| tree.size() == sealed.seq()).ok_or(Wrong::OtherTree)?;
            Position::after(sealed.prev(), tree)
        } else {
            return Err(Wrong::NoBeginning);
        };
        let begins = position.seq();
        (self.seen.begins, self.seen.ends) = (begins, begins);
        if let Some(grove) = &mut self.grove {
            **grove = Grove::after(position.tree().clone());
        }
        self.position = Some(position);
        self.next_note = self.notes.before(begins);
        self.seen.unseen = self.next_note as u64;
        self.agrees_with_notes()
    }

    /// That the record says of the tree before it what is so.
    fn tells(&mut self, sealed: &Sealed<'_>, before: &Tree) -> Result<(), Wrong> {
        let (tree, root) = match Entry::read(sealed)? {
            Entry::Opened { log, tree, .. } => {
                self.seen.log = Some(log);
                (tree, None)
            }
            Entry::Checkpoint { tree, root } => (tree, Some(root)),
            Entry::Intent(_) | Entry::Outcome(..) | Entry::Recovered { .. } => return Ok(()),
        };
        let root_holds = root.is_none_or(|root| root == before.root());
        self.told = root.map(|root| (before.size(), root));
        if tree.tree().as_ref() == Some(before) && root_holds { Ok(()) } else { Err(Wrong::OtherTree) }
    }

    fn recovered(&mut self, name: &str, line: &Line<'_>, sealed: &Sealed<'_>) -> Result<(), Wrong> {
        if let Entry::Recovered { reason, damaged, .. } = Entry::read(sealed)? {
            if let Some(Damaged { from, to }) = damaged {
                return Err(Wrong::Damaged { from, to });
            }
            self.seen.recoveries.push(Recovery { name: name.to_owned(), line: line.number(), reason });
        }
        Ok(())
    }

    /// A note among the records: of the checkpoint that was told last.
    fn noted(&mut self, name: &str, line: &Line<'_>, note: &str) -> Result<(), Wrong> {
        let checkpoint = match self.notes.judge(note) {
            Ok(checkpoint) => checkpoint,
            Err(BadNote::NotSigned) => {
                self.notes.add_unverified(name, line.number());
                return Ok(());
            }
            Err(bad @ (BadNote::Form | BadNote::OtherLog | BadNote::Forged)) => return Err(Wrong::Note(bad)),
        };
        let size = checkpoint.size();
        if self.told != Some((size, checkpoint.root())) {
            let from = self.seen.covered.max(self.seen.begins);
            self.seen.ends = from;
            return Err(Wrong::NotWhatWasSigned { place: format!("{name}:{}", line.number()), from, size });
        }
        self.seen.agreed += 1;
        self.seen.covered = self.seen.covered.max(size);
        Ok(())
    }

    /// Every signed checkpoint of just these records.
    fn agrees_with_notes(&mut self) -> Result<(), Wrong> {
        let Some(position) = &self.position else { return Ok(()) };
        let size = position.seq();
        let mut root = None;
        while let Some(noted) = self.notes.get(self.next_note).filter(|noted| noted.checkpoint.size() == size) {
            if noted.checkpoint.root() != *root.get_or_insert_with(|| position.tree().root()) {
                let from = self.seen.covered.max(self.seen.begins);
                // Which of them is another one cannot be told, so none of them counts as in order.
                self.seen.ends = from;
                return Err(Wrong::NotWhatWasSigned { place: noted.place(), from, size });
            }
            self.next_note += 1;
            self.seen.agreed += 1;
            self.seen.covered = size;
        }
        Ok(())
    }

    /// Whether a signed checkpoint covers more records than there are.
    fn truncated(&mut self) -> Option<Wrong> {
        let holds = self.position.as_ref().map_or(0, Position::seq);
        self.seen.root = self.position.as_ref().map(|position| position.tree().root());
        let largest = self.notes.last().filter(|noted| noted.checkpoint.size() > holds)?;
        Some(Wrong::Truncated { place: largest.place(), covers: largest.checkpoint.size(), holds })
    }

    /// Whether there was no record at all.
    fn nothing(&self) -> Option<Wrong> {
        self.position.is_none().then_some(Wrong::Nothing)
    }

    /// Whether signatures were asked for, and nothing of what was looked at is signed.
    fn unsigned(&self) -> Option<Wrong> {
        (self.notes.are_verified() && self.seen.agreed == 0).then_some(Wrong::Unsigned)
    }
}

impl From<Misplaced> for Wrong {
    fn from(misplaced: Misplaced) -> Self {
        match misplaced {
            Misplaced::Seq { expected, found } if found > expected => Self::Missing { from: expected, to: found - 1 },
            Misplaced::Seq { expected, found } => Self::Again { expected, found },
            Misplaced::Prev => Self::OtherBefore,
        }
    }
}
