//! Models of authenticators: the realm's knowledge about them, and its policy on them.
//!
//! The knowledge comes from a FIDO metadata BLOB and from local statements ([`known`]). If the
//! operator configured a source, a gateway looks for newer BLOBs in the background, and keeps them in
//! the database ([`refresh`]). [`verdict`] judges a key when it is registered, and again whenever it
//! signs. A failed update never makes a key acceptable: the old knowledge stays in use, but facts
//! that need fresh metadata are not taken from it.

pub mod distrust;
pub mod icon;
pub mod known;
pub mod look;
pub mod page;
pub mod refresh;
pub mod signer;
pub mod source;
pub mod verdict;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use hallway_api::key::KeyModel;
use tokio::sync::Mutex;

use self::known::{Known, Statements};
use self::signer::Signer;
use self::source::Source;
use crate::door_name::{DoorName, NoDoorOfPeople};
use crate::http::bounds::kinds::LOOK_NOW;
use crate::http::page::PageView;
use crate::http::route::{Access, Route};
use crate::settings::{Bounded, MetadataConfig, Policies};
use crate::store::Role;

/// The knowledge about models in this gateway, and the realm's policies on them.
pub struct Models {
    policies: Policies,
    /// The certificates that may sign a BLOB.
    signer: Signer,
    /// The sources of BLOBs.
    sources: Vec<Source>,
    /// Local statements.
    statements: Option<Statements>,
    /// Hours between two looks at the sources.
    refresh_hours: Bounded<1, 8760>,
    known: RwLock<Arc<Known>>,
    /// Held while this gateway looks for newer metadata.
    looking: Mutex<()>,
}

/// Why `[metadata]` or `[policy]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A file or folder.
    #[error("[metadata] {setting}: {path}: {reason}")]
    File {
        /// The setting that names the file.
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
    /// There is no such door, or people do not sign at it.
    #[error("[policy.doors.{0}] means nothing: {1}")]
    Door(String, NoDoorOfPeople),
}

impl Models {
    /// Reads the configuration and the files that it names; `folder` is where relative paths start.
    /// Nothing is fetched and no model is known yet: see [`refresh::load`]. `doors` are those with a
    /// policy for people's keys.
    ///
    /// # Errors
    /// [`ModelsError`].
    pub fn new(
        metadata: &MetadataConfig,
        policy: &Policies,
        folder: &Path,
        doors: &[DoorName],
    ) -> Result<Self, ModelsError> {
        for name in policy.doors.keys() {
            DoorName::check_policy(name, doors)
                .map_err(|error| ModelsError::Door(name.clone(), error))?;
        }
        let mut asking = policy.asking_metadata();
        if metadata.is_empty()
            && let Some(policy) = asking.next()
        {
            return Err(ModelsError::NothingKnown(policy));
        }
        drop(asking);
        Ok(Self {
            policies: policy.clone(),
            signer: Signer::new(metadata, folder)?,
            sources: Source::all(metadata, folder),
            statements: Statements::new(metadata, folder)?,
            refresh_hours: metadata.refresh_hours,
            known: RwLock::default(),
            looking: Mutex::default(),
        })
    }

    /// The present knowledge.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the operator configured any source of knowledge.
    pub const fn is_configured(&self) -> bool {
        !self.sources.is_empty() || self.statements.is_some()
    }

    /// The sources of BLOBs: addresses and names of files.
    pub fn sources(&self) -> impl Iterator<Item = String> {
        self.sources.iter().map(ToString::to_string)
    }

    /// The folder of local statements.
    pub fn statements(&self) -> Option<&Path> {
        self.statements.as_ref().map(Statements::folder)
    }

    /// The certificates that may sign a BLOB.
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The realm's policies.
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    fn learn(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

/// The routes.
pub fn routes() -> Vec<Route> {
    let member = Access::Person(Role::Member);
    let operator = Access::Person(Role::Operator);
    vec![
        Route::get("/api/metadata", operator, look::metadata)
            .summary("What is known about models of keys, and from where")
            .gives::<look::MetadataView>(),
        Route::post("/api/metadata/refresh", operator, look::look_now)
            .within(LOOK_NOW)
            .summary("Look for newer metadata now")
            .gives::<look::MetadataView>(),
        Route::get("/api/metadata/models", operator, look::list)
            .summary("Models, by name; `q` searches names and identifiers")
            .gives::<PageView<KeyModel>>(),
        Route::get("/api/metadata/models/{id}/icon", member, look::icon)
            .summary("A model's picture"),
        Route::page("/metadata", operator, page::metadata),
    ]
}
