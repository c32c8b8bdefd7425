//! Whether a key's model is acceptable: when it is registered, and each time that it signs.

use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::KeyNeed;
use hallway_webauthn::{
    Attestation as Attested, AttestationKind, BackupEligibility, ModelError, ModelPolicy,
    RegistrationPolicy, RequiredTrust, Standing, StoredProof, TrustAnchors, UnixSeconds,
};

use super::Models;
use crate::door_name::DoorName;
use crate::http::problem::{Code, Problem};
use crate::settings::PersonPolicy;
use crate::settings::policy::{Attestation, Copies, Level};
use crate::store::{Credential, KeyAttestation, Role};

/// Why a key's model is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// By the model's policy.
    #[error("{}", sentence(.error, *.since))]
    Model {
        /// The policy's words.
        error: ModelError,
        /// The time since which the status is in force that rules the model out.
        since: Option<Timestamp>,
    },
    /// The policy asks for attestation, which the key was registered without.
    #[error(
        "a key is needed here whose maker vouches for it, and nobody vouched for this one when it \
         was registered"
    )]
    Unattested,
    /// The key can be copied to other devices.
    #[error("a key is needed here that never leaves its device, and this one can be copied")]
    Copied,
    /// The policy asks for a fact that only fresh metadata have.
    #[error(
        "the realm's metadata were to be replaced by {0}, and keys are registered by fresh ones \
         only; ask whoever runs this gateway"
    )]
    Overdue(String),
}

/// The facts that a key proved when it was registered. Verdicts use them.
#[derive(Debug, Clone, Copy)]
pub struct KeyFacts<'a> {
    /// The model that the key names.
    pub aaguid: Aaguid,
    /// Whether it can be copied to other devices.
    pub backup_eligible: bool,
    /// The verified part of the attestation. Its anchor is one that *this* realm knew.
    pub attestation: Option<&'a KeyAttestation>,
}

impl<'a> KeyFacts<'a> {
    /// The facts of a key about which this realm knows nothing.
    pub const UNKNOWN: KeyFacts<'static> = KeyFacts {
        aaguid: Aaguid::ZERO,
        backup_eligible: true,
        attestation: None,
    };

    /// The facts of a key of this realm.
    pub const fn of(key: &Credential, attestation: Option<&'a KeyAttestation>) -> Self {
        Self {
            aaguid: key.aaguid,
            backup_eligible: key.backup_eligible,
            attestation,
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(Code::ModelRefused, refused.to_string())
    }
}

fn sentence(error: &ModelError, since: Option<Timestamp>) -> String {
    match (error, since) {
        (ModelError::Compromised { model, status }, Some(since)) => format!(
            "keys of the model \"{model}\" cannot be relied on: its metadata say {status} since {}",
            day(since)
        ),
        (ModelError::Compromised { model, status }, None) => {
            format!("keys of the model \"{model}\" cannot be relied on: its metadata say {status}")
        }
        (
            ModelError::Certification {
                model,
                found,
                required,
            },
            _,
        ) => format!(
            "the model \"{model}\" is certified {}, and this needs at least {}",
            Level(*found),
            Level(*required)
        ),
        (error, _) => error.to_string(),
    }
}

/// A date, such as 2026-11-22.
#[must_use]
pub fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// The part of a verified attestation that is stored; `None` if there was no attestation.
#[must_use]
pub fn to_keep(attestation: &Attested) -> Option<KeyAttestation> {
    let format = attestation.format.name().to_owned();
    match &attestation.kind {
        AttestationKind::None => None,
        AttestationKind::SelfSigned => Some(KeyAttestation {
            format,
            chain: Vec::new(),
            anchor: None,
            serial_number: None,
        }),
        AttestationKind::Certified(certified) => Some(KeyAttestation {
            format,
            chain: certified.chain.clone(),
            anchor: certified.anchor.as_ref().map(|anchor| anchor.name.clone()),
            serial_number: certified.serial_number.clone(),
        }),
    }
}

