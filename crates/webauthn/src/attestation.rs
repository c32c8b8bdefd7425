//! Attestation: who vouches for a new credential's authenticator (WebAuthn Level 3, 6.5 and 8).

pub(crate) mod android_key;
mod android_safetynet;
mod apple;
mod compound;
mod fido_u2f;
mod none;
mod object;
mod packed;
mod statement;
pub(crate) mod tpm;

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::AttestedCredential;
use hallway_ctap::cbor::Malformed;
use hallway_ctap::cose::{Algorithm, PublicKey};
use x509_parser::oid_registry::OID_X509_SERIALNUMBER;

pub use self::android_key::AndroidSecurityLevel;
pub(crate) use self::object::format_and_statement;
pub use self::object::{AttestationObject, MAX_ATTESTATION_OBJECT};
pub use self::packed::packed_certificate_model;
pub(crate) use self::statement::Statement;
use crate::certificate::{Certificate, CertificateError};
use crate::jws::JwsError;
use crate::observer::{Hex, Observer, step};
use crate::path::Anchored;
use crate::policy::{AndroidKeyLists, CompoundStatements};
use crate::signature::{Message, SignatureError};

/// An attestation statement format of the IANA registry (WebAuthn Level 3, 8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Format {
    /// No attestation (8.7).
    None,
    /// WebAuthn's own format (8.2).
    Packed,
    /// A Trusted Platform Module (8.3).
    Tpm,
    /// Android's keystore (8.4).
    AndroidKey,
    /// Google's former service for Android devices (8.5).
    AndroidSafetyNet,
    /// U2F security keys (8.6).
    FidoU2f,
    /// Apple's anonymous attestation (8.8).
    Apple,
    /// Several of the others (8.9).
    Compound,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Packed,
        Self::Tpm,
        Self::AndroidKey,
        Self::AndroidSafetyNet,
        Self::FidoU2f,
        Self::Apple,
        Self::Compound,
    ];

    /// The identifier in the attestation object's `fmt`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Packed => "packed",
            Self::Tpm => "tpm",
            Self::AndroidKey => "android-key",
            Self::AndroidSafetyNet => "android-safetynet",
            Self::FidoU2f => "fido-u2f",
            Self::Apple => "apple",
            Self::Compound => "compound",
        }
    }

    /// The format with this identifier, compared exactly.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What an attestation established.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attestation {
    /// The statement's format; in a compound one, the format of the part that `kind` is from.
    pub format: Format,
    /// The formats of the parts of a compound statement that verified; empty for the others.
    pub parts: Vec<Format>,
    /// The attestation type, with its certificates.
    pub kind: AttestationKind,
}

/// Attestation types (WebAuthn Level 3, 6.5.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttestationKind {
    /// Nothing: the authenticator or the browser withheld it.
    None,
    /// Signed by the credential's own key, which proves possession of it and no more.
    SelfSigned,
    /// Signed by a key that a certificate vouches for.
    Certified(Box<Certified>),
}

/// An attestation by certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certified {
    /// The trust path as it came, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The anchor that the chain leads to; `None` where the policy asked for none and none fits.
    pub anchor: Option<AnchorFound>,
    /// The leaf's subject, as text.
    pub subject: String,
    /// A unit's own serial number, where there is one: the serialNumber attribute (2.5.4.5) in the
    /// leaf's subject, or that of an enterprise attestation (8.2.2) in hexadecimal digits. Not the
    /// certificate's serial number.
    pub serial_number: Option<String>,
    /// What only the statement's format says.
    pub details: Details,
}

