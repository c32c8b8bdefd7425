//! How many devices may wait to be claimed.

use axum::http::StatusCode;
use hallway_api::device::Announced;
use hallway_ctap::aaguid::Aaguid;
use hallway_door_device::announce::{CODE_LIFETIME, MOST_OF_NETWORK, MOST_WAITING, keep};
use hallway_door_device::store::{Announcement, DeviceTables, Maker};
use hallway_evidence::CredentialId;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{AnnouncementId, MakerId};

use crate::realm::Sample;

const NOW: u64 = 1_800_000_000_000;

fn announcement(maker: MakerId, number: u64, network: Option<&str>) -> Announcement {
    let now = hallway_evidence::Timestamp::from_ms(NOW);
    let mut code = [0; 32];
    code[..8].copy_from_slice(&number.to_be_bytes());
    Announcement {
        id: AnnouncementId::generate(),
        code: code.into(),
        serial: format!("SN-{number}"),
        maker,
        aaguid: Aaguid([1; 16]),
        credential: CredentialId::new(number.to_be_bytes()).unwrap(),
        public_key: vec![1; 77],
        sign_count: 0,
        signed: vec![2; 100],
        created: now,
        expires: now.plus(CODE_LIFETIME),
        device: None,
        network: network.map(str::to_owned),
    }
}

/// A realm with a maker, where `waiting` devices of `network` wait.
async fn realm(waiting: u64, network: Option<&str>) -> (Sample, MakerId) {
    let sample = Sample::start(NOW).await;
    let maker = Maker {
        id: MakerId::generate(),
        name: "Maker".to_owned(),
        certificate: vec![1],
        sha256: [7; 32],
        added: sample.gateway.now(),
        removed: None,
        evidence: None,
        key: [8; 32],
        subject: None,
    };
    let added = &maker;
    sample
        .gateway
        .transact(|unit| {
            Box::pin(async move {
                unit.makers().add(added).await?;
                for number in 0..waiting {
                    let announcement = announcement(added.id, number, network);
                    unit.announcements().add(&announcement).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await
        .unwrap();
    (sample, maker.id)
}

async fn announce_one(sample: &Sample, announcement: &Announcement) -> Result<Announced, Problem> {
    let gateway = &sample.gateway;
    gateway
        .transact(|unit| Box::pin(keep(gateway, unit, announcement)))
        .await
}

#[tokio::test]
async fn one_network_has_so_many_devices_that_wait_and_leaves_room_for_others() {
    let (sample, maker) = realm(MOST_OF_NETWORK, Some("192.0.2.1")).await;
    let next = MOST_OF_NETWORK;
    let refused = announce_one(&sample, &announcement(maker, next, Some("192.0.2.1"))).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.retry_after.is_some());
    for network in [Some("192.0.2.2"), None] {
        let number = next + u64::from(network.is_none()) + 1;
        let shown = announce_one(&sample, &announcement(maker, number, network)).await;
        shown.unwrap();
    }
    // A device that waits already shows another code in place of its first.
    let anew = Announcement {
        credential: CredentialId::new(*b"anew").unwrap(),
        ..announcement(maker, 3, Some("192.0.2.1"))
    };
    announce_one(&sample, &anew).await.unwrap();
    // What is over makes room.
    sample.clock.set(NOW + CODE_LIFETIME.as_millis() as u64 + 1);
    let later = announcement(maker, next, Some("192.0.2.1"));
    announce_one(&sample, &later).await.unwrap();
}

#[tokio::test]
async fn all_together_are_so_many() {
    let (sample, maker) = realm(MOST_WAITING, None).await;
    let refused = announce_one(&sample, &announcement(maker, MOST_WAITING, None)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.code, Code::Crowded);
}
