//! The uvm extension: by what means the user was verified (WebAuthn Level 2, section 10.3).

use alloc::vec::Vec;

use hallway_ctap::cbor::{Encode, List};

use crate::verified_by::VerifiedBy;

/// FIDO Registry of Predefined Values, section 3.1: a touch.
const PRESENCE: u32 = 0x0001;
/// A fingerprint, matched in the key.
pub(crate) const FINGERPRINT_INTERNAL: u32 = 0x0002;
/// A PIN that was typed on the platform.
const PASSCODE_EXTERNAL: u32 = 0x0800;
/// The matching was done, and the key kept, in software.
const SOFTWARE: u32 = 0x0001;

/// Method, key protection and matcher protection.
pub(crate) struct Method([u32; 3]);

impl Encode for Method {
    fn encode(&self, out: &mut Vec<u8>) {
        List(&self.0).encode(out);
    }
}

/// All methods that were used.
pub(crate) struct Methods(Vec<Method>);

impl Encode for Methods {
    fn encode(&self, out: &mut Vec<u8>) {
        List(&self.0).encode(out);
    }
}

/// The output of the extension.
pub(crate) fn uvm(present: Touched, verified: Option<VerifiedBy>) -> Methods {
    let verified = verified.map(|by| match by {
        VerifiedBy::Pin => PASSCODE_EXTERNAL,
        VerifiedBy::Finger => FINGERPRINT_INTERNAL,
    });
    let touched = (present == Touched::Yes).then_some(PRESENCE);
    Methods(
        [verified, touched]
            .into_iter()
            .flatten()
            .map(|method| Method([method, SOFTWARE, SOFTWARE]))
            .collect(),
    )
}

/// Whether somebody touched the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Touched {
    Yes,
    No,
}

impl From<bool> for Touched {
    fn from(touched: bool) -> Self {
        if touched { Self::Yes } else { Self::No }
    }
}
