//! authenticatorGetAssertion (CTAP 2.3, section 6.2).

use alloc::string::String;
use alloc::vec::Vec;

use super::hmac_secret;
use super::large_blob_extension::{Access, Output};
use super::preview_sign::{self, SignRequest};
use super::{Descriptor, Options, User, code};
use crate::cbor::{Encode, Encoded, List, Map, MapBuilder, ReadError, Value};
use crate::status::Status;

/// An authenticatorGetAssertion request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// The relying party id.
    pub rp_id: &'a str,
    /// SHA-256 of the client data.
    pub client_data_hash: &'a [u8; 32],
    /// The credentials that may sign. `None` allows any discoverable one: no list was sent, or an
    /// empty one. A list whose entries are all of unknown types becomes an empty list, and no
    /// credential may sign (6.2.2, step 7; WebAuthn Level 3, 5.1.4.2).
    pub allow: Option<Vec<Descriptor<'a>>>,
    /// Extension inputs.
    pub extensions: Extensions<'a>,
    /// `up`, `uv`; `rk` is not valid here.
    pub options: Options,
    /// pinUvAuthParam; zero bytes ask only for a touch.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// pinUvAuthProtocol.
    pub pin_uv_auth_protocol: Option<u64>,
}

/// Extension inputs of getAssertion that this crate knows; others are passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extensions<'a> {
    /// credBlob: `true` asks for the stored bytes.
    pub cred_blob: Option<bool>,
    /// hmac-secret: the salts to evaluate.
    pub hmac_secret: Option<hmac_secret::Input<'a>>,
    /// largeBlob: read or write the blob.
    pub large_blob: Option<Access<'a>>,
    /// largeBlobKey: `true` asks for the key.
    pub large_blob_key: Option<bool>,
    /// previewSign: sign data.
    pub preview_sign: Option<SignRequest<'a>>,
    /// thirdPartyPayment: `true` asks whether payments may be confirmed.
    pub third_party_payment: Option<bool>,
    /// uvm: `true` asks how the user was verified.
    pub uvm: Option<bool>,
}

impl<'a> Extensions<'a> {
    fn parse(map: Map<'a>) -> Result<Self, ReadError> {
        Ok(Self {
            cred_blob: map.optional("credBlob", Value::bool)?,
            hmac_secret: map.optional("hmac-secret", hmac_secret::Input::parse)?,
            large_blob: map.optional("largeBlob", Access::parse)?,
            large_blob_key: map.optional("largeBlobKey", Value::bool)?,
            preview_sign: map.optional(preview_sign::ID, SignRequest::parse)?,
            third_party_payment: map.optional("thirdPartyPayment", Value::bool)?,
            uvm: map.optional("uvm", Value::bool)?,
        })
    }
}

impl Encode for Extensions<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put_some("credBlob", self.cred_blob)
            .put_some("hmac-secret", self.hmac_secret)
            .put_some("largeBlob", self.large_blob)
            .put_some("largeBlobKey", self.large_blob_key)
            .put_some(preview_sign::ID, self.preview_sign)
            .put_some("thirdPartyPayment", self.third_party_payment)
            .put_some("uvm", self.uvm)
            .encode(out);
    }
}

impl<'a> Request<'a> {
    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        Ok(Self {
            rp_id: map.required(1)?.text()?,
            client_data_hash: map.required(2)?.array()?,
            allow: map
                .optional(3, Value::list)?
                .filter(|list| !list.is_empty())
                .map(Descriptor::parse_list)
                .transpose()?,
            extensions: map
                .optional(4, |value| Extensions::parse(value.map()?))?
                .unwrap_or_default(),
            options: map
                .optional(5, |value| Options::parse(value.map()?))?
                .unwrap_or_default(),
            pin_uv_auth_param: map.optional(6, Value::bytes)?,
            pin_uv_auth_protocol: map.optional(7, Value::unsigned)?,
        })
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let has_extensions = self.extensions != Extensions::default();
        let mut out = alloc::vec![code::GET_ASSERTION];
        MapBuilder::new()
            .put(1, self.rp_id)
            .put(2, self.client_data_hash)
            .put_some(3, self.allow.as_deref().map(List))
            .put_some(4, has_extensions.then_some(&self.extensions))
            .put_some(5, (!self.options.is_empty()).then_some(&self.options))
            .put_some(6, self.pin_uv_auth_param)
            .put_some(7, self.pin_uv_auth_protocol)
            .encode(&mut out);
        out
    }
}

/// A [`User`] that owns its data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnedUser {
    /// The user handle.
    pub id: Vec<u8>,
    /// The account's name; only after user verification.
    pub name: Option<String>,
    /// The person's name; only after user verification.
    pub display_name: Option<String>,
}

impl OwnedUser {
    /// The entity, borrowed.
    pub fn as_user(&self) -> User<'_> {
        User {
            id: &self.id,
            name: self.name.as_deref(),
            display_name: self.display_name.as_deref(),
        }
    }
}

