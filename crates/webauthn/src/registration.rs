//! Registering a new credential (WebAuthn Level 3, 7.1).
//!
//! Steps 1 to 4, 26 and 29 are the caller's: asking, refusing a credential id that is registered
//! already, and storing the record.

mod trust;

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{
    AttestedCredential, AuthenticatorData, AuthenticatorDataError, Flags,
};
use hallway_ctap::cose::{Algorithm, PublicKey, PublicKeyError};

use crate::attestation::{
    self, About, Attestation, AttestationError, AttestationObject, Context, Format,
};
use crate::ceremony::{self, CeremonyError};
use crate::certificate::CertificateError;
use crate::client_data::{self, ClientDataError, Steps};
use crate::model_policy::ModelError;
use crate::observer::{Hex, Observer, Step, check, conclude, part, step};
use crate::policy::{BackupEligibility, Listed, RegistrationPolicy, RequiredTrust};
use crate::relying_party::{
    CredentialRecord, MAX_TRANSPORTS, RegistrationResponse, RelyingParty, UnixSeconds,
};
use crate::signature;

/// A registration that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// What to store, once step 26 holds: no user has registered this credential id before. The
    /// caller sets [`CredentialRecord::user_handle`].
    pub credential: CredentialRecord,
    /// The authenticator's model; [`Aaguid::ZERO`] where it is unknown.
    pub aaguid: Aaguid,
    /// The algorithm of the credential's key.
    pub algorithm: Algorithm,
    /// Who vouches for the authenticator.
    pub attestation: Attestation,
    /// Whether the UP flag was set.
    pub user_present: bool,
    /// Whether the UV flag was set.
    pub user_verified: bool,
    /// The authenticator's extension outputs, a CBOR map; empty where there are none.
    pub extensions: Vec<u8>,
}