impl Models {
    /// The checks of a person's registration, for this role.
    ///
    /// # Errors
    /// [`Refused::Overdue`] if the policy needs metadata, and they are out of date.
    pub fn for_person(&self, role: Role, now: Timestamp) -> Result<RegistrationPolicy, Refused> {
        let policy = self.policies.of(role);
        if policy.asks_metadata() {
            self.fresh(now)?;
        }
        Ok(RegistrationPolicy {
            trust: match policy.attestation {
                Attestation::Required => RequiredTrust::Anchored,
                Attestation::Any => RequiredTrust::Any,
            },
            backup: match policy.copies {
                Copies::Refused => BackupEligibility::SingleDeviceOnly,
                Copies::Accepted => BackupEligibility::Any,
            },
            models: self.informed(policy.models()),
            ..RegistrationPolicy::person()
        })
    }

    /// The checks of a device's registration under one of the `anchors`.
    ///
    /// # Errors
    /// [`Refused::Overdue`] if the policy needs metadata, and they are out of date.
    pub fn for_device(
        &self,
        anchors: TrustAnchors,
        now: Timestamp,
    ) -> Result<RegistrationPolicy, Refused> {
        let models = self.policies.device.models();
        if models.asks_metadata() {
            self.fresh(now)?;
        }
        Ok(RegistrationPolicy {
            models: self.informed(models),
            ..RegistrationPolicy::device(anchors)
        })
    }

    /// The checks when a registration of a partner's person is verified here again: every key is
    /// accepted, but only this realm's metadata can make it count as attested.
    pub fn for_visitor(&self) -> RegistrationPolicy {
        RegistrationPolicy {
            models: self.informed(ModelPolicy::any()),
            ..RegistrationPolicy::person()
        }
    }

    /// Whether a browser is asked for the attestation: if metadata are known, or if the policy asks for
    /// a fact that only an attestation proves. Otherwise a key need not tell its model.
    pub fn asks_attestation(&self, role: Role) -> bool {
        let policy = self.policies.of(role);
        self.is_configured() || policy.asks_metadata() || !policy.deny.is_empty()
    }

    /// Whether this realm may refuse any key: if no model is known and no policy is set, no key needs
    /// a look.
    pub fn may_refuse(&self, door: DoorName, role: Role) -> bool {
        let asks = |policy: &PersonPolicy| *policy != PersonPolicy::any_key();
        self.is_configured()
            || asks(self.policies.of(role))
            || self.policies.doors.get(door.as_str()).is_some_and(asks)
    }

    /// Judges a person's key by the present knowledge, for a door that it is to open.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit_person(
        &self,
        door: DoorName,
        role: Role,
        key: &Credential,
        attestation: Option<&KeyAttestation>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let of_role = self.policies.of(role);
        let key = KeyFacts::of(key, attestation);
        for policy in [of_role]
            .into_iter()
            .chain(self.policies.doors.get(door.as_str()))
        {
            self.admit_by(policy, key, now)?;
        }
        Ok(())
    }

    /// Judges a key by the present knowledge, for an admission that demands a certain key.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn meets(&self, need: KeyNeed, key: KeyFacts<'_>, now: Timestamp) -> Result<(), Refused> {
        self.admit_by(&PersonPolicy::demanded(need), key, now)
    }

    fn admit_by(
        &self,
        policy: &PersonPolicy,
        key: KeyFacts<'_>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.judge(policy.models(), key.aaguid, key.attestation, now)?;
        if policy.attestation == Attestation::Required
            && key
                .attestation
                .is_none_or(|attestation| attestation.anchor.is_none())
        {
            return Err(Refused::Unattested);
        }
        if policy.copies == Copies::Refused && key.backup_eligible {
            return Err(Refused::Copied);
        }
        Ok(())
    }

    /// Judges a device's key by the present knowledge.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit_device(
        &self,
        aaguid: Aaguid,
        attestation: Option<&KeyAttestation>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.judge(self.policies.device.models(), aaguid, attestation, now)
    }

    fn judge(
        &self,
        policy: ModelPolicy,
        aaguid: Aaguid,
        attestation: Option<&KeyAttestation>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let proof = proof(aaguid, attestation);
        let at = UnixSeconds::from_ms(now.as_ms());
        self.informed(policy)
            .judge_again(&proof, at)
            .map_err(|error| self.explained(error, now))
    }

    /// A model's refusal, with the date of the report that it rests on.
    pub fn explained(&self, error: ModelError, now: Timestamp) -> Refused {
        let since = match &error {
            ModelError::Compromised { model, status } => self.since(model, status, now),
            _ => None,
        };
        Refused::Model { error, since }
    }

    fn since(&self, model: &str, status: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.known();
        known
            .metadata
            .models()
            .iter()
            .filter(|known| known.description == model)
            .flat_map(|known| &known.status_reports)
            .filter(|report| report.status == status)
            .filter_map(|report| u64::try_from(report.effective?.0).ok())
            .map(|seconds| Timestamp::from_ms(seconds * 1000))
            .filter(|since| *since <= now)
            .min()
    }

    fn informed(&self, policy: ModelPolicy) -> ModelPolicy {
        ModelPolicy {
            metadata: Some(std::sync::Arc::clone(&self.known().metadata)),
            ..policy
        }
    }

    fn fresh(&self, now: Timestamp) -> Result<(), Refused> {
        let known = self.known();
        match &known.state.blob {
            Some(blob) if known.metadata.is_overdue(UnixSeconds::from_ms(now.as_ms())) => {
                Err(Refused::Overdue(day(blob.next_update)))
            }
            _ => Ok(()),
        }
    }
}

