//! The HTTP API between device and gateway: JSON, with bytes in base64url.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/device/enrolments/statement` | [`EnrolmentStatement`] |
//! | `POST /api/device/enrolments` with [`Enrolment`] | 201, [`Announced`] |
//! | `POST /api/device/status` with [`Question`] | [`Status`] |
//! | `POST /api/device/challenge` | [`Challenge`] |
//! | `POST /api/device/transactions` with the bytes | 201, a receipt in CBOR |
//!
//! Errors are problem details (RFC 9457) with a `code`: [`hallway_api::Problem`].

use hallway_evidence::TrustFile;
use hallway_webauthn::wire::Base64Url;
use serde::{Deserialize, Serialize};

/// The header with a transaction's signed statement.
pub const EVIDENCE_HEADER: &str = "Hallway-Evidence";

/// The header with the seal of the challenge that a transaction answers.
pub const SEAL_HEADER: &str = "Hallway-Seal";

/// A statement for a device to enrol with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolmentStatement {
    /// Deterministic CBOR; its SHA-256 is the challenge.
    pub statement: Base64Url,
    /// Proves that the gateway made the statement; goes back unchanged.
    pub seal: Base64Url,
    /// When the statement expires, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// A device's answer to an [`EnrolmentStatement`]: the statement, signed and attested.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// The signed statement with the registration, CBOR.
    pub signed_statement: Base64Url,
    /// The seal of the [`EnrolmentStatement`], unchanged.
    pub seal: Base64Url,
}

/// The code that the owner types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Such as `BCDF-GHJK`.
    pub user_code: String,
    /// When the code expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// How long to wait between two [`Question`]s.
    pub interval_ms: u64,
    /// The URL of the page where the owner types the code.
    pub console: String,
}

/// "Is my registration still valid?", signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    /// A signed statement of the act `device.status`, CBOR.
    pub signed_statement: Base64Url,
    /// How many files the device has set aside, at most 10,000. Not signed: it is no evidence.
    pub set_aside: u32,
}

/// The state of a device at its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// The receipts that its transactions rest on: a bundle in CBOR.
    #[serde(default)]
    pub receipts: Option<Base64Url>,
    /// How many files set aside the gateway has on record; `None` if it keeps no such number.
    #[serde(default)]
    pub set_aside: Option<u32>,
    /// The realm's keys and makers, by which receipts are checked.
    pub trust: TrustFile,
    /// The gateway's time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// A challenge for one transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 bytes for the statement.
    pub challenge: Base64Url,
    /// Proves that the gateway made the challenge; goes back in the header [`SEAL_HEADER`].
    pub seal: Base64Url,
    /// When the challenge expires, in milliseconds since 1970.
    pub expires_ms: u64,
}
