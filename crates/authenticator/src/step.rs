//! The state from which the next command of a sequence continues.

use alloc::vec::Vec;

use crate::fingerprint_sensor::Template;
use crate::fingerprints::TemplateId;
use crate::hmac_secret::Salts;
use crate::verified_by::VerifiedBy;

/// The state that a command leaves for the next one of its sequence.
pub(crate) enum Step {
    /// getNextAssertion may follow.
    Assertions(Assertions),
    /// enumerateRPsGetNextRP may follow: hashes of the ids that are left.
    RelyingParties(Vec<[u8; 32]>),
    /// enumerateCredentialsGetNextCredential may follow: the slots that are left.
    Credentials(Vec<u16>),
    /// The next part of a large-blob array may follow.
    LargeBlobs(BlobWrite),
    /// The next sample of a fingerprint may follow.
    Enrollment(Enrollment),
}

/// What all assertions of one request have in common.
pub(crate) struct Terms {
    pub(crate) rp_id_hash: [u8; 32],
    pub(crate) client_data_hash: [u8; 32],
    pub(crate) present: bool,
    pub(crate) verified_by: Option<VerifiedBy>,
    pub(crate) salts: Option<Salts>,
    pub(crate) cred_blob: bool,
    pub(crate) third_party_payment: bool,
    pub(crate) large_blob_key: bool,
    pub(crate) uvm: bool,
    /// The signature by the signing key of the one credential that the request allows and this key
    /// has.
    pub(crate) signed_data: Option<Vec<u8>>,
}

impl Terms {
    pub(crate) const fn verified(&self) -> bool {
        self.verified_by.is_some()
    }
}

/// Assertions that getNextAssertion may still ask for.
pub(crate) struct Assertions {
    pub(crate) terms: Terms,
    pub(crate) left: Left,
}

/// Discoverable credentials that match and have not signed yet. Nothing can change them meanwhile:
/// any other command ends the sequence.
#[derive(Clone, Copy, Default)]
pub(crate) struct Left {
    pub(crate) count: usize,
    /// They are among this many oldest credentials of the relying party.
    pub(crate) older: usize,
}

/// An array that is being written.
pub(crate) struct BlobWrite {
    pub(crate) written: Vec<u8>,
    pub(crate) length: usize,
}

/// An enrolment under way.
pub(crate) struct Enrollment {
    pub(crate) id: TemplateId,
    pub(crate) template: Template,
    /// Good samples that the template still lacks.
    pub(crate) missing: u8,
}
