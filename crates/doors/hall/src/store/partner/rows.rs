//! Partners as rows.

use hallway_evidence::{RealmName, Timestamp};
use hallway_spine::store::column::{Cell, ms, number, text, time};
use hallway_spine::store::{StoreError, TokenHash, Unit};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, Iterable, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::super::entity::{partner as row, partner_bundle as bundle_row};
use super::{BundleState, EndedBy, Learned, MAX_PARTNERS, Partner, PartnerState, PartnerWitness};

/// How many are listed, with those that have ended.
const MAX_LISTED: u64 = 1024;

impl TryFrom<row::Model> for Partner {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("partner", column);
        let optional =
            |column, value: Option<i64>| value.map(|value| cell(column).number(value)).transpose();
        let (pins, rest) = row.pins.as_chunks::<32>();
        if pins.is_empty() || !rest.is_empty() {
            return Err(cell("pins").corrupt());
        }
        let bundle = match (row.bundle_sha256, row.bundle_ms) {
            (None, None) => None,
            (Some(sha256), Some(fetched)) => Some(BundleState {
                sha256: cell("bundle_sha256").hash(&sha256)?,
                sequence: optional("bundle_sequence", row.bundle_sequence)?,
                refresh_s: optional("bundle_refresh_s", row.bundle_refresh_s)?,
                fetched: time(fetched),
            }),
            _ => return Err(cell("bundle_sha256").corrupt()),
        };
        let invited = match (row.invited, row.invited_until_ms) {
            (Some(token), Some(until)) => Some((cell("invited").hash(&token)?, time(until))),
            _ => None,
        };
        let ended = match (row.ended_ms, row.ended_by) {
            (None, None) => None,
            (Some(at), Some(by)) => Some((time(at), cell("ended_by").word(&by)?)),
            _ => return Err(cell("ended_by").corrupt()),
        };
        let state = cell("state").word(&row.state)?;
        if (state == PartnerState::Ended) != ended.is_some() {
            return Err(cell("state").corrupt());
        }
        Ok(Self {
            realm: cell("realm").word(&row.realm)?,
            origin: cell("origin").word(&row.origin)?,
            state,
            log: cell("log_key").word(&row.log_key)?,
            pins: pins.to_vec(),
            pact: cell("pact").hash(&row.pact)?,
            invited,
            sealed_token: row.sealed_token,
            expires: time(row.expires_ms),
            hall: row
                .hall_address
                .map(|address| cell("hall_address").word(&address))
                .transpose()?,
            witness: row
                .witness_key
                .zip(row.witness_url)
                .map(|(key, url)| PartnerWitness { key, url }),
            bundle,
            checked: row.checked_ms.map(time),
            problem: row.problem,
            next_attempt: time(row.next_attempt_ms),
            made_by: row.made_by.into(),
            made: time(row.made_ms),
            joined: row.joined_ms.map(time),
            ended,
            told: row.told_ms.map(time),
            evidence: cell("evidence").hash(&row.evidence)?,
        })
    }
}

fn columns(partner: Partner) -> Result<row::Model, StoreError> {
    let bundle = partner.bundle.as_ref();
    let optional = |what, value: Option<u64>| value.map(|value| number(what, value)).transpose();
    let (witness_key, witness_url) = partner
        .witness
        .map(|witness| (witness.key, witness.url))
        .unzip();
    Ok(row::Model {
        realm: partner.realm.to_string(),
        origin: partner.origin.to_string(),
        state: partner.state.to_string(),
        log_key: partner.log.to_string(),
        pins: partner.pins.concat(),
        pact: partner.pact.0.to_vec(),
        sealed_token: partner.sealed_token,
        expires_ms: ms(partner.expires),
        invited: partner.invited.map(|(token, _)| token.0.to_vec()),
        invited_until_ms: partner.invited.map(|(_, until)| ms(until)),
        hall_address: partner.hall.map(String::from),
        witness_key,
        witness_url,
        bundle_sha256: bundle.map(|bundle| bundle.sha256.to_vec()),
        bundle_sequence: optional(
            "the bundle's sequence number",
            bundle.and_then(|bundle| bundle.sequence),
        )?,
        bundle_refresh_s: optional(
            "the bundle's refresh hint",
            bundle.and_then(|bundle| bundle.refresh_s),
        )?,
        bundle_ms: bundle.map(|bundle| ms(bundle.fetched)),
        checked_ms: partner.checked.map(ms),
        problem: partner.problem,
        next_attempt_ms: ms(partner.next_attempt),
        made_by: partner.made_by.as_uuid(),
        made_ms: ms(partner.made),
        joined_ms: partner.joined.map(ms),
        ended_ms: partner.ended.map(|(at, _)| ms(at)),
        ended_by: partner.ended.map(|(_, by)| by.to_string()),
        told_ms: partner.told.map(ms),
        evidence: partner.evidence.0.to_vec(),
    })
}

