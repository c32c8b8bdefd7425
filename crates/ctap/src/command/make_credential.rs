//! authenticatorMakeCredential (CTAP 2.3, section 6.1).

use alloc::string::String;
use alloc::vec::Vec;

use super::entities::PUBLIC_KEY;
use super::hmac_secret;
use super::large_blob_extension::{Output, Support};
use super::preview_sign::{self, GeneratedKey, KeyRequest};
use super::{Descriptor, Options, RelyingParty, User, code};
use crate::cbor::{Encode, Encoded, List, Map, MapBuilder, ReadError, Value};
use crate::status::Status;

/// An authenticatorMakeCredential request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// SHA-256 of the client data.
    pub client_data_hash: &'a [u8; 32],
    /// The relying party of the new credential.
    pub rp: RelyingParty<'a>,
    /// The account of the new credential.
    pub user: User<'a>,
    /// COSE algorithm identifiers of type `public-key`, in the relying party's order of preference.
    pub algorithms: Vec<i64>,
    /// Credentials that the authenticator must not hold already.
    pub exclude: Vec<Descriptor<'a>>,
    /// Extension inputs.
    pub extensions: Extensions<'a>,
    /// `rk`, `up`, `uv`.
    pub options: Options,
    /// pinUvAuthParam; zero bytes ask only for a touch.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// pinUvAuthProtocol.
    pub pin_uv_auth_protocol: Option<u64>,
    /// 1: vendor-facilitated, 2: platform-managed enterprise attestation.
    pub enterprise_attestation: Option<u64>,
    /// attestationFormatsPreference; empty when absent.
    pub attestation_formats: Vec<&'a str>,
}

/// Extension inputs of makeCredential that this crate knows; others are passed over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extensions<'a> {
    /// credProtect: the level, 1 to 3 when valid.
    pub cred_protect: Option<u64>,
    /// credBlob: bytes to keep with the credential.
    pub cred_blob: Option<&'a [u8]>,
    /// hmac-secret: `true` asks for secrets with the credential.
    pub hmac_secret: Option<bool>,
    /// hmac-secret-mc: evaluate at creation.
    pub hmac_secret_mc: Option<hmac_secret::Input<'a>>,
    /// largeBlob: whether a blob is preferred or required.
    pub large_blob: Option<Support>,
    /// largeBlobKey: `true` asks for a key.
    pub large_blob_key: Option<bool>,
    /// minPinLength: `true` asks for the shortest PIN's length.
    pub min_pin_length: Option<bool>,
    /// pinComplexityPolicy: `true` asks whether there is one.
    pub pin_complexity_policy: Option<bool>,
    /// previewSign: make a signing key.
    pub preview_sign: Option<KeyRequest>,
    /// thirdPartyPayment: `true` lets the credential confirm payments.
    pub third_party_payment: Option<bool>,
    /// uvm: `true` asks how the user was verified.
    pub uvm: Option<bool>,
}

impl<'a> Extensions<'a> {
    fn parse(map: Map<'a>) -> Result<Self, ReadError> {
        Ok(Self {
            cred_protect: map.optional("credProtect", Value::unsigned)?,
            cred_blob: map.optional("credBlob", Value::bytes)?,
            hmac_secret: map.optional("hmac-secret", Value::bool)?,
            hmac_secret_mc: map.optional("hmac-secret-mc", hmac_secret::Input::parse)?,
            large_blob: map.optional("largeBlob", Support::parse)?,
            large_blob_key: map.optional("largeBlobKey", Value::bool)?,
            min_pin_length: map.optional("minPinLength", Value::bool)?,
            pin_complexity_policy: map.optional("pinComplexityPolicy", Value::bool)?,
            preview_sign: map.optional(preview_sign::ID, KeyRequest::parse)?,
            third_party_payment: map.optional("thirdPartyPayment", Value::bool)?,
            uvm: map.optional("uvm", Value::bool)?,
        })
    }
}

impl Encode for Extensions<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put_some("credProtect", self.cred_protect)
            .put_some("credBlob", self.cred_blob)
            .put_some("hmac-secret", self.hmac_secret)
            .put_some("hmac-secret-mc", self.hmac_secret_mc)
            .put_some("largeBlob", self.large_blob)
            .put_some("largeBlobKey", self.large_blob_key)
            .put_some("minPinLength", self.min_pin_length)
            .put_some("pinComplexityPolicy", self.pin_complexity_policy)
            .put_some(preview_sign::ID, self.preview_sign.as_ref())
            .put_some("thirdPartyPayment", self.third_party_payment)
            .put_some("uvm", self.uvm)
            .encode(out);
    }
}

