//! The requests of a log: each intent joined with what came of it.

use std::collections::HashMap;
use std::io::BufRead;

use jiff::Timestamp;

use super::files::Problem;
use crate::audit::reading::{Answered, Asked, BadLine, Entry};
use crate::audit::verify::{Log, Unread};
use crate::domain::Mistake;

/// A request, as far as the log knows it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Who asked for what: of the outcome, or of the intent if there is none.
    pub(super) asked: Asked,
    /// When the intent was written; `None` if there was none, as nothing was permitted.
    pub(super) intended: Option<Timestamp>,
    /// What came of it, and when that was written.
    pub(super) answered: Option<Answered>,
}

impl Request {
    /// When it was first written down.
    pub(super) fn time(&self) -> Timestamp {
        self.intended.unwrap_or(self.asked.time)
    }
}

/// Joins records as they come: an outcome names its intent by number, for ids of requests come from callers and come again.
#[derive(Default)]
struct Requests {
    open: HashMap<u64, Asked>,
    /// Intents of a log that ended where another began.
    left: Vec<Asked>,
}

impl Requests {
    /// The request that record `seq` ends, if it ends one. An outcome that names no intent stands for itself.
    fn take(&mut self, seq: u64, entry: Entry) -> Option<Request> {
        match entry {
            Entry::Opened { .. } if seq == 0 => self.left.extend(self.open.drain().map(|(_, asked)| asked)),
            Entry::Intent(asked) => drop(self.open.insert(seq, asked)),
            Entry::Outcome(asked, answered) => {
                let intent = answered.intent.and_then(|intent| self.open.remove(&intent));
                return Some(Request { asked, intended: intent.map(|intent| intent.time), answered: Some(answered) });
            }
            Entry::Opened { .. } | Entry::Checkpoint { .. } | Entry::Recovered { .. } => {}
        }
        None
    }

    /// Those of which nothing came.
    fn unanswered(self) -> impl Iterator<Item = Request> {
        let all = self.left.into_iter().chain(self.open.into_values());
        all.map(|asked| Request { intended: Some(asked.time), asked, answered: None })
    }
}

/// So many bad lines are told one by one.
const TOLD: usize = 20;

/// Lines that cannot be read; a file that is no log at all does not flood the terminal.
#[derive(Default)]
struct BadLines {
    told: Vec<Mistake>,
    more: u64,
}

impl BadLines {
    fn add(&mut self, name: &str, line: u64, bad: &BadLine) {
        if self.told.len() == TOLD {
            self.more += 1;
        } else {
            let line = usize::try_from(line).unwrap_or(usize::MAX);
            let mistake = Mistake::new(name, bad.to_string()).at_line(line);
            self.told.push(mistake.hint("`ci-gateway audit verify` tells more"));
        }
    }

    fn finish(mut self) -> Vec<Mistake> {
        if self.more > 0 {
            self.told.push(Mistake::new("the log", format!("has {} more lines that cannot be read", self.more)));
        }
        self.told
    }
}

/// What stood in the way of telling all.
pub(super) struct ReadThrough {
    /// Lines that cannot be read.
    pub(super) bad_lines: Vec<Mistake>,
    /// When the first record was written, if it is not the first of the log, and its number.
    begins: Option<(u64, Option<Timestamp>)>,
    /// Numbers of records that stand in no file, between those that do.
    gaps: Vec<(u64, u64)>,
}

impl ReadThrough {
    /// What a command must say that claims to know all requests, or all since then.
    pub(super) fn complaints(self, since: Option<Timestamp>) -> Vec<Mistake> {
        let reaches = |at: Option<Timestamp>| since.is_some_and(|since| at.is_some_and(|at| at <= since));
        let begins = self.begins.filter(|(seq, at)| *seq > 0 && !reaches(*at)).map(|(seq, _)| (0, seq - 1));
        let missing = begins.into_iter().chain(self.gaps).map(|(from, to)| {
            Mistake::new(
                "the log",
                format!("records {from} to {to} were not looked at: they stand in no file that was read"),
            )
            .hint("name all files of the log, unpacked; or, if only the beginning is gone, say `--since`")
        });
        self.bad_lines.into_iter().chain(missing).collect()
    }

    /// Record `seq` was read, and not `expected`.
    fn note(&mut self, expected: Option<u64>, seq: u64, entry: &Entry) {
        match (expected, entry) {
            (Some(expected), _) if seq > expected => self.gaps.push((expected, seq - 1)),
            (None, Entry::Opened { time, .. }) => self.begins = Some((seq, *time)),
            (None, Entry::Intent(asked) | Entry::Outcome(asked, _)) => self.begins = Some((seq, Some(asked.time))),
            (None, Entry::Checkpoint { .. } | Entry::Recovered { .. }) => self.begins = Some((seq, None)),
            (Some(_), _) => {}
        }
    }
}

/// Gives every request in `logs` that `wanted` takes to `each`, ended ones first, and returns what it could not tell.
pub(super) fn each_request<R: BufRead>(
    logs: &mut [Log<R>],
    wanted: impl Fn(&Asked) -> bool,
    mut each: impl FnMut(Request),
) -> Result<ReadThrough, Problem> {
    let (mut requests, mut bad_lines, mut expected) = (Requests::default(), BadLines::default(), None);
    let mut through = ReadThrough { bad_lines: Vec::new(), begins: None, gaps: Vec::new() };
    for log in logs {
        loop {
            let line = log.lines.advance().map_err(|why| Unread { name: log.name.clone(), why })?;
            let Some(line) = line else { break };
            let read = line.sealed().and_then(|sealed| Ok((sealed.seq(), Entry::read(&sealed)?)));
            if let Ok((seq, entry)) = &read {
                through.note(expected, *seq, entry);
                expected = Some(*seq + 1);
            }
            match read {
                Ok((seq, entry)) if is_wanted(&entry, &wanted) => {
                    requests.take(seq, entry).into_iter().for_each(&mut each);
                }
                Ok(_) => {}
                Err(_) if line.note().is_some() => {}
                Err(bad) => {
                    bad_lines.add(&log.name, line.number(), &bad);
                    // It is told already, and need not be told as missing.
                    expected = expected.map(|seq| seq + 1);
                }
            }
        }
    }
    requests.unanswered().for_each(each);
    Ok(ReadThrough { bad_lines: bad_lines.finish(), ..through })
}

fn is_wanted(entry: &Entry, wanted: impl Fn(&Asked) -> bool) -> bool {
    match entry {
        Entry::Intent(asked) | Entry::Outcome(asked, _) => wanted(asked),
        Entry::Opened { .. } => true,
        Entry::Checkpoint { .. } | Entry::Recovered { .. } => false,
    }
}
