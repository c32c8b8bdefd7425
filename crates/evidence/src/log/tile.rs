//! Tiles: the tree cut into immutable pieces of at most 256 hashes (c2sp.org/tlog-tiles).

use core::fmt;
use core::str::FromStr;

use crate::count::Count;
use crate::hash::Hash;

/// Hashes or entries in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// The highest level of a tile: eight tile levels span 2^64 entries.
pub const MAX_TILE_LEVEL: u8 = 7;

/// The content of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The entries themselves, each after its length in two bytes, big-endian.
    Entries,
    /// Hashes of the tree at the height of 8 times this number, 0 to 7.
    Hashes(u8),
}

/// The name of a tile. Prints as its path below the log's prefix: `tile/0/x001/234.p/5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// The content of the tile.
    pub level: Level,
    /// Its place in the level, from the left.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to 256. Below 256 it is partial.
    pub width: u16,
}

impl Tile {
    /// The tile `index` of `level` in a tree of `size` entries; `None` when it would be empty.
    #[must_use]
    pub fn in_tree(level: Level, index: u64, size: u64) -> Option<Self> {
        let start = index.checked_mul(TILE_WIDTH)?;
        let width = items(level, size).checked_sub(start)?.min(TILE_WIDTH);
        match u16::try_from(width) {
            Ok(width @ 1..) => Some(Self {
                level,
                index,
                width,
            }),
            _ => None,
        }
    }

    /// The tile's length in bytes; `None` for entries, whose lengths differ.
    #[must_use]
    pub fn byte_length(&self) -> Option<usize> {
        match self.level {
            Level::Entries => None,
            Level::Hashes(_) => Some(usize::from(self.width) * 32),
        }
    }
}

/// How many hashes (or entries) the whole level has in a tree of `size` entries.
fn items(level: Level, size: u64) -> u64 {
    match level {
        Level::Entries => size,
        Level::Hashes(level) => size.checked_shr(u32::from(level) * 8).unwrap_or(0),
    }
}

/// Every level that a tree of `size` entries has tiles at, entries first.
pub(crate) fn levels(size: u64) -> impl Iterator<Item = Level> {
    core::iter::once(Level::Entries)
        .chain((0..=MAX_TILE_LEVEL).map(Level::Hashes))
        .take_while(move |level| items(*level, size) > 0)
}

/// The partial tiles at the right edge of a tree of `size` entries: one for each level that does
/// not end with a full tile.
#[must_use]
pub fn edge(size: u64) -> Vec<Tile> {
    levels(size)
        .filter_map(|level| Tile::in_tree(level, items(level, size) / TILE_WIDTH, size))
        .collect()
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => f.write_str("tile/entries/")?,
            Level::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if u64::from(self.width) < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// The path does not name a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile: tile/<level or entries>/<index in groups of three>[.p/<width>]")]
pub struct TilePathError;

impl FromStr for Tile {
    type Err = TilePathError;

    /// Accepts exactly the paths that [`Tile`] prints.
    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let (level, rest) = path
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(TilePathError)?;
        let level = match level {
            "entries" => Level::Entries,
            number => Level::Hashes(number.parse().map_err(|_| TilePathError)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| TilePathError)?),
            None => (rest, 256),
        };
        let index = index
            .split('/')
            .map(|group| group.trim_start_matches('x').parse::<u64>())
            .try_fold(0u64, |index, group| {
                index
                    .checked_mul(1000)?
                    .checked_add(group.ok().filter(|group| *group < 1000)?)
            })
            .and_then(|index| Count::new(index).ok())
            .ok_or(TilePathError)?;
        let tile = Self {
            level,
            index: index.get(),
            width,
        };
        let known = level <= Level::Hashes(MAX_TILE_LEVEL) && (1..=256).contains(&width);
        // Comparing with the printed form refuses every other spelling of the same numbers.
        if known && tile.to_string() == path {
            Ok(tile)
        } else {
            Err(TilePathError)
        }
    }
}

/// The entries of a bundle: each after its length in two bytes, big-endian.
///
/// # Errors
/// [`EntriesError`] says at which entry the bytes end or go on.
pub fn read_entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, EntriesError> {
    let mut rest = bytes;
    let mut entries = Vec::with_capacity(usize::from(width));
    for entry in 0..width {
        let cut = EntriesError::Cut { entry };
        let (length, tail) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let (data, tail) = tail
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(cut)?;
        entries.push(data);
        rest = tail;
    }
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(EntriesError::Trailing(rest.len()))
    }
}

/// Appends one entry to a bundle.
pub(crate) fn write_entry(bundle: &mut Vec<u8>, entry: &Hash) {
    bundle.extend_from_slice(&32u16.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Why bytes are not a bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// The bytes end inside an entry.
    #[error("the bundle ends inside its entry {entry}")]
    Cut {
        /// Its place in the bundle, from 0.
        entry: u16,
    },
    /// The bytes go on after the last entry.
    #[error("{0} bytes follow the bundle's last entry")]
    Trailing(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level
        // 0 tile of width 112, one full level 1 tile, one partial level 1 tile of width 17, and
        // one partial level 2 tile of width 1"
        let paths: Vec<String> = edge(70_000).iter().map(Tile::to_string).collect();
        assert_eq!(
            paths,
            [
                "tile/entries/273.p/112",
                "tile/0/273.p/112",
                "tile/1/001.p/17",
                "tile/2/000.p/1"
            ]
        );
        // "a tree of size 256 [...] a full level 0 tile and a partial level 1 tile of width 1"
        let paths: Vec<String> = edge(256).iter().map(Tile::to_string).collect();
        assert_eq!(paths, ["tile/1/000.p/1"]);
        assert!(edge(0).is_empty());
        assert_eq!(edge(u64::MAX).len(), 9);
    }

    #[test]
    fn paths_are_read_back_and_other_spellings_refused() {
        let tile = Tile {
            level: Level::Hashes(3),
            index: 1_234_067,
            width: 256,
        };
        assert_eq!(tile.to_string(), "tile/3/x001/x234/067");
        for path in [
            "tile/3/x001/x234/067",
            "tile/0/000.p/1",
            "tile/entries/999.p/255",
        ] {
            assert_eq!(path.parse::<Tile>().unwrap().to_string(), path);
        }
        for path in [
            "",
            "tile/0/0",
            "tile/00/000",
            "tile/8/000",
            "tile/0/001/234",
            "tile/0/x001/x234",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/data/000",
            "tile/0/x000/001",
            "tile/0/+01",
            "tile/0/000/../001",
            "tile/0/xx001/234",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(path.parse::<Tile>(), Err(TilePathError), "{path}");
        }
    }

    #[test]
    fn entry_bundles() {
        let mut bundle = Vec::new();
        write_entry(&mut bundle, &[1; 32]);
        write_entry(&mut bundle, &[2; 32]);
        assert_eq!(read_entries(&bundle, 2).unwrap(), [&[1u8; 32], &[2u8; 32]]);
        assert_eq!(read_entries(&bundle, 1), Err(EntriesError::Trailing(34)));
        assert_eq!(
            read_entries(&bundle, 3),
            Err(EntriesError::Cut { entry: 2 })
        );
        assert_eq!(
            read_entries(&bundle[..67], 2),
            Err(EntriesError::Cut { entry: 1 })
        );
    }
}
