//! Answers to an ACME server's `device-attest-01` challenge (draft-ietf-acme-device-attest, 5): a
//! device proves which one it is, and which key it holds.
//!
//! The attestation object has no authenticator data. The device signs the key authorization
//! (RFC 8555, 8.1) instead; Apple's devices, whose authority is asked before there is an account
//! key, sign the token alone.
//!
//! The result is what the device proved. The server still has to check that the order's identifier
//! is among [`DeviceAttestation::identifiers`], and that the certificate request is for
//! [`DeviceAttestation::key`].

mod apple;
mod identifier;
mod key;

use aws_lc_rs::digest::{SHA256, digest};

pub use self::identifier::DeviceIdentifier;
pub use self::key::AttestedKey;
use crate::attestation::{
    self, About, AnchorFound, AttestationError, Context, Details, Format, Statement, Verified,
    android_key, tpm,
};
use crate::certificate::{Certificate, CertificateError};
use crate::observer::{Observer, Outcome, Step, conclude, part, step};
use crate::path;
use crate::policy::{AndroidKeyLists, CompoundStatements};
use crate::relying_party::UnixSeconds;
use crate::trust_anchor::TrustAnchors;

/// A challenge as the server sent it to an account.
#[derive(Clone, Copy, Debug)]
pub struct DeviceChallenge<'a> {
    /// The token, as it was sent.
    pub token: &'a str,
    /// The token, a dot, and the base64url SHA-256 thumbprint of the account's key.
    pub key_authorization: &'a str,
}

/// What a device proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceAttestation {
    /// The statement's format.
    pub format: Format,
    /// The key that the statement attests; `None` for `packed`, which attests none by itself.
    pub key: Option<AttestedKey>,
    /// Who the device is, by its certificates.
    pub identifiers: Vec<DeviceIdentifier>,
    /// What the attestation is bound to.
    pub binding: Binding,
    /// The anchor that vouches for the device.
    pub anchor: AnchorFound,
    /// What only the statement's format says.
    pub details: Details,
}

/// What an attestation is bound to (5, "attToBeSigned").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Binding {
    /// The challenge and the account.
    KeyAuthorization,
    /// The challenge alone.
    Token,
}

/// Why a device is refused. ACME's error for it is `badAttestationStatement`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceAttestationError {
    /// The attestation object or its statement is refused.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// The format is not known.
    #[error("the attestation format \"{0}\" is not known")]
    Format(String),
    /// The key authorization does not start with the token.
    #[error("the key authorization does not start with the token")]
    KeyAuthorization,
    /// The certificates lead to no anchor.
    #[error("the attestation certificate is not trusted: {0}")]
    Untrusted(#[from] CertificateError),
    /// The certificate names no device.
    #[error("the attestation names no device")]
    NoIdentifier,
}

pub(crate) const OBJECT: Step = step(
    "device-attest-01/1",
    "The attestation object is well formed",
);
const STATEMENT: Step = step(
    "device-attest-01/2",
    "The attestation answers this challenge",
);
const TRUST: Step = step(
    "device-attest-01/2",
    "The certificates lead to a trust anchor",
);
const IDENTIFIER: Step = step("device-attest-01/3", "The attestation names a device");

/// Verifies an attestation object that answers `challenge`. Certificates are judged at `now`.
///
/// # Errors
/// The first step that does not hold.
pub fn verify_device_attestation(
    object: &[u8],
    challenge: &DeviceChallenge<'_>,
    anchors: &TrustAnchors,
    now: UnixSeconds,
) -> Result<DeviceAttestation, DeviceAttestationError> {
    verify_device_attestation_observed(object, challenge, anchors, now, &mut ())
}

