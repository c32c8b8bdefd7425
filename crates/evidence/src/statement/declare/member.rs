//! The types that a member of a statement can have: their CBOR, JSON and schemas, and samples for
//! tests.

use hallway_ctap::aaguid::Aaguid;
use serde::ser::SerializeMap;
use serde_json::{Value as Json, json};

use super::{DeclaredMember, Record};
use crate::count::Count;
use crate::credential_id::CredentialId;
use crate::fields::{DecodeError, Fields};
use crate::id::{DeviceId, GrantId, PersonId};
use crate::line::Line;
use crate::realm::{Origin, RealmName};
use crate::statement::hall::{
    AgentName, HallName, Hours, Names, P256PublicKey, Rights, ServiceName, StoreName,
};
use crate::statement::partner::Authorities;
use crate::timestamp::Timestamp;

/// The form of a member's value.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Text, of a kind: `a line`, `a URL`.
    Text(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number from 0 to 2^63 - 1.
    Number,
    /// Milliseconds since 1970.
    Time,
    /// A UUID: 16 bytes, in JSON text.
    Uuid,
    /// This many bytes, in JSON as lower-case hexadecimal digits.
    Bytes(usize),
    /// At most this many bytes, in JSON base64url without padding.
    Id(usize),
    /// A map from verb to the sorted names, in JSON a sorted list of `VERB:NAME`.
    Rights,
    /// A list.
    List(&'static Shape),
    /// A map.
    Map(&'static [DeclaredMember]),
    /// A map with exactly one of these members.
    OneOf(&'static [DeclaredMember]),
    /// May be missing.
    Optional(&'static Shape),
}

/// A type that a member of a statement can have.
pub(crate) trait Member: Sized {
    /// The form of a value.
    const SHAPE: Shape;

    /// Adds the value to `fields`; an absent value adds nothing.
    fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a>;

    /// Takes the value out of `fields`.
    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError>;

    /// Writes the value in JSON; an absent value writes nothing.
    fn json<M: SerializeMap>(&self, key: &'static str, map: &mut M) -> Result<(), M::Error>;

    /// At least one value; if values differ in form, one of each form.
    #[cfg(test)]
    fn samples() -> Vec<Self>;
}

impl Shape {
    fn schema(self) -> Json {
        match self {
            Self::Text(kind) => json!({ "type": "string", "description": kind }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Number => json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX }),
            Self::Time => {
                json!({ "type": "integer", "minimum": 0, "description": "milliseconds since 1970" })
            }
            Self::Uuid => json!({ "type": "string", "format": "uuid" }),
            Self::Bytes(length) => {
                let pattern = format!("^[0-9a-f]{{{}}}$", 2 * length);
                json!({ "type": "string", "pattern": pattern })
            }
            Self::Id(_) => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }),
            Self::Rights => json!({ "type": "array", "items": { "type": "string" } }),
            Self::List(item) => json!({ "type": "array", "items": item.schema() }),
            Self::Map(members) => schema_of(members),
            Self::OneOf(members) => {
                let mut schema = schema_of(members);
                schema["minProperties"] = json!(1);
                schema["maxProperties"] = json!(1);
                schema["required"] = json!([]);
                schema
            }
            Self::Optional(shape) => shape.schema(),
        }
    }

    /// In the documentation: `text: a line`, `32 bytes`.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Text(kind) => format!("text: {kind}"),
            Self::Word(words) => format!("text: `{}`", words.join("`, `")),
            Self::Number => "unsigned integer".to_owned(),
            Self::Time => "unsigned integer: milliseconds since 1970".to_owned(),
            Self::Uuid => "16 bytes: a UUID".to_owned(),
            Self::Bytes(length) => format!("{length} bytes"),
            Self::Id(most) => format!("1 to {most} bytes"),
            Self::Rights => "map from `read`, `write`, `delete` and `connect` to sorted names; in \
                             JSON a sorted list of `VERB:NAME`"
                .to_owned(),
            Self::List(item) => format!("list, each {}", item.in_words()),
            Self::Map(members) => format!("map of {}", names(members)),
            Self::OneOf(members) => format!("map with one of {}", names(members)),
            Self::Optional(shape) => format!("{}; may be missing", shape.in_words()),
        }
    }

    /// The members of the map, or of each map in the list; none for other shapes.
    #[must_use]
    pub fn members(self) -> &'static [DeclaredMember] {
        match self {
            Self::Map(members) | Self::OneOf(members) => members,
            Self::List(shape) | Self::Optional(shape) => shape.members(),
            _ => &[],
        }
    }
}

fn names(members: &[DeclaredMember]) -> String {
    let names: Vec<String> = members
        .iter()
        .map(|member| format!("`{}`", member.name))
        .collect();
    names.join(", ")
}

