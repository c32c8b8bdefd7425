//! `hallway key new`.

use std::path::PathBuf;

use hallway_softkey::{Attestation, BackupLeave, KeyFile, NewKey};

use super::KeyCommandError;
use super::enterprise::EnterpriseArguments;
use super::protection::{Prompt, ProtectionArguments};

/// Arguments of `hallway key new`.
#[derive(clap::Args, Debug)]
pub(super) struct New {
    /// The file to create; it must not exist yet.
    file: PathBuf,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// How new credentials are attested.
    #[arg(long, value_enum, default_value = "self")]
    attestation: AttestationKind,
    #[command(flatten)]
    enterprise: EnterpriseArguments,
    /// Allow `hallway key backup`. It cannot be allowed later: a key that was made without this
    /// keeps its secrets for good.
    #[arg(long)]
    allow_backup: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum AttestationKind {
    /// Not at all.
    None,
    /// By the credential's own key.
    #[value(name = "self")]
    SelfSigned,
}

impl New {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        let attested = match (self.enterprise.read()?, self.attestation) {
            (Some(enterprise), _) => enterprise,
            (None, AttestationKind::SelfSigned) => NewKey::personal(),
            (None, AttestationKind::None) => NewKey {
                attestation: Attestation::None,
                ..NewKey::personal()
            },
        };
        let new = NewKey {
            backup: backup_leave(self.allow_backup),
            ..attested
        };
        let protection = self.protection.read(Prompt::Twice)?;
        KeyFile::create(&self.file, &protection, &new)?;
        if self.json {
            println!("{}", serde_json::json!({ "file": self.file }));
        } else {
            println!("{}", crate::terminal::path(&self.file));
            eprintln!(
                "Made a security key. A person who has this file and its passphrase has the key; \
                 nobody can recover a lost passphrase."
            );
        }
        Ok(())
    }
}

/// Whether a backup may be made, by the flag `--allow-backup`.
pub(super) const fn backup_leave(allowed: bool) -> BackupLeave {
    match allowed {
        true => BackupLeave::Allowed,
        false => BackupLeave::Never,
    }
}
