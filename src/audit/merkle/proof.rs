//! Proofs over the tree (RFC 6962 sections 2.1.1 and 2.1.2): that a record is in it, and that one tree began another.
//!
//! Making and verifying follow the recursions of the RFC, which split a tree of n leaves at the largest power of two
//! below n; so they are never deeper than 64.

use super::{Digest, Tree, parent};

/// A tree of which all leaves are known from one record on, and before it no more than its peaks.
#[derive(Clone, Debug, Default)]
pub struct Grove {
    before: Tree,
    leaves: Vec<Digest>,
}

impl Grove {
    /// Goes on from `before`.
    #[must_use]
    pub fn after(before: Tree) -> Self {
        Self { before, leaves: Vec::new() }
    }

    /// Appends the digest of a leaf.
    pub fn append(&mut self, leaf: Digest) {
        self.leaves.push(leaf);
    }

    /// How many leaves there are, from the first on.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.before.size() + u64::try_from(self.leaves.len()).unwrap_or(u64::MAX)
    }

    /// How many of them are known.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.size() - self.before.size()
    }

    /// The root of the first `size` leaves, if it can be told.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Digest> {
        (size > 0 && size <= self.size()).then(|| self.node(0, size)).flatten()
    }

    /// The digest of a leaf, if it is known.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Digest> {
        let known = index.checked_sub(self.before.size())?;
        self.leaves.get(usize::try_from(known).ok()?).copied()
    }

    /// The digests beside the way from leaf `index` up to the root of the first `size` leaves, the lowest first.
    ///
    /// `None` if there are fewer leaves, or a digest that is needed lies within a peak of the tree before.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        let mut path = Vec::new();
        let (mut from, mut to) = (0, size);
        if index >= size || size > self.size() {
            return None;
        }
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                path.push(self.node(middle, to)?);
                to = middle;
            } else {
                path.push(self.node(from, middle)?);
                from = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// What shows that the tree of the first `old` leaves began that of the first `size`.
    ///
    /// `None` if there are fewer leaves, `old` is none or more than `size`, or a digest is not known.
    #[must_use]
    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Digest>> {
        let mut path = Vec::new();
        let (mut from, mut to) = (0, size);
        if old == 0 || old > size || size > self.size() {
            return None;
        }
        while old != to {
            let middle = from + split(to - from);
            if old <= middle {
                path.push(self.node(middle, to)?);
                to = middle;
            } else {
                path.push(self.node(from, middle)?);
                from = middle;
            }
        }
        // A subtree at the left edge is the old tree itself, whose root is known to whoever verifies.
        if from > 0 {
            path.push(self.node(from, to)?);
        }
        path.reverse();
        Some(path)
    }

    /// The root over the leaves from `from` to before `to`, as they stand in the whole tree.
    fn node(&self, from: u64, to: u64) -> Option<Digest> {
        if let Some(peak) = self.peak(from, to) {
            return Some(peak);
        }
        if to - from == 1 {
            return self.leaf(from);
        }
        let middle = from + split(to - from);
        Some(parent(&self.node(from, middle)?, &self.node(middle, to)?))
    }

    /// The peak of the tree before that covers just these leaves.
    fn peak(&self, from: u64, to: u64) -> Option<Digest> {
        let size = self.before.size();
        let width = to - from;
        // A peak of width w begins where the ones of the size above w end.
        let is_peak = width.is_power_of_two() && size & width != 0 && from == size & !(width | (width - 1));
        let index = usize::try_from((size & !(width | (width - 1))).count_ones()).ok()?;
        is_peak.then(|| self.before.peaks().get(index).copied()).flatten()
    }
}

/// The largest power of two below `size`, which is 2 at least.
const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// Whether `path` shows that leaf `index` of the tree of `size` leaves with this `root` is `leaf`.
#[must_use]
pub fn is_included(leaf: &Digest, index: u64, size: u64, root: &Digest, path: &[Digest]) -> bool {
    index < size && root_over(leaf, index, size, path).is_some_and(|computed| computed == *root)
}

fn root_over(leaf: &Digest, index: u64, size: u64, path: &[Digest]) -> Option<Digest> {
    if size == 1 {
        return path.is_empty().then_some(*leaf);
    }
    let (beside, below) = path.split_last()?;
    let middle = split(size);
    if index < middle {
        Some(parent(&root_over(leaf, index, middle, below)?, beside))
    } else {
        Some(parent(beside, &root_over(leaf, index - middle, size - middle, below)?))
    }
}

/// Whether `path` shows that the tree of `old` leaves with the root `old_root` began that of `size` with the root `root`.
///
/// The tree of no leaves begins every other and says nothing; it is refused.
#[must_use]
pub fn is_consistent(old: u64, old_root: &Digest, size: u64, root: &Digest, path: &[Digest]) -> bool {
    let computed = || roots_over(old, size, Some(old_root), path);
    old > 0 && old <= size && computed().is_some_and(|computed| computed == (*old_root, *root))
}

