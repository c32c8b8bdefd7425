//! Proofs: that an entry is in the tree, and that a tree grew out of an earlier one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::tile::{Level, TILE_WIDTH, Tile};
use super::tree::{complete, empty_root, join, node_hash};
use crate::hash::Hash;

/// The most hashes in a proof: two for each level of a tree of 2^64 entries.
pub const MAX_PROOF_HASHES: usize = 128;

/// Proves that the tree of `size` entries holds a leaf at `index` (RFC 6962, section 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The leaf's index, from 0.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
    /// From the leaf's sibling up to the child of the root.
    pub hashes: Vec<Hash>,
}

/// Why a proof does not hold, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such entry.
    #[error("the log has {size} entries, so it has none with index {index}")]
    Index {
        /// The index that was asked for, from 0.
        index: u64,
        /// The number of entries in the tree.
        size: u64,
    },
    /// The earlier tree is larger than the later one.
    #[error("a log of {new} entries cannot have grown out of one of {old}")]
    Shrunk {
        /// The number of entries in the earlier tree.
        old: u64,
        /// The number of entries in the later tree.
        new: u64,
    },
    /// Too few or too many hashes.
    #[error("the proof has {got} hashes; between these sizes it has {expected}")]
    Length {
        /// How many hashes a proof between these sizes has.
        expected: usize,
        /// How many hashes this proof has.
        got: usize,
    },
    /// The entry's proof leads to another root.
    #[error("the proof leads to another root than the checkpoint's: the entry is not in this log")]
    Root,
    /// The two trees disagree.
    #[error("the earlier and the later tree disagree: the log was rewritten")]
    Rewritten,
    /// A tile that the proof needs is missing.
    #[error("the tile {0} is missing")]
    MissingTile(Tile),
    /// A tile is shorter than its width.
    #[error("the tile {tile} has {got} bytes instead of at least {expected}")]
    ShortTile {
        /// The tile, with the width that the proof needs.
        tile: Tile,
        /// 32 bytes for each hash of the width.
        expected: usize,
        /// How many bytes were given.
        got: usize,
    },
}

impl InclusionProof {
    /// Checks that the proof leads from the leaf's hash to `root`.
    ///
    /// # Errors
    /// [`ProofError::Index`], [`ProofError::Length`] or [`ProofError::Root`].
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        let mut sides = Vec::new();
        inclusion_ranges(self.index, self.size, |range| {
            sides.push(range.start > self.index);
        })?;
        if sides.len() != self.hashes.len() {
            return Err(ProofError::Length {
                expected: sides.len(),
                got: self.hashes.len(),
            });
        }
        let reached = self
            .hashes
            .iter()
            .zip(sides)
            .fold(*leaf, |hash, (sibling, on_the_right)| {
                if on_the_right {
                    node_hash(&hash, sibling)
                } else {
                    node_hash(sibling, &hash)
                }
            });
        if reached == *root {
            Ok(())
        } else {
            Err(ProofError::Root)
        }
    }
}

/// Checks that the tree of `new` entries with root `new_root` begins with the tree of `old`
/// entries with root `old_root` (RFC 6962, section 2.1.2).
///
/// # Errors
/// [`ProofError::Shrunk`], [`ProofError::Length`] or [`ProofError::Rewritten`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    hashes: &[Hash],
) -> Result<(), ProofError> {
    check_length(&consistency_ranges(old, new)?, hashes)?;
    if old == 0 {
        same(*old_root, &empty_root())?;
    }
    if old == new {
        return same(*old_root, new_root);
    }
    if old == 0 {
        return Ok(());
    }
    let (was, is) = consistency_roots(old, old_root, new, hashes)?;
    same(was, old_root).and_then(|()| same(is, new_root))
}

