//! The Android SafetyNet attestation statement format (WebAuthn Level 3, 8.5).
//!
//! Google has switched the service off; the format is read for credentials from before. Its
//! timestamp is reported, not judged: the nonce binds it to one registration, and the relying party
//! knows the age of its challenge.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use x509_parser::extensions::GeneralName;

use super::{AttestationError, Context, Details, Verified, step};
use crate::certificate::Certificate;
use crate::jws::Jws;
use crate::observer::{Observer, Step, check, part};

const SYNTAX: Step = step("8.5/1", "The statement has its members");
const RESPONSE: Step = step(
    "8.5/2",
    "The response is signed and says the device is intact",
);
const NONCE: Step = step(
    "8.5/3",
    "The response was made for this registration (nonce)",
);
const SERVICE: Step = step("8.5/4", "The response came from attest.android.com");

const HOST: &str = "attest.android.com";

/// The members of the response that are judged or reported.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    nonce: String,
    timestamp_ms: u64,
    #[serde(default)]
    cts_profile_match: bool,
}

/// 8.5: Google's service says that the device passed its checks.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let statement = context.statement;
    let version = part(observer, SYNTAX, statement.text("ver"))?;
    check(
        observer,
        SYNTAX,
        !version.is_empty(),
        format_args!("ver is \"{version}\""),
        || AttestationError::Value("the SafetyNet version is empty"),
    )?;
    let response = part(observer, SYNTAX, statement.bytes("response"))?;
    let jws = part(observer, RESPONSE, Jws::parse(response))?;
    let chain = part(observer, RESPONSE, jws.certificates())?;
    let leaf = chain.first().ok_or(AttestationError::Missing("x5c"));
    let leaf = part(observer, RESPONSE, leaf)?;
    part(observer, RESPONSE, jws.verify(&leaf.key()?))?;
    let payload = serde_json::from_slice(&jws.payload)
        .map_err(|_| AttestationError::Value("the SafetyNet payload lacks its members"));
    let payload: Payload = part(observer, RESPONSE, payload)?;
    check(
        observer,
        RESPONSE,
        payload.cts_profile_match,
        format_args!(
            "signed by {}; ctsProfileMatch is {}",
            leaf.subject(),
            payload.cts_profile_match
        ),
        || AttestationError::Value("SafetyNet says that the device failed its checks"),
    )?;
    let expected = STANDARD.encode(digest(&SHA256, context.message().bytes()));
    check(
        observer,
        NONCE,
        payload.nonce == expected,
        format_args!("\"{}\", expected \"{expected}\"", payload.nonce),
        || AttestationError::Nonce,
    )?;
    check(
        observer,
        SERVICE,
        is_for_host(leaf),
        format_args!("{}", leaf.subject()),
        || AttestationError::Value("the SafetyNet certificate is not for attest.android.com"),
    )?;
    let owned = chain.iter().map(|link| link.der().to_vec()).collect();
    let details = Details::SafetyNet {
        timestamp_ms: payload.timestamp_ms,
    };
    Ok(Verified::CertifiedElsewhere {
        chain: owned,
        details,
    })
}

/// Whether the certificate is for [`HOST`], by its alternative names, or by its common name where
/// it has none.
fn is_for_host(leaf: &Certificate<'_>) -> bool {
    match leaf.x509().subject_alternative_name() {
        Ok(Some(names)) => names
            .value
            .general_names
            .iter()
            .any(|name| matches!(name, GeneralName::DNSName(HOST))),
        Ok(None) => {
            let oid = x509_parser::oid_registry::OID_X509_COMMON_NAME;
            leaf.subject_attribute(&oid) == Some(HOST)
        }
        Err(_) => false,
    }
}
