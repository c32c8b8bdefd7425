//! A fleet of devices and their transactions, signed beforehand.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_door_device::store::{Device, DeviceState, DeviceTables, Maker};
use hallway_evidence::statement::Statement;
use hallway_evidence::statement::device::{Delivery, Payload, Transaction};
use hallway_evidence::{
    CredentialId, DeviceId, Line, PersonId, Response, SignedStatement, Timestamp,
};
use hallway_spine::store::{
    Credential, EvidenceHash, Holder, MakerId, Person, PersonState, Role, Store, StoreError,
};

pub(crate) const RP_ID: &str = "gate.example";
pub(crate) const ORIGIN: &str = "https://gate.example";

/// A message of a device: the encoded signed statement and the payload.
pub(crate) struct Sent {
    pub(crate) signed: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Camera {
    device: DeviceId,
    credential: CredentialId,
    pair: EcdsaKeyPair,
    /// In order of their sequence numbers.
    pub(crate) sent: Vec<Sent>,
}

impl Camera {
    /// A camera with `count` signed transactions of `bytes` bytes each.
    pub(crate) fn new(count: u64, bytes: usize) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let device = DeviceId::generate();
        let mut camera = Self {
            device,
            credential: CredentialId::new(*device.as_bytes()).unwrap(),
            pair,
            sent: Vec::new(),
        };
        camera.sent = (1..=count).map(|n| camera.sign(n, bytes)).collect();
        camera
    }

    fn sign(&self, sequence: u64, bytes: usize) -> Sent {
        let line = |text: &str| Line::new(text).unwrap();
        let mut payload = vec![0x5a; bytes];
        payload[..8].copy_from_slice(&sequence.to_be_bytes());
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).unwrap();
        let taken = Timestamp::from_ms(1_790_000_000_000 + sequence);
        let statement = Statement {
            realm: line(RP_ID),
            issued: taken,
            nonce,
            act: Transaction {
                sequence,
                taken,
                delivery: Delivery::Live,
                payload: Payload::of(&payload, line("image/jpeg"), line("IMG_0001.jpg")),
                challenge: None,
            }
            .into(),
        }
        .encode();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, &statement));
        let client_data_json = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#
        )
        .into_bytes();
        let mut authenticator_data = digest(&SHA256, RP_ID.as_bytes()).as_ref().to_vec();
        authenticator_data.push(0); // nobody is present
        authenticator_data.extend_from_slice(&(sequence as u32).to_be_bytes());
        let message = [
            authenticator_data.as_slice(),
            digest(&SHA256, &client_data_json).as_ref(),
        ]
        .concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        let signed = SignedStatement {
            statement,
            credential_id: self.credential.clone(),
            response: Response::Assertion {
                client_data_json,
                authenticator_data,
                signature: signature.as_ref().to_vec(),
            },
        };
        Sent {
            signed: signed.encode(),
            payload,
        }
    }

    /// The id of the credential that signs.
    pub(crate) fn credential(&self) -> CredentialId {
        self.credential.clone()
    }

    /// The input of a bare verification: the key, a message and its signature.
    pub(crate) fn bare(&self) -> (UnparsedPublicKey<Vec<u8>>, Vec<u8>, Vec<u8>) {
        let message =
            b"a message as long as authenticator data and a hash of client data, 69 B".to_vec();
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        let key = self.pair.public_key().as_ref().to_vec();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        (key, message, signature.as_ref().to_vec())
    }

    fn cose(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let algorithm = Algorithm::Es256;
        PublicKey::Ec2 { algorithm, x, y }.encode()
    }
}

/// Enrols the fleet.
pub(crate) async fn enrol(store: &Store, fleet: &[Camera]) {
    let owner = Person {
        id: PersonId::generate(),
        name: "Emily".to_owned(),
        role: Role::Owner,
        state: PersonState::Active,
        created: Timestamp::from_ms(1),
    };
    let maker = Maker {
        id: MakerId::generate(),
        name: "Cameras Ltd".to_owned(),
        certificate: vec![0x30; 400],
        sha256: [1; 32],
        added: Timestamp::from_ms(1),
        removed: None,
        evidence: None,
        key: [3; 32],
        subject: None,
    };
    let (owner, maker) = (&owner, &maker);
    let kept: Result<(), StoreError> = store
        .transact(|unit| {
            Box::pin(async move {
                unit.people().add(owner).await?;
                unit.makers().add(maker).await?;
                for camera in fleet {
                    let (device, credential) = records(camera, owner.id, maker.id);
                    unit.devices().add(&device, &[]).await?;
                    unit.credentials().add(&credential).await?;
                }
                Ok(())
            })
        })
        .await;
    kept.unwrap();
}

fn records(camera: &Camera, owner: PersonId, maker: MakerId) -> (Device, Credential) {
    let enrolment = EvidenceHash([2; 32]);
    let device = Device {
        id: camera.device,
        serial: camera.device.to_string(),
        maker,
        aaguid: Aaguid([8; 16]),
        name: "camera".to_owned(),
        owner: Some(owner),
        state: DeviceState::Registered,
        suspended_by: None,
        set_aside: 0,
        set_aside_since: None,
        credential: Some(camera.credential.clone()),
        era: 1,
        last_sequence: 0,
        last_taken: Timestamp::from_ms(0),
        last_seen: None,
        created: Timestamp::from_ms(1),
        enrolment: Some(enrolment),
        claim: Some(enrolment),
    };
    let credential = Credential {
        id: camera.credential.clone(),
        holder: Holder::Device(camera.device),
        public_key: camera.cose(),
        sign_count: 0,
        aaguid: Aaguid([8; 16]),
        label: String::new(),
        transports: Vec::new(),
        backup_eligible: false,
        backed_up: false,
        uv_initialized: false,
        user_handle: Vec::new(),
        created: Timestamp::from_ms(1),
        last_used: None,
        registration: enrolment,
    };
    (device, credential)
}
