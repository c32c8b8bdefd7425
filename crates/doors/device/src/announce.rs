//! A device makes itself known: it proves its attestation key, and gets a code to show.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hallway_api::device::{Announced, Enrolment, EnrolmentStatement};
use hallway_evidence::statement::Act;
use hallway_evidence::statement::device::Enrol;
use hallway_evidence::{CredentialId, Response, SignedStatement};
use hallway_spine::Gateway;
use hallway_spine::act::ceremony;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::ledger::HashedStatement;
use hallway_spine::seal::{LIFETIME_MS, Purpose};
use hallway_spine::store::{AnnouncementId, StoreError, Unit};
use hallway_webauthn::wire::Base64Url;
use hallway_webauthn::{
    Registration, RegistrationError, RegistrationResponse, UnixSeconds, verify_registration,
};

use crate::identity::Identity;
use crate::makers;
use crate::store::{Announcement, DeviceState, DeviceTables};
use crate::user_code::UserCode;

/// How long a code is valid.
pub const CODE_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How many devices may wait to be claimed.
pub const MOST_WAITING: u64 = 4096;
/// How many devices of one network may wait to be claimed.
pub const MOST_OF_NETWORK: u64 = 256;
/// Milliseconds between two questions of a device that waits to be claimed (RFC 8628, 3.2).
const INTERVAL_MS: u64 = 2000;

/// Gives an enrolment statement.
pub async fn statement(
    State(gateway): State<Gateway>,
) -> Result<Json<EnrolmentStatement>, Problem> {
    let statement = ceremony::statement(&gateway, Enrol {})?;
    let bytes = statement.encode();
    Ok(Json(EnrolmentStatement {
        seal: Base64Url(gateway.sealer.seal(Purpose::EnrolDevice, &[], &bytes)),
        statement: Base64Url(bytes),
        expires_ms: statement.issued.as_ms() + LIFETIME_MS,
    }))
}

/// Takes the attested answer and gives a code.
pub async fn announce(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(request): Input<Enrolment>,
) -> Result<(StatusCode, Json<Announced>), Problem> {
    let announced = async {
        let proven = prove(&gateway, &request, &peer).await?;
        gateway
            .transact(|unit| Box::pin(keep(&gateway, unit, &proven)))
            .await
    };
    let announced = announced.await;
    let announced = gateway.or_refuse(super::NAME, &peer, announced).await?;
    Ok((StatusCode::CREATED, Json(announced)))
}

/// Checks the signed statement of the device. This happens before a unit of work begins, so that a
/// slow check keeps no other unit waiting.
async fn prove(
    gateway: &Gateway,
    request: &Enrolment,
    peer: &Peer,
) -> Result<Announcement, Problem> {
    let malformed = |error: &dyn std::error::Error| Problem::malformed(error.to_string());
    let signed = SignedStatement::decode(&request.signed_statement.0)
        .map(HashedStatement::from)
        .map_err(|error| malformed(&error))?;
    let now = gateway.now();
    let sealed = (signed.statement.as_slice(), request.seal.0.as_slice());
    let statement = ceremony::open(gateway, Purpose::EnrolDevice, &[], sealed, now)?;
    if !matches!(statement.act, Act::DeviceEnrol(_)) {
        return Err(Problem::malformed("the statement does not enrol a device"));
    }
    let reader = gateway.store.read();
    let registration = verify(gateway, reader, &signed).await?;
    let identity = Identity::of(reader, &registration).await?;
    // The claim checks the state again.
    for device in identity.known(reader).await? {
        let refuse = |code, detail| Err(Problem::new(code, detail));
        match device.state {
            DeviceState::Stolen => {
                return refuse(
                    Code::Stolen,
                    "this device was reported stolen; only its owner can take it back",
                );
            }
            DeviceState::Retired => {
                return refuse(Code::Retired, "this device was retired for good");
            }
            _ => {}
        }
    }
    let credential = registration.credential;
    Ok(Announcement {
        // The statement's nonce: a replayed announcement would have the same id, and fails.
        id: AnnouncementId::from(uuid::Uuid::from_bytes(statement.nonce)),
        code: [0; 32].into(),
        serial: identity.serial.into(),
        maker: identity.maker,
        aaguid: registration.aaguid,
        credential: CredentialId::new(credential.id).map_err(|error| malformed(&error))?,
        public_key: credential.public_key,
        sign_count: credential.sign_count,
        signed: request.signed_statement.0.clone(),
        created: now,
        expires: now.plus(CODE_LIFETIME),
        device: None,
        network: peer.network(),
    })
}

