//! The people inside a hall and the bytes that flow, once a second as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use hallway_evidence::{GrantId, PersonId, RealmName};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::{self, Caller, Token};
use hallway_spine::store::Role;
use schemars::JsonSchema;
use serde::Serialize;

use super::look;
use crate::HallsOf;
use crate::channel::inside::Glance;

const SEND_EVERY: Duration = Duration::from_secs(1);

/// A person who is inside through this gateway.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InsideRow {
    /// The grant.
    #[schemars(with = "String")]
    pub grant: GrantId,
    /// The person's id.
    #[schemars(with = "String")]
    pub person: PersonId,
    /// The person's name.
    pub name: String,
    /// The person's home realm, if it is a partner.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<RealmName>,
    /// Bytes received from the person since the connection began.
    pub received: u64,
    /// Bytes sent to the person.
    pub sent: u64,
    /// Streams open now.
    pub streams: usize,
    /// Whether it is the caller's own grant.
    pub own: bool,
}

/// The people whom the caller sees inside: members see themselves.
pub fn inside(gateway: &Gateway, caller: &Caller, hall: &look::Seen) -> Vec<InsideRow> {
    let sees_all = caller.person.role >= Role::Operator;
    let all = gateway.halls().inside.guests(Some(&hall.hall.name));
    // Ids are those of the person's home realm.
    let is_own = |glance: &Glance| glance.home.is_none() && glance.person == caller.person.id;
    all.into_iter()
        .filter(|glance| sees_all || is_own(glance))
        .map(|glance| InsideRow {
            grant: glance.grant,
            own: is_own(&glance),
            person: glance.person,
            name: glance.name,
            home: glance.home,
            received: glance.received,
            sent: glance.sent,
            streams: glance.streams,
        })
        .collect()
}

/// Follows a hall as long as the session lasts and the caller may see it.
pub async fn events(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    look::find(&gateway, &caller, &name).await?;
    let position = (gateway, caller, name);
    Ok(Sse::new(stream::unfold(position, next)).keep_alive(KeepAlive::default()))
}

type Position = (Gateway, Caller, String);

async fn next((gateway, caller, name): Position) -> Option<(Result<Event, Infallible>, Position)> {
    tokio::time::sleep(SEND_EVERY).await;
    let token = Token {
        carrier: caller.carrier,
        hash: caller.session.token,
    };
    let caller = session::find(&gateway, token).await.ok()??;
    let hall = look::find(&gateway, &caller, &name).await.ok()?;
    let rows = inside(&gateway, &caller, &hall);
    let event = Event::default().event("inside").json_data(&rows).ok()?;
    Some((Ok(event), (gateway, caller, name)))
}
