//! Partners: other realms whose people may visit, each known by the keys that an owner pinned.

use serde::{Serialize, Serializer};

use super::super::Hash;
use super::super::json::hexadecimal;
use super::seen_log::SeenLog;
use crate::fields::{DecodeError, Fields, FromValue, Unfit, Value};
use crate::realm::{Origin, RealmName};
use crate::timestamp::Timestamp;

/// What the signer takes a realm to be, from the moment of signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pins {
    /// Which realm.
    pub realm: RealmName,
    /// Where its gateway is reached.
    pub origin: Origin,
    /// The Ed25519 key of its log, whose name is `REALM/log`.
    #[serde(serialize_with = "hexadecimal")]
    pub log: [u8; 32],
    /// Its certificate authorities.
    pub authorities: Authorities,
    /// What this realm, as a witness, saw of its log under another key; it begins anew then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenLog>,
}

/// Certificate authorities by the SHA-256 of their certificates: 1 to [`Authorities::MAX`], in
/// order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(Vec<Hash>);

/// Hashes that are no [`Authorities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a realm has 1 to {} certificate authorities", Authorities::MAX)]
pub struct AuthoritiesError;

/// The terms of `hall.invite_partner`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvitePartner {
    /// Who is invited.
    #[serde(flatten)]
    pub pins: Pins,
    /// SHA-256 of the token with which the other realm joins.
    #[serde(serialize_with = "hexadecimal")]
    pub token: Hash,
    /// Until when it may.
    pub expires: Timestamp,
}

/// The terms of `hall.accept_partner`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptPartner {
    /// Whose invitation is accepted.
    #[serde(flatten)]
    pub pins: Pins,
    /// SHA-256 of the invitation's token.
    #[serde(serialize_with = "hexadecimal")]
    pub token: Hash,
}

/// The terms of `hall.leave_partner`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeavePartner {
    /// Which realm is a partner no longer.
    pub realm: RealmName,
}

impl Authorities {
    /// How many a realm may have.
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

impl Pins {
    fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("realm", &self.realm)
            .with("origin", &self.origin)
            .with("log", &self.log)
            .with("authorities", &self.authorities)
            .with_some("seen", self.seen.as_ref())
    }

    fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            realm: terms.take("realm")?,
            origin: terms.take("origin")?,
            log: terms.take("log")?,
            authorities: terms.take("authorities")?,
            seen: terms.take_optional("seen")?,
        })
    }
}

impl InvitePartner {
    pub(super) fn terms(&self) -> Fields<'_> {
        self.pins
            .terms()
            .with("token", &self.token)
            .with("expires", &self.expires)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            pins: Pins::read(terms)?,
            token: terms.take("token")?,
            expires: terms.take("expires")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "invite as a partner, by a link that is good until {}, {}",
            self.expires, self.pins
        )
    }
}

impl AcceptPartner {
    pub(super) fn terms(&self) -> Fields<'_> {
        self.pins.terms().with("token", &self.token)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            pins: Pins::read(terms)?,
            token: terms.take("token")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!("become a partner of {}", self.pins)
    }
}

impl LeavePartner {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default().with("realm", &self.realm)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            realm: terms.take("realm")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "be a partner of {} no longer: its people are put out, and their admissions forgotten",
            self.realm
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> InvitePartner {
        InvitePartner {
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

    #[test]
    fn terms_read_back() {
        let invitation = invitation();
        let bytes = invitation.terms().encode();
        let mut terms = Fields::decode(&bytes, 4096).unwrap();
        assert_eq!(InvitePartner::read(&mut terms), Ok(invitation));
        assert_eq!(terms.finish(), Ok(()));
    }
}
