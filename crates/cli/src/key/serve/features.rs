//! Optional features of a served key.

use hallway_softkey::{Gesture, SoftKey};

/// Optional features of the key.
#[derive(clap::Args, Debug)]
pub(super) struct FeatureArguments {
    /// List post-quantum signatures (ML-DSA) among the key's algorithms.
    ///
    /// A site that asks for them gets them in any case; some browsers refuse a key that lists an
    /// algorithm that they do not know.
    #[arg(long)]
    post_quantum: bool,
    /// Offer signing keys beside credentials, which sign what websites choose (extension
    /// previewSign).
    ///
    /// It is a draft (version 4), and its identifiers may change.
    #[arg(long)]
    preview_sign: bool,
    /// Where large blobs are kept.
    #[arg(long, value_enum, value_name = "WHERE", default_value = "array")]
    large_blobs: LargeBlobs,
    /// What the PIN is for.
    ///
    /// With `management`, registration and sign-in take a finger, and the PIN only manages the key
    /// (noMcGaPermissionsWithClientPin).
    #[arg(long, value_enum, value_name = "WHAT", default_value = "everything")]
    pin_for: PinUse,
    /// Simulate a fingerprint sensor, at which GESTURES happen one after the other, and the last
    /// one again and again: numbers of fingers, too-fast, too-slow, poor, short, skewed, nothing.
    ///
    /// It verifies nobody: it is for testing programs that talk to keys, never for a key that
    /// guards something.
    #[arg(long, value_name = "GESTURES", value_delimiter = ',')]
    simulate_fingerprints: Option<Vec<Gesture>>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum LargeBlobs {
    /// In one array (largeBlobKey): what today's platforms know.
    Array,
    /// Beside each passkey (largeBlob of CTAP 2.2 and later).
    Credentials,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum PinUse {
    /// Registration, sign-in, and management.
    Everything,
    /// Management only.
    Management,
}

impl FeatureArguments {
    /// Gives the key these features, until it is closed.
    pub(super) fn apply(&self, key: &mut SoftKey) {
        if self.post_quantum {
            key.advertise_post_quantum();
        }
        if self.preview_sign {
            key.offer_preview_sign();
        }
        if self.large_blobs == LargeBlobs::Credentials {
            key.keep_blobs_with_credentials();
        }
        if self.pin_for == PinUse::Management {
            key.keep_pin_out_of_ceremonies();
        }
        if let Some(script) = &self.simulate_fingerprints {
            eprintln!("The fingerprint sensor is simulated: it verifies nobody.");
            key.simulate_fingerprints(script.iter().copied());
        }
    }
}
