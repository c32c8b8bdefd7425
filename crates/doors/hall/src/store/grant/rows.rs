//! Grants as rows.

use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_evidence::{GrantId, PersonId, RealmName, Timestamp, words};
use hallway_spine::store::column::{Cell, ms, time};
use hallway_spine::store::{EvidenceHash, Limit, Page, PageRequest, StoreError, TokenHash, Unit};
use sea_orm::sea_query::{Condition, Expr, SimpleExpr};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    UpdateMany,
};

use super::super::entity::hall_grant as row;
use super::super::hall::{rights, rights_text};
use super::{
    APPROVAL_TIMEOUT, Approval, End, EndCause, Given, Grant, GrantFilter, GrantHolder, GrantKind,
    GrantsOf, Visitor,
};

words! {
    /// The column `kind`: which of the columns that may be empty a row has.
    Kind {
        /// [`GrantKind::Own`]: a person.
        Own = "own",
        /// [`GrantKind::Away`]: a person, the host, the role.
        Away = "away",
        /// [`GrantKind::Visitor`]: a visitor, their home, name, role and vouched time.
        Visitor = "visitor",
    }
}

/// The grant is for this hall of ours, or of the partner `host`.
fn in_hall(host: Option<&RealmName>, hall: &HallName) -> Condition {
    let place = match host {
        Some(host) => row::Column::Host.eq(host.as_str()),
        None => row::Column::Host.is_null(),
    };
    Condition::all()
        .add(row::Column::Hall.eq(hall.as_str()))
        .add(place)
}

impl row::Model {
    /// Between which realms it is, and whose.
    fn kind(&self) -> Result<(GrantKind, PersonId), StoreError> {
        let cell = |column| Cell("hall_grant", column);
        let role = || cell("visitor_role").word(self.visitor_role.as_deref().unwrap_or_default());
        let kind = cell("kind").word(&self.kind)?;
        match (
            kind,
            self.person_id,
            self.visitor_id,
            &self.host,
            &self.home,
        ) {
            (Kind::Own, Some(person), None, None, None) => Ok((GrantKind::Own, person.into())),
            (Kind::Away, Some(person), None, Some(host), None) => {
                let kind = GrantKind::Away {
                    host: cell("host").word(host)?,
                    role: role()?,
                    told: self.told_ms.map(time),
                };
                Ok((kind, person.into()))
            }
            (Kind::Visitor, None, Some(visitor), None, Some(home)) => {
                let name = self.visitor_name.clone();
                let kind = GrantKind::Visitor(Visitor {
                    home: cell("home").word(home)?,
                    name: name.ok_or_else(|| cell("visitor_name").corrupt())?,
                    role: role()?,
                    vouched: time(self.vouched_ms.unwrap_or_default()),
                });
                Ok((kind, visitor.into()))
            }
            _ => Err(cell("kind").corrupt()),
        }
    }
}

/// The approval in the four columns of a row.
fn approval(row: &row::Model) -> Result<Option<Approval>, StoreError> {
    let cell = |column| Cell("hall_grant", column);
    let Some(role) = &row.approval else {
        return Ok(None);
    };
    let evidence = cell("approval_evidence").hash_option(row.approval_evidence.as_deref())?;
    let given = match (row.approved_ms, row.approved_by, evidence) {
        (Some(at), Some(by), Some(evidence)) => Some(Given {
            at: time(at),
            by: by.into(),
            evidence,
        }),
        (None, None, None) => None,
        _ => return Err(cell("approved_ms").corrupt()),
    };
    Ok(Some(Approval {
        role: cell("approval").word(role)?,
        given,
    }))
}

impl TryFrom<row::Model> for Grant {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("hall_grant", column);
        let key = cell("key_sha256").hash_option(row.key_sha256.as_deref())?;
        let session = cell("session_hash").hash_option(row.session_hash.as_deref())?;
        let holder = match (key, session) {
            (Some(key), None) => GrantHolder::Key(key),
            (None, Some(session)) => GrantHolder::Session(session),
            _ => return Err(cell("key_sha256").corrupt()),
        };
        let (kind, person) = row.kind()?;
        Ok(Self {
            approval: approval(&row)?,
            ended: ended(&row)?,
            id: row.id.into(),
            kind,
            hall: cell("hall").word(&row.hall)?,
            person,
            credential: cell("credential_id").credential(row.credential_id)?,
            rights: rights(cell("rights"), &row.rights)?,
            holder,
            opened: time(row.opened_ms),
            ends: time(row.ends_ms),
            evidence: cell("evidence").hash(&row.evidence)?,
            address: row.address,
        })
    }
}