/// The schema of a map with these members.
pub(super) fn schema_of(members: &[DeclaredMember]) -> Json {
    let properties: serde_json::Map<String, Json> = members
        .iter()
        .map(|member| {
            let mut schema = member.shape.schema();
            // The schema of a text already describes its kind.
            let kind = schema["description"].as_str();
            let doc = member.doc.trim();
            let told = kind.map_or_else(|| doc.to_owned(), |kind| format!("{doc} ({kind})"));
            schema["description"] = json!(told);
            (member.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = members
        .iter()
        .filter(|member| !matches!(member.shape, Shape::Optional(_)))
        .map(|member| member.name)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Implements [`Member`] for a type that has conversions to and from a CBOR value.
macro_rules! member {
    ($type:ty, $shape:expr, $value:ident => $json:expr, $samples:expr) => {
        impl Member for $type {
            const SHAPE: Shape = $shape;

            fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a> {
                fields.with(key, self)
            }

            fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
                fields.take(key)
            }

            fn json<M: SerializeMap>(
                &self,
                key: &'static str,
                map: &mut M,
            ) -> Result<(), M::Error> {
                let $value = self;
                map.serialize_entry(key, $json)
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                $samples
            }
        }
    };
}

member!(Line, Shape::Text("a line"), value => value, vec![sample::line("Emily")]);
member!(RealmName, Shape::Text("the name of a realm"), value => value, vec![sample::parsed("beta.example")]);
member!(Origin, Shape::Text("a web origin"), value => value, vec![sample::parsed("https://gate.beta.example")]);
member!(HallName, Shape::Text("a name"), value => value, vec![sample::parsed("backups")]);
member!(AgentName, Shape::Text("a name"), value => value, vec![sample::parsed("lab")]);
member!(Hours, Shape::Text("hours of the week, such as `mon-fri 08:00-18:00 Europe/Berlin`"), value => value, vec![sample::parsed("mon-fri 08:00-18:00 Europe/Berlin")]);
member!(Timestamp, Shape::Time, value => value, vec![Timestamp::from_ms(1_790_000_000_000)]);
member!(PersonId, Shape::Uuid, value => value, vec![PersonId::from_bytes([1; 16])]);
member!(DeviceId, Shape::Uuid, value => value, vec![DeviceId::from_bytes([2; 16])]);
member!(GrantId, Shape::Uuid, value => value, vec![GrantId::from_bytes([3; 16])]);
member!(Aaguid, Shape::Uuid, value => &value.to_string(), vec![Aaguid([3; 16])]);
member!(CredentialId, Shape::Id(1023), value => value, vec![sample::credential()]);
member!(P256PublicKey, Shape::Bytes(P256PublicKey::BYTES), value => value, vec![sample::public_key()]);
member!([u8; 32], Shape::Bytes(32), value => &hex::encode(value), vec![[7; 32]]);
member!(Authorities, Shape::List(&Shape::Bytes(32)), value => value, vec![vec![[8; 32], [9; 32]].try_into().unwrap()]);
member!(Rights, Shape::Rights, value => value, vec![sample::rights()]);
member!(Names<StoreName>, Shape::List(&Shape::Text("a name")), value => value, sample::names(&["data", "scans"]));
member!(Names<ServiceName>, Shape::List(&Shape::Text("a name")), value => value, sample::names(&["db", "ssh"]));

impl Member for u64 {
    const SHAPE: Shape = Shape::Number;

    fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a> {
        fields.with(key, self)
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        fields.take::<Count>(key).map(Count::get)
    }

    fn json<M: SerializeMap>(&self, key: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(key, self)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![3_600_000]
    }
}

impl<T: Member> Member for Option<T> {
    const SHAPE: Shape = Shape::Optional(&T::SHAPE);

    fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a> {
        match self {
            Some(value) => value.put(key, fields),
            None => fields,
        }
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        if fields.has(key) {
            T::take(key, fields).map(Some)
        } else {
            Ok(None)
        }
    }

    fn json<M: SerializeMap>(&self, key: &'static str, map: &mut M) -> Result<(), M::Error> {
        match self {
            Some(value) => value.json(key, map),
            None => Ok(()),
        }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let present = T::samples().into_iter().map(Some);
        std::iter::once(None).chain(present).collect()
    }
}

impl<T: Record + serde::Serialize> Member for T {
    const SHAPE: Shape = Shape::Map(T::MEMBERS);

    fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a> {
        fields.with(key, self.fields())
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let mut inner: Fields<'_> = fields.take(key)?;
        let record = T::read(&mut inner)?;
        inner.finish()?;
        Ok(record)
    }

    fn json<M: SerializeMap>(&self, key: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(key, self)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        <T as Record>::samples()
    }
}

#[cfg(test)]
mod sample {
    use std::fmt::Debug;
    use std::str::FromStr;

    use super::*;

    pub(super) fn line(text: &str) -> Line {
        Line::new(text).unwrap()
    }

    pub(super) fn parsed<T: FromStr<Err: Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    pub(super) fn credential() -> CredentialId {
        CredentialId::new(vec![7; 20]).unwrap()
    }

    pub(super) fn public_key() -> P256PublicKey {
        let key = rcgen::KeyPair::generate().unwrap();
        P256PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&key)).unwrap()
    }

    pub(super) fn rights() -> Rights {
        Rights::parse(["read:data", "write:data", "connect:db"]).unwrap()
    }

    pub(super) fn names<N: Ord + FromStr<Err: Debug>>(texts: &[&str]) -> Vec<Names<N>> {
        let all = texts
            .iter()
            .map(|text| parsed(text))
            .collect::<std::collections::BTreeSet<N>>();
        vec![all.try_into().unwrap(), Names::default()]
    }
}
