//! The tour's camera: made in a factory, enrolled by a code, and busy.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hallway_ctap::aaguid::Aaguid;
use hallway_device::provision::{Device, Maker, MakerName};
use hallway_device::{Agent, Event, Gateway, KeySigner, Settings, SystemClock};
use hallway_evidence::{Line, Timestamp};
use hallway_softkey::{Consent, KeyFile, NewKey, SoftKey};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::folder::TourFolder;
use super::{PHOTOGRAPHS, Tour};
use crate::person::{ActRequest, Person};

/// The camera's serial number.
pub(super) const SERIAL: &str = "TOUR-0001";
/// Who makes it.
pub(super) const MAKER: &str = "Example Cameras";
const MODEL: Aaguid = Aaguid(*b"hallway camera\0\x01");

/// How long the tour waits for the camera's next event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the factory leaves behind.
pub(super) struct Factory {
    /// The certificate of the maker's attestation authority, PEM.
    pub(super) maker_pem: String,
}

/// A photograph that the gateway accepted.
pub(super) struct Taken {
    /// The signed copy.
    pub(super) file: PathBuf,
    /// Its place in the log.
    pub(super) log_index: u64,
}

/// Makes the camera, once.
pub(super) fn provision(place: &TourFolder) -> Result<Factory, Box<dyn Error>> {
    let certificate = place.factory().join("maker.pem");
    if !place.camera_key().exists() {
        let now = Timestamp::from(std::time::SystemTime::now());
        let name = MakerName {
            country: "NL".to_owned(),
            organization: MAKER.to_owned(),
        };
        let maker = Maker::generate(name, now)?;
        let device = Device {
            model: "Tour camera".to_owned(),
            aaguid: MODEL,
            serial: SERIAL.to_owned(),
        };
        let identity = maker.certify(&device, now)?;
        let new = NewKey::certified(vec![identity.certificate], &identity.private_key, MODEL)?;
        // The maker's key is not kept: this factory made its only camera.
        fs::write(&certificate, maker.certificate_pem())?;
        KeyFile::create(&place.camera_key(), &place.protection(), &new)?;
    }
    Ok(Factory {
        maker_pem: fs::read_to_string(&certificate)?,
    })
}

/// Enrols the camera if it is new, lets it take every photograph, and stops it.
pub(super) async fn take_photographs(
    tour: &mut Tour,
    place: &TourFolder,
    origin: &str,
    owner: &mut Person<SoftKey>,
) -> Result<Vec<Taken>, Box<dyn Error>> {
    tour.begin("Starting the camera");
    let gateway = Gateway::new(origin.parse()?, None)?;
    let key = SoftKey::open(&place.camera_key(), &place.protection(), Consent::Always)?;
    let signer = KeySigner::new(key, &gateway.origin());
    let settings = Settings {
        keep: Some(place.photos()),
        poll: Duration::from_millis(100),
        ..Settings::new(place.camera())
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let agent = Agent::open(
        settings,
        gateway,
        signer,
        Arc::new(SystemClock),
        move |event| {
            // A tour that failed no longer listens.
            let _ = tell.send(event.clone());
        },
    )?;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(agent.run(async {
        let _ = stopped.await;
    }));
    let taken = follow(tour, place, owner, &mut told).await;
    let _ = stop.send(());
    running.await??;
    taken
}

async fn follow(
    tour: &mut Tour,
    place: &TourFolder,
    owner: &mut Person<SoftKey>,
    told: &mut mpsc::UnboundedReceiver<Event>,
) -> Result<Vec<Taken>, Box<dyn Error>> {
    let mut taken = Vec::new();
    while taken.len() < PHOTOGRAPHS.len() {
        let event = timeout(EVENT_TIMEOUT, told.recv())
            .await
            .map_err(|_| "the camera says nothing")?;
        match event.ok_or("the camera stopped")? {
            Event::Code { code, .. } => {
                tour.begin(format!("The camera shows {code}; its owner agrees"));
                let request = ActRequest::ClaimDevice {
                    code,
                    serial: Line::nearest(SERIAL),
                    maker: Line::nearest(MAKER),
                };
                let sentence = owner.act(&request).await?.statement.sentence();
                tour.account
                    .steps
                    .push(format!("The owner's key signed: {sentence}"));
            }
            Event::Registered { serial, .. } => {
                tour.held(format!(
                    "The camera {serial} is enrolled by its attestation and a one-time code"
                ));
                drop_photographs(place)?;
                tour.begin("The camera signs");
            }
            Event::Accepted {
                file,
                log_index,
                kept,
                ..
            } => {
                tour.held(format!(
                    "{file} was signed, verified and logged as entry {log_index}"
                ));
                let kept = kept.ok_or("the camera kept no signed copy")?;
                taken.push(Taken {
                    file: kept,
                    log_index,
                });
            }
            Event::Refused { file, why, .. } => {
                return Err(format!("{file} was refused: {why}").into());
            }
            Event::Trouble { what } => return Err(format!("the camera has trouble: {what}").into()),
            Event::Barred { state } => {
                return Err(format!("the camera may not send: {state:?}").into());
            }
            Event::Signed { .. } | Event::Online | Event::Offline { .. } => {}
        }
    }
    Ok(taken)
}

/// Puts the photographs where the camera finds them, whole: written beside, then moved in.
fn drop_photographs(place: &TourFolder) -> std::io::Result<()> {
    for (name, bytes) in PHOTOGRAPHS {
        let part = place.camera().join(format!("{name}.part"));
        fs::write(&part, bytes)?;
        fs::rename(&part, place.camera().join(name))?;
    }
    Ok(())
}
