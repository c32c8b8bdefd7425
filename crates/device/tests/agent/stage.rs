//! A device in its folder, and a gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallway_api::device::State;
use hallway_ctap::aaguid::Aaguid;
use hallway_device::provision::{Device, Maker, MakerName};
use hallway_device::{Agent, AgentError, Event, Gateway, KeySigner, Settings, Until};
use hallway_evidence::Timestamp;
use hallway_evidence::statement::device::Delivery;
use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};

use crate::clock::VirtualClock;
use crate::gateway::{self, Fault, Shareable};

/// An [`Event::Trouble`] of the agent.
#[derive(Clone)]
pub struct Trouble {
    pub what: String,
    /// The files that were there at that moment.
    pub left: Vec<String>,
}

/// A device in its folder, and a gateway.
pub struct Stage {
    pub folder: tempfile::TempDir,
    pub clock: VirtualClock,
    pub origin: String,
    pub world: Shareable,
    pub events: Arc<Mutex<Vec<Event>>>,
    pub troubles: Arc<Mutex<Vec<Trouble>>>,
}

pub const PROTECTION: fn() -> Protection = || Protection::OperatorKey([1; 32].into());

impl Stage {
    pub async fn new() -> Self {
        let now = Timestamp::from(std::time::SystemTime::now());
        let name = MakerName {
            country: "NL".to_owned(),
            organization: "Lens & Co".to_owned(),
        };
        let maker = Maker::generate(name, now).unwrap();
        let device = Device {
            model: "Camera".to_owned(),
            aaguid: Aaguid([0xca; 16]),
            serial: "C-0042".to_owned(),
        };
        let identity = maker.certify(&device, now).unwrap();
        let new = NewKey::certified(
            vec![identity.certificate.clone()],
            &identity.private_key,
            device.aaguid,
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("photos")).unwrap();
        KeyFile::create(&folder.path().join("key"), &PROTECTION(), &new).unwrap();
        let clock = VirtualClock::new();
        let (origin, world) = gateway::serve(maker.certificate().to_vec(), clock.clone()).await;
        Self {
            folder,
            clock,
            origin,
            world,
            events: Arc::default(),
            troubles: Arc::default(),
        }
    }

    /// A device that an owner has already claimed.
    pub async fn registered() -> Self {
        let stage = Self::new().await;
        stage.claim_when_announced();
        stage.drain().await;
        stage.events.lock().unwrap().clear();
        stage
    }

    pub fn claim_when_announced(&self) {
        let world = self.world.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let mut world = world.lock().unwrap();
                if world.announced > 0 && world.state == State::Announced {
                    world.state = State::Registered;
                    return;
                }
            }
        });
    }

    pub fn photos(&self) -> PathBuf {
        self.folder.path().join("photos")
    }

    pub fn drop_file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.photos().join(name), bytes).unwrap();
    }

    pub fn settings(&self) -> Settings {
        Settings {
            until: Until::Drained,
            ..Settings::new(self.photos())
        }
    }

    pub fn agent(&self, settings: Settings) -> Result<Agent<KeySigner<SoftKey>>, AgentError> {
        let gateway = Gateway::new(self.origin.parse().unwrap(), None).unwrap();
        let key = self.folder.path().join("key");
        let key = SoftKey::open(&key, &PROTECTION(), Consent::Always).unwrap();
        let signer = KeySigner::new(key, &gateway.origin());
        let (events, troubles) = (self.events.clone(), self.troubles.clone());
        let photos = self.photos();
        Agent::open(
            settings,
            gateway,
            signer,
            Arc::new(self.clock.clone()),
            move |event| {
                if let Event::Trouble { what } = event {
                    let left = if photos.is_dir() {
                        names(&photos)
                    } else {
                        Vec::new()
                    };
                    let what = what.clone();
                    troubles.lock().unwrap().push(Trouble { what, left });
                }
                events.lock().unwrap().push(event.clone());
            },
        )
    }

    /// Runs an agent until the folder is empty.
    pub async fn drain(&self) {
        self.run(self.settings()).await.unwrap();
    }

    pub async fn run(&self, settings: Settings) -> Result<(), AgentError> {
        let agent = self.agent(settings)?;
        let run = agent.run(std::future::pending());
        match tokio::time::timeout(Duration::from_secs(30), run).await {
            Ok(result) => result,
            Err(_) => panic!("the agent does not come to an end: {:#?}", self.told()),
        }
    }

    /// Runs an agent for a while and then drops it wherever it is.
    pub async fn run_for(&self, real: Duration) {
        let settings = Settings::new(self.photos());
        let run = self.agent(settings).unwrap().run(std::future::pending());
        if let Ok(ended) = tokio::time::timeout(real, run).await {
            panic!("the agent ended: {ended:?}");
        }
    }

    /// Runs one agent until `script` ends, which takes seconds.
    pub async fn run_during(&self, script: impl Future<Output = ()>) {
        let settings = Settings {
            until: Until::Stopped,
            ..self.settings()
        };
        let agent = self.agent(settings).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let script = async {
            script.await;
            stop.send(()).unwrap();
        };
        let running = agent.run(async { stopped.await.unwrap() });
        let both = async { tokio::join!(script, running) };
        match tokio::time::timeout(Duration::from_secs(30), both).await {
            Ok(((), ended)) => ended.unwrap(),
            Err(_) => panic!("what is awaited does not happen: {:#?}", self.told()),
        }
    }

    /// Waits until the running agent has told an event whose line contains `what`.
    pub async fn until_told(&self, what: &str) {
        while !self.told().iter().any(|line| line.contains(what)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn told(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events.iter().map(ToString::to_string).collect()
    }

    pub fn left(&self) -> Vec<String> {
        names(&self.photos())
    }

    /// The names of the files that were set aside, and of their reasons.
    pub fn refused(&self) -> Vec<String> {
        names(&self.photos().join("refused"))
    }

    pub fn accepted(&self) -> Vec<(String, u64, Delivery)> {
        let world = self.world.lock().unwrap();
        world
            .accepted
            .iter()
            .map(|accepted| {
                let terms = &accepted.terms;
                (
                    terms.payload.file_name.to_string(),
                    terms.sequence,
                    terms.delivery,
                )
            })
            .collect()
    }

    pub fn accepted_names(&self) -> Vec<String> {
        self.accepted().into_iter().map(|(name, ..)| name).collect()
    }

    pub fn fault(&self, fault: Fault) {
        self.world.lock().unwrap().faults.push_back(fault);
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".hallway")
        .collect();
    names.sort();
    names
}

pub fn picture(extra: u8) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 7, b'J', b'F', b'I', b'F', 0];
    jpeg.extend([0xff, 0xda, 0, 2, 1, 2, extra, 4, 0xff, 0xd9]);
    jpeg
}
