//! A key file that a command opens.

use std::path::PathBuf;

use hallway_softkey::{Consent, SoftKey};

use super::KeyCommandError;
use super::protection::{Prompt, ProtectionArguments};

/// A key file, and what opens it.
#[derive(clap::Args, Debug)]
pub(super) struct KeyFileArguments {
    /// The key file.
    pub(super) file: PathBuf,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// Count the key file's writes in FILE, and refuse an older copy of the key file, which would
    /// give PIN tries back. Keep FILE where somebody who could replace the key file can't write.
    #[arg(long, value_name = "FILE")]
    witness: Option<PathBuf>,
}

impl KeyFileArguments {
    /// Opens the key, once its passphrase is known.
    pub(super) fn open(&self, consent: Consent) -> Result<SoftKey, KeyCommandError> {
        let protection = self.protection.read(Prompt::Once)?;
        let opened = match &self.witness {
            Some(witness) => SoftKey::open_witnessed(&self.file, &protection, consent, witness),
            None => SoftKey::open(&self.file, &protection, consent),
        };
        Ok(opened?)
    }
}
