//! What goes wrong around the device, and passes.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hallway_device::{Agent, AgentError, Event, Gateway, KeySigner, Signer, SignerError};
use hallway_evidence::{CredentialId, CredentialIdError, SignedStatement, Statement};
use hallway_softkey::{Consent, SoftKey};
use serde_json::json;

use crate::gateway::Fault;
use crate::stage::{PROTECTION, Stage, picture};

/// A key that is pulled out and put back.
struct Loose {
    key: KeySigner<SoftKey>,
    failures: usize,
}

impl Loose {
    fn out(&mut self) -> Result<(), SignerError> {
        match self.failures.checked_sub(1) {
            Some(left) => {
                self.failures = left;
                Err(SignerError::CredentialId(CredentialIdError(0)))
            }
            None => Ok(()),
        }
    }
}

impl Signer for Loose {
    fn register(&mut self, statement: &Statement) -> Result<SignedStatement, SignerError> {
        self.out()?;
        self.key.register(statement)
    }

    fn sign(
        &mut self,
        credential: &CredentialId,
        statement: &Statement,
    ) -> Result<SignedStatement, SignerError> {
        self.out()?;
        self.key.sign(credential, statement)
    }
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_gateways() {
    for ahead_ms in [86_400_000, -86_400_000] {
        let stage = Stage::registered().await;
        stage.world.lock().unwrap().ahead_ms = ahead_ms;
        stage.drop_file("a.txt", b"a");
        stage.drain().await;
        assert_eq!(stage.accepted_names(), ["a.txt"]);
        let world = stage.world.lock().unwrap();
        let gateway_now = stage.clock.read().as_ms().saturating_add_signed(ahead_ms);
        let taken = world.accepted[0].terms.taken.as_ms();
        assert!(
            gateway_now.abs_diff(taken) < 300_000,
            "off by {}",
            gateway_now.abs_diff(taken)
        );
        drop(world);
        let told = stage.told().join("\n");
        assert!(told.contains("this device's clock is 86"), "{told}");
    }
}

#[tokio::test]
async fn what_is_refused_stays_and_the_rest_goes_on() {
    let stage = Stage::registered().await;
    stage.drop_file("1.txt", b"too large, says the gateway");
    stage.run_for(Duration::from_millis(1)).await;
    stage.fault(Fault::Refuse(
        413,
        json!({ "code": "too-large", "detail": "at most 5 bytes" }),
    ));
    stage.drop_file("2.jpg", &picture(2));
    stage.drain().await;
    assert_eq!(stage.left(), ["1.txt"]);
    assert_eq!(stage.accepted_names(), ["2.jpg"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("1.txt is not sent: at most 5 bytes"),
        "{told}"
    );
}

/// Runs an agent that is to end by itself, with a key that does not sign the first `failures` times.
async fn run_with_loose_key(stage: &Stage, failures: usize) -> Result<(), AgentError> {
    let gateway = Gateway::new(stage.origin.parse().unwrap(), None).unwrap();
    let key = SoftKey::open(
        &stage.folder.path().join("key"),
        &PROTECTION(),
        Consent::Always,
    );
    let signer = Loose {
        key: KeySigner::new(key.unwrap(), &gateway.origin()),
        failures,
    };
    let events = stage.events.clone();
    let clock = Arc::new(stage.clock.clone());
    let tell = move |event: &Event| events.lock().unwrap().push(event.clone());
    let agent = Agent::open(stage.settings(), gateway, signer, clock, tell).unwrap();
    agent.run(std::future::pending()).await
}

#[tokio::test]
async fn a_key_that_fails_is_tried_again() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    run_with_loose_key(&stage, 5).await.unwrap();
    assert_eq!(stage.accepted_names(), ["a.txt"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("trouble: the device's key made an unusable"),
        "{told}"
    );
}

#[tokio::test]
async fn a_key_that_never_signs_ends_an_agent_that_is_to_end() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    let ended = run_with_loose_key(&stage, usize::MAX).await;
    assert!(matches!(ended, Err(AgentError::Signer(_))), "{ended:?}");
    assert_eq!(stage.left(), ["a.txt"]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_for_a_while_is_waited_for() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    let (photos, away) = (stage.photos(), stage.folder.path().join("away"));
    let card = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        fs::rename(&photos, &away).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        fs::rename(&away, &photos).unwrap();
    };
    let (ended, ()) = tokio::join!(stage.run(stage.settings()), card);
    ended.unwrap();
    assert_eq!(stage.accepted_names(), ["a.txt"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("trouble: the folder cannot be read"),
        "{told}"
    );
}