/// The roots of the tree of `old` entries and of the tree of `new` that a consistency proof leads
/// to, where `0 < old < new`. The caller compares them with the roots of checkpoints.
///
/// A proof between trees whose smaller one is complete (`old` is a power of two) leaves the smaller
/// one's root out, so there `old_root` stands in for it.
///
/// # Errors
/// [`ProofError::Shrunk`] or [`ProofError::Length`]; [`ProofError::Rewritten`] when the hashes lead
/// to no root.
pub fn consistency_roots(
    old: u64,
    old_root: &Hash,
    new: u64,
    hashes: &[Hash],
) -> Result<(Hash, Hash), ProofError> {
    let ranges = consistency_ranges(old, new)?;
    check_length(&ranges, hashes)?;
    // The hashes cover the new tree once, except that the subtree that ends the old tree is left
    // out when it is the whole old tree: then it is the old root itself.
    let mut parts: Vec<(Range<u64>, Hash)> =
        ranges.into_iter().zip(hashes.iter().copied()).collect();
    if old.is_power_of_two() {
        parts.push((0..old, *old_root));
    }
    parts.sort_by_key(|(range, _)| range.start);
    let old_parts: Vec<_> = parts
        .iter()
        .filter(|(range, _)| range.end <= old)
        .cloned()
        .collect();
    rebuild(&old_parts, 0..old)
        .zip(rebuild(&parts, 0..new))
        .ok_or(ProofError::Rewritten)
}

fn check_length(ranges: &[Range<u64>], hashes: &[Hash]) -> Result<(), ProofError> {
    if ranges.len() == hashes.len() {
        Ok(())
    } else {
        Err(ProofError::Length {
            expected: ranges.len(),
            got: hashes.len(),
        })
    }
}

fn same(a: Hash, b: &Hash) -> Result<(), ProofError> {
    if a == *b {
        Ok(())
    } else {
        Err(ProofError::Rewritten)
    }
}

/// The hash of `range`, given the hashes of subtrees that cover it exactly, from left to right.
fn rebuild(parts: &[(Range<u64>, Hash)], range: Range<u64>) -> Option<Hash> {
    let (first, _) = parts.split_first()?;
    if first.0 == range {
        return Some(first.1);
    }
    let middle = range.start + split(range.end - range.start)?;
    let at = parts.partition_point(|(part, _)| part.start < middle);
    let left = rebuild(parts.get(..at)?, range.start..middle)?;
    let right = rebuild(parts.get(at..)?, middle..range.end)?;
    Some(node_hash(&left, &right))
}

/// The largest power of two below `size`: where RFC 6962 splits a tree.
fn split(size: u64) -> Option<u64> {
    1u64.checked_shl(size.checked_sub(1)?.checked_ilog2()?)
}

/// Calls `tell` with each range of leaves whose hash is in the inclusion proof, in its order.
fn inclusion_ranges(
    index: u64,
    size: u64,
    mut tell: impl FnMut(Range<u64>),
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let mut path = Vec::new();
    let mut range = 0..size;
    while let Some(half) = split(range.end - range.start) {
        let middle = range.start + half;
        if index < middle {
            path.push(middle..range.end);
            range.end = middle;
        } else {
            path.push(range.start..middle);
            range.start = middle;
        }
    }
    path.into_iter().rev().for_each(&mut tell);
    Ok(())
}

/// The ranges of leaves whose hashes make the consistency proof, in the proof's order.
fn consistency_ranges(old: u64, new: u64) -> Result<Vec<Range<u64>>, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut path = Vec::new();
    let mut range = 0..new;
    while range.end != old {
        let Some(half) = split(range.end - range.start) else {
            break;
        };
        let middle = range.start + half;
        if old <= middle {
            path.push(middle..range.end);
            range.end = middle;
        } else {
            path.push(range.start..middle);
            range.start = middle;
        }
    }
    if range.start > 0 {
        path.push(range);
    }
    path.reverse();
    Ok(path)
}

/// The hashes that a proof needs, before any tile is read: ask for [`Plan::tiles`], load them
/// however you like, then make the proof with [`Plan::hashes`].
#[derive(Debug, Clone)]
pub struct Plan {
    size: u64,
    ranges: Vec<Range<u64>>,
}

