//! Attestation statements in words.

use serde::Serialize;

use crate::cbor_map;

/// A member of an attestation statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Member {
    /// The member's name, at most 64 characters.
    pub name: String,
    /// Its value in a few words, at most 200 characters.
    pub value: String,
}

/// The members of a statement; for a compound one, of each part.
pub(super) fn members(statement: &[u8]) -> Vec<Member> {
    if let Some(parts) = cbor_map::array(statement) {
        return parts.take(8).flat_map(members).collect();
    }
    let Some(map) = cbor_map::CborMap::new(statement) else {
        return Vec::new();
    };
    map.entries()
        .take(32)
        .map(|(name, value)| Member {
            name: name.chars().take(64).collect(),
            value: described(value),
        })
        .collect()
}

fn described(value: &[u8]) -> String {
    if let Some(bytes) = cbor_map::bytes(value) {
        format!("{} bytes", bytes.len())
    } else if let Some(text) = cbor_map::text(value) {
        text.chars().take(200).collect()
    } else if let Some(number) = cbor_map::integer(value) {
        match hallway_ctap::cose::Algorithm::from_id(number) {
            Some(algorithm) => format!("{number} ({algorithm})"),
            None => number.to_string(),
        }
    } else if let Some(items) = cbor_map::array(value) {
        format!("{} items", items.count())
    } else {
        "a map or another value".to_owned()
    }
}
