//! Appending to the log without reading more of it than its right edge.

use super::checkpoint::Checkpoint;
use super::proof::InclusionProof;
use super::tile::{self, Level, TILE_WIDTH, Tile, write_entry};
use super::tree::{Frontier, complete, join, leaf_hash};
use crate::hash::Hash;

/// The state of a log that is about to grow.
///
/// Appending changes it in memory only: when the new tiles and checkpoint cannot be stored, drop
/// it and resume from what is stored.
#[derive(Debug, Clone, Default)]
pub struct Appender {
    frontier: Frontier,
    /// The bytes of the partial tile that ends each level, by the level's place in [`slot`].
    edge: Vec<Vec<u8>>,
}

/// What one batch did to the log.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The index of the batch's first entry.
    pub first: u64,
    /// The number of entries in the log now.
    pub size: u64,
    /// The root of the tree now.
    pub root: Hash,
    /// The tiles that are new or grew, with all their bytes. They may be stored before the
    /// checkpoint, never after it.
    pub tiles: Vec<(Tile, Vec<u8>)>,
    /// For each entry of the batch, the proof that the tree of `size` entries holds it.
    pub proofs: Vec<InclusionProof>,
}

/// Why a log cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A tile at the right edge is not there.
    #[error("the log has {size} entries, but its tile {tile} is missing")]
    Missing {
        /// The number of entries in the log.
        size: u64,
        /// The missing tile.
        tile: Tile,
    },
    /// A tile at the right edge has the wrong length.
    #[error("the tile {tile} has {got} bytes, too few for {} items", .tile.width)]
    Length {
        /// The tile, with the width that the log needs.
        tile: Tile,
        /// How many bytes were loaded.
        got: usize,
    },
    /// The tiles do not lead to the root of the checkpoint.
    #[error(
        "the tiles do not lead to the checkpoint's root at {size} entries: storage is damaged, \
         restore it before anything is appended"
    )]
    Root {
        /// The size of the checkpoint.
        size: u64,
    },
}

impl Appender {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tiles to load before a log of `size` entries can grow: at most nine.
    #[must_use]
    pub fn edge(size: u64) -> Vec<Tile> {
        tile::edge(size)
    }

