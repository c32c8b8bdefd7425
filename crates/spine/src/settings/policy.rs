//! `[policy.…]`: which keys open doors, by what is known about their models.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use hallway_evidence::statement::hall::KeyNeed;
use hallway_webauthn::metadata::CertificationLevel;
use hallway_webauthn::{KeyProtection, ModelId, ModelList, ModelPolicy, SerialNumbers};
use serde::{Deserialize, Serialize};

use super::text::as_text;
use crate::store::Role;

/// The policies of a realm, one for each role, one for devices, and further ones for single doors.
///
/// A role without a section accepts ordinary keys: people bring any FIDO2 key that verifies its user,
/// and devices are of any model of an accepted maker. A section that *is* written
/// begins with the strictest values, so an empty section demands everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// The keys of owners.
    pub owner: PersonPolicy,
    /// The keys of operators.
    pub operator: PersonPolicy,
    /// The keys of members.
    pub member: PersonPolicy,
    /// Devices.
    pub device: DevicePolicy,
    /// The demands of single doors on people's keys, besides the role's policy.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub doors: BTreeMap<String, PersonPolicy>,
}

/// Which keys a person may use. `Default` is the strictest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PersonPolicy {
    /// Whether the maker must vouch for the key.
    pub attestation: Attestation,
    /// Whether keys that can be copied to other devices are accepted.
    pub copies: Copies,
    /// The least certification.
    pub certification: Level,
    /// Where keys must live.
    pub key_protection: Protection,
    /// These models and no others; empty for all.
    pub allow: Vec<Model>,
    /// Never these models.
    pub deny: Vec<Model>,
}

/// Which devices may enrol and send. `Default` is the strictest. That an accepted maker
/// vouches for a device's serial number is always required.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DevicePolicy {
    /// The least certification.
    pub certification: Level,
    /// Where keys must live.
    pub key_protection: Protection,
    /// These models and no others; empty for all.
    pub allow: Vec<Model>,
    /// Never these models.
    pub deny: Vec<Model>,
    /// Only serial numbers that begin with one of these; empty for all.
    pub serial_numbers: Vec<String>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            owner: PersonPolicy::any_key(),
            operator: PersonPolicy::any_key(),
            member: PersonPolicy::any_key(),
            device: DevicePolicy::any_model(),
            doors: BTreeMap::new(),
        }
    }
}

impl Policies {
    /// The policy for people with this role.
    #[must_use]
    pub const fn of(&self, role: Role) -> &PersonPolicy {
        match role {
            Role::Owner => &self.owner,
            Role::Operator => &self.operator,
            Role::Member => &self.member,
        }
    }

    /// Every policy with its name in `hallway.toml`, and whether only metadata can satisfy the policy.
    pub(crate) fn asking_metadata(&self) -> impl Iterator<Item = String> {
        let people = [
            ("owner", &self.owner),
            ("operator", &self.operator),
            ("member", &self.member),
        ];
        let people = people.map(|(name, policy)| (name.to_owned(), policy.asks_metadata()));
        let doors = self
            .doors
            .iter()
            .map(|(door, policy)| (format!("doors.{door}"), policy.asks_metadata()));
        let device = ("device".to_owned(), self.device.models().asks_metadata());
        people
            .into_iter()
            .chain(doors)
            .chain([device])
            .filter_map(|(name, asks)| asks.then_some(name))
    }
}

impl PersonPolicy {
    /// Any FIDO2 key that verifies its user, whoever made it.
    #[must_use]
    pub const fn any_key() -> Self {
        Self {
            attestation: Attestation::Any,
            copies: Copies::Accepted,
            certification: Level(CertificationLevel::NotCertified),
            key_protection: Protection::Any,
            allow: Vec::new(),
            deny: Vec::new(),
        }
    }

    /// The demands of an admission to a hall on a key: the strictest, at the admission's own level.
    #[must_use]
    pub fn demanded(need: KeyNeed) -> Self {
        Self {
            certification: Level(need.certification()),
            ..Self::default()
        }
    }

    /// Whether only metadata can satisfy the policy: they name the makers of people's keys.
    #[must_use]
    pub fn asks_metadata(&self) -> bool {
        self.attestation == Attestation::Required
            || !self.allow.is_empty()
            || self.models().asks_metadata()
    }

    /// The demands on models, before metadata are known.
    #[must_use]
    pub fn models(&self) -> ModelPolicy {
        ModelPolicy {
            models: list(&self.allow, &self.deny),
            certification: self.certification.0,
            key_protection: self.key_protection.into(),
            ..ModelPolicy::any()
        }
    }
}

impl DevicePolicy {
    /// Any model.
    #[must_use]
    pub const fn any_model() -> Self {
        Self {
            certification: Level(CertificationLevel::NotCertified),
            key_protection: Protection::Any,
            allow: Vec::new(),
            deny: Vec::new(),
            serial_numbers: Vec::new(),
        }
    }

