//! `/keys`.

use axum::extract::State;
use axum::response::Response;

use super::super::view::{KeyRow, KeysPage, Place};
use super::{frame, html, moment};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Credential, Holder};

/// A person's own keys.
pub(super) async fn keys(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let held = reader
        .credentials()
        .held_by(Holder::Person(caller.person.id))
        .await?;
    html(&KeysPage {
        frame: frame(&gateway, &caller, Place::Keys),
        keys: held.iter().map(|key| row(&gateway, key)).collect(),
    })
}

fn row(gateway: &Gateway, key: &Credential) -> KeyRow {
    KeyRow {
        id: key.id.to_string(),
        label: key.label.clone(),
        kind: kind(key),
        registered: moment(gateway, key.created),
        last_used: key.last_used.map(|at| moment(gateway, at)),
        evidence: Some(key.registration.to_string()),
    }
}

/// What kind of key it is, as far as its transports and flags tell (WebAuthn Level 3, 5.8.4).
fn kind(key: &Credential) -> String {
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