/// Why a registration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// Steps 5 to 11.
    #[error(transparent)]
    ClientData(#[from] ClientDataError),
    /// Step 13: the attestation object; step 22: the attestation statement.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// Step 13: the authenticator data do not parse.
    #[error(transparent)]
    AuthenticatorData(#[from] AuthenticatorDataError),
    /// Step 13: the authenticator data hold no credential.
    #[error("the authenticator data hold no credential: the AT flag is not set")]
    NoCredential,
    /// Step 13: the response's credential id is not the one in the authenticator data.
    #[error("the response names another credential than the authenticator data")]
    CredentialId,
    /// Steps 14 to 17.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// Step 18.
    #[error("the credential can be copied to other devices, which the policy does not allow")]
    BackupEligible,
    /// Step 20: the public key does not parse.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// Step 20: the public key is not a point on its curve, so no signature could verify.
    #[error("the {0} public key is not a point on its curve")]
    OffCurve(Algorithm),
    /// Step 20.
    #[error("the credential's algorithm, {0}, was not offered")]
    Algorithm(Algorithm),
    /// Step 21.
    #[error("the attestation format \"{0}\" is not known")]
    Format(String),
    /// Step 24: less than the policy asks for.
    #[error("the policy asks for {required}, the authenticator gave {given}")]
    Trust {
        /// What the policy asks for.
        required: RequiredTrust,
        /// What the authenticator gave.
        given: &'static str,
    },
    /// Step 24: the certificate does not lead to a trust anchor.
    #[error("the attestation certificate is not trusted: {0}")]
    Untrusted(#[source] CertificateError),
    /// Step 24: the certificate names no device.
    #[error("the attestation certificate of \"{0}\" has no serial number in its subject")]
    NoSerialNumber(String),
    /// Step 24: the authenticator's model is not acceptable.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Step 25.
    #[error("the credential id is empty")]
    CredentialIdLength,
}

pub(crate) const OBJECT: Step = step("7.1.13", "The attestation object is well formed");
const ELIGIBLE: Step = step("7.1.18", "Backup eligibility suits the policy (BE)");
const ALGORITHM: Step = step("7.1.20", "The algorithm was offered");
pub(crate) const FORMAT: Step = step("7.1.21", "The attestation format is known");
pub(crate) const STATEMENT: Step = step("7.1.22", "The attestation statement verifies");
const ID_LENGTH: Step = step("7.1.25", "The credential id is at most 1023 bytes");
pub(crate) const CLIENT_DATA: Steps = Steps {
    parse: step("7.1.6", "The client data are JSON"),
    ceremony: step("7.1.7", "The type is webauthn.create"),
    challenge: step("7.1.8", "The challenge is ours"),
    origin: step("7.1.9", "The origin is ours"),
    cross_origin: step("7.1.10", "Frames of other sites are expected"),
    top_origin: step("7.1.11", "The top origin may hold our frame"),
    expected_type: "webauthn.create",
};

pub(crate) const STEPS: ceremony::Steps = ceremony::Steps {
    rp_id: step("7.1.14", "The RP ID hash is this relying party's"),
    present: step("7.1.15", "The user was present (UP)"),
    verified: step("7.1.16", "The user was verified (UV)"),
    backed_up: step("7.1.17", "Not backed up unless eligible (BS, BE)"),
    hash: step("7.1.12", "The client data are hashed"),
    extensions: step("7.1.28", "Extension outputs are kept"),
};

/// Verifies a registration.
///
/// `challenge` is the challenge that was sent; the caller ensures that it is fresh and used once.
/// Certificates are judged at `now`.
///
/// # Errors
/// The first step that does not hold.
pub fn verify_registration(
    rp: &RelyingParty,
    challenge: &[u8],
    policy: &RegistrationPolicy,
    now: UnixSeconds,
    response: &RegistrationResponse<'_>,
) -> Result<Registration, RegistrationError> {
    verify_registration_observed(rp, challenge, policy, now, response, &mut ())
}

/// [`verify_registration`], telling `observer` about every step.
///
/// # Errors
/// As [`verify_registration`].
pub fn verify_registration_observed<O: Observer>(
    rp: &RelyingParty,
    challenge: &[u8],
    policy: &RegistrationPolicy,
    now: UnixSeconds,
    response: &RegistrationResponse<'_>,
    observer: &mut O,
) -> Result<Registration, RegistrationError> {
    client_data::verify(
        rp,
        challenge,
        &policy.framing,
        response.client_data_json,
        &CLIENT_DATA,
        observer,
    )?;
    let hash = ceremony::hash(response.client_data_json, &STEPS, observer);
    let (object, data, credential) = parse(response, observer)?;
    ceremony::verify_rp_id(rp, None, data.rp_id_hash, &STEPS, observer)?;
    ceremony::verify_flags(
        data.flags,
        policy.user_presence,
        policy.user_verification,
        &STEPS,
        observer,
    )?;
    verify_eligibility(policy, data.flags, observer)?;
    let public_key = verify_algorithm(policy, credential.public_key, observer)?;
    let format = Format::from_name(object.format);
    let format = conclude(
        observer,
        FORMAT,
        format.ok_or_else(|| RegistrationError::Format(object.format.chars().take(64).collect())),
        format_args!("\"{}\"", object.format),
    )?;
    let context = Context {
        statement: attestation::Statement(object.statement),
        about: About::Credential {
            authenticator_data: object.authenticator_data,
            client_data_hash: hash.as_ref(),
            credential,
            public_key,
        },
        android_key: policy.android_key,
        compound: policy.compound,
    };
    let verified = attestation::verify(format, &context, observer);
    let verified = conclude(
        observer,
        STATEMENT,
        verified,
        format_args!("by the procedure of \"{}\"", format.name()),
    )?;
    let assessed = trust::assess(policy, now, credential.aaguid, format, verified, observer)?;
    check(
        observer,
        ID_LENGTH,
        !credential.credential_id.is_empty(),
        format_args!("{} bytes", credential.credential_id.len()),
        || RegistrationError::CredentialIdLength,
    )?;
    let user_verified = data.flags.contains(Flags::USER_VERIFIED);
    Ok(Registration {
        credential: record(&data, &credential, assessed.aaguid, response),
        aaguid: assessed.aaguid,
        algorithm: public_key.algorithm(),
        attestation: assessed.attestation,
        user_present: data.flags.contains(Flags::USER_PRESENT),
        user_verified,
        extensions: ceremony::extensions(&data, &STEPS, observer),
    })
}

/// Step 27.
fn record(
    data: &AuthenticatorData<'_>,
    credential: &AttestedCredential<'_>,
    aaguid: Aaguid,
    response: &RegistrationResponse<'_>,
) -> CredentialRecord {
    CredentialRecord {
        id: credential.credential_id.to_vec(),
        public_key: credential.public_key.to_vec(),
        sign_count: data.sign_count,
        backup_eligible: data.flags.contains(Flags::BACKUP_ELIGIBLE),
        backed_up: data.flags.contains(Flags::BACKED_UP),
        uv_initialized: data.flags.contains(Flags::USER_VERIFIED),
        transports: response
            .transports
            .iter()
            .take(MAX_TRANSPORTS)
            .cloned()
            .collect(),
        user_handle: Vec::new(),
        aaguid,
    }
}

type Parts<'a> = (
    AttestationObject<'a>,
    AuthenticatorData<'a>,
    AttestedCredential<'a>,
);

/// Step 13.
fn parse<'a, O: Observer>(
    response: &RegistrationResponse<'a>,
    observer: &mut O,
) -> Result<Parts<'a>, RegistrationError> {
    let object = AttestationObject::parse(response.attestation_object);
    let object = part(observer, OBJECT, object)?;
    let data = AuthenticatorData::parse(object.authenticator_data);
    let data = part(observer, OBJECT, data)?;
    let credential = data.attested_credential;
    let credential = credential.ok_or(RegistrationError::NoCredential);
    let credential = part(observer, OBJECT, credential)?;
    let named = response.credential_id.unwrap_or(credential.credential_id);
    check(
        observer,
        OBJECT,
        named == credential.credential_id,
        format_args!(
            "{} bytes, which hold the credential {}",
            response.attestation_object.len(),
            Hex(credential.credential_id)
        ),
        || RegistrationError::CredentialId,
    )?;
    Ok((object, data, credential))
}

