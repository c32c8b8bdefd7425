//! `hallway attest explain --acme`: a device's answer to an ACME server's `device-attest-01`.

use std::error::Error;

use hallway_webauthn::device_attestation::DeviceChallenge;
use hallway_webauthn::explain::{DeviceEvidence, Explanation, explain_device};
use hallway_webauthn::{TrustAnchors, UnixSeconds};

use super::input::Input;

/// Explains the answer. Without a key authorization on the command line or in the file, it reports
/// only what the object says.
pub(super) fn explain(
    given: &Input,
    key_authorization: Option<&str>,
    anchors: &TrustAnchors,
    now: UnixSeconds,
) -> Result<Explanation, Box<dyn Error>> {
    let object = given
        .attestation_object
        .as_deref()
        .ok_or("there is no \"attObj\" in the file")?;
    let authorization = key_authorization.or(given.key_authorization.as_deref());
    let challenge = match authorization {
        None => {
            eprintln!(
                "What the device signed is not checked: give --key-authorization for that, or \
                 \"keyAuthorization\" in the JSON."
            );
            None
        }
        Some(key_authorization) => {
            let (token, _) = key_authorization.split_once('.').ok_or(
                "a key authorization is the challenge's token, a dot, and the base64url \
                 SHA-256 thumbprint of the account's key",
            )?;
            Some(DeviceChallenge {
                token,
                key_authorization,
            })
        }
    };
    Ok(explain_device(
        object,
        &DeviceEvidence {
            challenge,
            anchors,
            now,
        },
    ))
}
