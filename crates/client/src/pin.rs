//! PINs: asking a person for one, turning one into a token, setting and changing one.

use aws_lc_rs::digest;
use hallway_ctap::command::client_pin::{Permissions, Request, Response, Subcommand};
use hallway_ctap::status::Status;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::pin_protocol::{Protocol, Session};

/// A request for the PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinRequest {
    /// Tries left before the key blocks itself for good.
    pub retries: u64,
}

/// Where PINs come from.
pub trait PinPrompt {
    /// The PIN; `None` gives up.
    fn pin(&mut self, request: &PinRequest) -> Option<Zeroizing<String>>;
}

/// Nobody is there to ask: a request for the PIN is refused.
#[derive(Clone, Copy, Debug)]
pub struct NoPin;

impl PinPrompt for NoPin {
    fn pin(&mut self, _: &PinRequest) -> Option<Zeroizing<String>> {
        None
    }
}

/// A known PIN.
#[derive(Clone)]
pub struct Pin(pub Zeroizing<String>);

impl PinPrompt for Pin {
    fn pin(&mut self, _: &PinRequest) -> Option<Zeroizing<String>> {
        Some(self.0.clone())
    }
}

/// A PIN/UV auth token and the protocol it was issued under.
pub(crate) struct Token {
    protocol: Protocol,
    bytes: Zeroizing<Vec<u8>>,
}

impl Token {
    /// pinUvAuthParam over `message`.
    pub(crate) fn authenticate(&self, message: &[u8]) -> (u64, Vec<u8>) {
        let tag = self.protocol.authenticate(&self.bytes, message);
        (self.protocol.id(), tag)
    }
}

impl<C: Connection> Client<C> {
    /// Sets the first PIN of a key.
    ///
    /// # Errors
    /// [`ClientError::PinForm`] for a text that cannot be a PIN; the key's refusal when it already
    /// has a PIN or its policy demands a better one.
    pub fn set_pin(&mut self, pin: &str) -> Result<(), ClientError> {
        let session = self.key_agreement()?;
        let new_pin_enc = session.encrypt(&padded(pin)?[..])?;
        let tag = session.authenticate(&new_pin_enc);
        let request = Request {
            protocol: Some(session.protocol.id()),
            key_agreement: Some(session.platform_key),
            pin_uv_auth_param: Some(&tag),
            new_pin_enc: Some(&new_pin_enc),
            ..Request::new(Subcommand::SetPin)
        };
        self.client_pin(&request)?;
        self.forget_info();
        Ok(())
    }

    /// Changes the PIN.
    ///
    /// # Errors
    /// As for [`set_pin`](Self::set_pin), and [`ClientError::WrongPin`]: a wrong `current` costs one
    /// of the key's tries.
    pub fn change_pin(&mut self, current: &str, new: &str) -> Result<(), ClientError> {
        let retries = self.pin_retries()?;
        let session = self.key_agreement()?;
        let new_pin_enc = session.encrypt(&padded(new)?[..])?;
        let pin_hash_enc = session.encrypt(&half_hash(current)[..])?;
        let tag = session.authenticate(&[&new_pin_enc[..], &pin_hash_enc].concat());
        let request = Request {
            protocol: Some(session.protocol.id()),
            key_agreement: Some(session.platform_key),
            pin_uv_auth_param: Some(&tag),
            new_pin_enc: Some(&new_pin_enc),
            pin_hash_enc: Some(&pin_hash_enc),
            ..Request::new(Subcommand::ChangePin)
        };
        self.with_pin(&request, retries)?;
        self.forget_info();
        Ok(())
    }

    /// PIN tries left.
    ///
    /// # Errors
    /// [`ClientError`] when the key cannot say.
    pub fn pin_retries(&mut self) -> Result<u64, ClientError> {
        self.client_pin(&Request::new(Subcommand::GetPinRetries))?
            .pin_retries
            .ok_or(ClientError::Incomplete("the number of PIN tries"))
    }

    /// Asks for the PIN and turns it into a token for `permissions`, at one relying party or at
    /// all.
    pub(crate) fn token(
        &mut self,
        permissions: Permissions,
        rp_id: Option<&str>,
        prompt: &mut dyn PinPrompt,
    ) -> Result<Token, ClientError> {
        let retries = self.pin_retries()?;
        if retries == 0 {
            return Err(ClientError::Refused(Status::PinBlocked));
        }
        let pin = prompt
            .pin(&PinRequest { retries })
            .ok_or(ClientError::PinNotGiven)?;
        let session = self.key_agreement()?;
        let pin_hash_enc = session.encrypt(&half_hash(&pin)[..])?;
        let with_permissions = self.info()?.option("pinUvAuthToken") == Some(true);
        let request = Request {
            protocol: Some(session.protocol.id()),
            key_agreement: Some(session.platform_key),
            pin_hash_enc: Some(&pin_hash_enc),
            permissions: with_permissions.then_some(permissions),
            rp_id: rp_id.filter(|_| with_permissions),
            ..Request::new(if with_permissions {
                Subcommand::GetTokenUsingPin
            } else {
                Subcommand::GetPinToken
            })
        };
        let encrypted = self
            .with_pin(&request, retries)?
            .token
            .ok_or(ClientError::Incomplete("a PIN/UV auth token"))?;
        Ok(Token {
            protocol: session.protocol,
            bytes: session.decrypt(&encrypted)?,
        })
    }

    pub(crate) fn key_agreement(&mut self) -> Result<Session, ClientError> {
        let protocol = Protocol::choose(&self.info()?.pin_uv_auth_protocols)?;
        let request = Request {
            protocol: Some(protocol.id()),
            ..Request::new(Subcommand::GetKeyAgreement)
        };
        let key = self
            .client_pin(&request)?
            .key_agreement
            .ok_or(ClientError::Incomplete("its key agreement key"))?;
        Session::agree(protocol, &key)
    }

    /// Sends a request with a PIN in it, which costs one of these tries if the PIN is wrong.
    fn with_pin(&mut self, request: &Request<'_>, retries: u64) -> Result<Response, ClientError> {
        self.client_pin(request)
            .map_err(|error| match error.status() {
                Some(Status::PinInvalid) => ClientError::WrongPin {
                    left: retries.saturating_sub(1),
                },
                _ => error,
            })
    }

    fn client_pin(&mut self, request: &Request<'_>) -> Result<Response, ClientError> {
        let answer = self.send(&request.encode())?;
        match answer.map()? {
            Some(map) => Response::parse(&map).map_err(|error| ClientError::Answer {
                command: "clientPIN",
                error,
            }),
            None => Ok(Response::default()),
        }
    }
}

/// LEFT(SHA-256(pin), 16).
fn half_hash(pin: &str) -> Zeroizing<[u8; 16]> {
    let hash = digest::digest(&digest::SHA256, pin.as_bytes());
    let mut half = Zeroizing::new([0; 16]);
    half.copy_from_slice(&hash.as_ref()[..16]);
    half
}

/// The PIN with trailing zeros, 64 bytes.
fn padded(pin: &str) -> Result<Zeroizing<[u8; 64]>, ClientError> {
    if pin.len() > 63 || pin.chars().count() < 4 || pin.contains('\0') {
        return Err(ClientError::PinForm);
    }
    let mut padded = Zeroizing::new([0; 64]);
    padded[..pin.len()].copy_from_slice(pin.as_bytes());
    Ok(padded)
}