/// The roots of the old and of the new tree; `edge` is that of the old one as long as the subtree is at the left edge.
fn roots_over(old: u64, size: u64, edge: Option<&Digest>, path: &[Digest]) -> Option<(Digest, Digest)> {
    if old == size {
        let node = match (edge, path) {
            (Some(edge), []) => edge,
            (None, [only]) => only,
            (Some(_), [..]) | (None, [..]) => return None,
        };
        return Some((*node, *node));
    }
    let (beside, below) = path.split_last()?;
    let middle = split(size);
    if old <= middle {
        let (before, after) = roots_over(old, middle, edge, below)?;
        Some((before, parent(&after, beside)))
    } else {
        let (before, after) = roots_over(old - middle, size - middle, None, below)?;
        Some((parent(beside, &before), parent(beside, &after)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::leaf;

    /// PATH(m, D\[n\]) of RFC 6962 section 2.1.1, word for word.
    fn path(m: usize, d: &[Digest]) -> Vec<Digest> {
        if d.len() == 1 {
            return Vec::new();
        }
        let (left, right) = d.split_at(d.len().next_power_of_two() / 2);
        if m < left.len() {
            [path(m, left), vec![mth(right)]].concat()
        } else {
            [path(m - left.len(), right), vec![mth(left)]].concat()
        }
    }

    /// SUBPROOF(m, D\[n\], b) of RFC 6962 section 2.1.2, word for word.
    fn subproof(m: usize, d: &[Digest], b: bool) -> Vec<Digest> {
        if m == d.len() {
            return if b { Vec::new() } else { vec![mth(d)] };
        }
        let (left, right) = d.split_at(d.len().next_power_of_two() / 2);
        if m <= left.len() {
            [subproof(m, left, b), vec![mth(right)]].concat()
        } else {
            [subproof(m - left.len(), right, false), vec![mth(left)]].concat()
        }
    }

    fn mth(leaves: &[Digest]) -> Digest {
        match leaves {
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                parent(&mth(left), &mth(right))
            }
        }
    }

    fn leaves(n: usize) -> Vec<Digest> {
        (0..n).map(|n| leaf(n.to_string().as_bytes())).collect()
    }

    /// With everything before `cut` known by its peaks alone.
    fn grove(n: usize, cut: usize) -> Grove {
        let mut before = Tree::default();
        (0..cut).for_each(|n| before.append(n.to_string().as_bytes()));
        let mut grove = Grove::after(before);
        leaves(n).into_iter().skip(cut).for_each(|leaf| grove.append(leaf));
        grove
    }

    proptest! {
        #[test]
        fn an_inclusion_is_that_of_the_definition_and_no_other_holds(n in 1_usize..80, index in 0_usize..80, size in 1_usize..80) {
            let (all, grove) = (leaves(n), grove(n, 0));
            let proof = grove.inclusion(index as u64, size as u64);
            prop_assert_eq!(proof.is_some(), index < size && size <= n);
            let Some(proof) = proof else { return Ok(()) };
            prop_assert_eq!(&proof, &path(index, &all[..size]));
            let root = mth(&all[..size]);
            let holds = |index: usize, size: usize, proof: &[Digest]| is_included(&all[index], index as u64, size as u64, &root, proof);
            prop_assert!(holds(index, size, &proof));
            // Some sizes share their ways; the root tells those apart that matter.
            prop_assert!((0..n).filter(|other| *other != index).all(|other| !holds(other, size, &proof)));
            prop_assert!(!is_included(&all[index], index as u64, size as u64, &leaf(b"x"), &proof));
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at] = leaf(b"x");
                prop_assert!(!holds(index, size, &changed));
                changed.remove(at);
                prop_assert!(!holds(index, size, &changed));
            }
            prop_assert!(!holds(index, size, &[proof.as_slice(), &[root]].concat()));
        }

        #[test]
        fn a_consistency_is_that_of_the_definition_and_no_other_holds(n in 1_usize..80, old in 0_usize..80, size in 1_usize..80) {
            let (all, grove) = (leaves(n), grove(n, 0));
            let proof = grove.consistency(old as u64, size as u64);
            prop_assert_eq!(proof.is_some(), old > 0 && old <= size && size <= n);
            let Some(proof) = proof else { return Ok(()) };
            prop_assert_eq!(&proof, &subproof(old, &all[..size], true));
            let roots = (mth(&all[..old]), mth(&all[..size]));
            let holds = |proof: &[Digest]| is_consistent(old as u64, &roots.0, size as u64, &roots.1, proof);
            prop_assert!(holds(&proof));
            prop_assert!(!is_consistent(old as u64, &leaf(b"x"), size as u64, &roots.1, &proof));
            prop_assert!(!is_consistent(old as u64, &roots.0, size as u64, &leaf(b"x"), &proof));
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at] = leaf(b"x");
                prop_assert!(!holds(&changed));
                changed.remove(at);
                prop_assert!(!holds(&changed));
            }
            prop_assert!(!holds(&[proof.as_slice(), &[roots.1]].concat()));
        }

        /// A rotated file knows what came before by its peaks; that is enough for its own records.
        #[test]
        fn a_log_without_its_beginning_proves_its_own_records(n in 1_usize..80, cut in 0_usize..80, index in 0_usize..80) {
            let cut = cut.min(n);
            let (all, grove) = (leaves(n), grove(n, cut));
            let (index, size) = (index.min(n - 1), n as u64);
            if index >= cut {
                let proof = grove.inclusion(index as u64, size).unwrap();
                prop_assert!(is_included(&grove.leaf(index as u64).unwrap(), index as u64, size, &mth(&all), &proof));
            } else {
                prop_assert_eq!(grove.leaf(index as u64), None);
            }
            if cut > 0 {
                let proof = grove.consistency(cut as u64, size).unwrap();
                prop_assert!(is_consistent(cut as u64, &mth(&all[..cut]), size, &mth(&all), &proof));
            }
        }
    }

    #[test]
    fn sizes_up_to_the_largest_are_looked_at_without_an_overflow() {
        let digest = leaf(b"x");
        let path = vec![digest; 64];
        assert!(!is_included(&digest, u64::MAX - 1, u64::MAX, &digest, &path));
        assert!(!is_consistent(u64::MAX - 1, &digest, u64::MAX, &digest, &path));
        assert!(!is_consistent(u64::MAX, &digest, 1, &digest, &path) && !is_included(&digest, 7, 0, &digest, &[]));
    }
}
