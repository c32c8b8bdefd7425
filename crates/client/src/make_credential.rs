//! Registration, the platform's side (WebAuthn Level 3, section 5.1.3).

use aws_lc_rs::digest;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::make_credential::{Extensions, Request, Response};
use hallway_ctap::command::{Descriptor, Options, RelyingParty, User as UserEntity};
use hallway_ctap::cose::Algorithm;

use hallway_ctap::authenticator_data::AuthenticatorData;

use crate::client::{Client, Insists, UserVerification};
use crate::client_data::{Ceremony, client_data_json};
use crate::connection::Connection;
use crate::error::ClientError;
use crate::pin::PinPrompt;
use crate::verification::Purpose;

/// The account that a credential is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct User<'a> {
    /// The user handle, 1 to 64 bytes, opaque.
    pub id: &'a [u8],
    /// The account's name.
    pub name: &'a str,
    /// The person's name.
    pub display_name: &'a str,
}

impl<'a> User<'a> {
    pub(crate) const fn entity(&self) -> UserEntity<'a> {
        UserEntity {
            id: self.id,
            name: Some(self.name),
            display_name: Some(self.display_name),
        }
    }
}

/// What the relying party wants to know about the key's make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AttestationPreference {
    /// Nothing: the key is asked for no statement.
    #[default]
    None,
    /// A statement as the key makes it.
    Direct,
}

/// A registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MakeCredential<'a> {
    /// The relying party id, a domain.
    pub rp_id: &'a str,
    /// Its name, for people.
    pub rp_name: &'a str,
    /// The account.
    pub user: User<'a>,
    /// The challenge as the relying party gave it.
    pub challenge: &'a [u8],
    /// The algorithms that the relying party accepts, in order of preference.
    pub algorithms: &'a [Algorithm],
    /// Whether the key stores the credential, so that it is found without its id.
    pub discoverable: bool,
    /// Whether the owner is verified.
    pub user_verification: UserVerification,
    /// Credential ids that must not be on this key already.
    pub exclude: &'a [Vec<u8>],
    /// Whether the key is asked to attest its make.
    pub attestation: AttestationPreference,
}

/// A new credential, as it goes to the relying party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedCredential {
    /// The credential id, also inside the attestation object.
    pub credential_id: Vec<u8>,
    /// The client data as they were hashed.
    pub client_data_json: Vec<u8>,
    /// The attestation object, CBOR.
    pub attestation_object: Vec<u8>,
    /// The transports by which the key says it can be reached.
    pub transports: Vec<String>,
}

impl<C: Connection> Client<C> {
    /// Makes a credential. Blocks until the key's owner has confirmed or refused.
    ///
    /// # Errors
    /// The key's refusal, a PIN that was not given, or a key that cannot be reached.
    pub fn make_credential(
        &mut self,
        asked: &MakeCredential<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<CreatedCredential, ClientError> {
        let client_data = client_data_json(Ceremony::Create, asked.challenge, self.origin());
        let hash = sha256(&client_data);
        let request = Request {
            client_data_hash: &hash,
            rp: RelyingParty {
                id: asked.rp_id,
                name: Some(asked.rp_name),
            },
            user: asked.user.entity(),
            algorithms: asked.algorithms.iter().map(|a| a.id()).collect(),
            exclude: asked.exclude.iter().map(|id| Descriptor { id }).collect(),
            extensions: Extensions::default(),
            options: Options {
                discoverable: asked.discoverable.then_some(true),
                ..Options::default()
            },
            pin_uv_auth_param: None,
            pin_uv_auth_protocol: None,
            enterprise_attestation: None,
            attestation_formats: match asked.attestation {
                AttestationPreference::None => vec!["none"],
                AttestationPreference::Direct => Vec::new(),
            },
        };
        let response = self.create(request, asked.user_verification, pin)?;
        let credential_id = AuthenticatorData::parse(&response.auth_data)
            .ok()
            .and_then(|data| data.attested_credential)
            .map(|credential| credential.credential_id.to_vec())
            .ok_or(ClientError::Incomplete("the new credential"))?;
        Ok(CreatedCredential {
            credential_id,
            client_data_json: client_data,
            attestation_object: response.attestation_object(),
            transports: self.info()?.transports.clone(),
        })
    }

    /// Makes a credential from a CTAP request, for callers whose client data are not WebAuthn's,
    /// such as SSH. Verification is added to the request as the key demands it.
    ///
    /// # Errors
    /// As [`make_credential`](Self::make_credential).
    pub fn create(
        &mut self,
        request: Request<'_>,
        user_verification: UserVerification,
        pin: &mut dyn PinPrompt,
    ) -> Result<Response, ClientError> {
        let insists = match request.options.discoverable {
            Some(true) => Insists::ForEvery,
            _ => Insists::ForKept,
        };
        let how = self.verification(user_verification, insists)?;
        let purpose = Purpose {
            permission: Permissions::MAKE_CREDENTIAL,
            rp_id: request.rp.id,
            client_data_hash: request.client_data_hash,
        };
        let answer = self.send_verified(how, &purpose, pin, |client, proof| {
            let mut request = request.clone();
            request.options.verification = proof.built_in;
            request.pin_uv_auth_param = proof.param();
            request.pin_uv_auth_protocol = proof.protocol();
            client.send(&request.encode())
        })?;
        Response::parse(&answer.some_map()?).map_err(|error| ClientError::Answer {
            command: "makeCredential",
            error,
        })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}
