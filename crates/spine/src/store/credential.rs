//! Credentials: the public side of people's keys and of devices' keys.

use std::collections::HashMap;

use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::{CredentialId, DeviceId, PersonId, Timestamp};
use hallway_webauthn::CredentialRecord;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::column::{Cell, ms, text, time};
use super::entity::credential as row;
use super::error::StoreError;
use super::ids::EvidenceHash;
use super::unit::Unit;

/// How many keys a person may have.
pub const MAX_KEYS: usize = 64;

/// Whose a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A person's key: it signs with somebody present.
    Person(PersonId),
    /// A device's key: it signs with nobody present.
    Device(DeviceId),
}

/// A credential, as a relying party keeps it (WebAuthn Level 3, 4, "credential record").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The credential id.
    pub id: CredentialId,
    /// Whose it is.
    pub holder: Holder,
    /// The public key, COSE_Key.
    pub public_key: Vec<u8>,
    /// The signature counter that was seen last.
    pub sign_count: u32,
    /// The authenticator's model.
    pub aaguid: Aaguid,
    /// What its holder calls it.
    pub label: String,
    /// How the authenticator can be reached, as the browser told: words without commas.
    pub transports: Vec<String>,
    /// Whether the key may be backed up (BE); it never changes.
    pub backup_eligible: bool,
    /// Whether the key was backed up when it was used last (BS).
    pub backed_up: bool,
    /// Whether the user was ever verified with it.
    pub uv_initialized: bool,
    /// The user handle that it was made with.
    pub user_handle: Vec<u8>,
    /// When it was registered.
    pub created: Timestamp,
    /// When it signed last.
    pub last_used: Option<Timestamp>,
    /// The evidence of its registration.
    pub registration: EvidenceHash,
}

/// What an accepted assertion changes about a credential (WebAuthn Level 3, 7.2, step 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The signature counter.
    pub sign_count: u32,
    /// The BS flag.
    pub backed_up: bool,
    /// Whether the user was verified, now or before.
    pub uv_initialized: bool,
    /// When.
    pub at: Timestamp,
}

impl Credential {
    /// Whether it is in a file, as far as the model tells that the key itself names.
    #[must_use]
    pub fn is_software_key(&self) -> bool {
        self.aaguid == Aaguid::SOFTWARE_KEY
    }

    /// What the relying party verifies with.
    #[must_use]
    pub fn record(&self) -> CredentialRecord {
        CredentialRecord {
            id: self.id.as_bytes().to_vec(),
            public_key: self.public_key.clone(),
            sign_count: self.sign_count,
            backup_eligible: self.backup_eligible,
            backed_up: self.backed_up,
            uv_initialized: self.uv_initialized,
            transports: self.transports.clone(),
            user_handle: self.user_handle.clone(),
            aaguid: self.aaguid,
        }
    }
}

/// The credentials of people and devices.
#[derive(Clone, Copy, Debug)]
pub struct CredentialRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The credentials of people and devices.
    #[must_use]
    pub const fn credentials(&self) -> CredentialRows<'_> {
        CredentialRows(self)
    }
}

impl TryFrom<row::Model> for Credential {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("credential", column);
        Ok(Self {
            id: cell("id").credential(row.id)?,
            holder: match (row.person_id, row.device_id) {
                (Some(person), None) => Holder::Person(person.into()),
                (None, Some(device)) => Holder::Device(device.into()),
                _ => return Err(cell("person_id").corrupt()),
            },
            public_key: row.public_key,
            sign_count: cell("sign_count").counter(row.sign_count)?,
            aaguid: Aaguid(row.aaguid.into_bytes()),
            label: row.label,
            transports: row
                .transports
                .split_terminator(',')
                .map(str::to_owned)
                .collect(),
            backup_eligible: row.backup_eligible,
            backed_up: row.backed_up,
            uv_initialized: row.uv_initialized,
            user_handle: row.user_handle,
            created: time(row.created_ms),
            last_used: row.last_used_ms.map(time),
            registration: cell("registration_evidence").hash(&row.registration_evidence)?,
        })
    }
}

impl CredentialRows<'_> {
    async fn count_keys(&self, holder: Holder) -> Result<u64, StoreError> {
        Ok(row::Entity::find()
            .filter(held(holder))
            .count(&self.0.db())
            .await?)
    }
}

fn held(holder: Holder) -> Expr {
    match holder {
        Holder::Person(id) => row::Column::PersonId.eq(id.as_uuid()),
        Holder::Device(id) => row::Column::DeviceId.eq(id.as_uuid()),
    }
}

fn changed(rows: u64) -> Result<(), StoreError> {
    match rows {
        0 => Err(StoreError::Missing("credential")),
        _ => Ok(()),
    }
}