    /// The demands on models, before metadata are known.
    #[must_use]
    pub fn models(&self) -> ModelPolicy {
        ModelPolicy {
            models: list(&self.allow, &self.deny),
            certification: self.certification.0,
            key_protection: self.key_protection.into(),
            serial_numbers: match self.serial_numbers.as_slice() {
                [] => SerialNumbers::Any,
                starts => SerialNumbers::StartingWith(starts.to_vec()),
            },
            metadata: None,
        }
    }
}

fn list(allow: &[Model], deny: &[Model]) -> ModelList {
    let ids = |models: &[Model]| models.iter().map(|model| model.0).collect();
    match (allow, deny) {
        ([], []) => ModelList::All,
        ([], deny) => ModelList::AllBut(ids(deny)),
        (allow, deny) => {
            let allowed: Vec<_> = allow.iter().filter(|model| !deny.contains(model)).collect();
            ModelList::Only(allowed.into_iter().map(|model| model.0).collect())
        }
    }
}

/// Whether the maker must vouch for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attestation {
    /// By a certificate under one of the roots that the metadata name for the model.
    #[default]
    Required,
    /// Not needed.
    Any,
}

/// Keys that can be copied to other devices: synchronised passkeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Copies {
    /// Refused.
    #[default]
    Refused,
    /// Accepted.
    Accepted,
}

/// Where keys must live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// In hardware only, by the model's metadata.
    #[default]
    Hardware,
    /// Anywhere.
    Any,
}

impl From<Protection> for KeyProtection {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Hardware => Self::Hardware,
            Protection::Any => Self::Any,
        }
    }
}

/// A level of FIDO certification as people write it: `none`, `self-asserted`, `L1` to `L3+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(pub CertificationLevel);

/// Every level with its word.
const LEVELS: [(CertificationLevel, &str); 8] = [
    (CertificationLevel::NotCertified, "none"),
    (CertificationLevel::SelfAsserted, "self-asserted"),
    (CertificationLevel::L1, "L1"),
    (CertificationLevel::L1Plus, "L1+"),
    (CertificationLevel::L2, "L2"),
    (CertificationLevel::L2Plus, "L2+"),
    (CertificationLevel::L3, "L3"),
    (CertificationLevel::L3Plus, "L3+"),
];

impl Default for Level {
    fn default() -> Self {
        Self(ModelPolicy::default().certification)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = LEVELS.iter().find(|(level, _)| *level == self.0);
        f.write_str(word.map_or("none", |(_, word)| word))
    }
}

/// Not a level of certification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a level of certification; there are none, self-asserted, L1, L1+, L2, L2+, L3 and L3+"
)]
pub struct NotALevel;

impl FromStr for Level {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Self, NotALevel> {
        LEVELS
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(level, _)| Self(*level))
            .ok_or(NotALevel)
    }
}

/// A model: an AAGUID, or the key identifier of a U2F model's attestation certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model(pub ModelId);

as_text!(Level, Model);

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Model {
    type Err = hallway_webauthn::NotAModel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "cb69481e-8ff7-4039-93ec-0a2729a154a8";
    const OTHER: &str = "7c0903708b87115b0b422def3138c3c864e44573";

    #[test]
    fn a_written_section_begins_with_the_strictest() {
        let policies: Policies = toml::from_str("[owner]\n[device]\n").unwrap();
        assert_eq!(policies.owner, PersonPolicy::default());
        assert_eq!(policies.owner.models(), ModelPolicy::default());
        assert_eq!(policies.device.models(), ModelPolicy::default());
        assert_eq!(policies.member, PersonPolicy::any_key());
        assert_eq!(policies.member.models(), ModelPolicy::any());
        let asking: Vec<_> = policies.asking_metadata().collect();
        assert_eq!(asking, ["owner", "device"]);
    }

    #[test]
    fn policies_that_are_not_written_accept_all_and_read_back() {
        let policies = Policies::default();
        assert_eq!(policies.asking_metadata().count(), 0);
        let text = toml::to_string_pretty(&policies).unwrap();
        assert_eq!(toml::from_str::<Policies>(&text).unwrap(), policies);
    }

    #[test]
    fn a_denied_model_can_not_be_allowed() {
        let policy: PersonPolicy = toml::from_str(&format!(
            "allow = ['{ONE}', '{OTHER}']\ndeny = ['{ONE}']\ncertification = 'L2+'"
        ))
        .unwrap();
        let models = policy.models();
        assert_eq!(models.models, ModelList::Only(vec![OTHER.parse().unwrap()]));
        assert_eq!(models.certification, CertificationLevel::L2Plus);
        let denying: PersonPolicy = toml::from_str(&format!("deny = ['{ONE}']")).unwrap();
        let denied = ModelList::AllBut(vec![ONE.parse().unwrap()]);
        assert_eq!(denying.models().models, denied);
    }

    #[test]
    fn unknown_values_are_refused() {
        for text in [
            "[owner]\ncertification = 'L9'",
            "[owner]\nallow = ['a key']",
            "[owner]\nserial_numbers = ['X']",
            "[admin]",
        ] {
            assert!(toml::from_str::<Policies>(text).is_err(), "{text}");
        }
    }
}
