//! The TPM attestation statement format (WebAuthn Level 3, 8.3).

mod certify_info;
mod public_area;
mod signature_structure;
mod wire;

use aws_lc_rs::digest;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{Oid, asn1_rs::oid};

use self::certify_info::CertifyInfo;
pub(crate) use self::public_area::{AreaKey, PublicArea};
use super::packed::verify_model;
use super::statement::Statement;
use super::{AttestationError, Context, DEVICE, Details, Verified, step};
use crate::certificate::Certificate;
use crate::observer::{Hex, Observer, Outcome, Step, check, conclude, part};
use crate::signature::{self, SignatureError};

const OID_AIK: Oid<'static> = oid!(2.23.133.8.3);
const OID_MANUFACTURER: Oid<'static> = oid!(2.23.133.2.1);
const OID_MODEL: Oid<'static> = oid!(2.23.133.2.2);
const OID_VERSION: Oid<'static> = oid!(2.23.133.2.3);

const SYNTAX: Step = step("8.3/1", "The statement has its members");
const PUBLIC_KEY: Step = step("8.3/2", "pubArea is the credential's key");
const MAGIC: Step = step("8.3/4.1", "certInfo was made by a TPM (magic)");
const KIND: Step = step("8.3/4.2", "certInfo certifies a key (type)");
const EXTRA_DATA: Step = step(
    "8.3/4.3",
    "certInfo was made for this registration (extraData)",
);
const NAME: Step = step("8.3/4.4", "certInfo names pubArea");
const SIGNATURE: Step = step("8.3/4.7", "The attestation key signed certInfo");
const CERTIFICATE: Step = step("8.3/4.8", "The certificate meets 8.3.1");
const MODEL: Step = step("8.3/4.9", "The certificate is for this model (AAGUID)");

/// 8.3: a TPM certifies that it holds the credential's key.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let statement = context.statement;
    let version = part(observer, SYNTAX, statement.text("ver"))?;
    let algorithm = part(observer, SYNTAX, statement.algorithm())?;
    let chain = part(observer, SYNTAX, statement.certificates())?;
    let area = part(observer, SYNTAX, statement.bytes("pubArea"))?;
    let info_bytes = part(observer, SYNTAX, statement.bytes("certInfo"))?;
    let signature = part(observer, SYNTAX, statement.bytes("sig"))?;
    check(
        observer,
        SYNTAX,
        version == "2.0",
        format_args!("ver is \"{version}\""),
        || AttestationError::Value("the TPM version is not \"2.0\""),
    )?;
    let area_parts = part(observer, PUBLIC_KEY, attested_key(statement))?;
    match context.public_key() {
        Some(credential) => check(
            observer,
            PUBLIC_KEY,
            area_parts.key.is(&credential),
            format_args!("{}", credential.algorithm()),
            || AttestationError::PublicKeyDiffers,
        )?,
        None => observer.step(PUBLIC_KEY, Outcome::Skipped, format_args!("{DEVICE}")),
    }
    verify_info(
        context,
        algorithm,
        info_bytes,
        area,
        area_parts.name_algorithm,
        observer,
    )?;
    let Some(leaf) = chain.first() else {
        return Err(AttestationError::Missing("x5c"));
    };
    conclude(
        observer,
        SIGNATURE,
        signature::verify_tpm(
            algorithm,
            &leaf.key()?,
            info_bytes,
            &signature_structure::unwrapped(algorithm, signature),
        ),
        format_args!("{algorithm} over certInfo"),
    )?;
    let details = conclude(
        observer,
        CERTIFICATE,
        verify_requirements(leaf),
        format_args!("an attestation key's certificate"),
    )?;
    verify_model(leaf, context.model(), MODEL, observer)?;
    Ok(Verified::certified(chain, details))
}

