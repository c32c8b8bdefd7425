//! One-time links that are open, for the pages that list them.

use hallway_evidence::Timestamp;
use hallway_spine::Gateway;
use hallway_spine::console::pages::moment;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{LinksOf, Purpose, Role};

use super::super::view::LinkItem;
use crate::links::{self, LinkRow};

/// The links of `which` that are open.
pub(crate) async fn open(gateway: &Gateway, which: LinksOf) -> Result<Vec<LinkItem>, Problem> {
    let rows = links::open(gateway, which).await?;
    Ok(rows.into_iter().map(|row| item(gateway, row)).collect())
}

fn item(gateway: &Gateway, row: LinkRow) -> LinkItem {
    let at = |ms| moment(gateway, Timestamp::from_ms(ms));
    LinkItem {
        opens: opens(row.purpose, row.role),
        id: row.id,
        name: row.name,
        made_by: row.made_by,
        made: at(row.created_ms),
        ends: at(row.expires_ms),
        evidence: row.evidence,
    }
}

fn opens(purpose: Purpose, role: Option<Role>) -> String {
    match (purpose, role) {
        (Purpose::Invitation, Some(role)) => format!("Joins as {role}"),
        (Purpose::Invitation, None) => "Joins".to_owned(),
        (Purpose::Setup, _) => "Becomes the first owner".to_owned(),
        (Purpose::Recovery, _) => "Registers a new key after a loss".to_owned(),
        (Purpose::Additional, _) => "Registers a further key".to_owned(),
        (Purpose::SignIn, _) => "Signs in once".to_owned(),
    }
}
