//! Signs a login.

use hallway_client::UserVerification;
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::command::get_assertion::{Extensions, Request};
use hallway_ctap::command::{Descriptor, Options};
use hallway_ctap::cose::Algorithm;

use crate::address::{connect, prompt, sha256};
use crate::der::ecdsa_numbers;
use crate::enroll::{PRESENCE, VERIFICATION};
use crate::error::SkError;

/// A request of ssh.
pub(crate) struct Sign<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) data: &'a [u8],
    pub(crate) application: &'a str,
    pub(crate) key_handle: &'a [u8],
    pub(crate) flags: u8,
    pub(crate) pin: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
}

/// The signature, as ssh gets it.
pub(crate) struct Signed {
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    /// The whole of an Ed25519 signature.
    pub(crate) r: Vec<u8>,
    /// Empty for Ed25519.
    pub(crate) s: Vec<u8>,
}

pub(crate) fn sign(asked: &Sign<'_>) -> Result<Signed, SkError> {
    let mut key = connect(asked.device)?;
    let hash = sha256(asked.data);
    let verifies = asked.flags & VERIFICATION != 0;
    if verifies && asked.pin.is_none() {
        return Err(SkError::PinRequired);
    }
    let request = Request {
        rp_id: asked.application,
        client_data_hash: &hash,
        allow: Some(vec![Descriptor {
            id: asked.key_handle,
        }]),
        extensions: Extensions::default(),
        options: Options {
            // no-touch-required: ssh leaves the flag out, and the key signs in silence.
            presence: (asked.flags & PRESENCE == 0).then_some(false),
            ..Options::default()
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
    };
    let wanted = if verifies {
        UserVerification::Required
    } else {
        UserVerification::Discouraged
    };
    let response = key.sign(request, wanted, &mut *prompt(asked.pin))?;
    let data = AuthenticatorData::parse(&response.auth_data).map_err(|_| SkError::General)?;
    let (r, s) = match asked.algorithm {
        Algorithm::Es256 => {
            let (r, s) = ecdsa_numbers(&response.signature).ok_or(SkError::General)?;
            (r.to_vec(), s.to_vec())
        }
        _ => (response.signature, Vec::new()),
    };
    Ok(Signed {
        flags: data.flags.bits(),
        counter: data.sign_count,
        r,
        s,
    })
}
