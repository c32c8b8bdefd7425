//! The FIDO U2F attestation statement format (WebAuthn Level 3, 8.6).

use hallway_ctap::cose::{Algorithm, Curve, PublicKey};

use super::{About, AttestationError, Context, Details, Verified, step};
use crate::certificate::{Certificate, CertificateError};
use crate::observer::{Observer, Step, conclude, part};
use crate::signature;

const SYNTAX: Step = step("8.6/1", "The statement has its members");
const CERTIFICATE: Step = step("8.6/2", "One certificate, with a key on P-256");
const PUBLIC_KEY: Step = step("8.6/4", "The credential's key is on P-256");
const SIGNATURE: Step = step("8.6/6", "The certificate's key signed");

/// 8.6: a U2F registration response, signed by a batch certificate's key.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let statement = context.statement;
    let signature = part(observer, SYNTAX, statement.bytes("sig"))?;
    let chain = conclude(
        observer,
        SYNTAX,
        statement.certificates(),
        format_args!("x5c and sig"),
    )?;
    let key = conclude(
        observer,
        CERTIFICATE,
        verify_certificate(&chain),
        format_args!(
            "{}",
            chain.first().map(Certificate::subject).unwrap_or_default()
        ),
    )?;
    let About::Credential {
        authenticator_data,
        client_data_hash,
        credential,
        public_key,
    } = context.about
    else {
        return part(observer, PUBLIC_KEY, Err(AttestationError::NotOfDevices));
    };
    let wrong = AttestationError::Algorithm {
        statement: Algorithm::Es256,
        credential: public_key.algorithm(),
    };
    let coordinates = match public_key {
        PublicKey::Ec2 { algorithm, x, y } if algorithm.curve() == Some(Curve::P256) => Ok((x, y)),
        _ => Err(wrong),
    };
    let (x, y) = conclude(
        observer,
        PUBLIC_KEY,
        coordinates,
        format_args!("{}", public_key.algorithm()),
    )?;
    // Steps 4 and 5: 00, RP ID hash, client data hash, credential id, uncompressed point.
    let rp_id_hash = authenticator_data.get(..32).unwrap_or_default();
    let signed = [
        &[0],
        rp_id_hash,
        client_data_hash,
        credential.credential_id,
        &[4],
        x,
        y,
    ]
    .concat();
    conclude(
        observer,
        SIGNATURE,
        signature::verify_named(Algorithm::Es256, &key, &signed, signature),
        format_args!("ES256 over the U2F registration"),
    )?;
    Ok(Verified::certified(chain, Details::None))
}

/// Step 2.
fn verify_certificate<'c>(
    chain: &'c [Certificate<'_>],
) -> Result<signature::Key<'c>, AttestationError> {
    let [certificate] = chain else {
        return Err(CertificateError::ChainLength(chain.len()).into());
    };
    let key = certificate.key()?;
    if key.curve() == Some(Curve::P256) {
        Ok(key)
    } else {
        Err(AttestationError::Requirement {
            section: "8.6",
            what: "its key is not on P-256",
        })
    }
}