/// What individual formats say besides the certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Details {
    /// Nothing.
    None,
    /// From the TPM's certificate (TCG EK Credential Profile, 3.2.9).
    Tpm {
        /// `id:` and the vendor's identifier in eight hexadecimal digits (TCG Vendor ID Registry).
        manufacturer: String,
        /// The vendor's name for the part.
        model: String,
        /// `id:` and the firmware's version.
        version: String,
    },
    /// From an Android key's description.
    AndroidKey {
        /// Where the attestation was made.
        attestation: AndroidSecurityLevel,
        /// Where the key lives.
        key: AndroidSecurityLevel,
    },
    /// From a SafetyNet response.
    SafetyNet {
        /// When the service answered, unix milliseconds.
        timestamp_ms: u64,
    },
}

/// The trust anchor that a chain leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnchorFound {
    /// The anchor's name in the policy.
    pub name: String,
    /// The anchor's certificate, DER.
    pub certificate: Vec<u8>,
    /// How many certificates of the chain lead to it; 0 where the leaf itself is the anchor. The
    /// rest of the chain was not verified.
    pub below: usize,
}

impl From<Anchored<'_>> for AnchorFound {
    fn from(found: Anchored<'_>) -> Self {
        Self {
            name: found.anchor.name().to_owned(),
            certificate: found.anchor.certificate().to_vec(),
            below: found.below,
        }
    }
}

/// Why an attestation statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// The attestation object or statement is not acceptable CBOR.
    #[error("the attestation object is not acceptable CBOR: {0}")]
    Malformed(#[from] Malformed),
    /// The attestation object is longer than [`MAX_ATTESTATION_OBJECT`].
    #[error("the attestation object is longer than {MAX_ATTESTATION_OBJECT} bytes")]
    TooLong,
    /// A member is missing.
    #[error("the attestation has no member \"{0}\"")]
    Missing(&'static str),
    /// A member has the wrong type.
    #[error("the member \"{0}\" of the attestation has the wrong type")]
    WrongType(&'static str),
    /// A statement of the format `none` has members.
    #[error("an attestation of this format must be empty")]
    NotEmpty,
    /// The format is about credentials, and says nothing about a device by itself.
    #[error("an attestation of this format is about a credential, not about a device")]
    NotOfDevices,
    /// A value that the format does not allow.
    #[error("{0}")]
    Value(&'static str),
    /// The attestation was made for another registration: its challenge, nonce or extra data are
    /// not this one's.
    #[error("the attestation was made for another registration")]
    Nonce,
    /// The attested key is not the credential's.
    #[error("the attestation is for another key than the credential's")]
    PublicKeyDiffers,
    /// The key description of an Android certificate is missing or malformed.
    #[error("the certificate has no well-formed Android key description")]
    KeyDescription,
    /// The SafetyNet response is not acceptable.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The algorithm is unknown.
    #[error("the attestation names the unknown algorithm {0}")]
    UnknownAlgorithm(i64),
    /// The statement's algorithm is not the credential's.
    #[error("the attestation is by {statement}, the credential's key is for {credential}")]
    Algorithm {
        /// The algorithm that the statement names.
        statement: Algorithm,
        /// The algorithm of the credential's key.
        credential: Algorithm,
    },
    /// The signature does not verify.
    #[error("the attestation's signature: {0}")]
    Signature(#[from] SignatureError),
    /// The certificate does not meet the format's requirements.
    #[error("the attestation certificate does not meet {section}: {what}")]
    Requirement {
        /// The section of the specification.
        section: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// The AAGUID in the certificate is not the authenticator's.
    #[error(
        "the certificate is for the model {certificate}, the authenticator says {authenticator}"
    )]
    Aaguid {
        /// In the certificate's extension.
        certificate: Aaguid,
        /// In the authenticator data.
        authenticator: Aaguid,
    },
    /// A certificate does not parse.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The input of every format's verification procedure.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) statement: Statement<'a>,
    pub(crate) about: About<'a>,
    pub(crate) android_key: AndroidKeyLists,
    pub(crate) compound: CompoundStatements,
}

/// What an attestation is about.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// A new credential.
    Credential {
        authenticator_data: &'a [u8],
        client_data_hash: &'a [u8],
        credential: AttestedCredential<'a>,
        public_key: PublicKey<'a>,
    },
    /// A device that answers an ACME server (draft-ietf-acme-device-attest, 5): there is no
    /// authenticator data and no credential, and the device signs the key authorization.
    Device {
        key_authorization: &'a [u8],
        /// Its SHA-256.
        digest: &'a [u8],
    },
}

impl<'a> Context<'a> {
    /// What most formats sign: the authenticator data and the hash of the client data.
    fn message(&self) -> Message {
        match self.about {
            About::Credential {
                authenticator_data,
                client_data_hash,
                ..
            } => Message::new(authenticator_data, client_data_hash),
            About::Device {
                key_authorization, ..
            } => Message::new(key_authorization, &[]),
        }
    }

    /// The challenge of formats that take the hash of the client data as one.
    const fn challenge(&self) -> &'a [u8] {
        match self.about {
            About::Credential {
                client_data_hash, ..
            } => client_data_hash,
            About::Device { digest, .. } => digest,
        }
    }

    /// The credential's key; a device has none.
    const fn public_key(&self) -> Option<PublicKey<'a>> {
        match self.about {
            About::Credential { public_key, .. } => Some(public_key),
            About::Device { .. } => None,
        }
    }

    /// The key, for formats that are about credentials only.
    fn credential_key(&self) -> Result<PublicKey<'a>, AttestationError> {
        self.public_key().ok_or(AttestationError::NotOfDevices)
    }

    /// The authenticator's model, where the authenticator data tell it.
    const fn model(&self) -> Option<Aaguid> {
        match self.about {
            About::Credential { credential, .. } => Some(credential.aaguid),
            About::Device { .. } => None,
        }
    }
}

