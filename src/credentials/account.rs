//! The keys of one account: where they come from, those that are held, and the work that keeps them fresh.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::generation::{Generation, Tally};
use super::held::Held;
use super::source::{Issued, Source, SourceSettings, at_once, environment_is_without_keys, file_keys};
use super::{NoKeys, refresh};
use crate::domain::Mistake;

/// Of a reason, in characters: some of it is another program's own text.
const LONGEST_REASON: usize = 300;

/// An account's keys. Reloads that leave its settings alone keep it; its work ends when it is dropped.
#[derive(Debug)]
pub(super) struct Account {
    settings: SourceSettings,
    source: Arc<dyn Source>,
    keyring: Arc<Keyring>,
    work: OnceLock<AbortHandle>,
}

/// What an account holds, which its work changes.
#[derive(Debug)]
pub(super) struct Keyring {
    tally: Arc<Tally>,
    held: ArcSwap<Held>,
    opened: Timestamp,
    /// Somebody wants the source to be asked again now.
    again: Notify,
    /// Cloud Infinite refuses the current keys.
    refused: Notify,
    /// Nothing is left to sign with, and the log says so.
    ended: AtomicBool,
}

/// What a source that is at hand holds at the moment.
#[derive(Debug)]
pub(super) struct AtHand {
    current: Result<Issued, Mistake>,
    beside: Option<Issued>,
}

impl Account {
    /// The account `name`, with its keys if they are at hand. Nothing is asked for elsewhere before [`Self::keep_fresh`].
    ///
    /// It begins with what `before` holds, the same account with another source: that signs until this source has given keys,
    /// and stays beside them as any other keys from before.
    ///
    /// # Errors
    /// A [`Mistake`] in the settings or in a key file. An environment without keys is none; it is remembered.
    pub(super) fn open(
        name: &str,
        settings: &SourceSettings,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, Mistake> {
        let keyring = before.map_or_else(|| Keyring::new(name, now), |before| before.keyring.handed_on(now));
        let account = Self {
            settings: settings.clone(),
            source: settings.open()?,
            keyring: Arc::new(keyring),
            work: OnceLock::new(),
        };
        if let Some(found) = account.look()? {
            account.take(found, now);
        }
        Ok(account)
    }

    /// What its source holds, if that is at hand.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn look(&self) -> Result<Option<AtHand>, Mistake> {
        if !self.settings.is_at_hand() {
            return Ok(None);
        }
        let current = at_once(self.source.as_ref());
        let SourceSettings::File(file) = &self.settings else {
            // What is there and cannot be used is no absence.
            let current = if environment_is_without_keys() { current } else { Ok(current?) };
            return Ok(Some(AtHand { current, beside: None }));
        };
        let beside = file.previous.as_deref().map(file_keys).transpose()?;
        Ok(Some(AtHand { current: Ok(current?), beside: beside.map(|keys| Issued { keys, expires: None }) }))
    }

    /// Holds what was found from now on.
    pub(super) fn take(&self, found: AtHand, now: Timestamp) {
        match found.current {
            Ok(issued) => self.keyring.take(issued, found.beside, now),
            Err(why) => self.keyring.fail(why, now),
        }
    }

    /// Begins to ask a source that is not at hand, ahead of each end of its keys. A later call only makes it ask at once.
    /// Needs a runtime.
    pub(super) fn keep_fresh(&self) {
        if self.settings.is_at_hand() {
            return;
        }
        match self.work.get() {
            Some(_) => self.keyring.wake(),
            None => {
                let (keyring, source) = (Arc::clone(&self.keyring), Arc::clone(&self.source));
                let work = tokio::spawn(refresh::keep_fresh(keyring, source, Timestamp::now));
                // Only a reload calls this, and there is one at a time.
                let _ = self.work.set(work.abort_handle());
            }
        }
    }

    /// Asks a source that is not at hand, once.
    pub(super) async fn ask_once(&self) {
        if !self.settings.is_at_hand() {
            refresh::once(&self.keyring, self.source.as_ref()).await;
        }
    }

    /// Whether its keys come from where `settings` say.
    pub(super) fn is_of(&self, settings: &SourceSettings) -> bool {
        self.settings == *settings
    }

    /// The word of its source.
    pub(super) fn source(&self) -> &'static str {
        self.settings.as_str()
    }

    pub(super) fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// The keys for a request that begins at `now`.
    ///
    /// # Errors
    /// [`NoKeys::Unavailable`].
    pub(super) fn choose(&self, now: Timestamp) -> Result<Arc<Generation>, NoKeys> {
        self.keyring.held.load().choose(now)
    }

    /// The keys to try after `refused` was.
    pub(super) fn other_than(&self, refused: &Generation, now: Timestamp) -> Option<Arc<Generation>> {
        self.keyring.held.load().other_than(refused, now)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(work) = self.work.get() {
            work.abort();
        }
    }
}

