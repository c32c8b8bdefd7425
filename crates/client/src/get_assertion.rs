//! Authentication, the platform's side (WebAuthn Level 3, section 5.1.4).

use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::get_assertion::{Extensions, OwnedUser, Request, Response};
use hallway_ctap::command::{Descriptor, Options, code};

use crate::client::{Client, Insists, UserVerification, Verification};
use crate::client_data::{Ceremony, client_data_json};
use crate::connection::Connection;
use crate::error::ClientError;
use crate::make_credential::sha256;
use crate::pin::PinPrompt;
use crate::verification::Purpose;

/// Whether somebody must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Presence {
    /// The key waits for a touch and sets UP.
    #[default]
    Required,
    /// The key signs at once and leaves UP clear: for unattended devices only.
    Silent,
}

/// An authentication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GetAssertion<'a> {
    /// The relying party id.
    pub rp_id: &'a str,
    /// The challenge as the relying party gave it.
    pub challenge: &'a [u8],
    /// Ids of the credentials that may sign; empty asks for a discoverable credential.
    pub allow: &'a [Vec<u8>],
    /// Whether the owner is verified.
    pub user_verification: UserVerification,
    /// Whether a touch is asked for.
    pub presence: Presence,
}

/// An assertion, as it goes to the relying party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asserted {
    /// The credential that signed.
    pub credential_id: Vec<u8>,
    /// The client data as they were hashed.
    pub client_data_json: Vec<u8>,
    /// Authenticator data.
    pub authenticator_data: Vec<u8>,
    /// The signature over authenticator data and the hash of the client data.
    pub signature: Vec<u8>,
    /// The user handle, from discoverable credentials.
    pub user_handle: Option<Vec<u8>>,
    /// The account's name, when the key verified its owner and kept one.
    pub user_name: Option<String>,
}

impl<C: Connection> Client<C> {
    /// Signs with one credential: the newest one that matches.
    ///
    /// # Errors
    /// The key's refusal, a PIN that was not given, or a key that cannot be reached.
    pub fn get_assertion(
        &mut self,
        asked: &GetAssertion<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<Asserted, ClientError> {
        self.first_assertion(asked, pin)
            .map(|(asserted, _)| asserted)
    }

    /// Signs with every discoverable credential that matches, the newest first, so that a person
    /// can pick an account.
    ///
    /// # Errors
    /// As [`get_assertion`](Self::get_assertion).
    pub fn get_assertions(
        &mut self,
        asked: &GetAssertion<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<Vec<Asserted>, ClientError> {
        let (first, count) = self.first_assertion(asked, pin)?;
        let client_data = first.client_data_json.clone();
        let mut all = vec![first];
        for _ in 1..count.min(MAX_ACCOUNTS) {
            let answer = self.send(&[code::GET_NEXT_ASSERTION])?;
            let response = Response::parse(&answer.some_map()?, None).map_err(unreadable)?;
            all.push(asserted(response, client_data.clone()));
        }
        Ok(all)
    }

    fn first_assertion(
        &mut self,
        asked: &GetAssertion<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<(Asserted, u64), ClientError> {
        let client_data = client_data_json(Ceremony::Get, asked.challenge, self.origin());
        let hash = sha256(&client_data);
        let allow: Vec<Descriptor<'_>> = asked.allow.iter().map(|id| Descriptor { id }).collect();
        let request = Request {
            rp_id: asked.rp_id,
            client_data_hash: &hash,
            allow: (!allow.is_empty()).then_some(allow),
            extensions: Extensions::default(),
            options: Options {
                discoverable: None,
                presence: (asked.presence == Presence::Silent).then_some(false),
                verification: None,
            },
            pin_uv_auth_param: None,
            pin_uv_auth_protocol: None,
        };
        let verification = match asked.presence {
            Presence::Silent => UserVerification::Discouraged,
            Presence::Required => asked.user_verification,
        };
        let response = self.sign(request, verification, pin)?;
        let count = response.number_of_credentials.unwrap_or(1);
        Ok((asserted(response, client_data), count))
    }

    /// Signs by a CTAP request, for callers whose client data are not WebAuthn's, such as SSH.
    /// Verification is added to the request as `user_verification` says; a silent request gets
    /// none unless it is required, or the request would not be silent.
    ///
    /// # Errors
    /// As [`get_assertion`](Self::get_assertion).
    pub fn sign(
        &mut self,
        request: Request<'_>,
        user_verification: UserVerification,
        pin: &mut dyn PinPrompt,
    ) -> Result<Response, ClientError> {
        let how = match (request.options.presence, user_verification) {
            (Some(false), UserVerification::Preferred | UserVerification::Discouraged) => {
                Verification::None
            }
            _ => self.verification(user_verification, Insists::Never)?,
        };
        let purpose = Purpose {
            permission: Permissions::GET_ASSERTION,
            rp_id: request.rp_id,
            client_data_hash: request.client_data_hash,
        };
        let answer = self.send_verified(how, &purpose, pin, |client, proof| {
            let mut request = request.clone();
            request.options.verification = proof.built_in;
            request.pin_uv_auth_param = proof.param();
            request.pin_uv_auth_protocol = proof.protocol();
            client.send(&request.encode())
        })?;
        let only = match request.allow.as_deref() {
            Some([only]) => Some(only.id),
            _ => None,
        };
        Response::parse(&answer.some_map()?, only).map_err(unreadable)
    }
}

/// More accounts than a person can pick from; bounds the requests to a hostile key.
const MAX_ACCOUNTS: u64 = 1000;

fn unreadable(error: hallway_ctap::cbor::ReadError) -> ClientError {
    ClientError::Answer {
        command: "getAssertion",
        error,
    }
}

fn asserted(response: Response, client_data_json: Vec<u8>) -> Asserted {
    let (user_handle, user_name) = match response.user {
        Some(OwnedUser { id, name, .. }) => (Some(id), name),
        None => (None, None),
    };
    Asserted {
        credential_id: response.credential_id,
        client_data_json,
        authenticator_data: response.auth_data,
        signature: response.signature,
        user_handle,
        user_name,
    }
}
