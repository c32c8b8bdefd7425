//! Models of authenticators: what is known about them, and which the realm accepts.
//!
//! What is known comes from a FIDO metadata BLOB and from local statements ([`known`]); a BLOB is
//! looked for in the background, where the operator said so, and kept in the database ([`refresh`]).
//! [`verdict`] judges keys by it: when they are registered, and again whenever they sign. A failure
//! to learn something new never makes anything acceptable: what is known stays in use, and what only
//! fresh metadata can tell is not believed of old ones.

pub mod distrust;
pub mod icon;
pub mod known;
pub mod refresh;
pub mod signer;
pub mod source;
pub mod verdict;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use self::known::{Known, Statements};
use self::signer::Signer;
use self::source::Source;
use crate::config::{Bounded, Config, Policies};
use crate::refusal::Door;

/// What is known about models here, and what the realm's policies ask of them.
pub struct Models {
    policies: Policies,
    /// Who may sign a BLOB.
    signer: Signer,
    /// Where BLOBs come from.
    sources: Vec<Source>,
    /// Local statements.
    statements: Option<Statements>,
    /// Hours from one look at the sources to the next.
    refresh_hours: Bounded<1, 8760>,
    known: RwLock<Arc<Known>>,
    /// Held while this gateway looks for something new.
    looking: Mutex<()>,
}

/// Why `[metadata]` or `[policy]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A file or folder.
    #[error("[metadata] {setting}: {path}: {reason}")]
    File {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A policy can't be satisfied.
    #[error(
        "[policy.{0}] asks for what only metadata tell; set url, file or statements in [metadata], \
         or say what it asks for less strictly"
    )]
    NothingKnown(String),
    /// A door without people.
    #[error(
        "[policy.doors.{0}] means nothing: no people come through that door; see [policy.device]"
    )]
    Door(Door),
}

impl Models {
    /// Reads the configuration and what it names; `folder` is where relative paths start. Nothing is
    /// fetched and nothing is known yet: see [`refresh::load`].
    ///
    /// # Errors
    /// [`ModelsError`].
    pub fn new(config: &Config, folder: &Path) -> Result<Self, ModelsError> {
        let metadata = &config.metadata;
        if config.policy.doors.contains_key(&Door::Device) {
            return Err(ModelsError::Door(Door::Device));
        }
        let mut asking = config.policy.asking_metadata();
        if metadata.is_empty()
            && let Some(policy) = asking.next()
        {
            return Err(ModelsError::NothingKnown(policy));
        }
        drop(asking);
        Ok(Self {
            policies: config.policy.clone(),
            signer: Signer::new(metadata, folder)?,
            sources: Source::all(metadata, folder),
            statements: Statements::new(metadata, folder)?,
            refresh_hours: metadata.refresh_hours,
            known: RwLock::default(),
            looking: Mutex::default(),
        })
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the operator configured where anything could be known from.
    pub const fn is_configured(&self) -> bool {
        !self.sources.is_empty() || self.statements.is_some()
    }

    /// Where BLOBs come from: addresses and names of files.
    pub fn sources(&self) -> impl Iterator<Item = String> {
        self.sources.iter().map(ToString::to_string)
    }

    /// The folder of local statements.
    pub fn statements(&self) -> Option<&Path> {
        self.statements.as_ref().map(Statements::folder)
    }

    /// Who may sign a BLOB.
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What the realm asks of keys.
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    fn learn(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}
