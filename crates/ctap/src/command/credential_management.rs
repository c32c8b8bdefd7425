//! authenticatorCredentialManagement (CTAP 2.3, section 6.8).

use alloc::string::String;
use alloc::vec::Vec;

use super::authorized::{self, Parameters};
use super::get_assertion::OwnedUser;
use super::{Descriptor, User, code};
use crate::cbor::{Encode, Encoded, Map, MapBuilder, ReadError, Value};
use crate::status::Status;

/// The subcommands of authenticatorCredentialManagement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subcommand<'a> {
    /// How many discoverable credentials there are, and how many more fit.
    GetMetadata,
    /// The first relying party.
    EnumerateRpsBegin,
    /// The next relying party.
    EnumerateRpsNext,
    /// The first credential of a relying party.
    EnumerateCredentialsBegin {
        /// SHA-256 of the relying party id.
        rp_id_hash: &'a [u8; 32],
    },
    /// The next credential.
    EnumerateCredentialsNext,
    /// Delete a credential.
    Delete {
        /// The credential to delete.
        credential_id: &'a [u8],
    },
    /// Change the names of a credential's account.
    UpdateUser {
        /// The credential to change.
        credential_id: &'a [u8],
        /// The same user handle, and new names.
        user: User<'a>,
    },
}

/// An authenticatorCredentialManagement request.
pub type Request<'a> = authorized::Request<'a, Subcommand<'a>>;

impl<'a> authorized::Subcommand<'a> for Subcommand<'a> {
    const COMMAND: u8 = code::CREDENTIAL_MANAGEMENT;
    const FIRST_MEMBER: i64 = 1;

    fn code(&self) -> u8 {
        match self {
            Self::GetMetadata => 1,
            Self::EnumerateRpsBegin => 2,
            Self::EnumerateRpsNext => 3,
            Self::EnumerateCredentialsBegin { .. } => 4,
            Self::EnumerateCredentialsNext => 5,
            Self::Delete { .. } => 6,
            Self::UpdateUser { .. } => 7,
        }
    }

    fn parameters(&self) -> Option<Vec<u8>> {
        let mut map = MapBuilder::new();
        match self {
            Self::EnumerateCredentialsBegin { rp_id_hash } => map.put(1, *rp_id_hash),
            Self::Delete { credential_id } => map.put(2, Descriptor { id: credential_id }),
            Self::UpdateUser {
                credential_id,
                user,
            } => map.put(2, Descriptor { id: credential_id }).put(3, user),
            _ => return None,
        };
        Some(map.finish())
    }

    fn parse(code: u64, parameters: Parameters<'a>) -> Result<Self, Status> {
        let credential_id = || -> Result<&'a [u8], Status> {
            Ok(Descriptor::parse(parameters.required(2)?)?
                .ok_or(Status::NoCredentials)?
                .id)
        };
        Ok(match code {
            1 => Self::GetMetadata,
            2 => Self::EnumerateRpsBegin,
            3 => Self::EnumerateRpsNext,
            4 => Self::EnumerateCredentialsBegin {
                rp_id_hash: parameters.required(1)?.array()?,
            },
            5 => Self::EnumerateCredentialsNext,
            6 => Self::Delete {
                credential_id: credential_id()?,
            },
            7 => Self::UpdateUser {
                credential_id: credential_id()?,
                user: User::parse(parameters.required(3)?)?,
            },
            _ => return Err(Status::InvalidSubcommand),
        })
    }
}

/// The authenticator's answer; the subcommand decides which members are present.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// How many discoverable credentials are stored.
    pub existing: Option<u64>,
    /// How many more fit at least.
    pub remaining: Option<u64>,
    /// A relying party's id.
    pub rp_id: Option<String>,
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: Option<[u8; 32]>,
    /// How many relying parties have credentials.
    pub total_rps: Option<u64>,
    /// The account of a credential.
    pub user: Option<OwnedUser>,
    /// The credential's id.
    pub credential_id: Option<Vec<u8>>,
    /// The credential's public key, a COSE_Key.
    pub public_key: Option<Vec<u8>>,
    /// How many credentials the relying party has.
    pub total_credentials: Option<u64>,
    /// The level of credProtect.
    pub cred_protect: Option<u8>,
    /// The key of the largeBlobKey extension.
    pub large_blob_key: Option<Vec<u8>>,
    /// Whether the credential may confirm payments (thirdPartyPayment).
    pub third_party_payment: Option<bool>,
}