impl From<User<'_>> for OwnedUser {
    fn from(user: User<'_>) -> Self {
        Self {
            id: user.id.into(),
            name: user.name.map(Into::into),
            display_name: user.display_name.map(Into::into),
        }
    }
}

/// The authenticator's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The id of the credential that signed.
    pub credential_id: Vec<u8>,
    /// Authenticator data.
    pub auth_data: Vec<u8>,
    /// The signature over authenticator data and client data hash.
    pub signature: Vec<u8>,
    /// The account, for discoverable credentials.
    pub user: Option<OwnedUser>,
    /// How many credentials match; only in the first of several answers.
    pub number_of_credentials: Option<u64>,
    /// Whether the owner picked this credential on the authenticator's own display.
    pub user_selected: Option<bool>,
    /// The key of the largeBlobKey extension, 32 bytes.
    pub large_blob_key: Option<Vec<u8>>,
    /// The output of the largeBlob extension; unsigned.
    pub large_blob: Option<Output>,
}

impl Response {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put(
                1,
                Descriptor {
                    id: &self.credential_id,
                },
            )
            .put(2, &self.auth_data)
            .put(3, &self.signature)
            .put_some(4, self.user.as_ref().map(OwnedUser::as_user))
            .put_some(5, self.number_of_credentials)
            .put_some(6, self.user_selected)
            .put_some(7, self.large_blob_key.as_ref())
            .put_some(
                8,
                self.large_blob
                    .as_ref()
                    .map(Output::unsigned)
                    .as_deref()
                    .map(Encoded),
            )
            .encode(out);
    }

    /// Reads the map that [`answer`](super::answer) split off. `only` is the one allowed
    /// credential id, which an authenticator may leave out of its answer.
    pub fn parse(map: &Map<'_>, only: Option<&[u8]>) -> Result<Self, ReadError> {
        let credential_id = match map.get(1) {
            Some(value) => value.map()?.required("id")?.bytes()?,
            None => only.ok_or(ReadError::Missing)?,
        };
        Ok(Self {
            credential_id: credential_id.to_vec(),
            auth_data: map.required(2)?.bytes()?.to_vec(),
            signature: map.required(3)?.bytes()?.to_vec(),
            user: map.optional(4, |value| User::parse(value).map(OwnedUser::from))?,
            number_of_credentials: map.optional(5, Value::unsigned)?,
            user_selected: map.optional(6, Value::bool)?,
            large_blob_key: map.optional(7, |value| Ok(value.bytes()?.to_vec()))?,
            large_blob: map.optional(8, Output::parse)?.flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn requests_survive_a_round_trip() {
        let request = Request {
            rp_id: "example.org",
            client_data_hash: &[7; 32],
            allow: Some(alloc::vec![Descriptor { id: b"one" }]),
            extensions: Extensions {
                cred_blob: Some(true),
                preview_sign: Some(SignRequest {
                    key_handle: Some(b"handle"),
                    to_be_signed: Some(b"data"),
                    args: None,
                }),
                ..Extensions::default()
            },
            options: Options {
                presence: Some(false),
                ..Options::default()
            },
            pin_uv_auth_param: None,
            pin_uv_auth_protocol: None,
        };
        assert_eq!(
            Command::parse(&request.encode()),
            Ok(Command::GetAssertion(alloc::boxed::Box::new(request)))
        );
    }

    #[test]
    fn an_allow_list_of_unknown_types_is_a_list_all_the_same() {
        let parsed = |list: Option<&[MapBuilder]>| {
            let mut map = MapBuilder::new();
            map.put(1, "example.org").put(2, [7u8; 32]);
            map.put_some(3, list.map(List));
            let bytes = map.finish();
            let map = Map::parse(&bytes, crate::cbor::Form::Canonical).unwrap();
            Request::parse(&map).unwrap().allow.map(|list| list.len())
        };
        let entry = |kind| {
            let mut entry = MapBuilder::new();
            entry.put("id", [1u8]).put("type", kind);
            entry
        };
        assert_eq!(parsed(None), None);
        assert_eq!(parsed(Some(&[])), None);
        assert_eq!(parsed(Some(&[entry("rot13")])), Some(0));
        assert_eq!(
            parsed(Some(&[entry("rot13"), entry("public-key")])),
            Some(1)
        );
    }

    #[test]
    fn the_only_allowed_credential_may_be_left_out_of_the_answer() {
        let bytes = MapBuilder::new().put(2, [1u8]).put(3, [2u8]).finish();
        let map = Map::parse(&bytes, crate::cbor::Form::Canonical).unwrap();
        assert_eq!(Response::parse(&map, None), Err(ReadError::Missing));
        assert_eq!(
            Response::parse(&map, Some(b"id")).unwrap().credential_id,
            b"id"
        );
    }
}
