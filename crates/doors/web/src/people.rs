//! The people of the realm: owners invite and suspend them, change their roles, and help them to
//! recover.

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::people as stated;
use hallway_evidence::{Line, PersonId};
use hallway_spine::Gateway;
use hallway_spine::act::{Asking, Registered, act};
use hallway_spine::http::input::{Asked, line};
use hallway_spine::http::page::{PageQuery, PageView};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Person, PersonState, Role, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Web;

mod change_role;
mod invite;
mod recover;
mod reinstate;
mod sign_out;
mod suspend;

/// The acts on people.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<Web, stated::Invite>(),
        act::<Web, stated::Recover>(),
        act::<Web, stated::ChangeRole>(),
        act::<Web, stated::Suspend>(),
        act::<Web, stated::Reinstate>(),
        act::<Web, stated::SignOut>(),
    ]
}

/// A person in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PersonRow {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// owner, operator or member.
    #[schemars(with = "String")]
    pub role: Role,
    /// active or suspended.
    #[schemars(with = "String")]
    pub state: PersonState,
    /// How many keys the person has. A person with one key is locked out if that key is lost.
    pub keys: u64,
    /// When the person joined, milliseconds since 1970.
    pub created_ms: u64,
}

/// Lists the people of the realm.
pub async fn list(
    State(gateway): State<Gateway>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<PageView<PersonRow>>, Problem> {
    let reader = gateway.store.read();
    let page = reader.people().page(&query.request()?).await?;
    let ids: Vec<PersonId> = page.items.iter().map(|person| person.id).collect();
    let keys = reader.credentials().count_of_people(&ids).await?;
    let row = |person: Person| PersonRow {
        id: person.id,
        name: person.name,
        role: person.role,
        state: person.state,
        keys: keys.get(&person.id).copied().unwrap_or(0),
        created_ms: person.created.as_ms(),
    };
    let rows = page.items.into_iter().map(row).collect();
    Ok(Json(PageView::new(rows, page.next)))
}

/// The person that an act is about.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRequest {
    /// The person.
    #[schemars(with = "String")]
    pub person: PersonId,
}

/// The name of a person, or 404.
async fn name_of(asking: &Asking<'_>, id: PersonId) -> Result<Line, Problem> {
    let person = asking.gateway.store.read().people().get(id).await?;
    let person = person.ok_or_else(|| Problem::not_found("person"))?;
    line("name", &person.name)
}

fn last_owner(error: StoreError) -> Problem {
    match error {
        StoreError::LastOwner => Problem::new(Code::LastOwner, error.to_string()),
        StoreError::Missing(what) => Problem::not_found(what),
        error => error.into(),
    }
}
