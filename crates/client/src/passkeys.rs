//! The passkeys on a key: list, rename, delete (CTAP 2.3, section 6.8).

use hallway_ctap::command::authorized::Subcommand as _;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::credential_management::{Request, Response, Subcommand};
use hallway_ctap::command::get_assertion::OwnedUser;
use hallway_ctap::status::Status;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::make_credential::User;
use crate::pin::{PinPrompt, Token};

/// A discoverable credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passkey {
    /// The relying party id.
    pub rp_id: String,
    /// The account.
    pub user: OwnedUser,
    /// The credential id.
    pub credential_id: Vec<u8>,
    /// The COSE_Key.
    pub public_key: Vec<u8>,
    /// The level of credProtect, 1 to 3.
    pub protection: u8,
}

/// The passkeys of a key whose owner has given the PIN once.
pub struct PasskeyStore<'a, C> {
    client: &'a mut Client<C>,
    token: Token,
}

/// More passkeys than any key holds; bounds the requests to a hostile key.
const MAX_PASSKEYS: u64 = 100_000;

impl<C: Connection> Client<C> {
    /// Asks for the PIN and opens the list of passkeys.
    ///
    /// # Errors
    /// The key's refusal, or a PIN that was not given.
    pub fn passkeys(
        &mut self,
        pin: &mut dyn PinPrompt,
    ) -> Result<PasskeyStore<'_, C>, ClientError> {
        if self.info()?.option("clientPin") != Some(true) {
            return Err(ClientError::VerificationUnavailable);
        }
        let token = self.token(Permissions::CREDENTIAL_MANAGEMENT, None, pin)?;
        Ok(PasskeyStore {
            client: self,
            token,
        })
    }
}

impl<C: Connection> PasskeyStore<'_, C> {
    /// All passkeys, grouped by relying party.
    ///
    /// # Errors
    /// [`ClientError`] when the key refuses or cannot be understood.
    pub fn list(&mut self) -> Result<Vec<Passkey>, ClientError> {
        let first = match self.send(Subcommand::EnumerateRpsBegin) {
            Err(error) if error.status() == Some(Status::NoCredentials) => return Ok(Vec::new()),
            other => other?,
        };
        let total = first.total_rps.unwrap_or(1).min(MAX_PASSKEYS);
        let mut rps = vec![first];
        for _ in 1..total {
            rps.push(self.next(Subcommand::EnumerateRpsNext)?);
        }
        let mut passkeys = Vec::new();
        for rp in rps {
            let rp_id = rp
                .rp_id
                .ok_or(ClientError::Incomplete("a relying party id"))?;
            let hash = rp
                .rp_id_hash
                .ok_or(ClientError::Incomplete("a relying party id's hash"))?;
            let first = self.send(Subcommand::EnumerateCredentialsBegin { rp_id_hash: &hash })?;
            let total = first.total_credentials.unwrap_or(1).min(MAX_PASSKEYS);
            passkeys.push(passkey(&rp_id, first)?);
            for _ in 1..total {
                if passkeys.len() >= MAX_PASSKEYS as usize {
                    return Err(ClientError::Incomplete("an end to its passkeys"));
                }
                let next = self.next(Subcommand::EnumerateCredentialsNext)?;
                passkeys.push(passkey(&rp_id, next)?);
            }
        }
        Ok(passkeys)
    }

    /// Deletes a passkey for good.
    ///
    /// # Errors
    /// [`Status::NoCredentials`] when there is none with this id.
    pub fn delete(&mut self, credential_id: &[u8]) -> Result<(), ClientError> {
        self.send(Subcommand::Delete { credential_id }).map(|_| ())
    }

    /// Changes the names of a passkey's account; `user.id` must be the one that it has.
    ///
    /// # Errors
    /// [`Status::NoCredentials`] when there is none with this id.
    pub fn rename(&mut self, credential_id: &[u8], user: User<'_>) -> Result<(), ClientError> {
        let user = user.entity();
        self.send(Subcommand::UpdateUser {
            credential_id,
            user,
        })
        .map(|_| ())
    }

    fn send(&mut self, subcommand: Subcommand<'_>) -> Result<Response, ClientError> {
        let parameters = subcommand.parameters();
        let code = [subcommand.code()];
        let rest = parameters.as_deref().unwrap_or_default();
        let (protocol, tag) = self.token.authenticate(&[&code[..], rest].concat());
        self.exchange(&Request {
            subcommand,
            raw_parameters: parameters.as_deref(),
            pin_uv_auth_protocol: Some(protocol),
            pin_uv_auth_param: Some(&tag),
        })
    }

    /// Continues an enumeration, which needs no authentication of its own.
    fn next(&mut self, subcommand: Subcommand<'_>) -> Result<Response, ClientError> {
        self.exchange(&Request {
            subcommand,
            raw_parameters: None,
            pin_uv_auth_protocol: None,
            pin_uv_auth_param: None,
        })
    }

    fn exchange(&mut self, request: &Request<'_>) -> Result<Response, ClientError> {
        let answer = self.client.send(&request.encode())?;
        match answer.map()? {
            Some(map) => Response::parse(&map).map_err(|error| ClientError::Answer {
                command: "credentialManagement",
                error,
            }),
            None => Ok(Response::default()),
        }
    }
}

fn passkey(rp_id: &str, response: Response) -> Result<Passkey, ClientError> {
    Ok(Passkey {
        rp_id: rp_id.into(),
        user: response.user.ok_or(ClientError::Incomplete("an account"))?,
        credential_id: response
            .credential_id
            .ok_or(ClientError::Incomplete("a credential id"))?,
        public_key: response
            .public_key
            .ok_or(ClientError::Incomplete("a public key"))?,
        protection: response.cred_protect.unwrap_or(1),
    })
}
