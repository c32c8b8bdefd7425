//! How a statement is declared, once: its name, who signs it, its members with their documentation,
//! and its sentence. Encoding, strict reading, JSON, its schema, the samples of the tests and its
//! entry in `docs/statements.md` come from that.
//!
//! ```ignore
//! statement! {
//!     "people.change_role", Signer::Person(Role::Owner);
//!     /// Gives a person another role.
//!     ChangeRole {
//!         /// The person.
//!         person: PersonId,
//!         /// The new role.
//!         role: Role,
//!     }
//! }
//!
//! impl Sentence for ChangeRole {
//!     fn sentence(&self) -> String {
//!         format!("make {} {}", self.name, self.role)
//!     }
//! }
//! ```
//!
//! A line in the list of `statement.rs` makes it a variant of [`Act`](super::Act).

use serde::ser::SerializeMap;
use serde_json::{Value as Json, json};

use super::people::Role;
use crate::fields::{DecodeError, Fields};

mod member;
mod word;

pub(crate) use member::Member;
pub use member::Shape;
pub(crate) use word::stated;

/// Who signs a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The key that is registered by it, or the device that makes itself known.
    NewKey,
    /// A device, with nobody present.
    Device,
    /// A person of the realm who has this role, or one that includes it.
    Person(Role),
}

/// A statement as it was declared.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The name, such as `device.claim`, as it stands in `act`.
    pub name: &'static str,
    /// The signer.
    pub signer: Signer,
    /// The effect of the act, in Markdown.
    pub doc: &'static str,
    /// The members of its terms, in no particular order: the encoding has its own.
    pub members: &'static [DeclaredMember],
}

/// A member of a statement's terms, or of a map in them.
#[derive(Debug, Clone, Copy)]
pub struct DeclaredMember {
    /// Its key in CBOR and in JSON.
    pub name: &'static str,
    /// The meaning of the member, in Markdown.
    pub doc: &'static str,
    /// The form of its value.
    pub shape: Shape,
}

/// The terms of one statement.
pub trait Terms: Sized + 'static {
    /// The declaration of the statement.
    const DECLARED: Declaration;

    /// The terms in `act`, if it is this statement.
    fn of(act: &super::Act) -> Option<&Self>;
}

/// A statement in words.
pub(crate) trait Sentence {
    /// What happens: an imperative clause without a full stop.
    fn sentence(&self) -> String;
}

/// Members with names: the terms of a statement, or a map inside them.
pub(crate) trait Record: Sized {
    /// How its members were declared.
    const MEMBERS: &'static [DeclaredMember];

    /// The members that are there.
    fn fields(&self) -> Fields<'_>;

    /// Takes the members out of `fields`. The caller checks that none is left.
    fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError>;

    /// Writes the members that are there.
    fn json<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    /// Values that between them have each sample of each member.
    #[cfg(test)]
    fn samples() -> Vec<Self>;
}

impl Declaration {
    /// The door: the part of the name before the dot.
    #[must_use]
    pub fn door(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or(self.name, |(door, _)| door)
    }

    /// The JSON schema (draft 2020-12) of the terms.
    #[must_use]
    pub fn schema(&self) -> Json {
        let mut schema = member::schema_of(self.members);
        schema["description"] = json!(self.doc.trim());
        schema
    }
}

/// Declares a map: a struct, and how its members are written and read.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $name:ident {$(
            $(#[doc = $member_doc:literal])+
            $member:ident: $type:ty,
        )*}
    ) => {
        $(#[$doc])*
        pub struct $name {$(
            $(#[doc = $member_doc])+
            pub $member: $type,
        )*}

        impl $crate::statement::declare::Record for $name {
            const MEMBERS: &'static [$crate::statement::declare::DeclaredMember] = &[$(
                $crate::statement::declare::DeclaredMember {
                    name: stringify!($member),
                    doc: concat!($($member_doc),+),
                    shape: <$type as $crate::statement::declare::Member>::SHAPE,
                },
            )*];

            fn fields(&self) -> $crate::fields::Fields<'_> {
                let fields = $crate::fields::Fields::default();
                $(let fields = $crate::statement::declare::Member::put(
                    &self.$member, stringify!($member), fields,
                );)*
                fields
            }

            fn read(
                fields: &mut $crate::fields::Fields<'_>,
            ) -> Result<Self, $crate::fields::DecodeError> {
                // Without members there is nothing to take.
                let _ = &fields;
                Ok(Self {$(
                    $member: $crate::statement::declare::Member::take(
                        stringify!($member), fields,
                    )?,
                )*})
            }

            fn json<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                let _ = &map;
                $($crate::statement::declare::Member::json(
                    &self.$member, stringify!($member), map,
                )?;)*
                Ok(())
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                $(let $member: Vec<$type> = $crate::statement::declare::Member::samples();)*
                let most = [1, $($member.len(),)*].into_iter().max().unwrap_or(1);
                (0..most)
                    .map(|_at| Self {$(
                        $member: $member[_at.min($member.len() - 1)].clone(),
                    )*})
                    .collect()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $crate::statement::declare::Record::json(self, &mut map)?;
                map.end()
            }
        }
    };
}

/// Declares a statement; see the module's documentation.
macro_rules! statement {
    (
        $act:literal, $signer:expr;
        $(#[doc = $doc:literal])+
        $name:ident {$(
            $(#[doc = $member_doc:literal])+
            $member:ident: $type:ty,
        )*}
    ) => {
        $crate::statement::declare::record! {
            $(#[doc = $doc])+
            #[doc = concat!("\n\nThe terms of `", $act, "`.")]
            #[derive(Debug, Clone, PartialEq, Eq)]
            $name {$(
                $(#[doc = $member_doc])+
                $member: $type,
            )*}
        }

        impl $name {
            /// The declaration of the statement.
            pub const DECLARED: $crate::statement::declare::Declaration =
                $crate::statement::declare::Declaration {
                    name: $act,
                    signer: $signer,
                    doc: concat!($($doc),+),
                    members: <$name as $crate::statement::declare::Record>::MEMBERS,
                };
        }
    };
}

pub(crate) use record;
pub(crate) use statement;
