//! `/people`.

use axum::extract::State;
use axum::response::Response;
use hallway_evidence::PersonId;
use hallway_spine::Gateway;
use hallway_spine::console::pages::query::ListQuery;
use hallway_spine::console::pages::{frame, html, moment, standing};
use hallway_spine::console::view::{Count, Mark, Tone};
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{LinksOf, PersonState, Role};

use super::super::view::{PeoplePage, PersonRow};
use super::links;

/// The people of the realm.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let page = reader.people().page(&query.request()?).await?;
    let mut people = Vec::with_capacity(page.items.len());
    let ids: Vec<PersonId> = page.items.iter().map(|person| person.id).collect();
    let keys = reader.credentials().count_of_people(&ids).await?;
    for person in page.items {
        people.push(PersonRow {
            id: person.id.to_string(),
            standing: standing(person.role),
            state: match person.state {
                PersonState::Active => Mark::new(Tone::Good, "Active"),
                PersonState::Suspended => Mark::new(Tone::Warning, "Suspended"),
            },
            suspended: person.state == PersonState::Suspended,
            keys: Count(keys.get(&person.id).copied().unwrap_or(0)),
            since: moment(&gateway, person.created),
            is_self: person.id == caller.person.id,
            name: person.name,
        });
    }
    html(&PeoplePage {
        frame: frame(&gateway, &caller, super::PEOPLE),
        people,
        links: match caller.person.role {
            Role::Owner => links::open(&gateway, LinksOf::Everybody).await?,
            Role::Operator | Role::Member => Vec::new(),
        },
        paging: query.paging(super::PEOPLE.path, page.next),
    })
}
