//! Proving to a key that its owner is there, for one request.

use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::status::Status;

use crate::client::{Client, Verification};
use crate::connection::Connection;
use crate::error::ClientError;
use crate::pin::PinPrompt;

/// The part of a request that proves that the user is verified, or will be.
pub(crate) struct Proof {
    /// The option `uv`: the key's own sensor verifies the user.
    pub(crate) built_in: Option<bool>,
    /// pinUvAuthProtocol and pinUvAuthParam.
    token: Option<(u64, Vec<u8>)>,
}

impl Proof {
    pub(crate) fn protocol(&self) -> Option<u64> {
        self.token.as_ref().map(|(protocol, _)| *protocol)
    }

    pub(crate) fn param(&self) -> Option<&[u8]> {
        self.token.as_ref().map(|(_, tag)| tag.as_slice())
    }
}

/// The request for which the user is verified.
pub(crate) struct Purpose<'a> {
    pub(crate) permission: Permissions,
    pub(crate) rp_id: &'a str,
    pub(crate) client_data_hash: &'a [u8; 32],
}

impl<C: Connection> Client<C> {
    /// Sends a request with a proof. If the key's sensor does not recognise the finger and there is
    /// a PIN, the PIN is asked for and the request sent once more.
    pub(crate) fn send_verified<R>(
        &mut self,
        how: Verification,
        purpose: &Purpose<'_>,
        pin: &mut dyn PinPrompt,
        mut send: impl FnMut(&mut Self, &Proof) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let proof = self.prove(how, purpose, pin)?;
        match send(self, &proof) {
            Err(error)
                if how == Verification::BuiltIn
                    && error.status() == Some(Status::PuatRequired)
                    && self.info()?.pin_serves_ceremonies() =>
            {
                let proof = self.prove(Verification::Pin, purpose, pin)?;
                send(self, &proof)
            }
            other => other,
        }
    }

    fn prove(
        &mut self,
        how: Verification,
        purpose: &Purpose<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<Proof, ClientError> {
        let token = match how {
            Verification::Pin => Some(
                self.token(purpose.permission, Some(purpose.rp_id), pin)?
                    .authenticate(purpose.client_data_hash),
            ),
            Verification::BuiltIn | Verification::None => None,
        };
        Ok(Proof {
            built_in: (how == Verification::BuiltIn).then_some(true),
            token,
        })
    }
}
