//! authenticatorCredentialManagement (CTAP 2.3, section 6.8).

use alloc::vec::Vec;

use hallway_ctap::command::User;
use hallway_ctap::command::authorized::Subcommand as _;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::credential_management::{Request, Response, Subcommand};
use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::credential::{Credential, Features, sha256};
use crate::make_credential::cut_names;
use crate::pin_protocol::Protocol;
use crate::platform::{Change, Clock, Environment, RecordKey};
use crate::signatures::Signatures;
use crate::step::Step;

/// The access that a subcommand needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// cm, or pcmr.
    Read,
    /// cm.
    Write,
}

/// The relying party that the token is bound to, if to any.
type Bound = Option<[u8; 32]>;

impl<E: Environment> Authenticator<E> {
    pub(crate) fn credential_management(
        &mut self,
        request: &Request<'_>,
        step: Option<Step>,
    ) -> Result<Response, Status> {
        match request.subcommand {
            Subcommand::GetMetadata => {
                self.authorized_unbound(request)?;
                let existing = self.index.len();
                Ok(Response {
                    existing: Some(existing as u64),
                    remaining: Some(self.room() as u64),
                    ..Response::default()
                })
            }
            Subcommand::EnumerateRpsBegin => {
                self.authorized_unbound(request)?;
                let left = self.index.relying_parties();
                let total = left.len() as u64;
                let mut response = self.next_rp(left)?;
                response.total_rps = Some(total);
                Ok(response)
            }
            Subcommand::EnumerateRpsNext => match step {
                Some(Step::RelyingParties(left)) => self.next_rp(left),
                _ => Err(Status::NotAllowed),
            },
            Subcommand::EnumerateCredentialsBegin { rp_id_hash } => {
                let bound = self.authorized(request, Access::Read)?;
                if bound.is_some_and(|bound| bound != *rp_id_hash) {
                    return Err(Status::PinAuthInvalid);
                }
                let left: Vec<u16> = self.index.of(rp_id_hash).iter().map(|e| e.slot).collect();
                let total = left.len() as u64;
                let mut response = self.next_credential(left)?;
                response.total_credentials = Some(total);
                Ok(response)
            }
            Subcommand::EnumerateCredentialsNext => match step {
                Some(Step::Credentials(left)) => self.next_credential(left),
                _ => Err(Status::NotAllowed),
            },
            Subcommand::Delete { credential_id } => {
                let bound = self.authorized(request, Access::Write)?;
                let (slot, credential) = self.managed(credential_id, bound)?;
                self.commit_credential(&[
                    Change::Remove(RecordKey::credential(slot)),
                    Change::Remove(RecordKey::blob(slot)),
                ])?;
                self.index.remove(slot, &credential);
                Ok(Response::default())
            }
            Subcommand::UpdateUser {
                credential_id,
                user,
            } => {
                let bound = self.authorized(request, Access::Write)?;
                self.update_user(credential_id, bound, user)?;
                Ok(Response::default())
            }
        }
    }

    /// How many more discoverable credentials fit.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.max_discoverable()).saturating_sub(self.index.len())
    }

    /// Checks pinUvAuthParam over subcommand and parameters.
    fn authorized(&mut self, request: &Request<'_>, access: Access) -> Result<Bound, Status> {
        let param = request.pin_uv_auth_param.ok_or(Status::PuatRequired)?;
        let protocol = Protocol::from_id(request.pin_uv_auth_protocol)?;
        let code = [request.subcommand.code()];
        let message = [&code[..], request.raw_parameters.unwrap_or_default()];
        let now_ms = self.platform.clock.now_ms();
        let cm = Permissions::CREDENTIAL_MANAGEMENT;
        match self.token.verify(protocol, &message, param, cm, now_ms) {
            Ok(token) => Ok(token.rp_id_hash()),
            Err(_) if access == Access::Read => {
                protocol.verify(&self.persistent.bytes[..], &message, param)?;
                Ok(None)
            }
            Err(status) => Err(status),
        }
    }

    /// The same, for a subcommand about all relying parties: a token for one is refused.
    fn authorized_unbound(&mut self, request: &Request<'_>) -> Result<(), Status> {
        match self.authorized(request, Access::Read)? {
            None => Ok(()),
            Some(_) => Err(Status::PinAuthInvalid),
        }
    }

    fn next_rp(&mut self, mut left: Vec<[u8; 32]>) -> Result<Response, Status> {
        let rp_id_hash = left.pop().ok_or(Status::NoCredentials)?;
        let first = self.index.of(&rp_id_hash).first();
        let credential = self.load(first.ok_or(Status::NoCredentials)?.slot)?;
        if !left.is_empty() {
            self.sequences.leave(Step::RelyingParties(left));
        }
        Ok(Response {
            rp_id: credential.rp_id,
            rp_id_hash: Some(rp_id_hash),
            ..Response::default()
        })
    }

    fn next_credential(&mut self, mut left: Vec<u16>) -> Result<Response, Status> {
        let slot = left.pop().ok_or(Status::NoCredentials)?;
        let credential = self.load(slot)?;
        let key = credential.private_key()?;
        let public_key = self.platform.signatures.public_key(&key)?;
        if !left.is_empty() {
            self.sequences.leave(Step::Credentials(left));
        }
        let third_party = credential.features.has(Features::THIRD_PARTY_PAYMENT);
        Ok(Response {
            large_blob_key: credential.large_blob_key(),
            user: credential.user,
            credential_id: Some(credential.id),
            public_key: Some(public_key),
            cred_protect: Some(credential.protection as u8),
            third_party_payment: Some(third_party),
            ..Response::default()
        })
    }

    /// A discoverable credential that the token may manage. With a token for one relying party,
    /// the answer does not tell whether others have credentials.
    fn managed(&self, id: &[u8], bound: Bound) -> Result<(u16, Credential), Status> {
        let absent = match bound {
            Some(_) => Status::PinAuthInvalid,
            None => Status::NoCredentials,
        };
        let slot = self.index.of_id(id).ok_or(absent)?;
        let credential = self.load(slot)?;
        if credential.id != id {
            return Err(absent);
        }
        let rp_id_hash = sha256(credential.rp_id.as_deref().unwrap_or_default().as_bytes());
        match bound {
            Some(bound) if bound != rp_id_hash => Err(Status::PinAuthInvalid),
            _ => Ok((slot, credential)),
        }
    }

    fn update_user(&mut self, id: &[u8], bound: Bound, user: User<'_>) -> Result<(), Status> {
        let (slot, mut credential) = self.managed(id, bound)?;
        if credential
            .user
            .as_ref()
            .is_none_or(|known| known.id != user.id)
        {
            return Err(Status::InvalidParameter);
        }
        credential.user = Some(cut_names(user));
        let record = credential.encode();
        self.commit_credential(&[Change::Put(RecordKey::credential(slot), &record)])
    }
}