/// Keeps the announcement, unless the maker was removed since, or too many devices wait.
///
/// # Errors
/// 403 without its maker, 429 or 503 where too many wait.
pub async fn keep(
    gateway: &Gateway,
    unit: &Unit<'_>,
    announcement: &Announcement,
) -> Result<Announced, Problem> {
    let (maker, serial) = (announcement.maker, announcement.serial.as_str());
    let installed = unit.makers().get(maker).await?;
    if installed.is_none_or(|maker| maker.removed.is_some()) {
        return Err(Problem::new(
            Code::BadAttestation,
            "the maker of this device was removed",
        ));
    }
    if unit.announcements().get(announcement.id).await?.is_some() {
        return Err(Problem::new(
            Code::Replayed,
            "this enrolment was announced before; begin again",
        ));
    }
    let id = &announcement.credential;
    let taken = unit.credentials().get(id).await?.is_some()
        || unit.announcements().by_credential(id).await?.is_some();
    // WebAuthn Level 3, 7.1, step 26: a device that makes a credential with the id of another one
    // must not get in its way.
    if taken {
        return Err(known_key());
    }
    // A device shows one code, so its earlier announcements that nobody claimed are removed.
    unit.announcements().withdraw(maker, serial).await?;
    let network = announcement.network.as_deref();
    let waiting = unit.announcements().waiting(network, gateway.now()).await?;
    if waiting.of_network >= MOST_OF_NETWORK {
        return Err(Problem::new(
            Code::TooManyAnnounced,
            format!(
                "{MOST_OF_NETWORK} devices of your network wait to be claimed; claim some, or wait"
            ),
        )
        .after(CODE_LIFETIME.as_secs() as u32));
    }
    if waiting.total >= MOST_WAITING {
        return Err(Problem::new(
            Code::Crowded,
            format!("{MOST_WAITING} devices wait to be claimed, and no more may; try again later"),
        )
        .after(CODE_LIFETIME.as_secs() as u32));
    }
    show_code(gateway, unit, announcement).await
}

/// Verifies an enrolment by the makers that are installed and the models that are accepted now.
///
/// # Errors
/// 403: the maker or the model is not accepted.
pub async fn verify(
    gateway: &Gateway,
    unit: &Unit<'_>,
    signed: &HashedStatement,
) -> Result<Registration, Problem> {
    let Response::Registration {
        client_data_json,
        attestation_object,
    } = &signed.response
    else {
        return Err(Problem::malformed(
            "an enrolment needs a registration, not an assertion",
        ));
    };
    let (models, now) = (&gateway.models, gateway.now());
    let policy = models.for_device(makers::anchors(unit).await?, now)?;
    verify_registration(
        &gateway.rp,
        &signed.challenge(),
        &policy,
        UnixSeconds::from_ms(now.as_ms()),
        &RegistrationResponse::new(client_data_json, attestation_object),
    )
    .map_err(|error| match error {
        RegistrationError::Model(error) => models.explained(error, now).into(),
        error => Problem::new(Code::BadAttestation, error.to_string()),
    })
}

/// The refusal of a credential id that is taken.
pub fn known_key() -> Problem {
    Problem::new(
        Code::KnownKey,
        "this credential is registered already; make another one",
    )
}

async fn show_code(
    gateway: &Gateway,
    unit: &Unit<'_>,
    announcement: &Announcement,
) -> Result<Announced, Problem> {
    let code = UserCode::generate().map_err(|error| Problem::internal(&error))?;
    let announcement = Announcement {
        code: code.hash().into(),
        ..announcement.clone()
    };
    unit.announcements()
        .add(&announcement)
        .await
        .map_err(|error| match error {
            // One chance in 10^10 for each device that waits.
            StoreError::Exists { .. } => Problem::new(Code::CodeTaken, "try again"),
            error => error.into(),
        })?;
    Ok(Announced {
        user_code: code.to_string(),
        expires_ms: announcement.expires.as_ms(),
        interval_ms: INTERVAL_MS,
        console: format!("{}/claim", gateway.origin),
    })
}
