//! Verifying an authentication assertion (WebAuthn Level 3, 7.2).
//!
//! Steps 1 to 5 and 24 to 25 are the caller's: asking, finding the credential record, and storing
//! what [`Assertion::update`] changes.

use hallway_ctap::authenticator_data::{AuthenticatorData, AuthenticatorDataError, Flags};
use hallway_ctap::cose::{PublicKey, PublicKeyError};

use crate::ceremony::{self, CeremonyError};
use crate::client_data::{self, ClientDataError, Steps};
use crate::observer::{Hex, Observer, Outcome, Step, check, conclude, part, step};
use crate::policy::{AssertionPolicy, CounterPolicy, UserHandle};
use crate::relying_party::{AssertionResponse, CredentialRecord, RelyingParty};
use crate::signature::{self, Message, SignatureError};

/// An assertion that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "the counter verdict decides whether the credential may be a clone"]
pub struct Assertion {
    /// Whether the UP flag was set.
    pub user_present: bool,
    /// Whether the UV flag was set.
    pub user_verified: bool,
    /// Whether the BE flag was set.
    pub backup_eligible: bool,
    /// Whether the BS flag was set.
    pub backed_up: bool,
    /// The signature counter that was signed.
    pub sign_count: u32,
    /// What the counter says about clones.
    pub counter: CounterVerdict,
    /// The authenticator's extension outputs, a CBOR map; empty where there are none.
    pub extensions: Vec<u8>,
}

/// What the signature counter says (WebAuthn Level 3, 6.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum CounterVerdict {
    /// The authenticator keeps no counter.
    Unused,
    /// The counter went forward.
    Advanced,
    /// The counter did not go forward: a sign, not a proof, that the credential has a clone.
    WentBack {
        /// The counter of the credential record.
        stored: u32,
        /// The counter of this assertion.
        received: u32,
    },
}

/// Why an assertion is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Step 6: the response is from another credential.
    #[error("the response is from another credential than the one on record")]
    CredentialId,
    /// Step 6: the response belongs to another user.
    #[error("the credential belongs to another user")]
    UserHandle,
    /// Step 6: the policy needs a user handle.
    #[error("the response does not say which user it is for")]
    UserHandleMissing,
    /// Steps 8 to 14.
    #[error(transparent)]
    ClientData(#[from] ClientDataError),
    /// Step 7: the authenticator data do not parse.
    #[error(transparent)]
    AuthenticatorData(#[from] AuthenticatorDataError),
    /// Steps 15 to 18.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// Step 19.
    #[error("backup eligibility (BE) is not what it was when the credential was registered")]
    BackupEligibilityChanged,
    /// Step 21: the stored public key does not parse.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// Step 21.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Step 22: the counter did not go forward, which the policy refuses.
    #[error(
        "the signature counter went from {stored} to {received}: the authenticator may have been \
         cloned"
    )]
    Counter {
        /// The counter of the credential record.
        stored: u32,
        /// The counter of this assertion.
        received: u32,
    },
}

const CREDENTIAL: Step = step("7.2.6", "The credential is the user's");
const PARTS: Step = step("7.2.7", "The authenticator data are well formed");
const ELIGIBLE: Step = step("7.2.19", "Backup eligibility did not change (BE)");
const SIGNATURE: Step = step("7.2.21", "The signature is by the credential's key");
const COUNTER: Step = step("7.2.22", "The signature counter went forward");
const CLIENT_DATA: Steps = Steps {
    parse: step("7.2.9", "The client data are JSON"),
    ceremony: step("7.2.10", "The type is webauthn.get"),
    challenge: step("7.2.11", "The challenge is ours"),
    origin: step("7.2.12", "The origin is ours"),
    cross_origin: step("7.2.13", "Frames of other sites are expected"),
    top_origin: step("7.2.14", "The top origin may hold our frame"),
    expected_type: "webauthn.get",
};

const STEPS: ceremony::Steps = ceremony::Steps {
    rp_id: step("7.2.15", "The RP ID hash is this relying party's"),
    present: step("7.2.16", "The user was present (UP)"),
    verified: step("7.2.17", "The user was verified (UV)"),
    backed_up: step("7.2.18", "Not backed up unless eligible (BS, BE)"),
    hash: step("7.2.20", "The client data are hashed"),
    extensions: step("7.2.23", "Extension outputs are kept"),
};

/// Verifies an assertion.
///
/// `challenge` is the challenge that was sent, 16 bytes or more; the caller ensures that it is
/// fresh and used once. On the ES256 path nothing is allocated.
///
/// # Errors
/// The first step that does not hold.
pub fn verify_assertion(
    rp: &RelyingParty,
    challenge: &[u8],
    policy: &AssertionPolicy,
    record: &CredentialRecord,
    response: &AssertionResponse<'_>,
) -> Result<Assertion, AssertionError> {
    verify_assertion_observed(rp, challenge, policy, record, response, &mut ())
}