impl Plan {
    /// The proof that the tree of `size` entries holds entry `index`.
    ///
    /// # Errors
    /// [`ProofError::Index`].
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        let mut ranges = Vec::new();
        inclusion_ranges(index, size, |range| ranges.push(range))?;
        Ok(Self { size, ranges })
    }

    /// The proof that the tree of `new` entries begins with the one of `old` entries.
    ///
    /// # Errors
    /// [`ProofError::Shrunk`].
    pub fn consistency(old: u64, new: u64) -> Result<Self, ProofError> {
        Ok(Self {
            size: new,
            ranges: consistency_ranges(old, new)?,
        })
    }

    /// The tiles that hold the hashes, as they are in the tree of this size.
    #[must_use]
    pub fn tiles(&self) -> Vec<Tile> {
        let tiles: BTreeSet<Tile> = self
            .nodes()
            .flatten()
            .filter_map(|node| Tile::in_tree(node.tile_level(), node.tile_index(), self.size))
            .collect();
        tiles.into_iter().collect()
    }

    /// The hashes of the proof.
    ///
    /// # Errors
    /// [`ProofError::MissingTile`] when `tiles` lacks one of [`Plan::tiles`].
    pub fn hashes(&self, tiles: &TileSet) -> Result<Vec<Hash>, ProofError> {
        self.nodes()
            .map(|nodes| {
                let hashes: Vec<Hash> = nodes
                    .into_iter()
                    .map(|node| tiles.node(node, self.size))
                    .collect::<Result<_, _>>()?;
                Ok(join(hashes.into_iter()).unwrap_or_else(empty_root))
            })
            .collect()
    }

    /// Each range as complete subtrees, biggest first.
    fn nodes(&self) -> impl Iterator<Item = Vec<Node>> {
        self.ranges.iter().map(|range| {
            let mut nodes = Vec::new();
            let mut start = range.start;
            while start < range.end {
                // RFC 6962 splits so that a range begins at a multiple of its biggest subtree.
                let level = (range.end - start).ilog2();
                nodes.push(Node {
                    level,
                    index: start >> level,
                });
                start += 1 << level;
            }
            nodes
        })
    }
}

/// The complete subtree of 2^level leaves that is the index-th from the left.
#[derive(Debug, Clone, Copy)]
struct Node {
    level: u32,
    index: u64,
}

impl Node {
    const fn tile_level(self) -> Level {
        Level::Hashes((self.level / 8) as u8)
    }

    const fn tile_index(self) -> u64 {
        self.index >> (8 - self.level % 8)
    }
}

/// Hash tiles that were loaded for a [`Plan`].
#[derive(Debug, Clone, Default)]
pub struct TileSet(BTreeMap<(Level, u64), Vec<Hash>>);

impl TileSet {
    /// Adds a tile; bytes beyond its width are ignored.
    ///
    /// # Errors
    /// [`ProofError::ShortTile`].
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), ProofError> {
        let width = usize::from(tile.width);
        match bytes.as_chunks::<32>().0.get(..width) {
            Some(hashes) => {
                self.0.insert((tile.level, tile.index), hashes.to_vec());
                Ok(())
            }
            None => Err(ProofError::ShortTile {
                tile,
                expected: width * 32,
                got: bytes.len(),
            }),
        }
    }

    fn node(&self, node: Node, size: u64) -> Result<Hash, ProofError> {
        let (level, index) = (node.tile_level(), node.tile_index());
        let below = node.level % 8;
        let start = ((node.index << below) % TILE_WIDTH) as usize;
        self.0
            .get(&(level, index))
            .and_then(|hashes| hashes.get(start..start + (1 << below)))
            .map(complete)
            .ok_or_else(|| {
                ProofError::MissingTile(Tile::in_tree(level, index, size).unwrap_or(Tile {
                    level,
                    index,
                    width: 256,
                }))
            })
    }
}

#[cfg(test)]
mod tests;