/// The end in the three columns of a row.
fn ended(row: &row::Model) -> Result<Option<End>, StoreError> {
    let Some(at) = row.ended_ms else {
        return Ok(None);
    };
    let cause = row.end_cause.as_deref();
    let cause = cause.map(|cause| Cell("hall_grant", "end_cause").word(cause));
    Ok(Some(End {
        at: time(at),
        by: row.ended_by.map(PersonId::from),
        cause: cause.transpose()?.unwrap_or(EndCause::Ended),
    }))
}

/// The rows that a filter means.
fn filtered(filter: &GrantFilter) -> Select<row::Entity> {
    let all = row::Entity::find();
    match filter {
        GrantFilter::All => all,
        GrantFilter::Person(person) => all.filter(row::Column::PersonId.eq(person.as_uuid())),
        GrantFilter::Hall(hall) => all.filter(in_hall(None, hall)),
        GrantFilter::PersonInHall(person, hall) => all
            .filter(row::Column::PersonId.eq(person.as_uuid()))
            .filter(in_hall(None, hall)),
    }
}

/// Those that have neither run out nor been ended, nor waited for an approval in vain.
fn open(rows: Select<row::Entity>, now: Timestamp) -> Select<row::Entity> {
    let patient = Condition::any()
        .add(row::Column::Approval.is_null())
        .add(row::Column::ApprovedMs.is_not_null())
        .add(asked_lately(now));
    rows.filter(row::Column::EndedMs.is_null())
        .filter(row::Column::EndsMs.gt(ms(now)))
        .filter(patient)
        .order_by_desc(row::Column::Id)
}

/// The grants, past and present.
#[derive(Clone, Copy, Debug)]
pub struct GrantRows<'u>(pub(in crate::store) &'u Unit<'u>);

impl GrantRows<'_> {
    async fn grants(&self, rows: Select<row::Entity>) -> Result<Vec<Grant>, StoreError> {
        let rows = rows.all(&self.0.db()).await?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// A page of `rows`.
    async fn newest_first(
        &self,
        rows: Select<row::Entity>,
        request: &PageRequest<GrantId>,
    ) -> Result<Page<Grant, GrantId>, StoreError> {
        let mut query = rows
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        let grants = self.grants(query).await?;
        Ok(Page::of(grants, request.limit, |grant: &Grant| grant.id))
    }
}

/// The rows that hang on something.
fn hanging(which: &GrantsOf) -> Condition {
    let only = |one: SimpleExpr| Condition::all().add(one);
    match which {
        GrantsOf::Person(person) => only(row::Column::PersonId.eq(person.as_uuid())),
        // A visitor's key is one of another realm.
        GrantsOf::Credential(id) => only(row::Column::CredentialId.eq(id.as_bytes().to_vec()))
            .add(row::Column::Kind.ne(Kind::Visitor.as_str())),
        GrantsOf::Session(token) => only(row::Column::SessionHash.eq(token.0.to_vec())),
        GrantsOf::Hall(hall) => in_hall(None, hall),
        GrantsOf::Approver(person) => only(row::Column::ApprovedBy.eq(person.as_uuid())),
        GrantsOf::Partner(realm) => Condition::any()
            .add(row::Column::Home.eq(realm.as_str()))
            .add(row::Column::Host.eq(realm.as_str())),
    }
}

/// Ends those that have neither run out nor been ended.
fn ending(end: &End) -> UpdateMany<row::Entity> {
    row::Entity::update_many()
        .col_expr(row::Column::EndedMs, Expr::value(ms(end.at)))
        .col_expr(
            row::Column::EndedBy,
            Expr::value(end.by.map(|id| id.as_uuid())),
        )
        .col_expr(row::Column::EndCause, Expr::value(end.cause.as_str()))
        .filter(row::Column::EndedMs.is_null())
        .filter(row::Column::EndsMs.gt(ms(end.at)))
}

