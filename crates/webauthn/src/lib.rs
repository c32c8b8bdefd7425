//! The relying party: is this registration, or this assertion, what it claims to be?
//!
//! Implements WebAuthn Level 3, sections 7.1 and 7.2, step by step, and the attestation statement
//! formats of section 8. There is no input or output here and no clock: the caller brings the
//! challenge it sent, its policy, and the time.
//!
//! ```
//! use hallway_webauthn::{
//!     AssertionError, AssertionPolicy, AssertionResponse, CredentialRecord, RelyingParty,
//!     verify_assertion,
//! };
//!
//! fn sign_in(
//!     challenge: &[u8],
//!     record: &mut CredentialRecord,
//!     response: &AssertionResponse<'_>,
//! ) -> Result<(), AssertionError> {
//!     let rp = RelyingParty::new("gate.example", "https://gate.example");
//!     let policy = AssertionPolicy::default();
//!     let assertion = verify_assertion(&rp, challenge, &policy, record, response)?;
//!     assertion.update(record);
//!     Ok(())
//! }
//! ```

mod assertion;
mod attestation;
mod base64url_digits;
mod cbor_map;
mod ceremony;
mod certificate;
mod client_data;
mod der;
pub mod device_attestation;
pub mod explain;
mod extensions;
mod json;
mod jws;
pub mod metadata;
mod model_id;
mod model_policy;
mod observer;
mod path;
mod policy;
mod registration;
mod relying_party;
mod signature;
mod trust_anchor;
pub mod wire;

pub use assertion::{
    Assertion, AssertionError, CounterVerdict, verify_assertion, verify_assertion_observed,
};
pub use attestation::{
    AnchorFound, AndroidSecurityLevel, Attestation, AttestationError, AttestationKind,
    AttestationObject, Certified, Details, Format, MAX_ATTESTATION_OBJECT,
    packed_certificate_model,
};
pub use ceremony::CeremonyError;
pub use certificate::{CertificateError, MAX_CERTIFICATE, MAX_CHAIN};
pub use client_data::{ClientDataError, MAX_CLIENT_DATA};
pub use extensions::{
    AuthenticatorExtensions, CredProtect, ExtensionsError, UserVerificationMethod,
};
pub use json::JsonError;
pub use jws::JwsError;
pub use model_id::{ModelId, NotAModel};
pub use model_policy::{
    KeyProtection, ModelError, ModelList, ModelPolicy, SerialNumbers, Standing, StoredProof,
};
pub use observer::{Observed, Observer, Outcome, Record, Step};
pub use policy::{
    AndroidKeyLists, AssertionPolicy, BackupEligibility, CompoundStatements, CounterPolicy,
    Framing, RegistrationPolicy, RequiredTrust, USUAL_ALGORITHMS, UnnamedTop, UserHandle,
    UserPresence, UserVerification,
};
pub use registration::{
    Registration, RegistrationError, verify_registration, verify_registration_observed,
};
pub use relying_party::{
    AssertionResponse, CredentialRecord, MAX_TRANSPORTS, RegistrationResponse, RelyingParty,
    UnixSeconds,
};
pub use signature::SignatureError;
pub use trust_anchor::{TrustAnchor, TrustAnchors};
