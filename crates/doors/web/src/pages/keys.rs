//! `/keys`.

use axum::extract::State;
use axum::response::Response;
use hallway_evidence::Timestamp;
use hallway_spine::Gateway;
use hallway_spine::console::pages::problem::sentence;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::program;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::models::page as metadata;
use hallway_spine::store::{Credential, Holder, LinksOf};

use super::super::view::{KeyRow, KeysPage, SessionItem};
use super::links;
use crate::keys::KeyView;
use crate::sessions::{self, SessionRow};

/// A person's own keys.
pub(crate) async fn keys(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let held = reader
        .credentials()
        .held_by(Holder::Person(caller.person.id))
        .await?;
    let mut keys = Vec::with_capacity(held.len());
    for key in &held {
        let attestation = reader.attestations().get(&key.id).await?;
        let view = KeyView::new(&gateway, caller.person.role, key, attestation.as_ref());
        keys.push(row(&gateway, key, view));
    }
    html(&KeysPage {
        frame: frame(&gateway, &caller, super::KEYS),
        keys,
        links: links::open(&gateway, LinksOf::ForOrBy(caller.person.id)).await?,
        sessions: sessions::of_caller(&gateway, &caller)
            .await?
            .into_iter()
            .map(|row| session(&gateway, row))
            .collect(),
    })
}

fn row(gateway: &Gateway, key: &Credential, view: KeyView) -> KeyRow {
    KeyRow {
        model: view.model.map(|model| metadata::card(gateway, model)),
        refused: view.refused.map(|why| sentence(&why)),
        id: key.id.to_string(),
        label: key.label.clone(),
        kind: kind(key),
        registered: moment(gateway, key.created),
        last_used: key.last_used.map(|at| moment(gateway, at)),
        evidence: Some(key.registration.to_string()),
    }
}

fn session(gateway: &Gateway, row: SessionRow) -> SessionItem {
    let at = |ms| moment(gateway, Timestamp::from_ms(ms));
    SessionItem {
        touched: at(row.touched_ms),
        last_used: at(row.last_seen_ms),
        id: row.id,
        agent: program(&row.agent),
        address: row.address,
        key: row.key,
        current: row.current,
    }
}

/// What kind of key it is, as far as its model, transports and flags tell (WebAuthn Level 3, 5.8.4).
fn kind(key: &Credential) -> String {
    if key.is_software_key() {
        return "Software key, as safe as the file that it is in".to_owned();
    }
    let has = |name: &str| key.transports.iter().any(|transport| transport == name);
    let what = if has("internal") {
        "Built into a phone or computer"
    } else if has("hybrid") {
        "A phone"
    } else {
        "Security key"
    };
    let copies = match (key.backup_eligible, key.backed_up) {
        (_, true) => "copied to other devices",
        (true, false) => "may be copied to other devices",
        (false, false) => "cannot be copied",
    };
    format!("{what}, {copies}")
}
