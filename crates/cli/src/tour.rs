//! `hallway tour`: everything once, on this machine, with no hardware and no account anywhere.

mod account;
mod camera;
mod check;
mod folder;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hallway_client::{GatewayAddress, Pin};
use hallway_evidence::{Line, Printable, TrustFile};
use hallway_gateway::{Ready, Start, SystemClock};
use hallway_softkey::{Consent, KeyFile, NewKey, SoftKey};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::person::{
    ActRequest, Api, KeyToRegister, LinkKind, MakersCertificate, OneTimeLink, Person, Redirections,
    web_client,
};
use account::{Account, Afterwards};
use folder::TourFolder;

/// The photographs that the camera takes. `photographs/README.md` says whose they are.
const PHOTOGRAPHS: [(&str, &[u8]); 3] = [
    ("cat.jpg", include_bytes!("../photographs/cat.jpg")),
    ("coffee.jpg", include_bytes!("../photographs/coffee.jpg")),
    ("rocket.jpg", include_bytes!("../photographs/rocket.jpg")),
];

/// Show everything once, on this machine.
///
/// Starts a gateway, makes a software security key that becomes its owner, provisions and enrols a
/// camera, lets it sign real photographs, and checks each one offline. The gateway then stays up
/// until Ctrl-C. A second tour in the same folder goes on where the first one ended.
///
/// Exit codes: 0 every step held, 1 one did not, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct TourCommand {
    /// The folder for everything that the tour makes.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "hallway-tour",
        env = "HALLWAY_TOUR"
    )]
    data: PathBuf,
    /// End when the tour is over.
    #[arg(long)]
    once: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// The tour's steps, in the order in which they are shown.
pub(crate) struct Tour {
    bar: ProgressBar,
    account: Account,
}

impl Tour {
    fn new(data: &std::path::Path) -> Result<Self, Box<dyn Error>> {
        let steps = 8 + 2 * PHOTOGRAPHS.len() as u64;
        let style = ProgressStyle::with_template("{spinner} {bar:24} {pos}/{len}  {msg}")?;
        let bar = ProgressBar::new(steps).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        Ok(Self {
            bar,
            account: Account::new(data),
        })
    }

    /// Says what is being done.
    fn begin(&self, what: impl Into<String>) {
        self.bar.set_message(Printable(&what.into()).to_string());
    }

    /// Says what was done.
    fn held(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.bar.suspend(|| eprintln!("  ✓ {}", Printable(&what)));
        self.bar.inc(1);
        self.account.held(what);
    }
}

pub(crate) fn run(command: TourCommand) -> Result<ExitCode, Box<dyn Error>> {
    crate::runtime()?.block_on(guide(command))
}

async fn guide(command: TourCommand) -> Result<ExitCode, Box<dyn Error>> {
    let place = TourFolder::open(&command.data)?;
    let mut tour = Tour::new(&command.data)?;

    tour.begin("Starting a gateway");
    let ready = gateway(&place).await?;
    let (origin, setup_link) = (ready.gateway.origin.clone(), ready.setup_link.clone());
    tour.held(format!(
        "A gateway serves the realm {} at {origin}",
        ready.gateway.rp.id
    ));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(ready.serve(async {
        let _ = stopped.await;
    }));

    let outcome = show(&mut tour, &place, &origin, setup_link).await;
    tour.bar.finish_and_clear();
    if let Err(error) = outcome {
        // Serving ends with the process; nothing of it is left half-done.
        return Err(format!("the tour stopped: {error}").into());
    }
    let afterwards = if command.once {
        Afterwards::End
    } else {
        Afterwards::Stay
    };
    let held = tour.account.print(command.json, afterwards)?;
    if afterwards == Afterwards::Stay {
        if !command.json {
            eprintln!("\nThe gateway stays up until Ctrl-C.");
        }
        crate::told_to_stop().await;
    }
    let _ = stop.send(());
    serving.await?;
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn gateway(place: &TourFolder) -> Result<Ready, Box<dyn Error>> {
    let start = Start {
        folder: place.gateway(),
        config: place.configuration()?,
        operator_key: None,
        clock: Arc::new(SystemClock),
        doors: hallway_gateway::doors::ALL,
    };
    Ok(start.ready().await?)
}

async fn show(
    tour: &mut Tour,
    place: &TourFolder,
    origin: &str,
    setup_link: Option<String>,
) -> Result<(), Box<dyn Error>> {
    let mut owner = owner(tour, place, origin, setup_link).await?;
    maker(tour, place, &mut owner).await?;
    let accepted = camera::take_photographs(tour, place, origin, &mut owner).await?;

    tour.begin("Writing the trust file");
    let trust: Value = owner.api().get("/api/trust").await?;
    let trust = TrustFile::from_json(&serde_json::to_vec(&trust)?)?;
    place.write_trust(&trust)?;
    check::photographs(tour, &trust, accepted)?;
    check::one_changed_byte(tour, &trust)?;
    check::log(tour, origin, &trust).await?;

    let made = owner.act(&ActRequest::SignInLink).await?;
    tour.account.console = made.outcome["link"].as_str().unwrap_or_default().to_owned();
    Ok(())
}

/// Makes a key and becomes the owner with it, or signs in with the key of an earlier tour.
async fn owner(
    tour: &mut Tour,
    place: &TourFolder,
    origin: &str,
    setup_link: Option<String>,
) -> Result<Person<SoftKey>, Box<dyn Error>> {
    tour.begin("Making a software security key");
    let path = place.owner_key();
    let new = !path.exists();
    if new {
        KeyFile::create(&path, &place.protection(), &NewKey::personal())?;
    }
    let key = SoftKey::open(&path, &place.protection(), Consent::Always)?;
    let gateway: GatewayAddress = origin.parse()?;
    let http = web_client(None, gateway.secure_url(), Redirections::Refused)?;
    let api = Api::new(http, gateway);
    let mut owner = Person::new(api, None, key, Pin(place.pin()), |_| {});
    if new {
        owner.key().set_pin(&place.pin())?;
    }
    if let Some(link) = setup_link {
        let link = OneTimeLink::read(LinkKind::Join, &link)?;
        let new = KeyToRegister {
            link,
            name: Some(Line::nearest("Tour Owner")),
            label: Line::nearest("software key of the tour"),
        };
        owner.join(&new).await?;
    }
    owner.sign_in().await?;
    tour.held("A software security key is the owner's, and signed in without a user name");
    Ok(owner)
}

/// Makes the camera's maker, and lets the gateway accept its devices.
async fn maker(
    tour: &mut Tour,
    place: &TourFolder,
    owner: &mut Person<SoftKey>,
) -> Result<(), Box<dyn Error>> {
    tour.begin("Making a camera in its factory");
    let made = camera::provision(place)?;
    tour.held(format!(
        "A factory gave the camera {} an attestation certificate of its own",
        camera::SERIAL
    ));
    tour.begin("Installing the maker's certificate");
    let installed: Vec<Value> = owner.api().get("/api/makers").await?;
    if installed.is_empty() {
        let request = ActRequest::AddMaker {
            name: Line::nearest(camera::MAKER),
            certificate: MakersCertificate::read(&made.maker_pem)?,
        };
        owner.act(&request).await?;
    }
    tour.held(format!(
        "The gateway accepts devices of {} and of nobody else",
        camera::MAKER
    ));
    Ok(())
}
