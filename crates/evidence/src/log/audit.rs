//! Auditing a whole log: every entry, every tile, and the signed root over them.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use serde::Serialize;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::VerifierKey;
use super::tile::{EntriesError, Level, TILE_WIDTH, Tile, levels, read_entries};
use super::tree::{Frontier, complete, leaf_hash};
use crate::hash::Hash;

/// The most faults that are described; further ones are only counted.
pub const MAX_TOLD_FAULTS: usize = 100;

/// Where a log is read from: a folder, or a server.
pub trait TileSource {
    /// The bytes of a resource below the log's prefix: `checkpoint` or a tile's path. `None` when
    /// there is no such resource.
    ///
    /// # Errors
    /// The cause, when the resource cannot be read, such as a network that is down.
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>>;
}

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    /// The log's origin.
    pub origin: String,
    /// How many entries the checkpoint signs for.
    pub size: u64,
    /// The checkpoint's note, with all its signatures.
    pub checkpoint: String,
    /// How many tiles and bundles were read.
    pub tiles: u64,
    /// The faults, in the order in which they were found; at most [`MAX_TOLD_FAULTS`].
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub fault_count: u64,
}

impl Audit {
    /// Whether the log is what its checkpoint says.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.fault_count == 0
    }
}

/// One thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The wrong resource: a path below the log's prefix.
    pub at: String,
    /// The index of the wrong entry, from 0, if a single entry is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The fault, as a text for people.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Why an audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A resource could not be read.
    #[error("{path} could not be read: {why}")]
    Source {
        /// The resource: a path below the log's prefix.
        path: String,
        /// The source's own error.
        why: Box<dyn Error + Send + Sync>,
    },
    /// There is no checkpoint.
    #[error("there is no checkpoint here: this is not a log, or it is empty")]
    NoCheckpoint,
    /// The checkpoint is not accepted.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

/// Reads the whole log and checks that its entries are those that the checkpoint signs for, that
/// every tile follows from them, that no entry is there twice, and that it grew out of the
/// `earlier` checkpoint. `progress` gets the number of entries that were read, and of all.
///
/// Takes one pass and keeps about 50 bytes for each entry. It stops where neither a bundle of
/// entries nor the tile of their hashes can be read.
///
/// # Errors
/// [`AuditError`] when the log cannot be audited at all. A log's faults are no error: they are in
/// [`Audit::faults`].
pub fn audit(
    source: &mut dyn TileSource,
    key: &VerifierKey,
    earlier: Option<&Checkpoint>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Audit, AuditError> {
    let head = read(source, "checkpoint")?.ok_or(AuditError::NoCheckpoint)?;
    let checkpoint = String::from_utf8(head).map_err(|_| CheckpointError::Format)?;
    let head = Checkpoint::open(&checkpoint, key)?;
    let mut auditor = Auditor {
        source,
        audit: Audit {
            origin: head.origin.clone(),
            size: head.size,
            checkpoint,
            tiles: 0,
            faults: Vec::new(),
            fault_count: 0,
        },
        seen: HashMap::new(),
        from_entries: Frontier::default(),
        from_hashes: Frontier::default(),
        earlier_roots: None,
    };
    let disputes = auditor.leaves(earlier.map_or(0, |earlier| earlier.size), progress)?;
    auditor.upper_levels(disputes, &head)?;
    auditor.roots(&head, earlier);
    Ok(auditor.audit)
}

fn read(source: &mut dyn TileSource, path: &str) -> Result<Option<Vec<u8>>, AuditError> {
    source.read(path).map_err(|why| AuditError::Source {
        path: path.to_owned(),
        why,
    })
}

struct Auditor<'a> {
    source: &'a mut dyn TileSource,
    audit: Audit,
    /// Entries by half their hash: two that agree in 128 bits are the same.
    seen: HashMap<[u8; 16], u64>,
    /// The tree over the entries.
    from_entries: Frontier,
    /// The tree over the hashes of the tiles at level 0.
    from_hashes: Frontier,
    /// Both trees' roots at the size of the earlier checkpoint.
    earlier_roots: Option<[Hash; 2]>,
}

/// A tile of level 0 and what was computed for it.
struct Leaves {
    tile: Tile,
    /// The root of the tile's hashes.
    by_hashes: Hash,
    /// The root of the hashes of the entries beside it.
    by_entries: Hash,
    /// The places in the tile where its hashes and the entries disagree.
    differing: Vec<usize>,
}

