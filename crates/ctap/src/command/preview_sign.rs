//! The extension previewSign: signatures over data that the relying party chooses, by a key beside
//! the credential's (Web Authentication sign extension, version 4,
//! <https://yubicolabs.github.io/webauthn-sign-extension/4/#sctn-sign-extension>).

use alloc::string::String;
use alloc::vec::Vec;

use crate::authenticator_data::Flags;
use crate::cbor::{Encode, Encoded, Form, List, Malformed, Map, MapBuilder, ReadError, Value};

/// The extension's identifier.
pub const ID: &str = "previewSign";

/// The integers that stand for the names of members.
const KH: i64 = 2;
const ALG: i64 = 3;
const FLAGS: i64 = 4;
/// `tbs` in inputs, `sig` in outputs.
const TBS: i64 = 6;
const SIG: i64 = 6;
/// `args` in inputs, `att-obj` in outputs.
const ARGS: i64 = 7;
const ATT_OBJ: i64 = 7;

/// What each signature by a signing key requires of the owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SigningPolicy {
    /// Nothing: the key signs without asking.
    Unattended = 0b000,
    /// User presence.
    RequireUp = 0b001,
    /// User presence and user verification.
    RequireUv = 0b101,
}

impl SigningPolicy {
    /// The policy with this value of `flags`; `None` for other values.
    pub const fn from_flags(flags: u64) -> Option<Self> {
        match flags {
            0b000 => Some(Self::Unattended),
            0b001 => Some(Self::RequireUp),
            0b101 => Some(Self::RequireUv),
            _ => None,
        }
    }

    /// The flags that authenticator data must have beside each signature: UP and UV.
    pub const fn flags(self) -> Flags {
        Flags::from_bits(self as u8)
    }
}

/// Refuses members that belong to the other ceremony, as invalid CBOR.
fn without(map: &Map<'_>, members: &[i64]) -> Result<(), ReadError> {
    match members.iter().any(|member| map.get(*member).is_some()) {
        true => Err(ReadError::Malformed(Malformed::NotAllowed)),
        false => Ok(()),
    }
}

/// The input at makeCredential: asks for a signing key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRequest {
    /// `alg`: COSE algorithm identifiers, in the relying party's order of preference.
    pub algorithms: Vec<i64>,
    /// `flags`: a [`SigningPolicy`] when valid; absent means [`SigningPolicy::RequireUp`].
    pub flags: Option<u64>,
}

impl KeyRequest {
    /// Reads the extension's map. Members that the extension does not have are passed over.
    ///
    /// # Errors
    /// [`ReadError::Missing`] and [`ReadError::WrongType`]; [`ReadError::Malformed`] for members
    /// that belong to getAssertion.
    pub fn parse(value: Value<'_>) -> Result<Self, ReadError> {
        let map = value.map()?;
        without(&map, &[KH, TBS, ARGS])?;
        let algorithms = map.required(ALG)?.list()?;
        Ok(Self {
            algorithms: algorithms
                .iter()
                .map(Value::integer)
                .collect::<Result<_, _>>()?,
            flags: map.optional(FLAGS, Value::unsigned)?,
        })
    }
}

impl Encode for KeyRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put(ALG, List(&self.algorithms))
            .put_some(FLAGS, self.flags)
            .encode(out);
    }
}

/// The input at getAssertion: asks for a signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignRequest<'a> {
    /// `kh`: the signing key's handle; required.
    pub key_handle: Option<&'a [u8]>,
    /// `tbs`: the data to sign, or their digest where the algorithm signs one; required.
    pub to_be_signed: Option<&'a [u8]>,
    /// `args`: a COSE_Sign_Args, for algorithms with more arguments; see
    /// [`SignArgs`](crate::cose::SignArgs).
    pub args: Option<&'a [u8]>,
}

impl<'a> SignRequest<'a> {
    /// Reads the extension's map. Members that the extension does not have are passed over; the
    /// authenticator checks that the required ones are present.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]; [`ReadError::Malformed`] for members that belong to
    /// makeCredential.
    pub fn parse(value: Value<'a>) -> Result<Self, ReadError> {
        let map = value.map()?;
        without(&map, &[ALG, FLAGS])?;
        Ok(Self {
            key_handle: map.optional(KH, Value::bytes)?,
            to_be_signed: map.optional(TBS, Value::bytes)?,
            args: map.optional(ARGS, Value::bytes)?,
        })
    }
}

impl Encode for SignRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put_some(KH, self.key_handle)
            .put_some(TBS, self.to_be_signed)
            .put_some(ARGS, self.args)
            .encode(out);
    }
}

/// The output in authenticator data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output<'a> {
    /// For a new credential: the algorithm that was chosen for its signing key.
    Algorithm(i64),
    /// For an assertion: the signature over the data, in the form that WebAuthn gives signatures of
    /// the algorithm (Level 3, section 6.5.5).
    Signature(&'a [u8]),
    /// For a signing key, in its own attestation: what each signature requires.
    Policy(SigningPolicy),
}

impl Encode for Output<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapBuilder::new();
        match *self {
            Self::Algorithm(id) => map.put(ALG, id),
            Self::Signature(signature) => map.put(SIG, signature),
            Self::Policy(policy) => map.put(FLAGS, policy as u8),
        };
        map.encode(out);
    }
}