    /// Continues the log that ends at `head`. `load` gives the bytes of each tile of
    /// [`Appender::edge`]; bytes beyond a tile's width, from a batch that stored its tiles but
    /// not its checkpoint, are ignored.
    ///
    /// # Errors
    /// [`AppendError`] when the tiles are missing, short, or not those that `head` signed for.
    pub fn resume(
        head: &Checkpoint,
        mut load: impl FnMut(Tile) -> Option<Vec<u8>>,
    ) -> Result<Self, AppendError> {
        let size = head.size;
        let mut edge: Vec<Vec<u8>> = Vec::new();
        for tile in tile::edge(size) {
            let mut bytes = load(tile).ok_or(AppendError::Missing { size, tile })?;
            let length = usize::from(tile.width) * item_length(tile.level);
            if bytes.len() < length {
                return Err(AppendError::Length {
                    tile,
                    got: bytes.len(),
                });
            }
            bytes.truncate(length);
            let slot = slot(tile.level);
            edge.resize(edge.len().max(slot + 1), Vec::new());
            edge[slot] = bytes;
        }
        let frontier = Frontier::from_peaks(size, |level| peak(&edge, level));
        if frontier.root() == head.root {
            Ok(Self { frontier, edge })
        } else {
            Err(AppendError::Root { size })
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends `entries` in their order.
    pub fn append(&mut self, entries: &[Hash]) -> Appended {
        let first = self.size();
        let before = self.frontier.clone();
        let mut grown = Grown::new(first);
        for entry in entries {
            let leaf = leaf_hash(entry);
            self.frontier
                .push_observed(leaf, |level, hash| grown.add(level, hash));
        }
        Appended {
            first,
            size: self.size(),
            root: self.root(),
            tiles: self.write_tiles(entries, &grown),
            proofs: (first..self.size())
                .map(|index| self.prove(index, &before, &grown))
                .collect(),
        }
    }

    /// Adds the new entries and nodes to the tiles at the edge, and returns each changed tile.
    fn write_tiles(&mut self, entries: &[Hash], grown: &Grown) -> Vec<(Tile, Vec<u8>)> {
        let mut bundle = Vec::with_capacity(entries.len() * item_length(Level::Entries));
        entries
            .iter()
            .for_each(|entry| write_entry(&mut bundle, entry));
        let mut changed = Vec::new();
        for level in tile::levels(self.size()) {
            let new = match level {
                Level::Entries => core::mem::take(&mut bundle),
                Level::Hashes(level) => grown.level(u32::from(level) * 8).concat(),
            };
            if new.is_empty() {
                continue;
            }
            let slot = slot(level);
            self.edge.resize(self.edge.len().max(slot + 1), Vec::new());
            let old = &mut self.edge[slot];
            old.extend_from_slice(&new);
            let full = TILE_WIDTH as usize * item_length(level);
            let index = match level {
                Level::Entries => grown.first / TILE_WIDTH,
                Level::Hashes(level) => (grown.first >> (u32::from(level) * 8)) / TILE_WIDTH,
            };
            for (index, bytes) in (index..).zip(old.chunks(full)) {
                let width = bytes.len() / item_length(level);
                changed.push((
                    Tile {
                        level,
                        index,
                        width: width as u16,
                    },
                    bytes.to_vec(),
                ));
            }
            old.drain(..old.len() - old.len() % full);
        }
        changed
    }

    /// The inclusion proof of a new entry (RFC 6962, section 2.1.1).
    ///
    /// A sibling to the left of the path is either new itself or was a peak of the old tree,
    /// because its parent holds a new leaf. So nothing older is ever read.
    fn prove(&self, index: u64, before: &Frontier, grown: &Grown) -> InclusionProof {
        let mut hashes = Vec::new();
        let (mut earlier, mut later, mut start) = (Vec::new(), Vec::new(), 0u64);
        let mut height = 0;
        for (level, hash) in self.frontier.peaks() {
            let end = start + (1 << level);
            if end <= index {
                earlier.push(hash);
            } else if start > index {
                later.push(hash);
            } else {
                height = level;
            }
            start = end;
        }
        for level in 0..height {
            let sibling = (index >> level) ^ 1;
            hashes.extend(grown.node(level, sibling).or_else(|| before.peak(level)));
        }
        hashes.extend(join(later.into_iter()));
        hashes.extend(earlier.into_iter().rev());
        InclusionProof {
            index,
            size: self.size(),
            hashes,
        }
    }
}

/// The nodes that a batch completed, for each level those from `first >> level` on.
struct Grown {
    first: u64,
    levels: Vec<Vec<Hash>>,
}

impl Grown {
    fn new(first: u64) -> Self {
        Self {
            first,
            levels: Vec::new(),
        }
    }

    fn add(&mut self, level: u32, hash: Hash) {
        let level = level as usize;
        self.levels
            .resize(self.levels.len().max(level + 1), Vec::new());
        self.levels[level].push(hash);
    }

    fn level(&self, level: u32) -> &[Hash] {
        self.levels.get(level as usize).map_or(&[], Vec::as_slice)
    }

    fn node(&self, level: u32, index: u64) -> Option<Hash> {
        let at = index.checked_sub(self.first >> level)?;
        self.level(level).get(usize::try_from(at).ok()?).copied()
    }
}

/// The place of a level in `edge`: entries first.
fn slot(level: Level) -> usize {
    match level {
        Level::Entries => 0,
        Level::Hashes(level) => usize::from(level) + 1,
    }
}

const fn item_length(level: Level) -> usize {
    match level {
        Level::Entries => 34,
        Level::Hashes(_) => 32,
    }
}

/// The root of the complete subtree of 2^`level` leaves at the end of the tree whose edge this is.
fn peak(edge: &[Vec<u8>], level: u32) -> Hash {
    let bytes = edge
        .get(slot(Level::Hashes((level / 8) as u8)))
        .map_or(&[][..], Vec::as_slice);
    let (hashes, _) = bytes.as_chunks::<32>();
    // In a tile of width w, the subtree of 2^b hashes comes after those of the higher bits of w.
    let bit = level % 8;
    let start = (hashes.len() >> (bit + 1)) << (bit + 1);
    complete(hashes.get(start..start + (1 << bit)).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::log::proof::{Plan, TileSet};

    fn entry(n: u64) -> Hash {
        crate::hash::sha256(&n.to_be_bytes())
    }

    #[derive(Default)]
    struct Store(BTreeMap<(Level, u64), Vec<u8>>);

    impl Store {
        fn keep(&mut self, appended: &Appended) {
            for (tile, bytes) in &appended.tiles {
                let old = self.0.insert((tile.level, tile.index), bytes.clone());
                assert!(
                    bytes.starts_with(&old.unwrap_or_default()),
                    "tiles only grow"
                );
            }
        }

        fn load(&self, tile: Tile) -> Option<Vec<u8>> {
            self.0.get(&(tile.level, tile.index)).cloned()
        }
    }

    fn head(size: u64, root: Hash) -> Checkpoint {
        Checkpoint::new("gate.example/log", size, root).unwrap()
    }

    #[test]
    fn batches_of_any_size_give_the_tree_its_tiles_and_valid_proofs() {
        let mut store = Store::default();
        let mut log = Appender::new();
        let mut reference = Frontier::default();
        for count in [1u64, 2, 1, 5, 247, 1, 255, 300, 1000, 1, 65_000, 3, 700] {
            let from = log.size();
            let batch: Vec<Hash> = (from..from + count).map(entry).collect();
            let appended = log.append(&batch);
            store.keep(&appended);
            batch.iter().for_each(|e| reference.push(leaf_hash(e)));
            assert_eq!(appended.first, from);
            assert_eq!(
                (appended.size, appended.root),
                (from + count, reference.root())
            );
            for (entry, proof) in batch.iter().zip(&appended.proofs).step_by(17) {
                proof.verify(&leaf_hash(entry), &appended.root).unwrap();
            }
            let last = batch.len() - 1;
            appended.proofs[last]
                .verify(&leaf_hash(&batch[last]), &appended.root)
                .unwrap();
            // A second gateway that resumes from storage goes on in the same way.
            let head = head(appended.size, appended.root);
            log = Appender::resume(&head, |tile| store.load(tile)).unwrap();
        }
        assert!(log.size() > 66_000);
        // Proofs read from the tiles agree with those made while appending.
        let appended = log.append(&[entry(log.size())]);
        store.keep(&appended);
        let plan = Plan::inclusion(appended.first, appended.size).unwrap();
        let mut tiles = TileSet::default();
        for tile in plan.tiles() {
            tiles.insert(tile, &store.load(tile).unwrap()).unwrap();
        }
        assert_eq!(plan.hashes(&tiles).unwrap(), appended.proofs[0].hashes);
    }

    #[test]
    fn damaged_storage_is_never_appended_to() {
        let mut log = Appender::new();
        let mut store = Store::default();
        let appended = log.append(&(0..300).map(entry).collect::<Vec<_>>());
        store.keep(&appended);
        let head = head(300, appended.root);
        let tiles = Appender::edge(300);
        assert_eq!(tiles.len(), 3);
        assert_eq!(
            Appender::resume(&head, |_| None).unwrap_err(),
            AppendError::Missing {
                size: 300,
                tile: tiles[0]
            }
        );
        assert_eq!(
            Appender::resume(&head, |tile| store.load(tile).map(|b| b[1..].to_vec())).unwrap_err(),
            AppendError::Length {
                tile: tiles[0],
                got: 44 * 34 - 1
            }
        );
        let flipped = Appender::resume(&head, |tile| {
            let mut bytes = store.load(tile)?;
            if tile.level == Level::Hashes(1) {
                bytes[0] ^= 1;
            }
            Some(bytes)
        });
        assert_eq!(flipped.unwrap_err(), AppendError::Root { size: 300 });
    }

    #[test]
    fn tiles_of_a_batch_whose_checkpoint_was_lost_do_no_harm() {
        let mut log = Appender::new();
        let mut store = Store::default();
        let first = log.append(&(0..10).map(entry).collect::<Vec<_>>());
        store.keep(&first);
        store.keep(&log.append(&(10..20).map(entry).collect::<Vec<_>>()));
        let mut again = Appender::resume(&head(10, first.root), |tile| store.load(tile)).unwrap();
        let other = again.append(&[entry(99)]);
        other.proofs[0]
            .verify(&leaf_hash(&entry(99)), &other.root)
            .unwrap();
        assert_eq!(other.size, 11);
    }
}
