//! Outcomes that could not be written yet. Those of calls whose intent is durable always have a place; all others have
//! places enough for a short while, so that refusals never take the memory.

use std::collections::VecDeque;

use super::Claim;
use crate::audit::Record;

/// Outcomes of requests without an intent on record that are kept; beyond that they are lost, and counted.
const MOST_OTHERS: usize = 4096;
/// Bytes that are written at once, unless one record has more.
const PORTION: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// No more than requests were under way when it began.
    claimed: VecDeque<(Record, Claim)>,
    others: VecDeque<Record>,
}

/// What is to be written next.
#[derive(Debug)]
pub(super) struct Portion<'a> {
    pub(super) records: Vec<&'a Record>,
    /// How long its lines are at most, together.
    pub(super) bytes: u64,
    /// The disk space that was claimed is for these.
    pub(super) is_claimed: bool,
}

impl Kept {
    /// Whether there was a place for it.
    pub(super) fn keep(&mut self, record: Record, claim: Option<Claim>) -> bool {
        match claim {
            Some(claim) => self.claimed.push_back((record, claim)),
            None if self.others.len() < MOST_OTHERS => self.others.push_back(record),
            None => return false,
        }
        true
    }

    pub(super) fn len(&self) -> usize {
        self.claimed.len() + self.others.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first of what is left: of what was claimed, as long as there is any.
    pub(super) fn portion(&self) -> Option<Portion<'_>> {
        let is_claimed = !self.claimed.is_empty();
        let portion = if is_claimed {
            portion(self.claimed.iter().map(|(record, _)| record), is_claimed)
        } else {
            portion(self.others.iter(), is_claimed)
        };
        (!portion.records.is_empty()).then_some(portion)
    }

    /// The first `count` of what [`Self::portion`] shows are written, and their claims given back.
    pub(super) fn drop_first(&mut self, count: usize) {
        if self.claimed.is_empty() {
            self.others.drain(..count.min(self.others.len()));
        } else {
            self.claimed.drain(..count.min(self.claimed.len()));
        }
    }
}

fn portion<'a>(records: impl Iterator<Item = &'a Record>, is_claimed: bool) -> Portion<'a> {
    let mut portion = Portion { records: Vec::new(), bytes: 0, is_claimed };
    for record in records {
        let bytes = portion.bytes.saturating_add(record.longest() as u64);
        if bytes > PORTION as u64 && !portion.records.is_empty() {
            break;
        }
        portion.bytes = bytes;
        portion.records.push(record);
    }
    portion
}
