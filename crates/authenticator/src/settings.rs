//! The settings that the maker of a security key chooses.

use hallway_ctap::aaguid::Aaguid;

use crate::version;

/// The longest request: what CTAPHID can carry.
pub(crate) const MAX_MESSAGE_BYTES: usize = hallway_ctap::ctaphid::MAX_MESSAGE;

/// The uses of the PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinUse {
    /// Ceremonies and management.
    Everything,
    /// Management only: registration and sign-in take the key's own sensor (the option
    /// noMcGaPermissionsWithClientPin, CTAP 2.3, section 6.4).
    Management,
}

/// Where large blobs are kept. An authenticator offers one of the two, never both (CTAP 2.3,
/// section 12.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LargeBlobs {
    /// In one array that platforms read and write with authenticatorLargeBlobs, under keys from the
    /// largeBlobKey extension: what today's platforms expect.
    Array {
        /// The longest serialised array, in bytes; at least 1024.
        max_length: usize,
    },
    /// Beside each discoverable credential, read and written by the largeBlob extension.
    WithCredentials {
        /// The longest blob, compressed, in bytes.
        max_length: usize,
    },
}

impl LargeBlobs {
    pub(crate) const fn max_array(self) -> Option<usize> {
        match self {
            Self::Array { max_length } => Some(max_length),
            Self::WithCredentials { .. } => None,
        }
    }
}

/// The maker's choices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The model, where the attestation does not name one.
    pub aaguid: Aaguid,
    /// The version of the firmware: a later one has a higher number. The default is this crate's
    /// version.
    pub firmware_version: u64,
    /// How many discoverable credentials there may be; at most
    /// [`RecordKey::CREDENTIAL_SLOTS`](crate::RecordKey::CREDENTIAL_SLOTS).
    pub max_discoverable: u16,
    /// How the key is reached, by WebAuthn's names, such as `usb`.
    pub transports: &'static [&'static str],
    /// For how long after power-up a reset is allowed (CTAP 2.3, section 6.6: 10 seconds).
    pub reset_window_ms: u64,
    /// The longest request that clients are told to send (maxMsgSize), in bytes; at least 1024.
    /// Longer ones are accepted, up to the longest that CTAPHID can carry.
    pub max_message: usize,
    /// Where large blobs are kept.
    pub large_blobs: LargeBlobs,
    /// Whether getInfo lists post-quantum algorithms: some browsers refuse a getInfo with an
    /// algorithm that they do not know. Requests may name them either way.
    pub advertise_post_quantum: bool,
    /// Whether the extension previewSign, a draft, is offered; otherwise it is ignored.
    pub preview_sign: bool,
    /// Whether the PIN also serves ceremonies, or only management.
    pub pin_use: PinUse,
    /// Certifications of the model and their levels (CTAP 2.3, section 7.3).
    pub certifications: &'static [(&'static str, u64)],
    /// Where the owner finds the PIN complexity policy explained.
    pub pin_complexity_policy_url: Option<&'static str>,
}

impl Default for Settings {
    /// A small device on USB.
    fn default() -> Self {
        Self {
            aaguid: Aaguid::SOFTWARE_KEY,
            firmware_version: version::FIRMWARE,
            max_discoverable: 256,
            transports: &["usb"],
            reset_window_ms: 10_000,
            max_message: MAX_MESSAGE_BYTES,
            large_blobs: LargeBlobs::Array { max_length: 4096 },
            advertise_post_quantum: false,
            preview_sign: false,
            pin_use: PinUse::Everything,
            certifications: &[],
            pin_complexity_policy_url: None,
        }
    }
}
