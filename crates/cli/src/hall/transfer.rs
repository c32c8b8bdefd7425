//! Copies one file to this computer or from it: resumes where a copy broke off, shows the file only
//! when it is complete, and checks it by SHA-256 from end to end.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256, digest};
use hallway_client::backoff::Backoff;
use hallway_hall::dav::date;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::HallCommandError;
use super::path::RelativePath;
use super::progress::Progress;
use super::remote::Remote;

mod download;
mod upload;

pub(crate) use download::download;
pub(crate) use upload::{Target, unchanged, upload};

/// Bytes read from a file at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// How often a passing failure is tried again in a row while little gets through.
const MOST_TRIES: u32 = 6;
/// An attempt that moved this many bytes made progress. If fewer counted, a far side that gives a
/// byte a minute would be tried for ever.
const PROGRESS_BYTES: u64 = 64 * 1024;
/// The pauses between tries.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(16));

/// The beginning of the names of unfinished files on this computer; the dot hides them.
const PART_PREFIX: &str = ".hallway-part-";

/// Whether a name is that of an unfinished copy.
pub(crate) fn is_part(name: &str) -> bool {
    name.starts_with(PART_PREFIX)
}

/// The path of a file of a pack while it is written.
pub(crate) fn part_of_pack(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().as_encoded_bytes();
    let name = hex::encode(&digest(&SHA256, name).as_ref()[..16]);
    target.with_file_name(format!("{PART_PREFIX}{name}"))
}

/// Counts attempts: any number as long as bytes get through, then [`MOST_TRIES`] more.
#[derive(Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Waits before the next attempt, or gives up with what went wrong.
    pub(crate) async fn after(
        &mut self,
        failure: Failure,
        progress: &Progress,
    ) -> Result<(), HallCommandError> {
        self.0 = if failure.moved >= PROGRESS_BYTES {
            1
        } else {
            self.0 + 1
        };
        if self.0 > MOST_TRIES || !failure.error.is_passing() {
            return Err(failure.error);
        }
        progress.say(&format!("{}; trying again", failure.error));
        tokio::time::sleep(PAUSES.doubled(self.0 - 1)).await;
        Ok(())
    }
}

/// Why an attempt failed, and how many bytes it had moved.
pub(crate) struct Failure {
    error: HallCommandError,
    moved: u64,
}

impl<E: Into<HallCommandError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            moved: 0,
        }
    }
}

/// The SHA-256 of a file at the far side, asked for until there is an answer.
///
/// # Errors
/// The far side refuses or stays out of reach.
pub(crate) async fn sha256_there(
    remote: &Remote,
    path: &RelativePath,
    progress: &Progress,
) -> Result<Option<[u8; 32]>, HallCommandError> {
    let mut attempts = Attempts::default();
    loop {
        match remote.sha256(path, None).await {
            Ok(there) => return Ok(there),
            Err(error) => attempts.after(error.into(), progress).await?,
        }
    }
}

/// Hashes everything up to the end. Returns the number of bytes.
async fn hash_all(reader: &mut (impl AsyncRead + Unpin), context: &mut Context) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut length = 0;
    loop {
        let bytes = reader.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(length);
        }
        context.update(&buffer[..bytes]);
        length += bytes as u64;
    }
}

/// The SHA-256 of a file of this computer.
///
/// # Errors
/// It can't be read.
pub(crate) async fn local_sha256(path: &Path) -> Result<[u8; 32], HallCommandError> {
    let failed = |error| HallCommandError::io(path.display())(error);
    let mut file = File::open(path).await.map_err(failed)?;
    let mut context = Context::new(&SHA256);
    hash_all(&mut file, &mut context).await.map_err(failed)?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(sha256)
}

/// Sets a file's modification time.
pub(crate) fn set_modified(path: &Path, modified_ms: i64) -> io::Result<()> {
    let file = std::fs::File::options().write(true).open(path)?;
    match date::from_ms(modified_ms) {
        Some(modified) => file.set_modified(modified),
        None => Ok(()),
    }
}