/// [`verify_assertion`], telling `observer` about every step.
///
/// # Errors
/// As [`verify_assertion`].
pub fn verify_assertion_observed<O: Observer>(
    rp: &RelyingParty,
    challenge: &[u8],
    policy: &AssertionPolicy,
    record: &CredentialRecord,
    response: &AssertionResponse<'_>,
    observer: &mut O,
) -> Result<Assertion, AssertionError> {
    verify_user(policy, record, response, observer)?;
    let data = conclude(
        observer,
        PARTS,
        AuthenticatorData::parse(response.authenticator_data),
        format_args!("{} bytes", response.authenticator_data.len()),
    )?;
    client_data::verify(
        rp,
        challenge,
        &policy.framing,
        response.client_data_json,
        &CLIENT_DATA,
        observer,
    )?;
    let app_id = policy.app_id.as_deref();
    ceremony::verify_rp_id(rp, app_id, data.rp_id_hash, &STEPS, observer)?;
    ceremony::verify_flags(
        data.flags,
        policy.user_presence,
        policy.user_verification,
        &STEPS,
        observer,
    )?;
    verify_eligibility(record, data.flags, observer)?;
    verify_signature(record, response, observer)?;
    let counter = verify_counter(policy, record, &data, observer)?;
    Ok(Assertion {
        user_present: data.flags.contains(Flags::USER_PRESENT),
        user_verified: data.flags.contains(Flags::USER_VERIFIED),
        backup_eligible: data.flags.contains(Flags::BACKUP_ELIGIBLE),
        backed_up: data.flags.contains(Flags::BACKED_UP),
        sign_count: data.sign_count,
        counter,
        extensions: ceremony::extensions(&data, &STEPS, observer),
    })
}

impl Assertion {
    /// Step 24: brings the stored record up to date. `uv_initialized` is left alone, since raising
    /// it needs another factor's consent; see [`CredentialRecord::uv_initialized`].
    pub fn update(&self, record: &mut CredentialRecord) {
        record.sign_count = self.sign_count;
        record.backed_up = self.backed_up;
    }
}

/// Step 6: the record is the response's credential, and its user is the response's user.
fn verify_user<O: Observer>(
    policy: &AssertionPolicy,
    record: &CredentialRecord,
    response: &AssertionResponse<'_>,
    observer: &mut O,
) -> Result<(), AssertionError> {
    let ours = response.credential_id == record.id;
    let ours = ours.then_some(()).ok_or(AssertionError::CredentialId);
    part(observer, CREDENTIAL, ours)?;
    match response.user_handle {
        Some(handle) => check(
            observer,
            CREDENTIAL,
            handle == record.user_handle,
            format_args!(
                "credential {}, user handle {}, on record {}",
                Hex(response.credential_id),
                Hex(handle),
                Hex(&record.user_handle)
            ),
            || AssertionError::UserHandle,
        ),
        None => check(
            observer,
            CREDENTIAL,
            policy.user_handle == UserHandle::MatchIfPresent,
            format_args!(
                "credential {}; the response names no user, and {}",
                Hex(response.credential_id),
                policy.user_handle
            ),
            || AssertionError::UserHandleMissing,
        ),
    }
}

/// Step 19.
fn verify_eligibility<O: Observer>(
    record: &CredentialRecord,
    flags: Flags,
    observer: &mut O,
) -> Result<(), AssertionError> {
    let eligible = flags.contains(Flags::BACKUP_ELIGIBLE);
    check(
        observer,
        ELIGIBLE,
        eligible == record.backup_eligible,
        format_args!(
            "BE is {}, on record it is {}",
            ceremony::set(eligible),
            ceremony::set(record.backup_eligible)
        ),
        || AssertionError::BackupEligibilityChanged,
    )
}

/// Steps 20 and 21.
fn verify_signature<O: Observer>(
    record: &CredentialRecord,
    response: &AssertionResponse<'_>,
    observer: &mut O,
) -> Result<(), AssertionError> {
    let hash = ceremony::hash(response.client_data_json, &STEPS, observer);
    let key = part(observer, SIGNATURE, PublicKey::decode(&record.public_key))?;
    let message = Message::new(response.authenticator_data, hash.as_ref());
    conclude(
        observer,
        SIGNATURE,
        signature::verify(&key, message.bytes(), response.signature),
        format_args!(
            "{} over the authenticator data and the hash",
            key.algorithm()
        ),
    )?;
    Ok(())
}

/// Step 22.
fn verify_counter<O: Observer>(
    policy: &AssertionPolicy,
    record: &CredentialRecord,
    data: &AuthenticatorData<'_>,
    observer: &mut O,
) -> Result<CounterVerdict, AssertionError> {
    let (stored, received) = (record.sign_count, data.sign_count);
    if stored == 0 && received == 0 {
        observer.step(
            COUNTER,
            Outcome::Skipped,
            format_args!("the authenticator keeps no counter"),
        );
        return Ok(CounterVerdict::Unused);
    }
    let detail = format_args!("{received}, on record {stored}");
    if received > stored {
        observer.step(COUNTER, Outcome::Held, detail);
        return Ok(CounterVerdict::Advanced);
    }
    observer.step(COUNTER, Outcome::Failed, detail);
    match policy.counter {
        CounterPolicy::Refuse => Err(AssertionError::Counter { stored, received }),
        CounterPolicy::Report => Ok(CounterVerdict::WentBack { stored, received }),
    }
}
