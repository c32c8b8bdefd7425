//! `hallway log export`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hallway_evidence::Printable;
use hallway_evidence::log::{Checkpoint, Level, Tile, TileSource as _, VerifierKey};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Key;
use super::source::Source;

/// Arguments of `hallway log export`.
///
/// Run again, it fetches only what is new: tiles that are full never change. The copy is not
/// audited; `hallway log verify FOLDER` does that.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The log: a gateway's URL, or a log's URL.
    place: String,
    /// The folder for the copy.
    folder: PathBuf,
    #[command(flatten)]
    key: Key,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Account {
    origin: String,
    size: u64,
    fetched: u64,
    already_there: u64,
}

impl Export {
    pub(super) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let key = self.key.read()?.log;
        let mut source = Source::new(&self.place)?;
        let account = copy(&mut source, &self.folder, &key)?;
        if self.json {
            println!("{}", serde_json::to_string(&account)?);
        } else {
            println!(
                "{}: {} entries; {} tiles fetched, {} were there",
                Printable(&account.origin),
                account.size,
                account.fetched,
                account.already_there
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn copy(source: &mut Source, folder: &Path, key: &VerifierKey) -> Result<Account, Box<dyn Error>> {
    let get = |source: &mut Source, path: &str| {
        source
            .read(path)
            .map_err(|error| format!("{path} could not be read: {error}"))?
            .ok_or_else(|| format!("{path} is missing from the log"))
    };
    // Read before the newest checkpoint, so that it can't be ahead of that.
    let cosigned = source
        .read("cosigned")
        .map_err(|error| format!("the log's cosigned checkpoint could not be read: {error}"))?;
    let note = get(source, "checkpoint")?;
    let text = std::str::from_utf8(&note)?;
    let head = Checkpoint::open(text, key)?;
    let bar = ProgressBar::new(count(head.size)).with_style(ProgressStyle::with_template(
        "{bar:30} {pos} of {len} tiles, {eta} left",
    )?);
    let mut account = Account {
        origin: head.origin,
        size: head.size,
        fetched: 0,
        already_there: 0,
    };
    for tile in tiles(head.size) {
        let path = folder.join(tile.to_string());
        if path.is_file() {
            account.already_there += 1;
        } else {
            write(&path, &get(source, &tile.to_string())?)?;
            account.fetched += 1;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // Last, so that the folder never claims more than it holds.
    write(&folder.join("checkpoint"), &note)?;
    if let Some(cosigned) = cosigned {
        Checkpoint::open(std::str::from_utf8(&cosigned)?, key)
            .map_err(|error| format!("the cosigned checkpoint: {error}"))?;
        write(&folder.join("cosigned"), &cosigned)?;
    }
    Ok(account)
}

/// Every tile of a tree of `size` entries, as it is served for that size.
fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    std::iter::once(Level::Entries)
        .chain((0..=7).map(Level::Hashes))
        .flat_map(move |level| (0..).map_while(move |index| Tile::in_tree(level, index, size)))
}

/// The number of those tiles.
fn count(size: u64) -> u64 {
    let at_level = |level: u32| (size >> (8 * level)).div_ceil(256);
    at_level(0) + (0..=7).map(at_level).sum::<u64>()
}

/// Writes a file under another name first, so that a partial copy is never taken for a whole one.
/// Not [`hallway_client::durable_file`]: everybody may read a log, and thousands of tiles are fetched
/// again rather than flushed one by one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let neighbour = path.with_extension("fetching");
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&neighbour, bytes)?;
        fs::rename(&neighbour, path)
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_of_a_tree_is_named() {
        let paths: Vec<String> = tiles(600).map(|tile| tile.to_string()).collect();
        assert_eq!(
            paths,
            [
                "tile/entries/000",
                "tile/entries/001",
                "tile/entries/002.p/88",
                "tile/0/000",
                "tile/0/001",
                "tile/0/002.p/88",
                "tile/1/000.p/2",
            ]
        );
        for size in [0, 1, 255, 256, 257, 600, 65_536, 65_537, 1 << 24] {
            assert_eq!(count(size), tiles(size).count() as u64, "{size}");
        }
        // However many tiles a checkpoint claims, they are not listed in memory.
        assert_eq!(tiles(u64::MAX).take(3).count(), 3);
        assert!(count(u64::MAX) > 1 << 56);
    }
}