impl Auditor<'_> {
    fn fault(&mut self, at: impl fmt::Display, entry: Option<u64>, what: String) {
        self.audit.fault_count += 1;
        if self.audit.faults.len() < MAX_TOLD_FAULTS {
            self.audit.faults.push(Fault {
                at: at.to_string(),
                entry,
                what,
            });
        }
    }

    /// Reads a tile, or the full tile that replaced a partial one.
    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, AuditError> {
        self.audit.tiles += 1;
        let mut bytes = read(self.source, &tile.to_string())?;
        if bytes.is_none() && tile.width < 256 {
            let full = Tile { width: 256, ..tile };
            bytes = read(self.source, &full.to_string())?.map(|bytes| cut(bytes, tile));
        }
        if bytes.is_none() {
            self.fault(tile, None, "is missing".to_owned());
        }
        Ok(bytes)
    }

    /// The hashes of a tile; `None` when it is missing or has the wrong length.
    fn hashes(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, AuditError> {
        let Some(bytes) = self.tile(tile)? else {
            return Ok(None);
        };
        let expected = tile.byte_length().unwrap_or(0);
        if bytes.len() != expected {
            self.fault(
                tile,
                None,
                format!("has {} bytes instead of {expected}", bytes.len()),
            );
            return Ok(None);
        }
        Ok(Some(bytes.as_chunks::<32>().0.to_vec()))
    }

    /// The leaf hashes of the entries of a bundle; `None` when they cannot be read.
    fn entries(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, AuditError> {
        let Some(bytes) = self.tile(tile)? else {
            return Ok(None);
        };
        let entries = match read_entries(&bytes, tile.width) {
            Ok(entries) => entries,
            Err(why) => {
                let entry = match why {
                    EntriesError::Cut { entry } => Some(tile.index * TILE_WIDTH + u64::from(entry)),
                    EntriesError::Trailing(_) => None,
                };
                self.fault(tile, entry, why.to_string());
                return Ok(None);
            }
        };
        for (index, entry) in (tile.index * TILE_WIDTH..).zip(&entries) {
            match <[u8; 32]>::try_from(*entry) {
                Ok(hash) => self.note(tile, index, &hash),
                Err(_) => {
                    let what = format!(
                        "entry {index} has {} bytes; a hash of evidence has 32",
                        entry.len()
                    );
                    self.fault(tile, Some(index), what);
                }
            }
        }
        Ok(Some(entries.into_iter().map(leaf_hash).collect()))
    }

    /// Remembers an entry, and records a fault if an earlier entry is the same.
    fn note(&mut self, tile: Tile, index: u64, entry: &Hash) {
        let mut half = [0; 16];
        half.copy_from_slice(&entry[..16]);
        if let Some(first) = self.seen.insert(half, index) {
            let what = format!("entry {index} is the same evidence as entry {first}");
            self.fault(tile, Some(index), what);
        }
    }

    /// Reads all entries and the tiles of level 0.
    fn leaves(
        &mut self,
        earlier_size: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<Leaves>, AuditError> {
        let size = self.audit.size;
        let mut all = Vec::new();
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let (Some(tile), Some(bundle)) = (
                Tile::in_tree(Level::Hashes(0), index, size),
                Tile::in_tree(Level::Entries, index, size),
            ) else {
                break;
            };
            // A tile that cannot be read is one fault; the bundle stands in for it, or the reverse.
            let (by_hashes, by_entries) = match (self.hashes(tile)?, self.entries(bundle)?) {
                (Some(hashes), Some(entries)) => (hashes, entries),
                (Some(one), None) | (None, Some(one)) => (one.clone(), one),
                (None, None) => {
                    // A checkpoint may sign for more entries than anybody could ever look for.
                    let first = index * TILE_WIDTH;
                    let what =
                        format!("nothing is there from entry {first} on, and no more was read");
                    self.fault(bundle, Some(first), what);
                    break;
                }
            };
            let differing: Vec<usize> = (0..by_hashes.len())
                .filter(|at| by_hashes[*at] != by_entries[*at])
                .collect();
            for (hash, entry) in by_hashes.iter().zip(&by_entries) {
                self.from_hashes.push(*hash);
                self.from_entries.push(*entry);
                if self.from_entries.size() == earlier_size {
                    self.earlier_roots = Some([self.from_entries.root(), self.from_hashes.root()]);
                }
            }
            if u64::from(tile.width) == TILE_WIDTH || !differing.is_empty() {
                all.push(Leaves {
                    tile,
                    by_hashes: full_root(&by_hashes),
                    by_entries: full_root(&by_entries),
                    differing,
                });
            }
            progress((index * TILE_WIDTH + TILE_WIDTH).min(size), size);
        }
        Ok(all)
    }

    /// Checks each tile above level 0 against the tiles below, and finds out which of two that
    /// disagree was changed.
    fn upper_levels(&mut self, leaves: Vec<Leaves>, head: &Checkpoint) -> Result<(), AuditError> {
        // The tiles of the level below, each with the two roots that it may have.
        let mut below: Vec<(Tile, [Hash; 2])> = leaves
            .iter()
            .map(|leaves| (leaves.tile, [leaves.by_hashes, leaves.by_entries]))
            .collect();
        let mut parents: HashMap<u64, Hash> = HashMap::new();
        for level in levels(head.size).skip(2) {
            below.retain(|(tile, _)| u64::from(tile.width) == TILE_WIDTH);
            let mut next = Vec::new();
            for (index, children) in (0u64..).zip(below.chunks(TILE_WIDTH as usize)) {
                let Some(tile) = Tile::in_tree(level, index, head.size) else {
                    break;
                };
                let computed: Vec<Hash> = children.iter().map(|(_, roots)| roots[0]).collect();
                let Some(hashes) = self.hashes(tile)? else {
                    next.push((tile, [full_root(&computed); 2]));
                    continue;
                };
                for (at, (hash, (child, roots))) in hashes.iter().zip(children).enumerate() {
                    if level == Level::Hashes(1) {
                        parents.insert(child.index, *hash);
                    }
                    if !roots.contains(hash) {
                        self.fault(tile, None, format!("hash {at} is not the root of {child}"));
                    }
                }
                next.push((tile, [full_root(&hashes), full_root(&computed)]));
            }
            below = next;
        }
        for leaves in leaves {
            self.settle(&leaves, parents.get(&leaves.tile.index), head);
        }
        Ok(())
    }

    /// Records where a bundle and its tile disagree, and which of them fits the rest of the log.
    fn settle(&mut self, leaves: &Leaves, parent: Option<&Hash>, head: &Checkpoint) {
        let tile = leaves.tile;
        let bundle = Tile {
            level: Level::Entries,
            ..tile
        };
        let fits = |side: &Hash, tree: &Frontier| {
            parent.map_or_else(|| tree.root() == head.root, |parent| parent == side)
        };
        let entries_fit = fits(&leaves.by_entries, &self.from_entries);
        let hashes_fit = fits(&leaves.by_hashes, &self.from_hashes);
        for at in &leaves.differing {
            let index = tile.index * TILE_WIDTH + *at as u64;
            match (entries_fit, hashes_fit) {
                (false, true) => self.fault(
                    bundle,
                    Some(index),
                    format!("entry {index} was changed: the log committed to another"),
                ),
                (true, false) => self.fault(
                    tile,
                    Some(index),
                    format!("hash {at} was changed: it is not that of entry {index}"),
                ),
                _ => self.fault(
                    bundle,
                    Some(index),
                    format!("entry {index} and hash {at} of {tile} do not belong together"),
                ),
            }
        }
    }

    fn roots(&mut self, head: &Checkpoint, earlier: Option<&Checkpoint>) {
        let fits = |tree: &Frontier| tree.root() == head.root;
        if !fits(&self.from_entries) && !fits(&self.from_hashes) {
            let what = "the entries do not lead to the root that the log's key signed".to_owned();
            self.fault("checkpoint", None, what);
        }
        let Some(earlier) = earlier else { return };
        if earlier.size > head.size {
            let what = format!(
                "the log has {} entries, but it once signed for {}: it was cut",
                head.size, earlier.size
            );
            self.fault("checkpoint", None, what);
        } else if earlier.size > 0
            && !self
                .earlier_roots
                .is_some_and(|roots| roots.contains(&earlier.root))
        {
            let what = format!(
                "the first {} entries are not those that the log once signed for: it was rewritten",
                earlier.size
            );
            self.fault("checkpoint", None, what);
        }
    }
}

/// The root of a full tile. No tile above refers to a partial one, so for it any value that changes
/// with its hashes will do.
fn full_root(hashes: &[Hash]) -> Hash {
    if hashes.len().is_power_of_two() {
        complete(hashes)
    } else {
        let mut tree = Frontier::default();
        hashes.iter().for_each(|hash| tree.push(*hash));
        tree.root()
    }
}

/// The bytes of a partial tile, cut from the full tile that replaced it.
fn cut(mut bytes: Vec<u8>, tile: Tile) -> Vec<u8> {
    match tile.byte_length() {
        Some(length) => bytes.truncate(length),
        None => {
            let mut at = 0;
            for _ in 0..tile.width {
                let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>) else {
                    break;
                };
                at += 2 + usize::from(u16::from_be_bytes(*length));
            }
            bytes.truncate(at);
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
