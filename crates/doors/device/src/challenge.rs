//! The challenge that a device may put into a transaction: it proves that the statement is newer
//! than the challenge, whatever the device's clock says.

use axum::Json;
use axum::extract::State;
use hallway_api::device::Challenge;
use hallway_evidence::Timestamp;
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::operator_key::random_bytes;
use hallway_spine::seal::{LIFETIME_MS, Purpose};
use hallway_webauthn::wire::Base64Url;

/// Gives a challenge: the time, then 24 random bytes.
pub async fn give(State(gateway): State<Gateway>) -> Result<Json<Challenge>, Problem> {
    let now = gateway.now();
    let random = random_bytes::<24>().map_err(|error| Problem::internal(&error))?;
    let challenge = [now.as_ms().to_be_bytes().as_slice(), random.as_slice()].concat();
    Ok(Json(Challenge {
        seal: Base64Url(
            gateway
                .sealer
                .seal(Purpose::DeviceChallenge, &[], &challenge),
        ),
        challenge: Base64Url(challenge),
        expires_ms: now.as_ms() + LIFETIME_MS,
    }))
}

/// Checks a challenge that a device sent back. It can be used once, because its statement is
/// accepted once.
pub fn take(gateway: &Gateway, challenge: &[u8; 32], seal: Option<&[u8]>) -> Result<(), Problem> {
    let foreign = || {
        Problem::new(
            Code::ForeignChallenge,
            "the challenge is not one of this gateway's",
        )
    };
    let seal = seal.ok_or_else(foreign)?;
    gateway
        .sealer
        .check(Purpose::DeviceChallenge, &[], challenge, seal)
        .map_err(|_| foreign())?;
    let (time, _) = challenge.split_first_chunk::<8>().ok_or_else(foreign)?;
    let given = Timestamp::from_ms(u64::from_be_bytes(*time));
    if gateway.now().as_ms().saturating_sub(given.as_ms()) > LIFETIME_MS {
        return Err(Problem::new(
            Code::ExpiredChallenge,
            "the challenge has expired; ask for another",
        ));
    }
    Ok(())
}
