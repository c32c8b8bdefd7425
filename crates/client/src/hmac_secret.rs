//! Secrets that only a key can derive (hmac-secret: CTAP 2.3, section 12.7).

use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cbor::{Form, Map, ReadError};
use hallway_ctap::command::{Descriptor, Options, RelyingParty};
use hallway_ctap::command::{get_assertion, hmac_secret, make_credential};
use hallway_ctap::cose::Algorithm;
use zeroize::Zeroizing;

use crate::client::{Client, UserVerification};
use crate::connection::Connection;
use crate::error::ClientError;
use crate::make_credential::User;
use crate::pin::PinPrompt;

/// The extension's name, also in the key's answers.
const EXTENSION: &str = "hmac-secret";
/// Nobody checks these signatures, so there are no client data to commit to.
const NO_CLIENT_DATA: [u8; 32] = [0; 32];

/// A request to derive a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeriveSecret<'a> {
    /// The relying party id under which the credentials were made.
    pub rp_id: &'a str,
    /// Ids of the credentials that may derive it, on any key.
    pub allow: &'a [Vec<u8>],
    /// Each salt gives another secret.
    pub salt: &'a [u8; 32],
}

/// A secret, and the credential that derived it.
#[derive(Debug)]
pub struct DerivedSecret {
    /// The id of the allowed credential that was used.
    pub credential_id: Vec<u8>,
    /// 32 bytes; the same each time for one credential and salt.
    pub secret: Zeroizing<[u8; 32]>,
}

impl<C: Connection> Client<C> {
    /// Makes a credential that can derive secrets; returns its id. The key does not store it.
    ///
    /// # Errors
    /// [`ClientError::NoHmacSecret`], the key's refusal, or a PIN that was not given.
    pub fn make_secret_credential(
        &mut self,
        rp_id: &str,
        user: &User<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<Vec<u8>, ClientError> {
        let request = make_credential::Request {
            client_data_hash: &NO_CLIENT_DATA,
            rp: RelyingParty {
                id: rp_id,
                name: None,
            },
            user: user.entity(),
            algorithms: vec![Algorithm::Es256.id()],
            exclude: Vec::new(),
            extensions: make_credential::Extensions {
                hmac_secret: Some(true),
                ..make_credential::Extensions::default()
            },
            options: Options::default(),
            pin_uv_auth_param: None,
            pin_uv_auth_protocol: None,
            enterprise_attestation: None,
            attestation_formats: vec!["none"],
        };
        let made = self.create(request, UserVerification::Required, pin)?;
        let data = read(&made.auth_data)?;
        let can = output(&data, |value| value.bool())?;
        match (can, data.attested_credential) {
            (Some(true), Some(credential)) => Ok(credential.credential_id.to_vec()),
            (_, None) => Err(ClientError::Incomplete("the new credential")),
            _ => Err(ClientError::NoHmacSecret),
        }
    }

    /// Derives a secret with a touch, after the key verified its owner: without verification the
    /// same credential derives another secret.
    ///
    /// # Errors
    /// [`ClientError::NoHmacSecret`], the key's refusal (for example, none of the credentials is
    /// its own), or a PIN that was not given.
    pub fn derive_secret(
        &mut self,
        asked: &DeriveSecret<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<DerivedSecret, ClientError> {
        let session = self.key_agreement()?;
        let salt_enc = session.encrypt(asked.salt)?;
        let salt_auth = session.authenticate(&salt_enc);
        let request = get_assertion::Request {
            rp_id: asked.rp_id,
            client_data_hash: &NO_CLIENT_DATA,
            allow: Some(asked.allow.iter().map(|id| Descriptor { id }).collect()),
            extensions: get_assertion::Extensions {
                hmac_secret: Some(hmac_secret::Input {
                    key_agreement: session.platform_key,
                    salt_enc: &salt_enc,
                    salt_auth: &salt_auth,
                    protocol: Some(session.protocol.id()),
                }),
                ..get_assertion::Extensions::default()
            },
            options: Options::default(),
            pin_uv_auth_param: None,
            pin_uv_auth_protocol: None,
        };
        let response = self.sign(request, UserVerification::Required, pin)?;
        let data = read(&response.auth_data)?;
        if !data.flags.contains(Flags::USER_VERIFIED) {
            return Err(ClientError::Incomplete("user verification"));
        }
        let encrypted = output(&data, |value| value.bytes())?.ok_or(ClientError::NoHmacSecret)?;
        let secret = session.decrypt(encrypted)?;
        let mut exact = Zeroizing::new([0; 32]);
        if secret.len() != exact.len() {
            return Err(ClientError::Incomplete("32 bytes of secret"));
        }
        exact.copy_from_slice(&secret);
        Ok(DerivedSecret {
            credential_id: response.credential_id,
            secret: exact,
        })
    }
}

fn read(auth_data: &[u8]) -> Result<AuthenticatorData<'_>, ClientError> {
    AuthenticatorData::parse(auth_data)
        .map_err(|_| ClientError::Incomplete("authenticator data that can be read"))
}

/// The output of the extension, if there is one.
fn output<'a, T>(
    data: &AuthenticatorData<'a>,
    read: impl FnOnce(hallway_ctap::cbor::Value<'a>) -> Result<T, ReadError>,
) -> Result<Option<T>, ClientError> {
    // Any maker's key may have written the map, so it is read as `AuthenticatorData` reads it.
    let unreadable = |error| ClientError::Answer {
        command: EXTENSION,
        error,
    };
    let Some(bytes) = data.extensions else {
        return Ok(None);
    };
    let map = Map::parse(bytes, Form::Tolerant).map_err(unreadable)?;
    map.optional(EXTENSION, read).map_err(unreadable)
}