/// makeCredential's unsigned output: the attestation object of the signing key. Its
/// authenticator data hold the key handle in place of a credential id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GeneratedKey {
    /// The attestation statement format identifier.
    pub format: String,
    /// Authenticator data with the key handle and the public key.
    pub auth_data: Vec<u8>,
    /// The attestation statement, a CBOR map.
    pub attestation_statement: Vec<u8>,
}

impl GeneratedKey {
    /// Reads this extension's output.
    pub(super) fn parse(value: Value<'_>) -> Result<Self, ReadError> {
        let object = value.map()?.required(ATT_OBJ)?.bytes()?;
        let object = Map::parse(object, Form::Tolerant)?;
        Ok(Self {
            format: object.required(1)?.text()?.into(),
            auth_data: object.required(2)?.bytes()?.to_vec(),
            attestation_statement: object.required(3)?.map()?.raw().to_vec(),
        })
    }
}

impl Encode for GeneratedKey {
    fn encode(&self, out: &mut Vec<u8>) {
        let object = MapBuilder::new()
            .put(1, self.format.as_str())
            .put(2, &self.auth_data)
            .put(3, Encoded(&self.attestation_statement))
            .finish();
        MapBuilder::new().put(ATT_OBJ, &object).encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(item: &impl Encode) -> Vec<u8> {
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        bytes
    }

    fn key_request(map: &MapBuilder) -> Result<KeyRequest, ReadError> {
        KeyRequest::parse(Value::parse(&map.finish(), Form::Canonical).unwrap())
    }

    #[test]
    fn the_two_ceremonies_keep_apart() {
        const NOT_ALLOWED: ReadError = ReadError::Malformed(Malformed::NotAllowed);
        let algorithms = List(&[-9i64]);
        for member in [KH, TBS, ARGS] {
            let mut map = MapBuilder::new();
            map.put(ALG, algorithms).put(member, [1u8]);
            assert_eq!(key_request(&map), Err(NOT_ALLOWED), "member {member}");
        }
        for member in [ALG, FLAGS] {
            let bytes = MapBuilder::new().put(KH, [1u8]).put(member, 1u8).finish();
            let value = Value::parse(&bytes, Form::Canonical).unwrap();
            assert_eq!(SignRequest::parse(value), Err(NOT_ALLOWED));
        }
    }

    #[test]
    fn a_key_needs_algorithms() {
        assert_eq!(
            key_request(MapBuilder::new().put(FLAGS, 1u8)),
            Err(ReadError::Missing)
        );
        assert_eq!(
            key_request(MapBuilder::new().put(ALG, List(&["ES256"]))),
            Err(ReadError::WrongType)
        );
        let asked = key_request(MapBuilder::new().put(ALG, List(&[-300i64])).put(42, "new"));
        assert_eq!(
            asked,
            Ok(KeyRequest {
                algorithms: alloc::vec![-300],
                flags: None
            })
        );
    }

    #[test]
    fn three_policies_of_256_are_valid() {
        let valid: Vec<u64> = (0..256)
            .filter(|flags| SigningPolicy::from_flags(*flags).is_some())
            .collect();
        assert_eq!(valid, [0, 1, 5]);
        assert_eq!(
            SigningPolicy::RequireUv.flags(),
            Flags::USER_PRESENT | Flags::USER_VERIFIED
        );
        for flags in valid {
            let policy = SigningPolicy::from_flags(flags).unwrap();
            assert_eq!(u64::from(policy.flags().bits()), flags);
        }
    }

    #[test]
    fn outputs_have_one_member() {
        assert_eq!(
            encoded(&Output::Algorithm(-300)),
            [0xa1, 3, 0x39, 0x01, 0x2b]
        );
        assert_eq!(encoded(&Output::Signature(&[9])), [0xa1, 6, 0x41, 9]);
        assert_eq!(
            encoded(&Output::Policy(SigningPolicy::RequireUv)),
            [0xa1, 4, 0b101]
        );
    }

    proptest::proptest! {
        #[test]
        fn what_was_printed_is_read(
            algorithms: Vec<i64>,
            flags in proptest::option::of(0..=i64::MAX as u64),
            parts: [Option<Vec<u8>>; 3],
            auth_data: Vec<u8>,
        ) {
            let asked = KeyRequest { algorithms, flags };
            let bytes = encoded(&asked);
            let value = Value::parse(&bytes, Form::Canonical).unwrap();
            proptest::prop_assert_eq!(KeyRequest::parse(value), Ok(asked));

            let [key_handle, to_be_signed, args] = &parts;
            let asked = SignRequest {
                key_handle: key_handle.as_deref(),
                to_be_signed: to_be_signed.as_deref(),
                args: args.as_deref(),
            };
            let bytes = encoded(&asked);
            let value = Value::parse(&bytes, Form::Canonical).unwrap();
            proptest::prop_assert_eq!(SignRequest::parse(value), Ok(asked));

            let made = GeneratedKey {
                format: "packed".into(),
                auth_data,
                attestation_statement: alloc::vec![0xa0],
            };
            let bytes = encoded(&made);
            let value = Value::parse(&bytes, Form::Canonical).unwrap();
            proptest::prop_assert_eq!(GeneratedKey::parse(value), Ok(made));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            if let Ok(value) = Value::parse(&bytes, Form::Canonical) {
                let _ = KeyRequest::parse(value);
                let _ = SignRequest::parse(value);
                let _ = GeneratedKey::parse(value);
            }
        }
    }
}
