//! The device door: enrol, claim, change hands, and sign bytes with nobody present.

use hallway_ctap::aaguid::Aaguid;

use super::declare::{Sentence, Signer, record, statement};
use super::people::Role;
use crate::credential_id::CredentialId;
use crate::hash::{Hash, sha256};
use crate::id::{DeviceId, PersonId};
use crate::line::Line;
use crate::statement::declare::stated;
use crate::timestamp::Timestamp;

stated! {
    /// When a transaction was meant to be sent.
    Delivery {
        /// At once, with the gateway in reach.
        Live = "live",
        /// Later: it was signed offline and queued.
        Queued = "queued",
    }
}

statement! {
    "device.enrol", Signer::NewKey;
    /// Makes a device known. The gateway makes the statement; the response is a registration with
    /// an attestation.
    Enrol {}
}

statement! {
    "device.claim", Signer::Person(Role::Member);
    /// Takes an enrolled device: the signer becomes its owner.
    Claim {
        /// The device's id from now on.
        device: DeviceId,
        /// The serial number in its attestation certificate.
        serial: Line,
        /// Its model.
        model: Aaguid,
        /// The realm's name for the maker whose authority attested it.
        maker: Line,
        /// The credential that the device signs with.
        credential: CredentialId,
        /// The hash of the enrolment's statement.
        enrolment: Hash,
        /// The person who becomes the owner.
        owner: PersonId,
    }
}

statement! {
    "device.suspend", Signer::Person(Role::Member);
    /// Suspends a device: nothing that it signs is accepted until it is reinstated.
    Suspend {
        /// The device.
        device: DeviceId,
        /// Its serial number.
        serial: Line,
    }
}

statement! {
    "device.reinstate", Signer::Person(Role::Member);
    /// Ends the suspension of a device.
    Reinstate {
        /// The device.
        device: DeviceId,
        /// Its serial number.
        serial: Line,
    }
}

statement! {
    "device.report_stolen", Signer::Person(Role::Member);
    /// Reports a device stolen: nobody can enrol it, factory reset or not.
    ReportStolen {
        /// The device.
        device: DeviceId,
        /// Its serial number.
        serial: Line,
    }
}

statement! {
    "device.release", Signer::Person(Role::Member);
    /// Gives a device up: its next holder may enrol it.
    Release {
        /// The device.
        device: DeviceId,
        /// Its serial number.
        serial: Line,
    }
}

statement! {
    "device.retire", Signer::Person(Role::Member);
    /// Retires a device: it is never used again.
    Retire {
        /// The device.
        device: DeviceId,
        /// Its serial number.
        serial: Line,
    }
}

statement! {
    "device.transfer", Signer::Person(Role::Member);
    /// Hands a device over to another person of the realm.
    Transfer {
        /// The device.
        device: DeviceId,
        /// Its serial number.
        serial: Line,
        /// The new owner.
        to: PersonId,
        /// The new owner's name.
        name: Line,
    }
}

statement! {
    "device.transaction", Signer::Device;
    /// Signs bytes, with nobody present.
    Transaction {
        /// The number of the transaction among those of the credential, from 1 to 2^63 - 1.
        sequence: u64,
        /// When the bytes were taken, by the device's clock.
        taken: Timestamp,
        /// Whether it was sent at once or queued.
        delivery: Delivery,
        /// The bytes that are signed.
        payload: Payload,
        /// The gateway's challenge, when the device asked for one first.
        challenge: Option<Hash>,
    }
}

statement! {
    "device.status", Signer::Device;
    /// Asks whether the device's registration is still valid.
    Status {}
}

record! {
    /// The bytes that a transaction is about.
    #[derive(Debug, Clone, PartialEq, Eq)]
    Payload {
        /// SHA-256 of the bytes.
        sha256: Hash,
        /// Their number, 2^63 - 1 at most.
        length: u64,
        /// Their media type, such as `image/jpeg`.
        media_type: Line,
        /// The file's name on the device, without folders.
        file_name: Line,
    }
}

impl Payload {
    /// Describes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8], media_type: Line, file_name: Line) -> Self {
        Self {
            sha256: sha256(bytes),
            length: bytes.len() as u64,
            media_type,
            file_name,
        }
    }

    /// Whether `bytes` are the ones that are described.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && self.sha256 == sha256(bytes)
    }
}

impl Sentence for Enrol {
    fn sentence(&self) -> String {
        "make this device known, with its attestation".to_owned()
    }
}

impl Sentence for Claim {
    fn sentence(&self) -> String {
        format!(
            "take the device with serial number “{}”, model {}, attested by {}",
            self.serial, self.model, self.maker
        )
    }
}

impl Sentence for Suspend {
    fn sentence(&self) -> String {
        format!("suspend the device “{}”", self.serial)
    }
}

impl Sentence for Reinstate {
    fn sentence(&self) -> String {
        format!("reinstate the device “{}”", self.serial)
    }
}

impl Sentence for ReportStolen {
    fn sentence(&self) -> String {
        format!(
            "report the device “{}” stolen, so that nobody can enrol it",
            self.serial
        )
    }
}

impl Sentence for Release {
    fn sentence(&self) -> String {
        format!(
            "release the device “{}”, so that somebody else can enrol it",
            self.serial
        )
    }
}

impl Sentence for Retire {
    fn sentence(&self) -> String {
        format!("retire the device “{}” for good", self.serial)
    }
}

impl Sentence for Transfer {
    fn sentence(&self) -> String {
        format!("hand the device “{}” over to {}", self.serial, self.name)
    }
}

impl Sentence for Transaction {
    fn sentence(&self) -> String {
        format!(
            "sign the {} bytes of “{}” ({}), taken on {}, as number {}; their SHA-256 is {}",
            self.payload.length,
            self.payload.file_name,
            self.payload.media_type,
            self.taken,
            self.sequence,
            hex::encode(self.payload.sha256)
        )
    }
}

impl Sentence for Status {
    fn sentence(&self) -> String {
        "ask whether this device's registration is still valid".to_owned()
    }
}
