//! All that a bundle's subject is made of, part by part.

use hallway_webauthn::UnixSeconds;
use hallway_webauthn::explain::{
    Challenge, Part, attestation, authenticator_data, certificate, chain, client_data, signature,
};

use super::statement;
use crate::bundle::Bundle;
use crate::receipt::Receipt;
use crate::signed_statement::Response;

/// Takes the subject of a bundle apart. `rp_id` is the realm's relying party id. The certificates
/// are those of the subject itself or, if it has none, of the registration of the key that signed it:
/// for a device's transaction, those of its enrolment.
pub(crate) fn bundle(bundle: &Bundle, rp_id: &str) -> Vec<Part> {
    let signed = &bundle.subject().evidence.signed;
    let response = &signed.response;
    let challenge = Challenge {
        bytes: &signed.challenge(),
        called: "the SHA-256 of the statement above",
    };
    let mut parts = vec![
        statement(&signed.statement),
        client_data(response.client_data_json(), Some(challenge)),
    ];
    match response {
        Response::Registration {
            attestation_object, ..
        } => parts.extend(attestation(
            attestation_object,
            Some(rp_id),
            accepted(bundle.subject()),
        )),
        Response::Assertion {
            authenticator_data: data,
            signature: bytes,
            ..
        } => {
            parts.push(authenticator_data(data, Some(rp_id)));
            parts.push(signature(bytes));
            let mut rests_on = bundle.receipts().skip(1);
            let enrolment = rests_on
                .find(|receipt| receipt.evidence.signed.credential_id == signed.credential_id);
            parts.extend(enrolment.into_iter().flat_map(certificates));
        }
    }
    parts
}

fn certificates(receipt: &Receipt) -> Vec<Part> {
    let Response::Registration {
        attestation_object, ..
    } = &receipt.evidence.signed.response
    else {
        return Vec::new();
    };
    let chain = chain(attestation_object);
    let chain = chain.iter().enumerate();
    chain
        .map(|(place, der)| certificate(der, place, accepted(receipt)))
        .collect()
}

/// The time at which a gateway judged the certificates of a registration.
fn accepted(receipt: &Receipt) -> UnixSeconds {
    UnixSeconds::from_ms(receipt.evidence.accepted.as_ms())
}
