//! An index of the evidence on which later evidence rests, so that nobody has to read the whole log.
//!
//! The rows only help to find evidence that is in the log. An attacker who writes rows gains nothing,
//! because a bundle is verified from the evidence itself.

use hallway_evidence::statement::Act;
use hallway_evidence::{CredentialId, PersonId};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::column::{Cell, number};
use super::entity::ground as row;
use super::error::StoreError;
use super::person::Role;
use super::unit::Unit;

/// The way in which later evidence rests on a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The registration of a credential: everything that the credential signs rests on it.
    Registration(CredentialId),
    /// The claim of the device that signs with this credential: its transactions rest on it.
    Claim(CredentialId),
    /// The act that gave a person a role: their acts in that role rest on it.
    Role(PersonId, Role),
}

impl Ground {
    /// What the act of `signed_by`, a credential that signs or is registered, is to others.
    #[must_use]
    pub fn of(act: &Act, signed_by: &CredentialId) -> Option<Self> {
        match act {
            Act::WebRegisterKey(_) | Act::DeviceEnrol(_) => {
                Some(Self::Registration(signed_by.clone()))
            }
            Act::DeviceClaim(terms) => Some(Self::Claim(terms.credential.clone())),
            Act::PeopleChangeRole(terms) => Some(Self::Role(terms.person, terms.role)),
            _ => None,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Registration(_) => "registration",
            Self::Claim(_) => "claim",
            Self::Role(_, Role::Owner) => "owner",
            Self::Role(_, Role::Operator) => "operator",
            Self::Role(_, Role::Member) => "member",
        }
    }

    fn subject(&self) -> Vec<u8> {
        match self {
            Self::Registration(credential) | Self::Claim(credential) => {
                credential.as_bytes().to_vec()
            }
            Self::Role(person, _) => person.as_bytes().to_vec(),
        }
    }
}

/// What evidence rests on.
#[derive(Clone, Copy, Debug)]
pub struct GroundRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// What evidence rests on.
    #[must_use]
    pub const fn grounds(&self) -> GroundRows<'_> {
        GroundRows(self)
    }
}

impl GroundRows<'_> {
    /// Notes what the evidence at this place of the log is to others. Only [`crate::ledger`] calls
    /// this, in the unit that moves the log's head.
    pub async fn add_logged(&self, ground: &Ground, log_index: u64) -> Result<(), StoreError> {
        let row = row::Model {
            kind: ground.kind().to_owned(),
            subject: ground.subject(),
            log_index: number("log index", log_index)?,
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("ground"))?;
        Ok(())
    }

    /// The place in the log of the last evidence of this kind before `before`.
    pub async fn last_before(
        &self,
        ground: &Ground,
        before: u64,
    ) -> Result<Option<u64>, StoreError> {
        row::Entity::find()
            .filter(row::Column::Kind.eq(ground.kind()))
            .filter(row::Column::Subject.eq(ground.subject()))
            .filter(row::Column::LogIndex.lt(number("log index", before)?))
            .order_by_desc(row::Column::LogIndex)
            .one(&self.0.db())
            .await?
            .map(|found| Cell("ground", "log_index").number(found.log_index))
            .transpose()
    }
}
