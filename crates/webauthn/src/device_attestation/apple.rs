//! Apple's Managed Device Attestation: a certificate for the attested key, with the SHA-256 of the
//! token as its freshness code. Unlike WebAuthn's `apple` (8.8), there is no authenticator data to
//! make a nonce of.

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::oid_registry::{Oid, asn1_rs::oid};

use crate::attestation::{AttestationError, Details, Statement, Verified};
use crate::observer::{Hex, Observer, Step, check, conclude};

const OID_FRESHNESS: Oid<'static> = oid!(1.2.840.113635.100.8.11.1);

const SYNTAX: Step = Step {
    number: "apple/1",
    title: "The statement has its members",
};
const FRESHNESS: Step = Step {
    number: "apple/2",
    title: "The certificate was issued for this challenge (freshness code)",
};

pub(super) fn verify<'a, O: Observer>(
    statement: Statement<'a>,
    token: &str,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let chain = conclude(
        observer,
        SYNTAX,
        statement.certificates(),
        format_args!("x5c holds certificates"),
    )?;
    let leaf = chain.first().ok_or(AttestationError::Missing("x5c"))?;
    let expected = digest(&SHA256, token.as_bytes());
    let found = leaf.extension(&OID_FRESHNESS);
    let found = found.map(|(value, _)| value).unwrap_or_default();
    check(
        observer,
        FRESHNESS,
        found == expected.as_ref(),
        format_args!("{}, expected {}", Hex(found), Hex(expected.as_ref())),
        || AttestationError::Nonce,
    )?;
    Ok(Verified::Certified {
        chain,
        details: Details::None,
    })
}
