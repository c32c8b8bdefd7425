//! The key file: a header, then one sealed batch of changes after the other.
//!
//! A commit appends one batch and flushes it. A batch is encrypted and authenticated as a whole
//! and numbered, so that after a power cut the file holds all of it or none: a torn last batch is
//! dropped on opening, anything wrong before the last one is damage. When most of the file is
//! history, it is rewritten beside itself and renamed.
//!
//! Anybody who can write the file can put an older copy in its place; a file alone cannot prevent
//! that. While it is open, though, its records are in memory, and a commit to a file that is no
//! longer the one under its name fails: every acknowledged commit is there at the next start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hallway_authenticator::{Change, RecordKey, Storage, StorageError};
use hallway_client::durable_file::Unfinished;
use zeroize::Zeroizing;

use crate::batch::{self, Records, Replayed};
use crate::error::{KeyFileError, at};
use crate::protection::{DataKey, FileKind, HEADER_BYTES, Protection, WrappingKey, random};
use crate::witness::Witness;

const NONCE_BYTES: usize = 24;
/// Below this length the file is never rewritten.
const REWRITE_FROM_BYTES: u64 = 256 * 1024;
/// A key file is read whole: this bounds the memory.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// An open key file with its records in memory.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    wrapping: WrappingKey,
    data_key: DataKey,
    replayed: Replayed,
    /// The length of the part that is known to be good, in bytes.
    length: u64,
    /// The number of the next batch.
    sequence: u64,
    /// Bytes of a torn last batch that were dropped on opening.
    dropped: u64,
    /// A write failed and could not be undone: nothing may be written any more.
    broken: bool,
    witness: Option<Witness>,
}

impl Journal {
    /// Creates a file. It appears under its name only when it is whole.
    pub(crate) fn create(
        path: &Path,
        protection: &Protection,
        first: &[Change<'_>],
    ) -> Result<(), KeyFileError> {
        if path.exists() {
            return Err(KeyFileError::Exists(path.into()));
        }
        let mut records = Records::new();
        batch::apply(&mut records, first);
        let wrapping = WrappingKey::new(FileKind::Key, protection)?;
        let written = write_whole(path, &wrapping, &records, 0)?;
        // A file that appeared meanwhile is not replaced.
        match written.file.create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyFileError::Exists(path.into()))
            }
            other => other.map(drop).map_err(at(path)),
        }
    }

    /// Opens a file, and keeps others from opening it.
    pub(crate) fn open(path: &Path, protection: &Protection) -> Result<Self, KeyFileError> {
        let mut file = lock(path)?;
        let mut header = [0; HEADER_BYTES];
        let length = file.metadata().map_err(at(path))?.len();
        if length < HEADER_BYTES as u64 || length > MAX_FILE_BYTES {
            return Err(KeyFileError::NotAKeyFile);
        }
        file.read_exact(&mut header).map_err(at(path))?;
        let (wrapping, data_key) = WrappingKey::open(FileKind::Key, &header, protection)?;
        let mut body = Vec::new();
        file.read_to_end(&mut body).map_err(at(path))?;
        let mut journal = Self {
            path: path.into(),
            file,
            wrapping,
            data_key,
            replayed: Replayed::default(),
            length: HEADER_BYTES as u64,
            sequence: 0,
            dropped: 0,
            broken: false,
            witness: None,
        };
        journal.replay(&body)?;
        Ok(journal)
    }

    /// Lets a witness count the commits, and refuses the file if it has fewer than the witness saw.
    pub(crate) fn watched_by(mut self, witness: &Path) -> Result<Self, KeyFileError> {
        let identity = self.wrapping.identity();
        self.witness = Some(Witness::hear(witness, identity, self.commits())?);
        Ok(self)
    }

    /// How many commits there were since the file was created, over all rewrites.
    const fn commits(&self) -> u64 {
        self.replayed.commits_before + self.sequence
    }

    /// Bytes of a torn last batch that were dropped on opening.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn replay(&mut self, mut body: &[u8]) -> Result<(), KeyFileError> {
        while !body.is_empty() {
            let Some((sealed, rest)) = split_batch(body) else {
                // Less than its length says, or nothing but zeros: the end of a torn write.
                return self.drop_tail(body);
            };
            match open_batch(&self.data_key, self.sequence, sealed) {
                Some(plain) => {
                    batch::replay(&mut self.replayed, &plain).ok_or(KeyFileError::Damaged {
                        offset: self.length,
                    })?
                }
                None if rest.iter().all(|byte| *byte == 0) => return self.drop_tail(body),
                None => {
                    return Err(KeyFileError::Damaged {
                        offset: self.length,
                    });
                }
            }
            self.length += (body.len() - rest.len()) as u64;
            self.sequence += 1;
            body = rest;
        }
        Ok(())
    }

    fn drop_tail(&mut self, tail: &[u8]) -> Result<(), KeyFileError> {
        self.dropped = tail.len() as u64;
        self.file
            .set_len(self.length)
            .and_then(|()| self.file.sync_all())
            .map_err(at(&self.path))
    }

    /// Appends one batch and waits until it is on the disk.
    fn append(&mut self, plain: &[u8]) -> io::Result<()> {
        let sealed = seal(&self.data_key, self.sequence, plain)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&sealed)?;
        self.file.sync_data()?;
        if let Some(witness) = &self.witness {
            witness.note(self.commits() + 1)?;
        }
        self.length += sealed.len() as u64;
        self.sequence += 1;
        Ok(())
    }

    /// Whether the open file is still the one under its name, and as long as it was left.
    fn is_in_place(&self) -> bool {
        let identity = |found: std::fs::Metadata| (found.dev(), found.ino(), found.len());
        let open = self.file.metadata().map(identity);
        let named = std::fs::metadata(&self.path).map(identity);
        matches!((open, named), (Ok(open), Ok(named)) if open == named && open.2 == self.length)
    }

    /// Removes the bytes that a failed append may have left. The witness may have counted them: it
    /// is told what counts, or it would refuse the file when it is opened next.
    fn undo(&mut self) {
        let undone = self
            .file
            .set_len(self.length)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| match &self.witness {
                Some(witness) => witness.note(self.commits()),
                None => Ok(()),
            });
        self.broken = undone.is_err();
    }

    /// Rewrites the file when at least three quarters of it are history.
    fn rewrite_if_worthwhile(&mut self) -> Result<(), KeyFileError> {
        let live: usize = self
            .replayed
            .records
            .values()
            .map(|record| record.len() + 8)
            .sum();
        if self.length < REWRITE_FROM_BYTES || self.length < 4 * live as u64 {
            return Ok(());
        }
        // The one batch of the rewritten file counts as the last commit.
        let before = self.commits() - 1;
        let mut written = write_whole(&self.path, &self.wrapping, &self.replayed.records, before)?;
        written
            .file
            .file()
            .try_lock()
            .map_err(|_| KeyFileError::InUse(self.path.clone()))?;
        self.file = written.file.replace().map_err(at(&self.path))?;
        self.data_key = written.data_key;
        self.length = written.length;
        self.sequence = 1;
        self.replayed.commits_before = before;
        Ok(())
    }
}

