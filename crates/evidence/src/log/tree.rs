//! The Merkle tree of RFC 6962, section 2.1.

use aws_lc_rs::digest::{Context, SHA256};

use crate::hash::{Hash, sha256};

/// The hash of an entry: SHA-256 of a zero byte and the entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash_of(&[&[0], entry])
}

/// The hash of a node: SHA-256 of a byte 1 and the two hashes below.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash_of(&[&[1], left, right])
}

/// The root of the tree without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

fn hash_of(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The root of a complete subtree, given its leaves. Their number is a power of two.
pub(crate) fn complete(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&complete(left), &complete(right))
        }
    }
}

/// Joins the roots of complete subtrees, biggest first, to the root of all of them.
pub(crate) fn join(peaks: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    peaks.rev().reduce(|right, left| node_hash(&left, &right))
}

/// The right edge of a growing tree: enough to compute its root and to append.
#[derive(Debug, Clone)]
pub struct Frontier {
    size: u64,
    /// `peaks[level]` is the root of the complete subtree of 2^level leaves that ends the tree;
    /// meaningful where that bit of `size` is set.
    peaks: [Hash; 64],
}

impl Default for Frontier {
    fn default() -> Self {
        Self {
            size: 0,
            peaks: [[0; 32]; 64],
        }
    }
}

impl Frontier {
    /// A tree whose complete subtrees are known, biggest first: one for each bit of `size`.
    pub(crate) fn from_peaks(size: u64, mut peak: impl FnMut(u32) -> Hash) -> Self {
        let mut frontier = Self {
            size,
            ..Self::default()
        };
        for level in 0..u64::BITS {
            if size >> level & 1 == 1 {
                frontier.peaks[level as usize] = peak(level);
            }
        }
        frontier
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The complete subtrees, biggest first: their level and root.
    pub(crate) fn peaks(&self) -> impl DoubleEndedIterator<Item = (u32, Hash)> {
        (0..u64::BITS)
            .rev()
            .filter_map(|level| Some((level, self.peak(level)?)))
    }

    /// The complete subtree of 2^level leaves at the end of the tree, if it has one.
    pub(crate) fn peak(&self, level: u32) -> Option<Hash> {
        (self.size >> level & 1 == 1).then(|| self.peaks[level as usize])
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        join(self.peaks().map(|(_, hash)| hash)).unwrap_or_else(empty_root)
    }

    /// Appends a leaf, and calls `completed` with the level and hash of each node that became
    /// complete.
    pub(crate) fn push_observed(&mut self, leaf: Hash, mut completed: impl FnMut(u32, Hash)) {
        let (mut hash, mut level) = (leaf, 0);
        completed(level, hash);
        while self.size >> level & 1 == 1 {
            hash = node_hash(&self.peaks[level as usize], &hash);
            level += 1;
            completed(level, hash);
        }
        self.peaks[level as usize] = hash;
        self.size += 1;
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_observed(leaf, |_, _| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, section 2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(k);
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    #[test]
    fn known_roots_of_certificate_transparency() {
        // The test vectors of the certificate-transparency reference implementation.
        let entries: [&[u8]; 4] = [b"", b"\0", b"\x10", b"\x20\x21"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        let mut tree = Frontier::default();
        assert_eq!(
            hex::encode(tree.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (entry, root) in entries.iter().zip(roots) {
            tree.push(leaf_hash(entry));
            assert_eq!(hex::encode(tree.root()), root);
        }
    }

    #[test]
    fn every_size_agrees_with_the_definition() {
        let leaves: Vec<Hash> = (0..130u8).map(|n| leaf_hash(&[n])).collect();
        let mut tree = Frontier::default();
        for (n, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), mth(&leaves[..n]));
            tree.push(*leaf);
        }
    }
}