/// The partners of the realm. What is written about one names its pact: it changes nothing when
/// another partnership of the same two realms has taken its place meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct PartnerRows<'u>(pub(in crate::store) &'u Unit<'u>);

impl PartnerRows<'_> {
    async fn put_partner(&self, partner: Partner) -> Result<(), StoreError> {
        row::Entity::insert(columns(partner)?.into_active_model())
            .on_conflict(
                OnConflict::column(row::Column::Realm)
                    .update_columns(row::Column::iter())
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }

    /// The partner, as long as it is of this pact. Units run one after another, so what is read
    /// here is still so when it is written back.
    async fn of_pact(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
    ) -> Result<Option<Partner>, StoreError> {
        let partner = self.get(realm).await?;
        Ok(partner.filter(|partner| partner.pact == *pact))
    }
}

impl PartnerRows<'_> {
    /// Begins a partnership. One with the same realm that is not active is replaced.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when one is active; [`StoreError::TooMany`].
    pub async fn begin(&self, partner: &Partner) -> Result<(), StoreError> {
        let known = self.get(&partner.realm).await?;
        if known.as_ref().is_some_and(Partner::is_active) {
            return Err(StoreError::Exists {
                what: "partner",
                detail: partner.realm.to_string(),
            });
        }
        let others = row::Entity::find()
            .filter(row::Column::State.ne(PartnerState::Ended.as_str()))
            .filter(row::Column::Realm.ne(partner.realm.as_str()));
        if others.count(&self.0.db()).await? >= MAX_PARTNERS {
            return Err(StoreError::TooMany {
                what: "partners",
                max: MAX_PARTNERS,
            });
        }
        bundle_row::Entity::delete_by_id(partner.realm.as_str())
            .exec(&self.0.db())
            .await?;
        // Our own invitation may be accepted over there at this very moment.
        let invited = match known.map(|known| (known.state, known)) {
            Some((PartnerState::Invited, known)) => Some((known.pact, known.expires)),
            Some((PartnerState::Joining, known)) => known.invited,
            _ => None,
        };
        self.put_partner(Partner {
            invited: invited.filter(|_| partner.state == PartnerState::Joining),
            ..partner.clone()
        })
        .await
    }

    /// One of them.
    pub async fn get(&self, realm: &RealmName) -> Result<Option<Partner>, StoreError> {
        row::Entity::find_by_id(realm.as_str())
            .one(&self.0.db())
            .await?
            .map(Partner::try_from)
            .transpose()
    }

    /// All of them, by realm.
    pub async fn all(&self) -> Result<Vec<Partner>, StoreError> {
        row::Entity::find()
            .order_by_asc(row::Column::Realm)
            .limit(MAX_LISTED)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Partner::try_from)
            .collect()
    }

    /// The JSON of the bundle in use.
    pub async fn bundle(&self, realm: &RealmName) -> Result<Option<Vec<u8>>, StoreError> {
        let row = bundle_row::Entity::find_by_id(realm.as_str())
            .one(&self.0.db())
            .await?;
        Ok(row.map(|row| row.bytes))
    }

    /// Takes the turn to look at a partner until `until`; false while it is somebody else's, or
    /// while nothing is due.
    pub async fn take_turn(
        &self,
        realm: &RealmName,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        match self.get(realm).await? {
            Some(partner) if now >= partner.next_attempt => {
                self.put_partner(Partner {
                    next_attempt: until,
                    ..partner
                })
                .await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Keeps what looking brought; false when the pact is over.
    ///
    /// # Errors
    /// [`StoreError::OlderBundle`] when a bundle with a higher sequence number is in use.
    pub async fn learn(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        learned: &Learned,
    ) -> Result<bool, StoreError> {
        let known = self.of_pact(realm, pact).await?;
        let Some(known) = known.filter(|known| known.state != PartnerState::Ended) else {
            return Ok(false);
        };
        let (bundle, bytes) = &learned.bundle;
        let in_use = known.bundle.as_ref().and_then(|bundle| bundle.sequence);
        if bundle.sequence < in_use {
            return Err(StoreError::OlderBundle {
                found: bundle.sequence,
                in_use,
            });
        }
        let row = bundle_row::Model {
            realm: realm.to_string(),
            bytes: bytes.clone(),
        };
        bundle_row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(bundle_row::Column::Realm)
                    .update_column(bundle_row::Column::Bytes)
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        self.put_partner(Partner {
            bundle: Some(bundle.clone()),
            hall: learned.hall.clone(),
            witness: known.witness.clone().or_else(|| learned.witness.clone()),
            ..known
        })
        .await?;
        Ok(true)
    }

    /// Notes how looking went, and when to look again; false when the pact has been replaced.
    pub async fn note_attempt(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        now: Timestamp,
        problem: Option<&str>,
        next: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(known) = self.of_pact(realm, pact).await? else {
            return Ok(false);
        };
        self.put_partner(Partner {
            checked: Some(now),
            problem: problem.map(text),
            next_attempt: next,
            ..known
        })
        .await?;
        Ok(true)
    }

    /// Both sides know: the partnership is active, the token is forgotten, and somebody looks at
    /// `next`. False when the pact is over or was never begun.
    pub async fn join(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(known) = self.of_pact(realm, pact).await? else {
            return Ok(false);
        };
        match known.state {
            PartnerState::Ended => Ok(false),
            // Asked again because the answer was lost.
            PartnerState::Active => Ok(true),
            PartnerState::Invited | PartnerState::Joining => {
                self.put_partner(Partner {
                    state: PartnerState::Active,
                    joined: Some(now),
                    sealed_token: None,
                    invited: None,
                    problem: None,
                    next_attempt: next,
                    ..known
                })
                .await?;
                Ok(true)
            }
        }
    }

    /// Both sides accepted the other's invitation: ours, with this token, is the pact, and the
    /// partnership is active. False when it was not ours, or is over.
    pub async fn join_crossed(
        &self,
        realm: &RealmName,
        token: &TokenHash,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = self.get(realm).await?;
        let invited = known.as_ref().and_then(|known| known.invited);
        match known.filter(|known| known.state == PartnerState::Joining) {
            Some(known) if invited.is_some_and(|(invited, _)| invited == *token) => {
                self.put_partner(Partner {
                    pact: *token,
                    ..known
                })
                .await?;
                self.join(realm, token, now, next).await
            }
            _ => Ok(false),
        }
    }

    /// Ends a partnership; false when the pact is over already.
    pub async fn end(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        by: EndedBy,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = self.of_pact(realm, pact).await?;
        let Some(known) = known.filter(|known| known.state != PartnerState::Ended) else {
            return Ok(false);
        };
        // Nobody is there who could be told of an invitation that nobody took. Whoever accepted
        // one may stand as joined over there already.
        let knows = by == EndedBy::Them || known.state == PartnerState::Invited;
        self.put_partner(Partner {
            state: PartnerState::Ended,
            ended: Some((now, by)),
            told: knows.then_some(now),
            sealed_token: None,
            problem: None,
            next_attempt: now,
            ..known
        })
        .await?;
        Ok(true)
    }

    /// Notes that the other side knows of the end.
    pub async fn told(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self.of_pact(realm, pact).await? {
            Some(known) if known.ended.is_some() => {
                let told = known.told.or(Some(now));
                let problem = None;
                self.put_partner(Partner {
                    told,
                    problem,
                    ..known
                })
                .await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
