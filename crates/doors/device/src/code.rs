//! The device behind a code, which a person sees before agreeing to the claim.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use hallway_spine::refusal::Subject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::{Announcement, DeviceTables};
use crate::user_code::UserCode;

/// Codes that a person may try in [`ATTEMPTS_WINDOW`]: 10 against 2.56 × 10^10.
const MOST_ATTEMPTS: u64 = 10;
const ATTEMPTS_WINDOW: Duration = Duration::from_secs(10 * 60);

/// A typed code.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CodeTyped {
    /// As the device shows it; case, spaces and hyphens do not matter.
    pub code: String,
}

/// The device that shows a code.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CodeView {
    /// The serial number that its maker attests.
    pub serial: String,
    /// The model, an AAGUID.
    pub model: String,
    /// The name of its maker.
    pub maker: String,
    /// When the device announced itself, milliseconds since 1970.
    pub announced_ms: u64,
    /// When the code expires, milliseconds since 1970.
    pub expires_ms: u64,
}

/// Tells which device shows a code.
pub async fn look(
    State(gateway): State<Gateway>,
    caller: Caller,
    peer: Peer,
    Input(request): Input<CodeTyped>,
) -> Result<Json<CodeView>, Problem> {
    let found = find(&gateway, &caller, &request.code).await;
    let subject = Subject::from(&peer).person(caller.person.id);
    let announcement = gateway.or_refuse(super::NAME, subject, found).await?;
    let maker = gateway
        .store
        .read()
        .makers()
        .get(announcement.maker)
        .await?;
    Ok(Json(CodeView {
        serial: announcement.serial,
        model: announcement.aaguid.to_string(),
        maker: maker.map(|maker| maker.name).unwrap_or_default(),
        announced_ms: announcement.created.as_ms(),
        expires_ms: announcement.expires.as_ms(),
    }))
}

/// The announcement behind a code. Each attempt counts, also one with a valid code.
///
/// # Errors
/// 429 after ten tries in ten minutes; 404, the same for unknown, used and expired codes.
pub async fn find(gateway: &Gateway, caller: &Caller, code: &str) -> Result<Announcement, Problem> {
    let now = gateway.now();
    if gateway
        .store
        .alone()
        .announcements()
        .count_attempt(caller.person.id, now, ATTEMPTS_WINDOW)
        .await?
        > MOST_ATTEMPTS
    {
        return Err(Problem::new(
            Code::TooManyCodes,
            "you tried ten codes within ten minutes; wait, then try again",
        )
        .after(ATTEMPTS_WINDOW.as_secs() as u32));
    }
    let unknown = || Problem::not_found("code; look at the device again, codes last ten minutes");
    let code = UserCode::parse(code).ok_or_else(unknown)?;
    gateway
        .store
        .read()
        .announcements()
        .open_by_code(&code.hash().into(), now)
        .await?
        .ok_or_else(unknown)
}