impl Storage for Journal {
    fn read(&self, key: RecordKey) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        Ok(self.replayed.records.get(&key).cloned())
    }

    fn each(&self, visit: &mut dyn FnMut(RecordKey, &[u8])) -> Result<(), StorageError> {
        for (key, record) in &self.replayed.records {
            visit(*key, record);
        }
        Ok(())
    }

    fn commit(&mut self, changes: &[Change<'_>]) -> Result<(), StorageError> {
        if self.broken || !self.is_in_place() {
            return Err(StorageError::Fault);
        }
        let plain = batch::encode(changes);
        if let Err(error) = self.append(&plain) {
            self.undo();
            return Err(match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full,
                _ => StorageError::Fault,
            });
        }
        batch::apply(&mut self.replayed.records, changes);
        // The changes are durable; a rewrite that fails leaves the file as it is.
        let _ = self.rewrite_if_worthwhile();
        Ok(())
    }
}

struct Written {
    file: Unfinished,
    data_key: DataKey,
    length: u64,
}

/// Writes all records to a new file beside `path`, under a new data key.
fn write_whole(
    path: &Path,
    wrapping: &WrappingKey,
    records: &Records,
    commits_before: u64,
) -> Result<Written, KeyFileError> {
    let (header, data_key) = wrapping.wrap()?;
    let changes: Vec<Change<'_>> = records
        .iter()
        .map(|(key, record)| Change::Put(*key, record))
        .collect();
    let mut plain = Zeroizing::new(batch::commits_before(commits_before));
    plain.extend_from_slice(&batch::encode(&changes));
    let write = || -> io::Result<(Unfinished, u64)> {
        let sealed = seal(&data_key, 0, &plain)?;
        let mut unfinished = Unfinished::beside(path)?;
        unfinished.file().write_all(&header)?;
        unfinished.file().write_all(&sealed)?;
        Ok((unfinished, (header.len() + sealed.len()) as u64))
    };
    let (file, length) = write().map_err(at(path))?;
    Ok(Written {
        file,
        data_key,
        length,
    })
}

/// Opens a batch that [`seal`] sealed under this number, without the length in front.
pub(crate) fn open_batch(
    data_key: &DataKey,
    sequence: u64,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: sealed,
        aad: &sequence.to_be_bytes(),
    };
    XChaCha20Poly1305::new((&**data_key).into())
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
        .map(Zeroizing::new)
}

/// Seals one batch: its length, nonce, ciphertext and tag.
pub(crate) fn seal(data_key: &DataKey, sequence: u64, plain: &[u8]) -> io::Result<Vec<u8>> {
    let failed = |_| io::Error::other("encryption failed");
    let nonce = random::<NONCE_BYTES>().map_err(io::Error::other)?;
    let payload = Payload {
        msg: plain,
        aad: &sequence.to_be_bytes(),
    };
    let sealed = XChaCha20Poly1305::new((&**data_key).into())
        .encrypt(&XNonce::from(*nonce), payload)
        .map_err(failed)?;
    let length = u32::try_from(NONCE_BYTES + sealed.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes()[..], &nonce[..], &sealed].concat())
}

/// Nonce, ciphertext and tag of the first batch, and what follows it.
pub(crate) fn split_batch(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*length) as usize {
        0 => None,
        length => rest.split_at_checked(length),
    }
}

/// Opens and locks a file, and makes sure that the locked file is still the one under this name.
fn lock(path: &Path) -> Result<File, KeyFileError> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(at(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeyFileError::InUse(path.into())),
            Err(TryLockError::Error(error)) => return Err(at(path)(error)),
        }
        let locked = file.metadata().map_err(at(path))?;
        let named = std::fs::metadata(path).map_err(at(path))?;
        if (locked.dev(), locked.ino()) == (named.dev(), named.ino()) {
            return Ok(file);
        }
    }
}

#[cfg(test)]
#[path = "journal/tests.rs"]
mod tests;
