//! The device door: enrol, claim, change hands, and sign bytes with nobody present.

use hallway_ctap::aaguid::Aaguid;
use serde::Serialize;

use super::json::{displayed, hexadecimal, optional_hexadecimal};
use super::{Door, Hash};
use crate::count::Count;
use crate::credential_id::CredentialId;
use crate::fields::{DecodeError, Fields};
use crate::id::{DeviceId, PersonId};
use crate::line::Line;
use crate::timestamp::Timestamp;
use crate::words::stated;

stated! {
    /// When a transaction was meant to be sent.
    Delivery {
        /// At once, with the gateway in reach.
        Live = "live",
        /// Later: it was signed offline and queued.
        Queued = "queued",
    }
}

/// What a device states, or a person about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A device makes itself known. The gateway makes the statement, the response is a
    /// registration with an attestation.
    Enrol,
    /// A person takes an enrolled device.
    Claim(Claim),
    /// The owner changes what the device may do, or whose it is.
    Change(ChangeTerms),
    /// The device signs bytes.
    Transaction(Transaction),
    /// The device asks whether its registration is still valid.
    Status,
}

/// The terms of `device.claim`, signed by the person who becomes the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The device's id from now on.
    pub device: DeviceId,
    /// The serial number in its attestation certificate.
    pub serial: Line,
    /// Its model.
    #[serde(serialize_with = "displayed")]
    pub model: Aaguid,
    /// The name of the authority that its attestation certificate chains to.
    pub authority: Line,
    /// The credential that the device signs with.
    pub credential: CredentialId,
    /// The hash of the enrolment's statement.
    #[serde(serialize_with = "hexadecimal")]
    pub enrolment: Hash,
    /// Who becomes the owner.
    pub owner: PersonId,
}

/// The terms of `device.change`, signed by the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeTerms {
    /// Which device.
    pub device: DeviceId,
    /// Its serial number.
    pub serial: Line,
    /// What changes.
    pub change: Change,
}

/// What an owner may change about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing that it signs is accepted until it is resumed.
    Suspend,
    /// What it signs is accepted again.
    Resume,
    /// It was stolen: nobody can enrol it, factory reset or not.
    ReportStolen,
    /// It is given up: whoever holds it next may enrol it.
    Release,
    /// It is never used again.
    Retire,
    /// It becomes somebody else's.
    Transfer {
        /// The new owner.
        to: PersonId,
        /// The new owner's name.
        name: Line,
    },
}

impl Change {
    /// The word that stands for it in the statement.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::ReportStolen => "report_stolen",
            Self::Release => "release",
            Self::Retire => "retire",
            Self::Transfer { .. } => "transfer",
        }
    }
}

/// The terms of `device.transaction`, signed by the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Counts up with each transaction of the credential, from 1 to [`Count::MAX`].
    pub sequence: u64,
    /// When the bytes were taken, by the device's clock.
    pub taken: Timestamp,
    /// Sent at once or queued.
    pub delivery: Delivery,
    /// The bytes that are signed.
    pub payload: Payload,
    /// The gateway's challenge, when the device asked for one first.
    #[serde(
        serialize_with = "optional_hexadecimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub challenge: Option<Hash>,
}

/// The bytes that a transaction is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payload {
    /// SHA-256 of the bytes.
    #[serde(serialize_with = "hexadecimal")]
    pub sha256: Hash,
    /// How many they are, [`Count::MAX`] at most.
    pub length: u64,
    /// Their media type, such as `image/jpeg`.
    pub media_type: Line,
    /// The file's name on the device, without folders.
    pub file_name: Line,
}

impl Payload {
    /// Describes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8], media_type: Line, file_name: Line) -> Self {
        Self {
            sha256: super::sha256(bytes),
            length: bytes.len() as u64,
            media_type,
            file_name,
        }
    }

    /// Whether `bytes` are the ones that are described.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && self.sha256 == super::sha256(bytes)
    }
}

