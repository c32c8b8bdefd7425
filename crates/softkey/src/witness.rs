//! The witness of a key file counts its commits in a file elsewhere: an older copy of the key file
//! has fewer.
//!
//! A witness helps where somebody who could put an older copy in place cannot write the witness:
//! the key file on a stick or a synchronised folder, the witness on this computer's own disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hallway_client::durable_file;

use crate::error::{KeyFileError, at};

/// Names one key file through all its rewrites.
pub(crate) type Identity = [u8; 32];

/// A file with one line: a word, the key file's identity, and its number of commits.
pub(crate) struct Witness {
    path: PathBuf,
    identity: Identity,
}

const WORD: &str = "hallway-key-witness-1";
/// More than a line takes.
const MAX_LINE_BYTES: u64 = 256;

impl Witness {
    /// Compares the witness with a key file that has `commits`. If there is no witness file, one is
    /// created with this number.
    pub(crate) fn hear(
        path: &Path,
        identity: Identity,
        commits: u64,
    ) -> Result<Self, KeyFileError> {
        let witness = Self {
            path: path.into(),
            identity,
        };
        match witness.read()? {
            Some(seen) if seen > commits => Err(KeyFileError::OlderCopy(path.into())),
            Some(seen) if seen == commits => Ok(witness),
            _ => {
                witness.note(commits).map_err(at(path))?;
                Ok(witness)
            }
        }
    }

    fn read(&self) -> Result<Option<u64>, KeyFileError> {
        let mut line = String::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened
                .and_then(|file| file.take(MAX_LINE_BYTES).read_to_string(&mut line))
                .map_err(at(&self.path))?,
        };
        let rest = line
            .strip_prefix(&self.prefix())
            .and_then(|rest| rest.strip_suffix('\n'));
        rest.and_then(|number| number.parse().ok())
            .map(Some)
            .ok_or_else(|| KeyFileError::OtherWitness(self.path.clone()))
    }

    /// Stores, durably, the number of commits.
    pub(crate) fn note(&self, commits: u64) -> io::Result<()> {
        let line = format!("{}{commits}\n", self.prefix());
        durable_file::write(&self.path, line.as_bytes())
    }

    fn prefix(&self) -> String {
        let digits: String = self.identity.iter().map(|b| format!("{b:02x}")).collect();
        format!("{WORD} {digits} ")
    }
}