impl<'a> Request<'a> {
    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        Ok(Self {
            client_data_hash: map.required(1)?.array()?,
            rp: RelyingParty::parse(map.required(2)?)?,
            user: User::parse(map.required(3)?)?,
            algorithms: algorithms(map.required(4)?)?,
            exclude: match map.optional(5, Value::list)? {
                Some(list) => Descriptor::parse_list(list)?,
                None => Vec::new(),
            },
            extensions: map
                .optional(6, |value| Extensions::parse(value.map()?))?
                .unwrap_or_default(),
            options: map
                .optional(7, |value| Options::parse(value.map()?))?
                .unwrap_or_default(),
            pin_uv_auth_param: map.optional(8, Value::bytes)?,
            pin_uv_auth_protocol: map.optional(9, Value::unsigned)?,
            enterprise_attestation: map.optional(10, Value::unsigned)?,
            attestation_formats: map
                .optional(11, |value| value.list()?.iter().map(Value::text).collect())?
                .unwrap_or_default(),
        })
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let parameters: Vec<Parameter> = self.algorithms.iter().copied().map(Parameter).collect();
        let has_extensions = self.extensions != Extensions::default();
        let mut out = alloc::vec![code::MAKE_CREDENTIAL];
        MapBuilder::new()
            .put(1, self.client_data_hash)
            .put(2, self.rp)
            .put(3, self.user)
            .put(4, List(&parameters))
            .put_some(5, (!self.exclude.is_empty()).then_some(List(&self.exclude)))
            .put_some(6, has_extensions.then_some(&self.extensions))
            .put_some(7, (!self.options.is_empty()).then_some(&self.options))
            .put_some(8, self.pin_uv_auth_param)
            .put_some(9, self.pin_uv_auth_protocol)
            .put_some(10, self.enterprise_attestation)
            .put_some(
                11,
                (!self.attestation_formats.is_empty()).then_some(List(&self.attestation_formats)),
            )
            .encode(&mut out);
        out
    }
}

/// PublicKeyCredentialParameters of type `public-key`.
struct Parameter(i64);

impl Encode for Parameter {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put("alg", self.0)
            .put("type", PUBLIC_KEY)
            .encode(out);
    }
}

fn algorithms(value: Value<'_>) -> Result<Vec<i64>, ReadError> {
    let mut algorithms = Vec::new();
    for parameter in value.list()?.iter() {
        let parameter = parameter.map()?;
        let algorithm = parameter.required("alg")?.integer()?;
        if parameter.required("type")?.text()? == PUBLIC_KEY {
            algorithms.push(algorithm);
        }
    }
    Ok(algorithms)
}

/// A map without entries.
const EMPTY_MAP: u8 = 0xa0;

/// The authenticator's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The attestation statement format identifier.
    pub format: String,
    /// Authenticator data with the attested credential.
    pub auth_data: Vec<u8>,
    /// The attestation statement, a CBOR map, or an array where it is compound (WebAuthn Level 3,
    /// 8.9); left out when the platform wants none at all (6.1.2, step 17).
    pub attestation_statement: Option<Vec<u8>>,
    /// Whether this is an enterprise attestation.
    pub enterprise_attestation: Option<bool>,
    /// The key of the largeBlobKey extension, 32 bytes.
    pub large_blob_key: Option<Vec<u8>>,
    /// Whether the largeBlob extension will keep a blob; unsigned.
    pub large_blob: Option<Output>,
    /// The signing key of the previewSign extension; unsigned.
    pub preview_sign: Option<GeneratedKey>,
}

impl Response {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put(1, self.format.as_str())
            .put(2, &self.auth_data)
            .put_some(3, self.attestation_statement.as_deref().map(Encoded))
            .put_some(4, self.enterprise_attestation)
            .put_some(5, self.large_blob_key.as_ref())
            .put_some(6, self.unsigned_outputs())
            .encode(out);
    }

    /// The map unsignedExtensionOutputs, if there are any.
    fn unsigned_outputs(&self) -> Option<MapBuilder> {
        let mut outputs = MapBuilder::new();
        outputs
            .put_some("largeBlob", self.large_blob.as_ref())
            .put_some(preview_sign::ID, self.preview_sign.as_ref());
        (!outputs.is_empty()).then_some(outputs)
    }

    /// Reads the map that [`answer`](super::answer) split off.
    pub fn parse(map: &Map<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            format: map.required(1)?.text()?.into(),
            auth_data: map.required(2)?.bytes()?.to_vec(),
            attestation_statement: map.optional(3, statement)?.map(<[u8]>::to_vec),
            enterprise_attestation: map.optional(4, Value::bool)?,
            large_blob_key: map.optional(5, |value| Ok(value.bytes()?.to_vec()))?,
            large_blob: map.optional(6, Output::parse)?.flatten(),
            preview_sign: map
                .optional(6, |outputs| {
                    outputs
                        .map()?
                        .optional(preview_sign::ID, GeneratedKey::parse)
                })?
                .flatten(),
        })
    }

    /// The attestation object as a relying party gets it (WebAuthn Level 3, 6.5.4).
    pub fn attestation_object(&self) -> Vec<u8> {
        MapBuilder::new()
            .put("fmt", self.format.as_str())
            .put(
                "attStmt",
                Encoded(
                    self.attestation_statement
                        .as_deref()
                        .unwrap_or(&[EMPTY_MAP]),
                ),
            )
            .put("authData", &self.auth_data)
            .finish()
    }
}

