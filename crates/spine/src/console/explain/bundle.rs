//! All that a bundle's subject is made of, part by part.

use hallway_evidence::{Bundle, Receipt, Response};

use super::super::view::Part;
use super::{
    attestation, authenticator_data, certificate, chain, client_data, signature, statement,
};

/// Takes the subject of a bundle apart. `rp_id` is the realm's relying party id. The certificates
/// are those of the subject itself or, if it has none, of the registration of the key that signed it:
/// for a device's transaction, those of its enrolment.
pub fn bundle(bundle: &Bundle, rp_id: &str) -> Vec<Part> {
    let signed = &bundle.subject().evidence.signed;
    let response = &signed.response;
    let mut parts = vec![
        statement(&signed.statement),
        client_data(response.client_data_json(), &signed.challenge()),
    ];
    match response {
        Response::Registration {
            attestation_object, ..
        } => parts.extend(attestation(attestation_object, rp_id)),
        Response::Assertion {
            authenticator_data: data,
            signature: bytes,
            ..
        } => {
            parts.push(authenticator_data(data, rp_id));
            parts.push(signature(bytes));
            let mut rests_on = bundle.receipts().skip(1);
            let enrolled = rests_on
                .find(|receipt| receipt.evidence.signed.credential_id == signed.credential_id)
                .map(certificates)
                .unwrap_or_default();
            parts.extend(
                (0..)
                    .zip(enrolled)
                    .map(|(place, der)| certificate(der, place)),
            );
        }
    }
    parts
}

fn certificates(receipt: &Receipt) -> Vec<&[u8]> {
    match &receipt.evidence.signed.response {
        Response::Registration {
            attestation_object, ..
        } => chain(attestation_object),
        Response::Assertion { .. } => Vec::new(),
    }
}