impl Door for Device {
    fn kind(&self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Claim(_) => "claim",
            Self::Change(_) => "change",
            Self::Transaction(_) => "transaction",
            Self::Status => "status",
        }
    }

    fn terms(&self) -> Fields<'_> {
        match self {
            Self::Enrol | Self::Status => Fields::default(),
            Self::Claim(terms) => Fields::default()
                .with("device", &terms.device)
                .with("serial", &terms.serial)
                .with("model", &terms.model)
                .with("authority", &terms.authority)
                .with("credential", &terms.credential)
                .with("enrolment", &terms.enrolment)
                .with("owner", &terms.owner),
            Self::Change(terms) => {
                let fields = Fields::default()
                    .with("device", &terms.device)
                    .with("serial", &terms.serial)
                    .with("change", terms.change.as_str());
                match &terms.change {
                    Change::Transfer { to, name } => fields.with("to", to).with("name", name),
                    _ => fields,
                }
            }
            Self::Transaction(terms) => Fields::default()
                .with("sequence", &terms.sequence)
                .with("taken", &terms.taken)
                .with("delivery", &terms.delivery)
                .with("sha256", &terms.payload.sha256)
                .with("length", &terms.payload.length)
                .with("media_type", &terms.payload.media_type)
                .with("file_name", &terms.payload.file_name)
                .with_some("challenge", terms.challenge.as_ref()),
        }
    }

    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            "enrol" => Self::Enrol,
            "status" => Self::Status,
            "claim" => Self::Claim(Claim {
                device: terms.take("device")?,
                serial: terms.take("serial")?,
                model: terms.take("model")?,
                authority: terms.take("authority")?,
                credential: terms.take("credential")?,
                enrolment: terms.take("enrolment")?,
                owner: terms.take("owner")?,
            }),
            "change" => Self::Change(ChangeTerms {
                device: terms.take("device")?,
                serial: terms.take("serial")?,
                change: read_change(terms)?,
            }),
            "transaction" => Self::Transaction(Transaction {
                sequence: terms.take::<Count>("sequence")?.get(),
                taken: terms.take("taken")?,
                delivery: terms.take("delivery")?,
                payload: Payload {
                    sha256: terms.take("sha256")?,
                    length: terms.take::<Count>("length")?.get(),
                    media_type: terms.take("media_type")?,
                    file_name: terms.take("file_name")?,
                },
                challenge: terms.take_optional("challenge")?,
            }),
            _ => return Ok(None),
        }))
    }

    fn sentence(&self) -> String {
        match self {
            Self::Enrol => "make this device known, with its attestation".to_owned(),
            Self::Status => "ask whether this device's registration is still valid".to_owned(),
            Self::Claim(terms) => format!(
                "take the device with serial number “{}”, model {}, attested by {}",
                terms.serial, terms.model, terms.authority
            ),
            Self::Change(terms) => {
                let serial = &terms.serial;
                match &terms.change {
                    Change::Suspend => format!("suspend the device “{serial}”"),
                    Change::Resume => format!("resume the device “{serial}”"),
                    Change::ReportStolen => {
                        format!("report the device “{serial}” stolen, so that nobody can enrol it")
                    }
                    Change::Release => {
                        format!("release the device “{serial}”, so that somebody else can enrol it")
                    }
                    Change::Retire => format!("retire the device “{serial}” for good"),
                    Change::Transfer { name, .. } => {
                        format!("hand the device “{serial}” over to {name}")
                    }
                }
            }
            Self::Transaction(terms) => format!(
                "sign the {} bytes of “{}” ({}), taken on {}, as number {}; their SHA-256 is {}",
                terms.payload.length,
                terms.payload.file_name,
                terms.payload.media_type,
                terms.taken,
                terms.sequence,
                hex::encode(terms.payload.sha256)
            ),
        }
    }
}

fn read_change(terms: &mut Fields<'_>) -> Result<Change, DecodeError> {
    Ok(match terms.take::<&str>("change")? {
        "suspend" => Change::Suspend,
        "resume" => Change::Resume,
        "report_stolen" => Change::ReportStolen,
        "release" => Change::Release,
        "retire" => Change::Retire,
        "transfer" => Change::Transfer {
            to: terms.take("to")?,
            name: terms.take("name")?,
        },
        _ => {
            return Err(DecodeError::Value {
                member: "change",
                reason: "is not one of the changes that are known here",
            });
        }
    })
}
