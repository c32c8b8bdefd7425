//! Making and removing halls: `hall.create` and `hall.remove`.

use async_trait::async_trait;
use hallway_evidence::statement::hall::{Create, HallName, Remove};
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::StoreError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::HallDoor;
use crate::depends::{self, Ended};
use crate::store::{Hall, HallTables};

/// The new hall.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// Its name: `a-z`, `0-9` and `-`.
    #[schemars(with = "String")]
    hall: HallName,
    /// Its title, for people.
    title: String,
}

/// The hall to remove; everybody inside is put out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveRequest {
    /// The hall.
    #[schemars(with = "String")]
    hall: HallName,
}

#[async_trait]
impl Perform<HallDoor> for Create {
    type Request = CreateRequest;

    async fn prepare(
        asking: &Asking<'_>,
        CreateRequest { hall, title }: CreateRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let known = asking.gateway.store.read().halls().get(&hall).await?;
        if known.is_some() {
            return Err(taken("hall"));
        }
        let title = line("title", &title)?;
        Ok(Self { hall, title }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let hall = Hall {
            name: self.hall.clone(),
            title: self.title.to_string(),
            created_by: actor.person.id,
            created: actor.now,
            evidence: actor.evidence,
        };
        actor.unit.halls().add(&hall).await.map_err(refused)?;
        Ok(actor.done())
    }
}

#[async_trait]
impl Perform<HallDoor> for Remove {
    type Request = RemoveRequest;

    async fn prepare(
        asking: &Asking<'_>,
        RemoveRequest { hall }: RemoveRequest,
    ) -> Result<Prepared<Self>, Problem> {
        find(asking.gateway, &hall).await?;
        Ok(Self { hall }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        actor
            .unit
            .halls()
            .remove(&self.hall)
            .await
            .map_err(refused)?;
        depends::end_by(actor, Ended::Hall(self.hall.clone())).await?;
        Ok(actor.done())
    }
}

/// The hall, or 404.
pub async fn find(gateway: &Gateway, name: &HallName) -> Result<Hall, Problem> {
    let hall = gateway.store.read().halls().get(name).await?;
    hall.ok_or_else(|| missing(name))
}

/// The refusal where there is no hall of this name.
pub fn missing(name: &HallName) -> Problem {
    let detail = format!(
        "there is no hall “{name}”; Halls in the console, and hallway hall list, show those that there \
         are"
    );
    Problem::new(Code::NotFound, detail)
}

/// Refuses an act in a hall that was removed.
pub async fn exists(actor: &Actor<'_>, hall: &HallName) -> Result<(), Problem> {
    let found = actor.unit.halls().get(hall).await?;
    found.map(drop).ok_or_else(|| missing(hall))
}

/// A refusal of the store, as a problem about a hall.
pub fn refused(error: StoreError) -> Problem {
    match error {
        StoreError::Missing(what) => Problem::not_found(what),
        StoreError::Exists { what, .. } => taken(what),
        error => error.into(),
    }
}

fn taken(what: &str) -> Problem {
    Problem::new(
        Code::Exists,
        format!("there already is a {what} of this name; choose another"),
    )
}