/// What a verification procedure returns (WebAuthn Level 3, 6.5.3): the attestation type and the
/// trust path, not yet judged.
pub(crate) enum Verified<'a> {
    None,
    SelfSigned,
    /// Leaf first, never empty.
    Certified {
        chain: Vec<Certificate<'a>>,
        details: Details,
    },
    /// As `Certified`, for certificates that the statement holds in an encoded form: DER.
    CertifiedElsewhere {
        chain: Vec<Vec<u8>>,
        details: Details,
    },
    /// The parts of a compound statement, at least one.
    Compound(Vec<(Format, Verified<'a>)>),
}

impl<'a> Verified<'a> {
    const fn certified(chain: Vec<Certificate<'a>>, details: Details) -> Self {
        Self::Certified { chain, details }
    }
}

/// 7.1, step 22: the format's own verification procedure.
pub(crate) fn verify<'a, O: Observer>(
    format: Format,
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    match format {
        Format::None => none::verify(context, observer),
        Format::Packed => packed::verify(context, observer),
        Format::Tpm => tpm::verify(context, observer),
        Format::AndroidKey => android_key::verify(context, observer),
        Format::AndroidSafetyNet => android_safetynet::verify(context, observer),
        Format::FidoU2f => fido_u2f::verify(context, observer),
        Format::Apple => apple::verify(context, observer),
        Format::Compound => compound::verify(context, observer),
    }
}

impl Certified {
    pub(crate) fn new(
        chain: &[Certificate<'_>],
        anchor: Option<AnchorFound>,
        details: Details,
    ) -> Self {
        let leaf = chain.first();
        Self {
            chain: chain.iter().map(|link| link.der().to_vec()).collect(),
            anchor,
            subject: leaf.map(Certificate::subject).unwrap_or_default(),
            serial_number: leaf.and_then(serial_number),
            details,
        }
    }
}

fn serial_number(leaf: &Certificate<'_>) -> Option<String> {
    match leaf.subject_attribute(&OID_X509_SERIALNUMBER) {
        Some(serial) => Some(serial.to_owned()),
        None => packed::enterprise_serial(leaf).map(|serial| Hex(serial).to_string()),
    }
}

/// Why a step that compares with the credential's key is skipped.
const DEVICE: &str = "a device has no credential: its own key is attested";
