//! Shares of something that is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A part of a count, which is given back by being dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<AtomicUsize>,
    amount: usize,
}

impl Share {
    /// Adds `amount` to the count.
    pub(super) fn take(of: &Arc<AtomicUsize>, amount: usize) -> Self {
        of.fetch_add(amount, Ordering::Relaxed);
        Self { of: Arc::clone(of), amount }
    }

    /// Adds `amount` to the count, unless that makes it more than `most`.
    pub(super) fn take_within(of: &Arc<AtomicUsize>, amount: usize, most: usize) -> Option<Self> {
        let fits = |count: usize| count.checked_add(amount).filter(|sum| *sum <= most);
        of.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Self { of: Arc::clone(of), amount })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.fetch_sub(self.amount, Ordering::Relaxed);
    }
}
