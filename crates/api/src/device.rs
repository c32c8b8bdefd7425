//! Between a device and its gateway: JSON, with bytes in base64url.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/device/enrolments/statement` | [`EnrolmentStatement`] |
//! | `POST /api/device/enrolments` with [`Enrolment`] | 201, [`Announced`] |
//! | `POST /api/device/status` with [`Question`] | [`Status`] |
//! | `POST /api/device/challenge` | [`Challenge`] |
//! | `POST /api/device/transactions` with the bytes | 201, a receipt in CBOR |

use hallway_evidence::TrustFile;
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The header with a transaction's signed statement.
pub const EVIDENCE_HEADER: &str = "hallway-evidence";

/// The header with the seal of the challenge that a transaction answers.
pub const SEAL_HEADER: &str = "hallway-seal";

/// A statement for a device to enrol with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EnrolmentStatement {
    /// The statement, deterministic CBOR. Its SHA-256 is the challenge.
    #[schemars(with = "String")]
    pub statement: Base64Url,
    /// Proves that the gateway made the statement; send it back with the answer.
    #[schemars(with = "String")]
    pub seal: Base64Url,
    /// The last moment at which the answer is accepted, milliseconds since 1970.
    pub expires_ms: u64,
}

/// A device's answer to an [`EnrolmentStatement`]: the statement, signed and attested.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enrolment {
    /// The signed statement with the registration, CBOR.
    #[schemars(with = "String")]
    pub signed_statement: Base64Url,
    /// The seal, as [`EnrolmentStatement`] had it.
    #[schemars(with = "String")]
    pub seal: Base64Url,
}

/// The code that the owner types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Announced {
    /// Eight letters, such as `BCDF-GHJK`.
    pub user_code: String,
    /// When the code expires, milliseconds since 1970.
    pub expires_ms: u64,
    /// How long to wait between two [`Question`]s, milliseconds.
    pub interval_ms: u64,
    /// The address of the page where the owner types the code.
    pub console: String,
}

/// "Is my registration still valid?", signed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// A signed statement of the act `device.status`, CBOR.
    #[schemars(with = "String")]
    pub signed_statement: Base64Url,
    /// How many files the device has set aside; without it, the number on record stays. More than
    /// 10,000 count as 10,000. Not signed: it is no evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<u32>,
}

/// The state of a device at its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Enrolled, waiting for an owner to type its code.
    Announced,
    /// An owner typed its code.
    Claimed,
    /// The device may send.
    Registered,
    /// The device may not send until its owner reinstates it.
    Suspended,
    /// Reported stolen: the device may not sign or send until its owner withdraws the report.
    Stolen,
    /// Given up by its owner; the device may enrol again.
    Released,
    /// Never used again.
    Retired,
    /// The gateway does not know the device.
    Unknown,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The state of the device.
    pub state: State,
    /// The sequence number of the last transaction that was accepted; 0 before the first.
    pub last_sequence: u64,
    /// The device's id, once an owner claimed it.
    #[serde(default)]
    pub device_id: Option<String>,
    /// Its serial number.
    #[serde(default)]
    pub serial: String,
    /// Its owner's name.
    #[serde(default)]
    pub owner: Option<String>,
    /// The receipts that its transactions rest on, a CBOR bundle: the claim, the enrolment, the
    /// owner's key, and the acts that allowed that key.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub receipts: Option<Base64Url>,
    /// How many files set aside the gateway has on record; a change is noted once a minute. `None` if
    /// it keeps no such number.
    #[serde(default)]
    pub set_aside: Option<u32>,
    /// The realm's keys and makers, by which receipts are checked.
    #[schemars(with = "serde_json::Value")]
    pub trust: TrustFile,
    /// The gateway's time, milliseconds since 1970.
    pub now_ms: u64,
}

/// A challenge for one transaction.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// 32 bytes for the statement.
    #[schemars(with = "String")]
    pub challenge: Base64Url,
    /// Proves that the gateway made the challenge; send it back in the header [`SEAL_HEADER`].
    #[schemars(with = "String")]
    pub seal: Base64Url,
    /// When the challenge expires, milliseconds since 1970.
    pub expires_ms: u64,
}
