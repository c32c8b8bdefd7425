//! The entities that several commands carry (WebAuthn Level 3, 5.4 and 5.8).

use alloc::vec::Vec;

use crate::cbor::{Array, Encode, Map, MapBuilder, ReadError, Value};

/// PublicKeyCredentialRpEntity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelyingParty<'a> {
    /// The relying party id, a domain.
    pub id: &'a str,
    /// The name that people see.
    pub name: Option<&'a str>,
}

impl<'a> RelyingParty<'a> {
    /// Reads the entity's map.
    pub fn parse(value: Value<'a>) -> Result<Self, ReadError> {
        let map = value.map()?;
        pass_over_icon(&map)?;
        Ok(Self {
            id: map.required("id")?.text()?,
            name: map.optional("name", Value::text)?,
        })
    }
}

impl Encode for RelyingParty<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put("id", self.id)
            .put_some("name", self.name)
            .encode(out);
    }
}

/// PublicKeyCredentialUserEntity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct User<'a> {
    /// The user handle, 1 to 64 bytes.
    pub id: &'a [u8],
    /// The account's name.
    pub name: Option<&'a str>,
    /// The person's name.
    pub display_name: Option<&'a str>,
}

impl<'a> User<'a> {
    /// Reads the entity's map.
    pub fn parse(value: Value<'a>) -> Result<Self, ReadError> {
        let map = value.map()?;
        pass_over_icon(&map)?;
        Ok(Self {
            id: map.required("id")?.bytes()?,
            name: map.optional("name", Value::text)?,
            display_name: map.optional("displayName", Value::text)?,
        })
    }
}

impl Encode for User<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put("id", self.id)
            .put_some("name", self.name)
            .put_some("displayName", self.display_name)
            .encode(out);
    }
}

/// Entities had an icon in CTAP 2.0: it is ignored, but must be a text.
fn pass_over_icon(map: &Map<'_>) -> Result<(), ReadError> {
    map.optional("icon", Value::text).map(|_| ())
}

/// PublicKeyCredentialDescriptor, of type `public-key`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor<'a> {
    /// The credential id.
    pub id: &'a [u8],
}

impl<'a> Descriptor<'a> {
    /// Reads one descriptor; `None` if its type is not `public-key`.
    pub fn parse(value: Value<'a>) -> Result<Option<Self>, ReadError> {
        let map = value.map()?;
        let id = map.required("id")?.bytes()?;
        let kind = map.required("type")?.text()?;
        Ok((kind == PUBLIC_KEY).then_some(Self { id }))
    }

    /// Reads a list of descriptors, passing over those of other types. A list of only those reads
    /// as empty, which is not the same as a list that was sent empty.
    pub(super) fn parse_list(list: Array<'a>) -> Result<Vec<Self>, ReadError> {
        list.iter()
            .filter_map(|value| Self::parse(value).transpose())
            .collect()
    }
}

impl Encode for Descriptor<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put("id", self.id)
            .put("type", PUBLIC_KEY)
            .encode(out);
    }
}

/// The one PublicKeyCredentialType.
pub(super) const PUBLIC_KEY: &str = "public-key";

/// The options of makeCredential and getAssertion; `None` is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// `rk`: make the credential discoverable.
    pub discoverable: Option<bool>,
    /// `up`: ask for a touch.
    pub presence: Option<bool>,
    /// `uv`: verify the user by the authenticator's own means.
    pub verification: Option<bool>,
}

impl Options {
    pub(super) fn parse(map: Map<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            discoverable: map.optional("rk", Value::bool)?,
            presence: map.optional("up", Value::bool)?,
            verification: map.optional("uv", Value::bool)?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Encode for Options {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put_some("rk", self.discoverable)
            .put_some("up", self.presence)
            .put_some("uv", self.verification)
            .encode(out);
    }
}