/// [`verify_device_attestation`], telling `observer` about every step.
///
/// # Errors
/// As [`verify_device_attestation`].
pub fn verify_device_attestation_observed<O: Observer>(
    object: &[u8],
    challenge: &DeviceChallenge<'_>,
    anchors: &TrustAnchors,
    now: UnixSeconds,
    observer: &mut O,
) -> Result<DeviceAttestation, DeviceAttestationError> {
    let (name, statement) = part(observer, OBJECT, parse(object))?;
    let shown = || DeviceAttestationError::Format(name.chars().take(64).collect());
    let format = Format::from_name(name).ok_or_else(shown);
    let format = conclude(observer, OBJECT, format, format_args!("\"{name}\""))?;
    let ours = challenge.key_authorization.strip_prefix(challenge.token);
    let ours = ours.is_some_and(|rest| rest.starts_with('.') && !challenge.token.is_empty());
    let ours = ours
        .then_some(())
        .ok_or(DeviceAttestationError::KeyAuthorization);
    part(observer, STATEMENT, ours)?;
    let hash = digest(&SHA256, challenge.key_authorization.as_bytes());
    let context = Context {
        statement,
        about: About::Device {
            key_authorization: challenge.key_authorization.as_bytes(),
            digest: hash.as_ref(),
        },
        android_key: AndroidKeyLists::Hardware,
        compound: CompoundStatements::All,
    };
    let (binding, verified) = match format {
        Format::Apple => (
            Binding::Token,
            apple::verify(statement, challenge.token, observer),
        ),
        Format::Packed | Format::Tpm | Format::AndroidKey => (
            Binding::KeyAuthorization,
            attestation::verify(format, &context, observer),
        ),
        _ => (
            Binding::KeyAuthorization,
            Err(AttestationError::NotOfDevices),
        ),
    };
    let bound = match binding {
        Binding::KeyAuthorization => "bound to the challenge and the account",
        Binding::Token => "bound to the challenge",
    };
    let verified = conclude(observer, STATEMENT, verified, format_args!("{bound}"))?;
    let Verified::Certified { chain, details } = verified else {
        return Err(AttestationError::NotOfDevices.into());
    };
    let found = path::validate(&chain, anchors, now);
    let found = part(observer, TRUST, found)?;
    let name = found.anchor.name();
    observer.step(TRUST, Outcome::Held, format_args!("\"{name}\""));
    let Some(leaf) = chain.first() else {
        return Err(CertificateError::ChainLength(0).into());
    };
    let identifiers = identifiers(leaf);
    let named = (!identifiers.is_empty())
        .then_some(())
        .ok_or(DeviceAttestationError::NoIdentifier);
    conclude(
        observer,
        IDENTIFIER,
        named,
        format_args!("{}", identifier::Listed(&identifiers)),
    )?;
    Ok(DeviceAttestation {
        format,
        key: attested_key(format, statement, leaf)?,
        identifiers,
        binding,
        anchor: AnchorFound::from(found),
        details,
    })
}

/// The format and the statement. Authenticator data have no meaning here and are passed over.
pub(crate) fn parse(object: &[u8]) -> Result<(&str, Statement<'_>), AttestationError> {
    let (format, statement, _) = attestation::format_and_statement(object)?;
    Ok((format, Statement(statement)))
}

/// The names of the device in the certificate, and an Android device's serial number where its
/// secure hardware attests that.
pub(crate) fn identifiers(leaf: &Certificate<'_>) -> Vec<DeviceIdentifier> {
    let mut found = identifier::of(leaf);
    found.extend(android_key::attested_serial(leaf).map(DeviceIdentifier::serial));
    found
}

fn attested_key(
    format: Format,
    statement: Statement<'_>,
    leaf: &Certificate<'_>,
) -> Result<Option<AttestedKey>, AttestationError> {
    Ok(match format {
        Format::Tpm => Some(AttestedKey::from_area(&tpm::attested_key(statement)?.key)),
        Format::Apple | Format::AndroidKey => Some(AttestedKey::from_certificate(leaf)),
        _ => None,
    })
}
