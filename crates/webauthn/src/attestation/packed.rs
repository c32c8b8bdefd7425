//! The packed attestation statement format (WebAuthn Level 3, 8.2).

use x509_parser::oid_registry::{
    OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_ORGANIZATION_NAME,
    OID_X509_ORGANIZATIONAL_UNIT, Oid, asn1_rs::oid,
};

use hallway_ctap::aaguid::Aaguid;

use super::{AttestationError, Context, Details, Verified, step};
use crate::certificate::Certificate;
use crate::der::{self, Tag};
use crate::observer::{Observer, Outcome, Step, check, conclude, part};
use crate::signature;

/// id-fido-gen-ce-sernum (8.2.2).
const OID_FIDO_SERIAL: Oid<'static> = oid!(1.3.6.1.4.1.45724.1.1.2);

/// id-fido-gen-ce-aaguid.
pub(crate) const OID_FIDO_AAGUID: Oid<'static> = oid!(1.3.6.1.4.1.45724.1.1.4);

const SYNTAX: Step = step("8.2/1", "The statement has its members");
const SIGNATURE: Step = step("8.2/2.1", "The certificate's key signed");
const CERTIFICATE: Step = step("8.2/2.2", "The certificate meets 8.2.1");
const MODEL: Step = step("8.2/2.3", "The certificate is for this model (AAGUID)");
const SELF_ALGORITHM: Step = step("8.2/3.1", "The algorithm is the credential's");
const SELF_SIGNATURE: Step = step("8.2/3.2", "The credential's key signed");

/// 8.2: by certificate where `x5c` is present, otherwise by the credential's own key.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let statement = context.statement;
    let algorithm = part(observer, SYNTAX, statement.algorithm())?;
    let signature = part(observer, SYNTAX, statement.bytes("sig"))?;
    let message = context.message();
    if !statement.has("x5c")? {
        observer.step(SYNTAX, Outcome::Held, format_args!("alg and sig"));
        let key = part(observer, SELF_ALGORITHM, context.credential_key())?;
        let credential = key.algorithm();
        check(
            observer,
            SELF_ALGORITHM,
            algorithm == credential,
            format_args!("{algorithm}, the credential's is {credential}"),
            || AttestationError::Algorithm {
                statement: algorithm,
                credential,
            },
        )?;
        conclude(
            observer,
            SELF_SIGNATURE,
            signature::verify(&key, message.bytes(), signature),
            format_args!("{algorithm} over the authenticator data and the hash"),
        )?;
        return Ok(Verified::SelfSigned);
    }
    let chain = conclude(
        observer,
        SYNTAX,
        statement.certificates(),
        format_args!("alg, sig and x5c"),
    )?;
    let Some(leaf) = chain.first() else {
        return Err(AttestationError::Missing("x5c"));
    };
    conclude(
        observer,
        SIGNATURE,
        signature::verify_named(algorithm, &leaf.key()?, message.bytes(), signature),
        format_args!("{algorithm} over the authenticator data and the hash"),
    )?;
    conclude(
        observer,
        CERTIFICATE,
        verify_requirements(leaf),
        format_args!("{}", leaf.subject()),
    )?;
    verify_model(leaf, context.model(), MODEL, observer)?;
    Ok(Verified::certified(chain, Details::None))
}

/// 8.2.1 and 8.2.2, certificate requirements.
fn verify_requirements(leaf: &Certificate<'_>) -> Result<(), AttestationError> {
    let requirement = |what| AttestationError::Requirement {
        section: "8.2.1",
        what,
    };
    if !leaf.is_v3() {
        return Err(requirement("the version is not 3"));
    }
    let country = leaf.subject_has(&OID_X509_COUNTRY_NAME, |country| {
        country.len() == 2 && country.iter().all(u8::is_ascii_alphabetic)
    });
    if !country {
        return Err(requirement(
            "the subject's country is not a two-letter code",
        ));
    }
    if !leaf.subject_has(&OID_X509_ORGANIZATION_NAME, |name| !name.is_empty()) {
        return Err(requirement("the subject has no organization"));
    }
    if !leaf.subject_has(&OID_X509_ORGANIZATIONAL_UNIT, |unit| {
        unit == b"Authenticator Attestation"
    }) {
        return Err(requirement(
            "the subject's organizational unit is not \"Authenticator Attestation\"",
        ));
    }
    if !leaf.subject_has(&OID_X509_COMMON_NAME, |name| !name.is_empty()) {
        return Err(requirement("the subject has no common name"));
    }
    match leaf.basic_constraints()? {
        Some((false, _)) => {}
        Some((true, _)) => return Err(requirement("it is a certificate authority's")),
        None => return Err(requirement("it has no basic constraints")),
    }
    match (leaf.extension(&OID_FIDO_SERIAL), enterprise_serial(leaf)) {
        (Some(_), None) => Err(AttestationError::Requirement {
            section: "8.2.2",
            what: "the serial number extension is critical, or is no octet string",
        }),
        _ => Ok(()),
    }
}

/// 8.2.2: the serial number in a certificate for enterprise attestation, which names one unit of
/// its model.
pub(crate) fn enterprise_serial<'a>(leaf: &Certificate<'a>) -> Option<&'a [u8]> {
    let (value, critical) = leaf.extension(&OID_FIDO_SERIAL)?;
    let serial = der::only(value, Tag::OCTET_STRING)?;
    (!critical && !serial.is_empty()).then_some(serial)
}

/// The AAGUID extension, where there is one: not critical, an OCTET STRING of 16 bytes inside the
/// extension's own.
fn model_of(leaf: &Certificate<'_>) -> Option<Result<Aaguid, AttestationError>> {
    let (value, critical) = leaf.extension(&OID_FIDO_AAGUID)?;
    let model = value
        .strip_prefix(&[0x04, 0x10])
        .filter(|_| !critical)
        .and_then(|bytes| bytes.try_into().ok());
    Some(model.map(Aaguid).ok_or(AttestationError::Requirement {
        section: "8.2.1",
        what: "the AAGUID extension is critical, or is not 16 bytes",
    }))
}

/// The model (AAGUID) that a certificate for packed attestation (DER) names, if it names one: for
/// callers that install a certificate on an authenticator.
///
/// # Errors
/// [`AttestationError`] when it is not a certificate, or does not meet 8.2.1 and 8.2.2, so that
/// relying parties would refuse it.
pub fn packed_certificate_model(der: &[u8]) -> Result<Option<Aaguid>, AttestationError> {
    let leaf = Certificate::parse(der)?;
    verify_requirements(&leaf)?;
    model_of(&leaf).transpose()
}

/// Checks that the AAGUID extension, where there is one, names the authenticator's model.
pub(super) fn verify_model<O: Observer>(
    leaf: &Certificate<'_>,
    authenticator: Option<Aaguid>,
    step: Step,
    observer: &mut O,
) -> Result<(), AttestationError> {
    let Some(named) = model_of(leaf) else {
        observer.step(
            step,
            Outcome::Skipped,
            format_args!("the certificate names no model"),
        );
        return Ok(());
    };
    let Some(authenticator) = authenticator else {
        let detail = format_args!("there are no authenticator data to compare with");
        observer.step(step, Outcome::Skipped, detail);
        return Ok(());
    };
    let certificate = named.inspect_err(|_| {
        observer.step(
            step,
            Outcome::Failed,
            format_args!("the AAGUID extension is critical or malformed"),
        );
    })?;
    check(
        observer,
        step,
        certificate == authenticator,
        format_args!("{certificate}, the authenticator says {authenticator}"),
        || AttestationError::Aaguid {
            certificate,
            authenticator,
        },
    )
}