struct Rp<'a>(&'a str);

impl Encode for Rp<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new().put("id", self.0).encode(out);
    }
}

impl Response {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapBuilder::new();
        map.put_some(1, self.existing)
            .put_some(2, self.remaining)
            .put_some(3, self.rp_id.as_deref().map(Rp))
            .put_some(4, self.rp_id_hash)
            .put_some(5, self.total_rps)
            .put_some(6, self.user.as_ref().map(OwnedUser::as_user))
            .put_some(7, self.credential_id.as_deref().map(|id| Descriptor { id }))
            .put_some(8, self.public_key.as_deref().map(Encoded))
            .put_some(9, self.total_credentials)
            .put_some(10, self.cred_protect)
            .put_some(11, self.large_blob_key.as_ref())
            .put_some(12, self.third_party_payment);
        if !map.is_empty() {
            map.encode(out);
        }
    }

    /// Reads the map that [`answer`](super::answer) split off.
    pub fn parse(map: &Map<'_>) -> Result<Self, ReadError> {
        let number = |key: i64| map.optional(key, Value::unsigned);
        let id = |value: Value<'_>| Ok(value.map()?.required("id")?.bytes()?.to_vec());
        Ok(Self {
            existing: number(1)?,
            remaining: number(2)?,
            rp_id: map.optional(3, |rp| Ok(rp.map()?.required("id")?.text()?.into()))?,
            rp_id_hash: map.optional(4, |hash| hash.array().copied())?,
            total_rps: number(5)?,
            user: map.optional(6, |user| User::parse(user).map(OwnedUser::from))?,
            credential_id: map.optional(7, id)?,
            public_key: map.optional(8, |key| Ok(key.map()?.raw().to_vec()))?,
            total_credentials: number(9)?,
            cred_protect: number(10)?.and_then(|level| u8::try_from(level).ok()),
            large_blob_key: map.optional(11, |key| Ok(key.bytes()?.to_vec()))?,
            third_party_payment: map.optional(12, Value::bool)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::command::authorized::Subcommand as _;

    #[test]
    fn requests_survive_a_round_trip() {
        let user = User {
            id: b"ada",
            name: Some("ada"),
            display_name: None,
        };
        for subcommand in [
            Subcommand::GetMetadata,
            Subcommand::EnumerateRpsBegin,
            Subcommand::EnumerateRpsNext,
            Subcommand::EnumerateCredentialsBegin {
                rp_id_hash: &[1; 32],
            },
            Subcommand::EnumerateCredentialsNext,
            Subcommand::Delete {
                credential_id: b"id",
            },
            Subcommand::UpdateUser {
                credential_id: b"id",
                user,
            },
        ] {
            let raw = subcommand.parameters();
            let request = Request {
                subcommand,
                raw_parameters: raw.as_deref(),
                pin_uv_auth_protocol: Some(2),
                pin_uv_auth_param: Some(&[3; 32]),
            };
            assert_eq!(
                Command::parse(&request.encode()),
                Ok(Command::CredentialManagement(request))
            );
        }
    }

    #[test]
    fn parameters_that_are_missing_are_missed() {
        let parse = |bytes: &[u8]| Command::parse(bytes).unwrap_err();
        assert_eq!(parse(&[0x0a, 0xa1, 1, 4]), Status::MissingParameter);
        assert_eq!(
            parse(&[0x0a, 0xa2, 1, 6, 2, 0xa0]),
            Status::MissingParameter
        );
        assert_eq!(parse(&[0x0a, 0xa1, 1, 8]), Status::InvalidSubcommand);
    }
}