/// Bullet 4, its first four sub-bullets.
fn verify_info<O: Observer>(
    context: &Context<'_>,
    algorithm: hallway_ctap::cose::Algorithm,
    bytes: &[u8],
    area: &[u8],
    name_algorithm: u16,
    observer: &mut O,
) -> Result<(), AttestationError> {
    let info = CertifyInfo::parse(bytes).ok_or(AttestationError::Value(
        "certInfo is not a TPMS_ATTEST with a TPMS_CERTIFY_INFO",
    ));
    let info = part(observer, MAGIC, info)?;
    check(
        observer,
        MAGIC,
        info.magic == certify_info::TPM_GENERATED_VALUE,
        format_args!("{:#x}", info.magic),
        || AttestationError::Value("certInfo's magic is not TPM_GENERATED_VALUE"),
    )?;
    check(
        observer,
        KIND,
        info.kind == certify_info::TPM_ST_ATTEST_CERTIFY,
        format_args!("{:#x}", info.kind),
        || AttestationError::Value("certInfo's type is not TPM_ST_ATTEST_CERTIFY"),
    )?;
    let hash = signature::hash(algorithm).ok_or(SignatureError::Unsupported(algorithm.name()));
    let hash = part(observer, EXTRA_DATA, hash)?;
    let expected = digest::digest(hash, context.message().bytes());
    check(
        observer,
        EXTRA_DATA,
        info.extra_data == expected.as_ref(),
        format_args!(
            "{}, expected {}",
            Hex(info.extra_data),
            Hex(expected.as_ref())
        ),
        || AttestationError::Nonce,
    )?;
    let expected = name(area, name_algorithm).ok_or(AttestationError::Value(
        "pubArea's nameAlg is not a hash function that is known",
    ));
    let expected = part(observer, NAME, expected)?;
    check(
        observer,
        NAME,
        info.name == expected,
        format_args!("{}, expected {}", Hex(info.name), Hex(&expected)),
        || AttestationError::Value("certInfo names another key than pubArea"),
    )
}

/// The Name of a public area (TPM 2.0, part 1, 16): its nameAlg, then that hash over all of it.
fn name(area: &[u8], name_algorithm: u16) -> Option<Vec<u8>> {
    let hash = match name_algorithm {
        0x0004 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        0x000b => &digest::SHA256,
        0x000c => &digest::SHA384,
        0x000d => &digest::SHA512,
        _ => return None,
    };
    let mut name = name_algorithm.to_be_bytes().to_vec();
    name.extend_from_slice(digest::digest(hash, area).as_ref());
    Some(name)
}

/// 8.3.1, certificate requirements.
fn verify_requirements(leaf: &Certificate<'_>) -> Result<Details, AttestationError> {
    let requirement = |what| AttestationError::Requirement {
        section: "8.3.1",
        what,
    };
    if !leaf.is_v3() {
        return Err(requirement("the version is not 3"));
    }
    if leaf.x509().subject().iter().next().is_some() {
        return Err(requirement("the subject is not empty"));
    }
    let usage = leaf
        .x509()
        .extended_key_usage()
        .ok()
        .flatten()
        .is_some_and(|usage| usage.value.other.contains(&OID_AIK));
    if !usage {
        return Err(requirement(
            "the extended key usage is not tcg-kp-AIKCertificate (2.23.133.8.3)",
        ));
    }
    match leaf.basic_constraints()? {
        Some((false, _)) => {}
        Some((true, _)) => return Err(requirement("it is a certificate authority's")),
        None => return Err(requirement("it has no basic constraints")),
    }
    device(leaf).ok_or(requirement(
        "the subject alternative name does not give the TPM's manufacturer, model and version",
    ))
}

/// The TPM's manufacturer, model and version in the subject alternative name (TCG EK Credential
/// Profile, 3.2.9), in one relative name or in three.
fn device(leaf: &Certificate<'_>) -> Option<Details> {
    let names = leaf.x509().subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| {
        let GeneralName::DirectoryName(name) = name else {
            return None;
        };
        let value = |oid: &Oid<'_>| {
            let found = name.iter_attributes().find(|a| a.attr_type() == oid)?;
            found.as_str().ok().map(str::to_owned)
        };
        let manufacturer = value(&OID_MANUFACTURER)?;
        let digits = manufacturer.strip_prefix("id:")?;
        if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        Some(Details::Tpm {
            manufacturer,
            model: value(&OID_MODEL)?,
            version: value(&OID_VERSION)?,
        })
    })
}

/// The key in a statement's pubArea, which the statement attests.
pub(crate) fn attested_key(statement: Statement<'_>) -> Result<PublicArea<'_>, AttestationError> {
    let area = statement.bytes("pubArea")?;
    PublicArea::parse(area).ok_or(AttestationError::Value(
        "pubArea is not a TPMT_PUBLIC of an RSA or elliptic curve key",
    ))
}