impl Keyring {
    pub(super) fn new(name: &str, now: Timestamp) -> Self {
        Self {
            tally: Arc::new(Tally::of(name)),
            held: ArcSwap::default(),
            opened: now,
            again: Notify::new(),
            refused: Notify::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// One for another source, which counts on and begins with the same keys.
    fn handed_on(&self, now: Timestamp) -> Self {
        let held = ArcSwap::from_pointee(self.held().handed_on());
        Self {
            tally: Arc::clone(&self.tally),
            held,
            opened: now,
            again: Notify::new(),
            refused: Notify::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// Puts keys in force; those that are held already stay what they are. One caller at a time.
    pub(super) fn take(&self, issued: Issued, beside: Option<Issued>, now: Timestamp) {
        let [taken, _] = &self.tally.asked;
        taken.fetch_add(1, Ordering::Relaxed);
        let held = self.held();
        let current = self.generation(&held, issued, now);
        let beside = beside.map(|issued| self.generation(&held, issued, now));
        let is_new = !held.current.as_ref().is_some_and(|before| Arc::ptr_eq(before, &current));
        if is_new || held.problem.is_some() {
            let (account, generation) = (self.name(), current.number());
            tracing::info!(account, generation, key = %current, expires = current.expires().map(tracing::field::display), "keys are in force");
        }
        if self.ended.swap(false, Ordering::Relaxed) {
            tracing::info!(account = self.name(), "there are keys to sign with again");
        }
        self.held.store(Arc::new(held.with(current, beside)));
    }

    fn generation(&self, held: &Held, issued: Issued, now: Timestamp) -> Arc<Generation> {
        let known = held.generations().find(|generation| generation.is_of(&issued));
        known.cloned().unwrap_or_else(|| {
            let number = self.tally.generations.fetch_add(1, Ordering::Relaxed) + 1;
            Arc::new(Generation::new(Arc::clone(&self.tally), number, issued, now))
        })
    }

    /// Remembers why there are no new keys; those that are held stay. One caller at a time.
    pub(super) fn fail(&self, why: Mistake, now: Timestamp) {
        let [_, failed] = &self.tally.asked;
        failed.fetch_add(1, Ordering::Relaxed);
        let held = self.held();
        if held.problem.as_ref().is_none_or(|problem| problem.why != why) {
            let problem: String = why.to_string().chars().take(LONGEST_REASON).collect();
            tracing::error!(account = self.name(), problem, "no keys come; those that are held stay until they end");
        }
        self.held.store(Arc::new(held.failed(why, now)));
    }

    /// Tells the log, once, that all that is held has ended at `end`.
    pub(super) fn has_ended(&self, end: Timestamp) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            let (account, hint) = (self.name(), "see above why no keys come; the source is asked again until they do");
            tracing::error!(account, ended = %end, hint, "the keys have ended, and nothing is left to sign with");
        }
    }

    pub(super) fn held(&self) -> Arc<Held> {
        self.held.load_full()
    }

    pub(super) fn name(&self) -> &str {
        &self.tally.account
    }

    /// When the account was opened.
    pub(super) fn opened(&self) -> Timestamp {
        self.opened
    }

    /// Makes the source be asked at once.
    pub(super) fn wake(&self) {
        self.again.notify_one();
    }

    /// Returns when somebody wants the source to be asked again now.
    pub(super) async fn wanted(&self) {
        self.again.notified().await;
    }

    /// Makes the source be asked again soon if `refused` is what it gave last.
    pub(super) fn ask_anew(&self, refused: &Generation) {
        if self.held().current.as_deref().is_some_and(|current| std::ptr::eq(current, refused)) {
            self.refused.notify_one();
        }
    }

    /// Returns when the current keys are refused.
    pub(super) async fn current_refused(&self) {
        self.refused.notified().await;
    }

    /// How often the source gave keys, and how often none.
    pub(super) fn asked(&self) -> [u64; 2] {
        let [taken, failed] = &self.tally.asked;
        [taken, failed].map(|count| count.load(Ordering::Relaxed))
    }

    /// How often keys of the account were refused.
    pub(super) fn refusals(&self) -> u64 {
        self.tally.refusals.load(Ordering::Relaxed)
    }
}
