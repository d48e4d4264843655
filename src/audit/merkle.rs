//! The Merkle tree over all records (RFC 6962 section 2.1), of which a checkpoint signs the root.

mod proof;
#[cfg(test)]
mod vectors;

pub use proof::{Grove, is_consistent, is_included};

use super::Digest;

/// A tree that grows at its right edge; of `size` leaves it holds one digest for each one bit of `size`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The roots of the perfect subtrees, the largest (left-most) first.
    peaks: Vec<Digest>,
}

impl Tree {
    /// The tree whose perfect subtrees have these roots, the largest first.
    ///
    /// `None` unless there is one for each one bit of `size`.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, the largest first: all that is needed to go on.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends the leaf of `record`.
    pub fn append(&mut self, record: &[u8]) {
        let mut node = leaf(record);
        // Each trailing one bit of the size is a subtree as large as the new one.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            node = parent(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root; of no leaves, the digest of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| parent(&left, &right));
        joined.unwrap_or_else(|| Digest::of(&[]))
    }
}

/// The digest of a leaf; the first byte keeps it apart from a node's.
#[must_use]
pub fn leaf(record: &[u8]) -> Digest {
    Digest::of(&[&[0], record])
}

/// The digest of a node over two others.
#[must_use]
pub fn parent(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[&[1], left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of RFC 6962 section 2.1, word for word.
    fn mth(records: &[Vec<u8>]) -> Digest {
        match records {
            [] => Digest::of(&[]),
            [only] => leaf(only),
            _ => {
                let k = records.len().next_power_of_two() / 2;
                let (left, right) = records.split_at(k);
                parent(&mth(left), &mth(right))
            }
        }
    }

    proptest! {
        #[test]
        fn the_root_is_that_of_the_definition_also_after_going_on_from_its_peaks(
            records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 0..70),
            cut in 0_usize..70,
        ) {
            let (before, after) = records.split_at(cut.min(records.len()));
            let mut tree = Tree::default();
            before.iter().for_each(|record| tree.append(record));
            let mut tree = Tree::from_peaks(tree.size(), tree.peaks().to_vec()).unwrap();
            after.iter().for_each(|record| tree.append(record));
            prop_assert_eq!((tree.root(), tree.size()), (mth(&records), records.len() as u64));
        }
    }

    #[test]
    fn peaks_that_do_not_fit_the_size_make_no_tree() {
        assert_eq!(Tree::from_peaks(5, vec![Digest::default()]), None);
        assert_eq!(Tree::from_peaks(0, Vec::new()), Some(Tree::default()));
    }
}