/// Steps 18 and 19. Backup state by itself (step 19) decides nothing here: it may change later.
fn verify_eligibility<O: Observer>(
    policy: &RegistrationPolicy,
    flags: Flags,
    observer: &mut O,
) -> Result<(), RegistrationError> {
    let eligible = flags.contains(Flags::BACKUP_ELIGIBLE);
    check(
        observer,
        ELIGIBLE,
        !eligible || policy.backup == BackupEligibility::Any,
        format_args!(
            "BE is {}, and the policy takes {}",
            ceremony::set(eligible),
            policy.backup
        ),
        || RegistrationError::BackupEligible,
    )
}

/// Step 20.
fn verify_algorithm<'a, O: Observer>(
    policy: &RegistrationPolicy,
    public_key: &'a [u8],
    observer: &mut O,
) -> Result<PublicKey<'a>, RegistrationError> {
    let key = part(observer, ALGORITHM, well_formed(public_key))?;
    let algorithm = key.algorithm();
    check(
        observer,
        ALGORITHM,
        policy.algorithms.contains(&algorithm),
        format_args!("{algorithm}, among {}", Listed(&policy.algorithms)),
        || RegistrationError::Algorithm(algorithm),
    )?;
    Ok(key)
}

/// Decodes a key that is on its curve: one that never verifies should not be registered.
pub(crate) fn well_formed(public_key: &[u8]) -> Result<PublicKey<'_>, RegistrationError> {
    let key = PublicKey::decode(public_key)?;
    if signature::is_on_curve(&key) {
        Ok(key)
    } else {
        Err(RegistrationError::OffCurve(key.algorithm()))
    }
}