fn asked_lately(now: Timestamp) -> SimpleExpr {
    let hour = i64::try_from(APPROVAL_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
    row::Column::OpenedMs.gt(ms(now).saturating_sub(hour))
}

fn waits() -> Condition {
    Condition::all()
        .add(row::Column::Approval.is_not_null())
        .add(row::Column::ApprovedMs.is_null())
}

impl GrantRows<'_> {
    /// Adds one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when a grant was given for this key before.
    pub async fn add(&self, grant: &Grant) -> Result<(), StoreError> {
        let (key, session) = match grant.holder {
            GrantHolder::Key(sha256) => (Some(sha256.to_vec()), None),
            GrantHolder::Session(token) => (None, Some(token.0.to_vec())),
        };
        let (kind, visitor, role, told) = match &grant.kind {
            GrantKind::Own => (Kind::Own, None, None, None),
            GrantKind::Away { role, told, .. } => (Kind::Away, None, Some(*role), *told),
            GrantKind::Visitor(visitor) => (Kind::Visitor, Some(visitor), Some(visitor.role), None),
        };
        let person = grant.person.as_uuid();
        let row = row::Model {
            id: grant.id.as_uuid(),
            hall: grant.hall.to_string(),
            kind: kind.to_string(),
            host: grant.kind.host().map(RealmName::to_string),
            person_id: visitor.is_none().then_some(person),
            credential_id: grant.credential.as_bytes().to_vec(),
            rights: rights_text(&grant.rights),
            key_sha256: key,
            session_hash: session,
            opened_ms: ms(grant.opened),
            ends_ms: ms(grant.ends),
            ended_ms: grant.ended.map(|end| ms(end.at)),
            ended_by: grant.ended.and_then(|end| end.by).map(|id| id.as_uuid()),
            end_cause: grant.ended.map(|end| end.cause.to_string()),
            evidence: grant.evidence.0.to_vec(),
            address: grant.address.clone(),
            home: visitor.map(|visitor| visitor.home.to_string()),
            visitor_id: visitor.map(|_| person),
            visitor_name: visitor.map(|visitor| visitor.name.clone()),
            visitor_role: role.map(|role| role.to_string()),
            vouched_ms: visitor.map(|visitor| ms(visitor.vouched)),
            told_ms: told.map(ms),
            approval: grant.approval.map(|approval| approval.role.to_string()),
            approved_ms: None,
            approved_by: None,
            approval_evidence: None,
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("grant"))?;
        Ok(())
    }

    /// One of them.
    pub async fn get(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        row::Entity::find_by_id(id.as_uuid())
            .one(&self.0.db())
            .await?
            .map(Grant::try_from)
            .transpose()
    }

    /// The grant that was given for a key, whether it ended or not.
    pub async fn by_key(&self, key_sha256: &[u8; 32]) -> Result<Option<Grant>, StoreError> {
        row::Entity::find()
            .filter(row::Column::KeySha256.eq(key_sha256.to_vec()))
            .one(&self.0.db())
            .await?
            .map(Grant::try_from)
            .transpose()
    }

    /// The grants of a browser session in a hall of ours, or of the partner `host`, that have not
    /// ended at `now`, newest first.
    pub async fn of_session(
        &self,
        session: &TokenHash,
        host: Option<&RealmName>,
        hall: &HallName,
        now: Timestamp,
    ) -> Result<Vec<Grant>, StoreError> {
        let rows = row::Entity::find()
            .filter(in_hall(host, hall))
            .filter(row::Column::SessionHash.eq(session.0.to_vec()));
        self.grants(open(rows, now)).await
    }

    /// The grants that have not ended at `now`, newest first.
    pub async fn active(
        &self,
        filter: &GrantFilter,
        now: Timestamp,
        limit: Limit,
    ) -> Result<Vec<Grant>, StoreError> {
        let rows = open(filtered(filter), now);
        self.grants(rows.limit(u64::from(limit.get()))).await
    }

    /// All grants, newest first.
    pub async fn page(
        &self,
        filter: &GrantFilter,
        request: &PageRequest<GrantId>,
    ) -> Result<Page<Grant, GrantId>, StoreError> {
        self.newest_first(filtered(filter), request).await
    }

    /// The grants that wait for an approval at `now`, newest first.
    pub async fn waiting(&self, now: Timestamp, limit: Limit) -> Result<Vec<Grant>, StoreError> {
        let rows = open(row::Entity::find().filter(waits()), now);
        self.grants(rows.limit(u64::from(limit.get()))).await
    }

    /// Approves a grant; tells whether it still waited then.
    pub async fn approve(&self, id: GrantId, given: &Given) -> Result<bool, StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::ApprovedMs, Expr::value(ms(given.at)))
            .col_expr(row::Column::ApprovedBy, Expr::value(given.by.as_uuid()))
            .col_expr(
                row::Column::ApprovalEvidence,
                Expr::value(given.evidence.0.to_vec()),
            )
            .filter(row::Column::Id.eq(id.as_uuid()))
            .filter(waits())
            .filter(asked_lately(given.at))
            .filter(row::Column::EndedMs.is_null())
            .filter(row::Column::EndsMs.gt(ms(given.at)))
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected > 0)
    }

    /// The grants that hang on something and have neither been ended nor run out at `now`, newest
    /// first.
    pub async fn hanging_on(
        &self,
        which: &GrantsOf,
        now: Timestamp,
    ) -> Result<Vec<Grant>, StoreError> {
        let rows = row::Entity::find()
            .filter(hanging(which))
            .filter(row::Column::EndedMs.is_null())
            .filter(row::Column::EndsMs.gt(ms(now)))
            .order_by_desc(row::Column::Id);
        self.grants(rows).await
    }

    /// Ends the grants that hang on something; tells how many.
    pub async fn end_of(&self, which: &GrantsOf, end: &End) -> Result<u64, StoreError> {
        let updated = ending(end)
            .filter(hanging(which))
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected)
    }

    /// Leaves a grant only these of its rights, for good.
    pub async fn narrow(&self, id: GrantId, rights: &Rights) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::Rights, Expr::value(rights_text(rights)))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// Ends a grant; tells whether it was still open.
    pub async fn end(&self, id: GrantId, end: &End) -> Result<bool, StoreError> {
        let updated = ending(end)
            .filter(row::Column::Id.eq(id.as_uuid()))
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected > 0)
    }

    /// Notes that a visitor was seen with a certificate of home that is valid until then.
    pub async fn vouch(&self, id: GrantId, until: Timestamp) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::VouchedMs, Expr::value(ms(until)))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .filter(row::Column::VouchedMs.lt(ms(until)))
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// Ends the grants that visitors of a realm got for this evidence; tells how many.
    pub async fn end_visits(
        &self,
        home: &RealmName,
        evidence: &[EvidenceHash],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let hashes = evidence.iter().map(|hash| hash.0.to_vec());
        let updated = row::Entity::update_many()
            .col_expr(row::Column::EndedMs, Expr::value(ms(now)))
            // Whoever it was at home is home's business: here it is the visitor who left.
            .col_expr(row::Column::EndedBy, Expr::col(row::Column::VisitorId))
            .col_expr(
                row::Column::EndCause,
                Expr::value(EndCause::EndedAtHome.as_str()),
            )
            .filter(row::Column::Home.eq(home.as_str()))
            .filter(row::Column::Evidence.is_in(hashes))
            .filter(row::Column::EndedMs.is_null())
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected)
    }

    /// The grants of our people in partners' halls that have not run out at `now` and of whose end
    /// nobody was told yet, newest first.
    pub async fn away(
        &self,
        now: Timestamp,
        request: &PageRequest<GrantId>,
    ) -> Result<Page<Grant, GrantId>, StoreError> {
        let untold = row::Entity::find()
            .filter(row::Column::Kind.eq(Kind::Away.as_str()))
            .filter(row::Column::ToldMs.is_null())
            .filter(row::Column::EndsMs.gt(ms(now)));
        self.newest_first(untold, request).await
    }

    /// Notes that the host knows of the end.
    pub async fn note_told(&self, id: GrantId, now: Timestamp) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::ToldMs, Expr::value(ms(now)))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .exec(&self.0.db())
            .await?;
        Ok(())
    }
}