fn proof<'a>(aaguid: Aaguid, attestation: Option<&'a KeyAttestation>) -> StoredProof<'a> {
    let anchored = attestation.is_some_and(|attestation| attestation.anchor.is_some());
    StoredProof {
        aaguid,
        chain: attestation.map_or(&[], |attestation| attestation.chain.as_slice()),
        standing: if anchored {
            Standing::Anchored
        } else {
            Standing::Claimed
        },
        serial_number: attestation.and_then(|attestation| attestation.serial_number.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use hallway_webauthn::metadata::Metadata;

    use super::*;
    use crate::models::known::Known;
    use crate::settings::{MetadataConfig, Policies};

    const MODEL: Aaguid = Aaguid(*b"a model of a key");

    /// Knowledge of one model, whose keys are in the place `protection`.
    fn knowing(protection: &str) -> Models {
        let statement = format!(
            r#"{{"aaguid": "{MODEL}", "description": "A key", "keyProtection": ["{protection}"]}}"#
        );
        let mut metadata = Metadata::new();
        metadata.add_statement(statement.as_bytes()).unwrap();
        let models = Models::new(
            &MetadataConfig::default(),
            &Policies::default(),
            Path::new("/"),
            &[],
        )
        .unwrap();
        models.learn(Known {
            metadata: Arc::new(metadata),
            ..Known::default()
        });
        models
    }

    fn attestation(anchor: Option<&str>) -> KeyAttestation {
        KeyAttestation {
            format: "packed".to_owned(),
            chain: Vec::new(),
            anchor: anchor.map(str::to_owned),
            serial_number: None,
        }
    }

    #[test]
    fn a_demanded_key_is_attested_in_hardware_and_there_for_good() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let (hardware, software) = (knowing("hardware"), knowing("software"));
        let (anchored, own) = (attestation(Some("A maker")), attestation(None));
        let key = KeyFacts {
            aaguid: MODEL,
            backup_eligible: false,
            attestation: Some(&anchored),
        };
        let meets = |models: &Models, key| models.meets(KeyNeed::Hardware, key, now);
        assert_eq!(meets(&hardware, key), Ok(()));
        assert!(meets(&software, key).is_err());
        for attestation in [None, Some(&own)] {
            let unproven = KeyFacts { attestation, ..key };
            assert!(meets(&hardware, unproven).is_err());
        }
        let copied = KeyFacts {
            backup_eligible: true,
            ..key
        };
        assert_eq!(meets(&hardware, copied), Err(Refused::Copied));
        let other = KeyFacts {
            aaguid: Aaguid::ZERO,
            ..key
        };
        assert!(meets(&hardware, other).is_err());
        // Nobody certified this model.
        let refused = hardware.meets(KeyNeed::L1, key, now).unwrap_err();
        let words = "is certified none, and this needs at least L1";
        assert!(refused.to_string().contains(words), "{refused}");
    }
}
