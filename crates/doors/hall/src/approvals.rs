//! Openings that wait until a second person approves them.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use hallway_api::hall::Waits;
use hallway_evidence::PersonId;
use hallway_evidence::statement::hall::{Approve, approver};
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Limit, Person, Role, Unit};
use schemars::JsonSchema;
use serde::Serialize;

use super::grants::{GrantRequest, GrantRow, name_among, name_of};
use crate::HallDoor;
use crate::store::{Approval, Given, Grant, GrantState, HallTables};

/// How many of the possible approvers are named.
const MOST_NAMED: u32 = 8;

/// An opening that waits, as a possible approver sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitingRow {
    /// The grant that the approval opens.
    #[serde(flatten)]
    pub grant: GrantRow,
    /// The name of the person who opened it.
    pub name: String,
    /// Until when it can be approved, milliseconds since 1970.
    pub approve_until_ms: u64,
}

/// The approval that `grant` waits for, if it waits.
///
/// # Errors
/// The database.
pub async fn waits_of(
    gateway: &Gateway,
    reader: &Unit<'_>,
    grant: &Grant,
) -> Result<Option<Waits>, Problem> {
    let Some(approval) = grant.approval.as_ref() else {
        return Ok(None);
    };
    if grant.state(gateway.now()) != GrantState::Waiting {
        return Ok(None);
    }
    let approvers = approvers(reader, approval.role, Some(grant.person)).await?;
    Ok(Some(Waits {
        role: approval.role,
        approvers: approvers.into_iter().map(|person| person.name).collect(),
        until_ms: grant.waits_until().as_ms(),
    }))
}

/// Some people who can approve an opening of `opener`, who may be a visitor.
async fn approvers(
    reader: &Unit<'_>,
    role: Role,
    opener: Option<PersonId>,
) -> Result<Vec<Person>, Problem> {
    let roles: Vec<Role> = Role::ALL
        .iter()
        .copied()
        .filter(|held| *held >= role)
        .collect();
    // One more, because the opener may be among them.
    let limit = Limit::nearest(u64::from(MOST_NAMED) + 1);
    let mut people = reader.people().active(&roles, limit).await?;
    people.retain(|person| Some(person.id) != opener);
    people.truncate(MOST_NAMED as usize);
    Ok(people)
}

/// Refuses an opening that only the opener could approve.
///
/// # Errors
/// 409 `nobody-can-approve`.
pub async fn possible(
    reader: &Unit<'_>,
    role: Role,
    opener: Option<PersonId>,
) -> Result<(), Problem> {
    if approvers(reader, role, opener).await?.is_empty() {
        return Err(Problem::new(
            Code::NobodyCanApprove,
            format!(
                "{} has to approve this opening, and there is nobody but you; ask an owner of this \
                 realm",
                approver(role)
            ),
        ));
    }
    Ok(())
}

/// Whether `person` can approve `grant` now.
///
/// # Errors
/// 403 `own-opening` or `role`; 409 `not-waiting`.
pub fn may(gateway: &Gateway, person: &Person, grant: &Grant) -> Result<Approval, Problem> {
    let waiting = grant
        .approval
        .filter(|_| grant.state(gateway.now()) == GrantState::Waiting);
    let Some(approval) = waiting else {
        return Err(Problem::new(
            Code::NotWaiting,
            "this opening does not wait, or no longer waits, for an approval",
        ));
    };
    if grant.person == person.id {
        return Err(Problem::new(
            Code::OwnOpening,
            "another person has to approve what you open",
        ));
    }
    if person.role < approval.role {
        return Err(Problem::role_needed(approval.role));
    }
    Ok(approval)
}

/// The openings that wait for `caller`, the newest first, as many as one query returns.
///
/// # Errors
/// The database.
pub async fn for_caller(gateway: &Gateway, caller: &Caller) -> Result<Vec<Grant>, Problem> {
    let limit = Limit::nearest(u64::from(Limit::MAX));
    let grants = gateway.store.read().grants();
    let mut waiting = grants.waiting(gateway.now(), limit).await?;
    waiting.retain(|grant| may(gateway, &caller.person, grant).is_ok());
    Ok(waiting)
}

/// Lists the openings that the caller can approve.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Json<Vec<WaitingRow>>, Problem> {
    let reader = gateway.store.read();
    let waiting = for_caller(&gateway, &caller).await?;
    let people = waiting.iter().map(|grant| grant.person);
    let names = reader.people().names(people).await?;
    let rows = waiting.iter().map(|grant| WaitingRow {
        name: name_among(&names, grant),
        approve_until_ms: grant.waits_until().as_ms(),
        grant: GrantRow::new(grant, gateway.now()),
    });
    Ok(Json(rows.collect()))
}

#[async_trait]
impl Perform<HallDoor> for Approve {
    type Request = GrantRequest;

    async fn prepare(
        asking: &Asking<'_>,
        GrantRequest { grant: id }: GrantRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let reader = asking.gateway.store.read();
        let grant = reader.grants().get(id).await?;
        let grant = grant.ok_or_else(|| Problem::not_found("grant"))?;
        may(asking.gateway, &asking.caller.person, &grant)?;
        let terms = Self {
            grant: id,
            opened: grant.evidence.0,
            name: line("name", &name_of(reader, &grant).await?)?,
            hall: grant.hall,
            rights: grant.rights,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let grants = actor.unit.grants();
        let grant = grants.get(self.grant).await?;
        let grant = grant.ok_or_else(|| Problem::not_found("grant"))?;
        may(actor.gateway, actor.person, &grant)?;
        let same = grant.evidence.0 == self.opened
            && grant.hall == self.hall
            && grant.rights == self.rights;
        if !same {
            return Err(Problem::new(
                Code::OtherOpening,
                "the approval is for another opening than the grant's",
            ));
        }
        let given = Given {
            at: actor.now,
            by: actor.person.id,
            evidence: actor.evidence,
        };
        if !grants.approve(grant.id, &given).await? {
            return Err(Problem::new(
                Code::NotWaiting,
                "another person approved this opening first; it no longer waits",
            ));
        }
        Ok(actor.done())
    }
}