impl CredentialRows<'_> {
    /// Adds a credential.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when somebody has a credential with this id (WebAuthn Level 3, 7.1,
    /// step 26); [`StoreError::TooManyKeys`].
    pub async fn add(&self, credential: &Credential) -> Result<(), StoreError> {
        let (person_id, device_id) = match credential.holder {
            Holder::Person(person) => {
                if self.count_keys(credential.holder).await? >= MAX_KEYS as u64 {
                    return Err(StoreError::TooManyKeys(person));
                }
                (Some(person.as_uuid()), None)
            }
            Holder::Device(device) => (None, Some(device.as_uuid())),
        };
        let row = row::Model {
            id: credential.id.as_bytes().to_vec(),
            person_id,
            device_id,
            public_key: credential.public_key.clone(),
            sign_count: credential.sign_count.into(),
            aaguid: Uuid::from_bytes(credential.aaguid.0),
            label: credential.label.clone(),
            transports: text(&credential.transports.join(",")),
            backup_eligible: credential.backup_eligible,
            backed_up: credential.backed_up,
            uv_initialized: credential.uv_initialized,
            user_handle: credential.user_handle.clone(),
            created_ms: ms(credential.created),
            last_used_ms: credential.last_used.map(ms),
            registration_evidence: credential.registration.0.to_vec(),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("credential"))?;
        Ok(())
    }

    /// One credential.
    pub async fn get(&self, id: &CredentialId) -> Result<Option<Credential>, StoreError> {
        row::Entity::find_by_id(id.as_bytes().to_vec())
            .one(&self.0.db())
            .await?
            .map(Credential::try_from)
            .transpose()
    }

    /// All that a person or device holds (at most [`MAX_KEYS`]), newest first.
    pub async fn held_by(&self, holder: Holder) -> Result<Vec<Credential>, StoreError> {
        row::Entity::find()
            .filter(held(holder))
            .order_by_desc(row::Column::CreatedMs)
            .order_by_desc(row::Column::Id)
            .limit(MAX_KEYS as u64)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Credential::try_from)
            .collect()
    }

    /// How many keys each of these people has; those without any are left out.
    pub async fn count_of_people(
        &self,
        people: &[PersonId],
    ) -> Result<HashMap<PersonId, u64>, StoreError> {
        let people = people.iter().map(|person| person.as_uuid());
        let counted: Vec<(Uuid, i64)> = row::Entity::find()
            .select_only()
            .column(row::Column::PersonId)
            .column_as(row::Column::Id.count(), "keys")
            .filter(row::Column::PersonId.is_in(people))
            .group_by(row::Column::PersonId)
            .into_tuple()
            .all(&self.0.db())
            .await?;
        let count = |(person, keys)| {
            Ok((
                PersonId::from(person),
                Cell("credential", "id").number(keys)?,
            ))
        };
        counted.into_iter().map(count).collect()
    }

    /// Notes that it was used.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it was removed meanwhile.
    pub async fn note_use(&self, id: &CredentialId, used: Use) -> Result<(), StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(
                row::Column::SignCount,
                Expr::value(i64::from(used.sign_count)),
            )
            .col_expr(row::Column::BackedUp, Expr::value(used.backed_up))
            .col_expr(row::Column::UvInitialized, Expr::value(used.uv_initialized))
            .col_expr(row::Column::LastUsedMs, Expr::value(ms(used.at)))
            .filter(row::Column::Id.eq(id.as_bytes().to_vec()))
            .exec(&self.0.db())
            .await?;
        changed(updated.rows_affected)
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn rename(&self, id: &CredentialId, label: &str) -> Result<(), StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::Label, Expr::value(label))
            .filter(row::Column::Id.eq(id.as_bytes().to_vec()))
            .exec(&self.0.db())
            .await?;
        changed(updated.rows_affected)
    }

    /// Removes it, and the sessions that it opened.
    ///
    /// # Errors
    /// [`StoreError::LastKey`] when it is the last one of a person, who could no longer sign in;
    /// [`StoreError::Missing`].
    pub async fn remove(&self, id: &CredentialId) -> Result<(), StoreError> {
        let credential = self
            .get(id)
            .await?
            .ok_or(StoreError::Missing("credential"))?;
        if let Holder::Person(person) = credential.holder
            && self.count_keys(credential.holder).await? == 1
        {
            return Err(StoreError::LastKey(person));
        }
        self.remove_even_the_last(id).await
    }

    /// Removes it even if it is the last one: for a person who recovers lost access, and for
    /// a device that is enrolled anew.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn remove_even_the_last(&self, id: &CredentialId) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_by_id(id.as_bytes().to_vec())
            .exec(&self.0.db())
            .await?;
        changed(deleted.rows_affected)
    }
}
