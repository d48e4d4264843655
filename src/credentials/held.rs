//! The keys of an account at one moment: the current ones, and perhaps those before them.

use std::sync::Arc;

use jiff::Timestamp;

use super::NoKeys;
use super::generation::Generation;
use crate::domain::Mistake;

/// What an account holds. A change makes a new value, so that whoever looks sees one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) current: Option<Arc<Generation>>,
    pub(super) previous: Option<Arc<Generation>>,
    /// Why the source gave nothing when it was last asked, and since when it has been so.
    pub(super) problem: Option<Problem>,
    /// Whether the source has ever answered, with keys or without.
    pub(super) answered: bool,
}

/// Why a source gives nothing.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) why: Mistake,
    pub(super) since: Timestamp,
}

impl Held {
    /// The keys for a request that begins at `now`: the current ones, unless they are refused again and again and the
    /// previous ones are not. With nothing better at hand, refused keys are used all the same: Cloud Infinite decides.
    ///
    /// # Errors
    /// [`NoKeys::Unavailable`] if none hold.
    pub(super) fn choose(&self, now: Timestamp) -> Result<Arc<Generation>, NoKeys> {
        let holds = |generation: &&Arc<Generation>| generation.holds(now);
        let chosen = match (self.current.as_ref().filter(holds), self.previous.as_ref().filter(holds)) {
            (None, None) => return Err(NoKeys::Unavailable),
            (Some(only), None) | (None, Some(only)) => only,
            (Some(current), Some(previous)) if !current.may_go_first(now) && previous.may_go_first(now) => previous,
            (Some(current), Some(_)) => current,
        };
        Ok(Arc::clone(chosen))
    }

    /// What can be tried after `refused` was; not what is refused again and again too.
    pub(super) fn other_than(&self, refused: &Generation, now: Timestamp) -> Option<Arc<Generation>> {
        let mut others = self.generations().filter(|other| !other.keys().are(refused.keys()) && other.holds(now));
        others.find(|other| other.may_go_first(now)).cloned()
    }

    /// Whether there is anything to sign with.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        [&self.current, &self.previous].into_iter().flatten().any(|generation| generation.holds(now))
    }

    /// When all that is held has ended; `None` if something does not end, or if nothing is held.
    pub(super) fn end(&self) -> Option<Timestamp> {
        let ends: Option<Vec<_>> = self.generations().map(|generation| generation.expires()).collect();
        ends?.into_iter().max()
    }

    /// The same with `current` and, if given, `beside` it; without, what was current before becomes the previous.
    pub(super) fn with(&self, current: Arc<Generation>, beside: Option<Arc<Generation>>) -> Self {
        let is_new = |held: &Arc<Generation>| !held.keys().are(current.keys());
        let before = || self.current.clone().filter(is_new).or_else(|| self.previous.clone().filter(is_new));
        let previous = beside.filter(is_new).or_else(before);
        Self { current: Some(current), previous, problem: None, answered: true }
    }

    /// The same after the source has failed.
    pub(super) fn failed(&self, why: Mistake, now: Timestamp) -> Self {
        let since = self.problem.as_ref().map_or(now, |earlier| earlier.since);
        Self { problem: Some(Problem { why, since }), answered: true, ..self.clone() }
    }

    /// The same for another source, which has not answered yet.
    pub(super) fn handed_on(&self) -> Self {
        Self { problem: None, answered: false, ..self.clone() }
    }

    /// Those that are held.
    pub(super) fn generations(&self) -> impl Iterator<Item = &Arc<Generation>> {
        [&self.current, &self.previous].into_iter().flatten()
    }
}
