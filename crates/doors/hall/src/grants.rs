//! Grants: listing them, and ending one's own.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_evidence::{GrantId, PersonId, RealmName, Timestamp};
use hallway_spine::Gateway;
use hallway_spine::http::input::Asked;
use hallway_spine::http::page::{PageQuery, PageView};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Role, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::HallsOf;
use crate::store::{
    End, EndCause, Grant, GrantFilter, GrantHolder, GrantKind, GrantState, HallTables,
};

/// The grant that an act is about.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// The grant.
    #[schemars(with = "String")]
    pub grant: GrantId,
}

/// A grant in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GrantRow {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: GrantId,
    /// The hall.
    #[schemars(with = "String")]
    pub hall: HallName,
    /// The realm of the hall, if it is a partner's.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<RealmName>,
    /// The holder's id.
    #[schemars(with = "String")]
    pub person: PersonId,
    /// The holder's home realm, if it is a partner.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<RealmName>,
    /// The holder's name in the home realm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The rights that were granted.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// `key` or `browser`.
    pub holder: &'static str,
    /// `open`, `waiting` for an approval, `unapproved`, `ended` or `run-out`.
    pub state: &'static str,
    /// The person who approved it, if an approval was needed and given.
    #[schemars(with = "Option<String>")]
    pub approved_by: Option<PersonId>,
    /// The evidence of the approval, hexadecimal.
    pub approval: Option<String>,
    /// When it was opened, milliseconds since 1970.
    pub opened_ms: u64,
    /// When it ends at the latest.
    pub ends_ms: u64,
    /// When it was ended.
    pub ended_ms: Option<u64>,
    /// Why it was ended: the code with which it is refused since.
    #[schemars(with = "Option<String>")]
    pub ended_why: Option<EndCause>,
    /// The evidence that opened it, hexadecimal.
    pub evidence: String,
}

/// The grants to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct GrantQuery {
    /// Only grants of this hall.
    #[schemars(with = "Option<String>")]
    pub hall: Option<HallName>,
    /// The `next` of the page before; nothing for the first page.
    pub after: Option<String>,
    /// How many rows, 200 at most.
    pub limit: Option<u64>,
}

impl GrantRow {
    /// A grant as it stands at `now`.
    pub fn new(grant: &Grant, now: Timestamp) -> Self {
        let given = grant.approval.and_then(|approval| approval.given);
        let visitor = match &grant.kind {
            GrantKind::Own | GrantKind::Away { .. } => None,
            GrantKind::Visitor(visitor) => Some(visitor),
        };
        Self {
            state: match grant.state(now) {
                GrantState::Open => "open",
                GrantState::Waiting => "waiting",
                GrantState::Unapproved => "unapproved",
                GrantState::Ended => "ended",
                GrantState::RunOut => "run-out",
            },
            approved_by: given.map(|given| given.by),
            approval: given.map(|given| given.evidence.to_string()),
            id: grant.id,
            hall: grant.hall.clone(),
            host: grant.kind.host().cloned(),
            person: grant.person,
            home: visitor.map(|visitor| visitor.home.clone()),
            name: visitor.map(|visitor| visitor.name.clone()),
            rights: grant.rights.clone(),
            holder: match grant.holder {
                GrantHolder::Key(_) => "key",
                GrantHolder::Session(_) => "browser",
            },
            opened_ms: grant.opened.as_ms(),
            ends_ms: grant.ends.as_ms(),
            ended_ms: grant.ended.map(|end| end.at.as_ms()),
            ended_why: grant.ended.map(|end| end.cause),
            evidence: grant.evidence.to_string(),
        }
    }
}

/// The grants that `caller` may see: members their own, operators and owners all.
pub fn visible_to(caller: &Caller, hall: Option<HallName>) -> GrantFilter {
    match (caller.person.role >= Role::Operator, hall) {
        (true, None) => GrantFilter::All,
        (true, Some(hall)) => GrantFilter::Hall(hall),
        (false, None) => GrantFilter::Person(caller.person.id),
        (false, Some(hall)) => GrantFilter::PersonInHall(caller.person.id, hall),
    }
}

/// The name of a grant's holder; a visitor's with the home realm.
///
/// # Errors
/// The database.
pub async fn name_of(reader: &Unit<'_>, grant: &Grant) -> Result<String, Problem> {
    Ok(name_among(
        &reader.people().names([grant.person]).await?,
        grant,
    ))
}

/// As [`name_of`], where the names of this realm's people were read.
pub fn name_among(names: &HashMap<PersonId, String>, grant: &Grant) -> String {
    match &grant.kind {
        GrantKind::Visitor(visitor) => format!("{} of {}", visitor.name, visitor.home),
        GrantKind::Own | GrantKind::Away { .. } => {
            names.get(&grant.person).cloned().unwrap_or_default()
        }
    }
}

/// Lists grants, newest first.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<GrantQuery>,
) -> Result<Json<PageView<GrantRow>>, Problem> {
    let filter = visible_to(&caller, query.hall);
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let reader = gateway.store.read();
    let page = reader.grants().page(&filter, &page.request()?).await?;
    let now = gateway.now();
    let people = page.items.iter().map(|grant| grant.person);
    let names = reader.people().names(people).await?;
    let rows = page.items.iter().map(|grant| {
        let row = GrantRow::new(grant, now);
        let name = row.name.or_else(|| names.get(&grant.person).cloned());
        GrantRow { name, ..row }
    });
    Ok(Json(PageView::new(rows.collect(), page.next)))
}

/// Ends a grant of the caller's own. It needs no touch, because it gives nobody a right.
pub async fn end(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<GrantRow>, Problem> {
    let id: GrantId = id.parse().map_err(|_| Problem::not_found("grant"))?;
    let (gateway, caller) = (&gateway, &caller);
    let ended = gateway
        .transact(|unit| {
            Box::pin(async move {
                let grants = unit.grants();
                let found = grants.get(id).await?;
                let own = found.filter(|grant| {
                    let ours = !matches!(grant.kind, GrantKind::Visitor(_));
                    ours && grant.person == caller.person.id
                });
                if own.is_none() {
                    return Err(Problem::not_found("grant"));
                }
                let end = End::by(caller.person.id, gateway.now());
                grants.end(id, &end).await?;
                grants
                    .get(id)
                    .await?
                    .ok_or_else(|| Problem::not_found("grant"))
            })
        })
        .await?;
    gateway.halls().inside.look_again(gateway).await;
    Ok(Json(GrantRow::new(&ended, gateway.now())))
}
