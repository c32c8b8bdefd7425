//! The Apple anonymous attestation statement format (WebAuthn Level 3, 8.8).

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::oid_registry::{Oid, asn1_rs::oid};

use super::{AttestationError, Context, Details, Verified, step};
use crate::der::{self, Tag};
use crate::observer::{Hex, Observer, Step, check, conclude, part};

const OID_APPLE_NONCE: Oid<'static> = oid!(1.2.840.113635.100.8.2);

const SYNTAX: Step = step("8.8/1", "The statement has its members");
const NONCE: Step = step(
    "8.8/4",
    "The certificate was issued for this registration (nonce)",
);
const PUBLIC_KEY: Step = step("8.8/5", "The certificate is for the credential's key");

/// 8.8: Apple's authority issues a certificate for the credential's own key, with a nonce that
/// binds it to this registration.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let chain = conclude(
        observer,
        SYNTAX,
        context.statement.certificates(),
        format_args!("x5c holds certificates"),
    )?;
    let Some(leaf) = chain.first() else {
        return Err(AttestationError::Missing("x5c"));
    };
    let credential = part(observer, SYNTAX, context.credential_key())?;
    let expected = digest(&SHA256, context.message().bytes());
    let found = leaf
        .extension(&OID_APPLE_NONCE)
        .and_then(|(value, _)| nonce(value))
        .unwrap_or_default();
    check(
        observer,
        NONCE,
        found == expected.as_ref(),
        format_args!("{}, expected {}", Hex(found), Hex(expected.as_ref())),
        || AttestationError::Nonce,
    )?;
    check(
        observer,
        PUBLIC_KEY,
        leaf.key()?.is(&credential),
        format_args!("{}", leaf.subject()),
        || AttestationError::PublicKeyDiffers,
    )?;
    Ok(Verified::certified(chain, Details::None))
}

/// `SEQUENCE { [1] EXPLICIT OCTET STRING }`.
fn nonce(extension: &[u8]) -> Option<&[u8]> {
    let tagged = der::only(extension, Tag::SEQUENCE)?;
    der::only(der::only(tagged, Tag::context(1))?, Tag::OCTET_STRING)
}
