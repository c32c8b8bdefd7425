//! Signing in with a discoverable credential: nobody types a name, so nobody can try names.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hallway_api::act::Ceremony;
use hallway_api::session::{GrantAs, SignIn, SignedIn};
use hallway_evidence::statement::web as stated;
use hallway_spine::Gateway;
use hallway_spine::act::assertion::Proven;
use hallway_spine::act::{assertion, ceremony, options};
use hallway_spine::door_name::DoorName;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::{self, Caller};
use hallway_spine::seal::Purpose;
use hallway_spine::store::Unit;

use super::grant::{self, Granted, Grounds};
use super::sessions;

/// Gives a sign-in statement.
pub async fn begin(State(gateway): State<Gateway>) -> Result<Json<Ceremony>, Problem> {
    let statement = ceremony::statement(&gateway, stated::SignIn {})?;
    let public_key = options::request(&gateway, &statement, &[]);
    ceremony::seal(&gateway, Purpose::SignIn, &[], &statement, public_key).map(Json)
}

/// Takes the answer and opens a session.
pub async fn finish(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(request): Input<SignIn>,
) -> Result<Response, Problem> {
    let granted = async {
        let proven = assertion::prove(&gateway, Purpose::SignIn, &[], &request.answer).await?;
        gateway
            .transact(|unit| Box::pin(sign_in(&gateway, unit, &proven, &peer)))
            .await
    };
    let granted = match granted.await {
        Ok(granted) => granted,
        Err(problem) => {
            gateway.refuse(DoorName::WEB, &problem, &peer).await;
            return Err(to_stranger(problem));
        }
    };
    let person = grant::shown(&granted.person);
    match request.grant {
        GrantAs::Bearer => Ok(Json(SignedIn {
            person,
            token: Some(granted.token.into()),
        })
        .into_response()),
        GrantAs::Cookie => {
            let cookie = granted.cookie(&gateway)?;
            Ok((
                [cookie],
                Json(SignedIn {
                    person,
                    token: None,
                }),
            )
                .into_response())
        }
    }
}

async fn sign_in(
    gateway: &Gateway,
    unit: &Unit<'_>,
    proven: &Proven,
    peer: &Peer,
) -> Result<Granted, Problem> {
    let checked = assertion::check(gateway, unit, proven).await?;
    let accepted = gateway
        .accept(unit, checked.signed, Some(checked.person.id), None)
        .await?;
    let grounds = Grounds {
        credential: checked.credential.id,
        evidence: accepted.hash,
        touched: accepted.at,
    };
    grant::open(gateway, unit, checked.person, grounds, peer).await
}

/// The refusal, the same for every key, so that a stranger can't learn which keys and people exist
/// here. The console's list of refusals has the reason.
fn to_stranger(problem: Problem) -> Problem {
    match problem.code {
        Code::UnknownKey | Code::Suspended | Code::BadAssertion | Code::ClonedKey => Problem::new(
            Code::Refused,
            "this key does not open this realm; if it should, ask an owner, who can see why",
        ),
        _ => problem,
    }
}

/// Ends the session.
pub async fn sign_out(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Problem> {
    sessions::end_one(&gateway, &caller, caller.session.token).await?;
    let cookie = session::cookie(&gateway, "", 0)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(serde_json::json!({}))).into_response())
}
