//! The requests of partners' gateways on the hall listener, over mutual TLS. Each gateway gets only
//! what is meant for it: its certificate says which one it is.

use axum::extract::State;
use axum::{Extension, Json};
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::problem::{Code, Problem};
use tracing::Instrument;

use super::routes::Caller;
use crate::HallsOf;
use crate::partners::description::{Description, authorities};
use crate::partners::refresh::{Left, Ourselves, hexadecimal};
use crate::partners::{active, refresh};
use crate::store::EndedBy;

/// `GET /partner/realm`.
pub async fn realm(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Ourselves>, Problem> {
    let partner = active(gateway.store.read(), caller.partner()?).await?;
    let own = gateway.halls().authorities.in_use();
    Ok(Json(Ourselves {
        description: Description::own(&gateway)?,
        authorities: hexadecimal(&authorities(&own.bundle)),
        pact: partner.pact.to_string(),
    }))
}

/// `POST /partner/left`: the asking realm ended the partnership.
pub async fn left(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Input(left): Input<Left>,
) -> Result<Json<serde_json::Value>, Problem> {
    let partner = active(gateway.store.read(), caller.partner()?).await?;
    if left.pact != partner.pact.to_string() {
        return Err(Problem::new(
            Code::OtherPact,
            "this is about another partnership than the present one",
        ));
    }
    // In a task of its own: ending the partnership cuts this connection, and the answer is sent
    // before.
    let ending = async move {
        if let Err(problem) = refresh::end(&gateway, &partner, EndedBy::Them).await {
            tracing::error!(
                error = problem.detail,
                "the partnership with a realm that left could not be ended"
            );
        }
    };
    tokio::spawn(ending.in_current_span());
    Ok(Json(serde_json::json!({})))
}
