//! `ssh-keygen -t ed25519-sk` and `-t ecdsa-sk`.

use hallway_client::UserVerification;
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::cbor::{Form, Map};
use hallway_ctap::command::make_credential::{Extensions, Request};
use hallway_ctap::command::{Options, RelyingParty, User};
use hallway_ctap::cose::{Algorithm, PublicKey};

use crate::address::{connect, prompt, sha256};
use crate::error::SkError;

/// SSH_SK_USER_PRESENCE_REQD.
pub(crate) const PRESENCE: u8 = 0x01;
/// SSH_SK_USER_VERIFICATION_REQD.
pub(crate) const VERIFICATION: u8 = 0x04;
/// SSH_SK_FORCE_OPERATION.
const FORCE: u8 = 0x10;
/// SSH_SK_RESIDENT_KEY.
const RESIDENT: u8 = 0x20;

/// A request of ssh-keygen.
pub(crate) struct Enroll<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) challenge: &'a [u8],
    pub(crate) application: &'a str,
    pub(crate) flags: u8,
    pub(crate) pin: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
}

/// The new key, as ssh-keygen gets it.
pub(crate) struct Enrolled {
    pub(crate) flags: u8,
    pub(crate) public_key: Vec<u8>,
    pub(crate) key_handle: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// Empty for self attestation.
    pub(crate) certificate: Vec<u8>,
    /// A CBOR byte string, as ssh wants it.
    pub(crate) auth_data: Vec<u8>,
}

/// ssh's user handle: 32 bytes, the name and zeros (OpenSSH, sk-usbhid).
fn user_handle(user: &str) -> Result<[u8; 32], SkError> {
    let mut handle = [0; 32];
    handle
        .get_mut(..user.len())
        .ok_or(SkError::General)?
        .copy_from_slice(user.as_bytes());
    Ok(handle)
}

pub(crate) fn enroll(asked: &Enroll<'_>) -> Result<Enrolled, SkError> {
    let mut key = connect(asked.device)?;
    let resident = asked.flags & RESIDENT != 0;
    let verifies = asked.flags & VERIFICATION != 0;
    let name = asked.user.unwrap_or("openssh");
    let handle = match asked.user {
        Some(user) => user_handle(user)?,
        None => [0; 32],
    };
    if verifies && asked.pin.is_none() {
        return Err(SkError::PinRequired);
    }
    if resident && asked.flags & FORCE == 0 && asked.pin.is_some() {
        let mut store = key.passkeys(&mut *prompt(asked.pin))?;
        let exists = store
            .list()?
            .iter()
            .any(|passkey| passkey.rp_id == asked.application && passkey.user.id == handle);
        if exists {
            return Err(SkError::CredentialExists);
        }
    }
    let hash = sha256(asked.challenge);
    let request = Request {
        client_data_hash: &hash,
        rp: RelyingParty {
            id: asked.application,
            name: None,
        },
        user: User {
            id: &handle,
            name: Some(name),
            display_name: Some(name),
        },
        algorithms: vec![asked.algorithm.id()],
        exclude: Vec::new(),
        extensions: Extensions {
            // As OpenSSH protects resident keys: they are never found without the PIN, and with
            // verify-required not used without it either.
            cred_protect: resident.then_some(if verifies { 3 } else { 2 }),
            ..Extensions::default()
        },
        options: Options {
            discoverable: resident.then_some(true),
            ..Options::default()
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
        enterprise_attestation: None,
        attestation_formats: Vec::new(),
    };
    let wanted = if verifies {
        UserVerification::Required
    } else {
        UserVerification::Discouraged
    };
    let response = key.create(request, wanted, &mut *prompt(asked.pin))?;
    let data = AuthenticatorData::parse(&response.auth_data).map_err(|_| SkError::General)?;
    let made = data.attested_credential.ok_or(SkError::General)?;
    let statement = response.attestation_statement.ok_or(SkError::General)?;
    let statement = Map::parse(&statement, Form::Tolerant).map_err(|_| SkError::General)?;
    let bytes_at = |name: &str| statement.get(name).and_then(|value| value.bytes().ok());
    let certificate = statement
        .get("x5c")
        .and_then(|value| value.list().ok())
        .and_then(|chain| chain.iter().next())
        .and_then(|first| first.bytes().ok());
    Ok(Enrolled {
        flags: asked.flags,
        public_key: ssh_public_key(made.public_key)?.1,
        key_handle: made.credential_id.to_vec(),
        signature: bytes_at("sig").unwrap_or_default().to_vec(),
        certificate: certificate.unwrap_or_default().to_vec(),
        auth_data: byte_string(&response.auth_data),
    })
}

/// A COSE_Key as ssh wants it: an uncompressed point, or the 32 bytes of Ed25519.
pub(crate) fn ssh_public_key(cose: &[u8]) -> Result<(Algorithm, Vec<u8>), SkError> {
    match PublicKey::decode(cose) {
        Ok(PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x,
            y,
        }) => Ok((Algorithm::Es256, [&[4], x, y].concat())),
        Ok(PublicKey::Okp {
            algorithm: Algorithm::EdDsa,
            x,
        }) => Ok((Algorithm::EdDsa, x.to_vec())),
        _ => Err(SkError::Unsupported),
    }
}

/// CBOR around authenticator data: what libfido2 hands out, and so what ssh expects.
fn byte_string(bytes: &[u8]) -> Vec<u8> {
    use hallway_ctap::cbor::Encode;

    let mut out = Vec::new();
    bytes.encode(&mut out);
    out
}
