//! Partners: other realms whose people may visit, each known by the keys that an owner pinned.

use serde::{Serialize, Serializer};

use super::declare::{Sentence, Signer, record, statement};
use super::people::Role;
use super::witness::SeenLog;
use crate::fields::{FromValue, Unfit, Value};
use crate::hash::Hash;
use crate::realm::{Origin, RealmName};
use crate::timestamp::Timestamp;

record! {
    /// The address and the keys by which this realm knows another one, once the signer has signed.
    #[derive(Debug, Clone, PartialEq, Eq)]
    Pins {
        /// The realm.
        realm: RealmName,
        /// The address of its gateway.
        origin: Origin,
        /// The Ed25519 key of its log, whose name is `REALM/log`.
        log: [u8; 32],
        /// Its certificate authorities.
        authorities: Authorities,
        /// If its log begins anew: what this realm, as a witness, saw of it under another key.
        seen: Option<SeenLog>,
    }
}

/// Certificate authorities by the SHA-256 of their certificates: 1 to [`Authorities::MAX`], in
/// order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(Vec<Hash>);

/// Hashes that are no [`Authorities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a realm has 1 to {} certificate authorities", Authorities::MAX)]
pub struct AuthoritiesError;

statement! {
    "partner.invite", Signer::Person(Role::Owner);
    /// Invites another realm to be a partner, whose people can then be admitted.
    Invite {
        /// The realm that is invited.
        pins: Pins,
        /// SHA-256 of the token with which the other realm joins.
        token: Hash,
        /// The end of the time in which it may join.
        expires: Timestamp,
    }
}

statement! {
    "partner.accept", Signer::Person(Role::Owner);
    /// Accepts another realm's invitation to be a partner.
    Accept {
        /// The realm that invited.
        pins: Pins,
        /// SHA-256 of the invitation's token.
        token: Hash,
    }
}

statement! {
    "partner.leave", Signer::Person(Role::Owner);
    /// Ends a partnership.
    Leave {
        /// The realm that is a partner no longer.
        realm: RealmName,
    }
}

impl Authorities {
    /// The most that a realm may have.
    pub const MAX: usize = 16;

    /// The hashes, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Hash] {
        &self.0
    }
}

impl TryFrom<Vec<Hash>> for Authorities {
    type Error = AuthoritiesError;

    fn try_from(mut hashes: Vec<Hash>) -> Result<Self, AuthoritiesError> {
        hashes.sort_unstable();
        hashes.dedup();
        if (1..=Self::MAX).contains(&hashes.len()) {
            Ok(Self(hashes))
        } else {
            Err(AuthoritiesError)
        }
    }
}

impl Serialize for Authorities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(hex::encode))
    }
}

impl<'a> From<&'a Authorities> for Value<'a> {
    fn from(authorities: &'a Authorities) -> Self {
        Value::List(authorities.0.iter().map(Value::from).collect())
    }
}

impl<'a> FromValue<'a> for Authorities {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        let hashes: Vec<Hash> = Vec::<Value<'a>>::from_value(value)?
            .into_iter()
            .map(Hash::from_value)
            .collect::<Result<_, _>>()?;
        match Self::try_from(hashes.clone()) {
            Ok(authorities) if authorities.0 == hashes => Ok(authorities),
            _ => Err(Unfit::Value("is not 1 to 16 hashes in order")),
        }
    }
}

impl core::fmt::Display for Authorities {
    /// As they stand in a sentence.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (place, hash) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { ", " };
            write!(f, "{gap}{}", hex::encode(hash))?;
        }
        Ok(())
    }
}

impl core::fmt::Display for Pins {
    /// As they stand in a sentence.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "the realm {} at {}, whose log has the key {} and whose authorities have the SHA-256 {}",
            self.realm,
            self.origin,
            hex::encode(self.log),
            self.authorities
        )?;
        match &self.seen {
            Some(seen) => write!(f, "; its log begins anew: {seen}"),
            None => Ok(()),
        }
    }
}

impl Sentence for Invite {
    fn sentence(&self) -> String {
        format!(
            "invite as a partner, by a link that is good until {}, {}",
            self.expires, self.pins
        )
    }
}

impl Sentence for Accept {
    fn sentence(&self) -> String {
        format!("become a partner of {}", self.pins)
    }
}

impl Sentence for Leave {
    fn sentence(&self) -> String {
        format!(
            "be a partner of {} no longer: its people are put out, and their admissions forgotten",
            self.realm
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invite {
        Invite {
            pins: Pins {
                realm: "beta.example".parse().unwrap(),
                origin: "https://gate.beta.example".parse().unwrap(),
                log: [1; 32],
                authorities: vec![[3; 32], [2; 32], [3; 32]].try_into().unwrap(),
                seen: None,
            },
            token: [4; 32],
            expires: Timestamp::from_ms(1_795_000_000_000),
        }
    }

    #[test]
    fn authorities_have_one_order() {
        let authorities = invitation().pins.authorities;
        assert_eq!(authorities.as_slice(), [[2; 32], [3; 32]]);
        assert!(Authorities::try_from(Vec::new()).is_err());
        let many: Vec<Hash> = (0..17).map(|number| [number; 32]).collect();
        assert!(Authorities::try_from(many).is_err());
        let (first, second) = ([2; 32], [3; 32]);
        let backwards = Value::List(vec![Value::from(&second), Value::from(&first)]);
        assert!(Authorities::from_value(backwards).is_err());
    }

    #[test]
    fn the_sentence_of_an_invitation_says_whose_keys_are_pinned() {
        let sentence = invitation().sentence();
        let (log, second) = ("01".repeat(32), "03".repeat(32));
        for part in [
            "beta.example",
            "https://gate.beta.example",
            &log,
            &second,
            "2026-11-18",
        ] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