fn statement(value: Value<'_>) -> Result<&[u8], ReadError> {
    match value {
        Value::Map(map) => Ok(map.raw()),
        Value::Array(parts) => Ok(parts.raw()),
        _ => Err(ReadError::WrongType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Form;
    use crate::command::Command;

    fn request() -> Request<'static> {
        Request {
            client_data_hash: &[7; 32],
            rp: RelyingParty {
                id: "example.org",
                name: Some("Example"),
            },
            user: User {
                id: b"id",
                name: Some("ada"),
                display_name: None,
            },
            algorithms: alloc::vec![-8, -7],
            exclude: alloc::vec![Descriptor { id: b"old" }],
            extensions: Extensions {
                cred_protect: Some(3),
                cred_blob: Some(b"blob"),
                preview_sign: Some(KeyRequest {
                    algorithms: alloc::vec![-65539, -9],
                    flags: Some(5),
                }),
                ..Extensions::default()
            },
            options: Options {
                discoverable: Some(true),
                ..Options::default()
            },
            pin_uv_auth_param: Some(&[1; 32]),
            pin_uv_auth_protocol: Some(2),
            enterprise_attestation: None,
            attestation_formats: alloc::vec!["packed", "none"],
        }
    }

    #[test]
    fn requests_survive_a_round_trip() {
        assert_eq!(
            Command::parse(&request().encode()),
            Ok(Command::MakeCredential(alloc::boxed::Box::new(request())))
        );
    }

    #[test]
    fn a_request_cut_anywhere_is_refused() {
        let bytes = request().encode();
        for end in 0..bytes.len() {
            assert!(Command::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn credential_types_that_are_not_public_keys_are_passed_over() {
        let mut bytes = request().encode();
        let at = bytes.windows(10).rposition(|w| w == b"public-key").unwrap();
        bytes[at] = b'P';
        let Ok(Command::MakeCredential(parsed)) = Command::parse(&bytes) else {
            panic!("not parsed");
        };
        assert_eq!(parsed.exclude, []);
    }

    #[test]
    fn responses_survive_a_round_trip() {
        let response = Response {
            format: "packed".into(),
            auth_data: alloc::vec![1; 37],
            attestation_statement: Some(alloc::vec![0xa0]),
            enterprise_attestation: None,
            large_blob_key: Some(alloc::vec![3; 32]),
            large_blob: Some(Output::Supported),
            preview_sign: Some(GeneratedKey {
                format: "none".into(),
                auth_data: alloc::vec![2; 37],
                attestation_statement: alloc::vec![0xa0],
            }),
        };
        let bytes = crate::command::Response::MakeCredential(response.clone()).encode();
        let map = crate::command::answer(&bytes).unwrap().unwrap();
        assert_eq!(Response::parse(&map), Ok(response));
    }

    /// WebAuthn Level 3, 8.9: a compound statement is an array.
    #[test]
    fn a_compound_statement_reaches_the_relying_party_as_it_is() {
        // {1: "compound", 2: h'00', 3: [{}], "new": null}
        let text = "a4 0168636f6d706f756e64 024100 0381a0 636e6577f6";
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        let map = Map::parse(&bytes, Form::Canonical).unwrap();
        let response = Response::parse(&map).unwrap();
        assert_eq!(
            response.attestation_statement,
            Some(alloc::vec![0x81, 0xa0])
        );
        let object = response.attestation_object();
        assert!(object.windows(3).any(|part| part == [b't', 0x81, 0xa0]));
        // {1: "", 2: h'', 3: 1}
        let bytes = [0xa3, 1, 0x60, 2, 0x40, 3, 1];
        let map = Map::parse(&bytes, Form::Canonical).unwrap();
        assert_eq!(Response::parse(&map), Err(ReadError::WrongType));
    }
}
