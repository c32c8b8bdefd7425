//! Which models of authenticators a policy accepts.

use std::fmt;
use std::sync::Arc;

use hallway_ctap::aaguid::Aaguid;

use crate::certificate::Certificate;
use crate::metadata::{CertificationLevel, Metadata, Model, key_identifier};
use crate::model_id::ModelId;
use crate::relying_party::UnixSeconds;

/// A list of models.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelList {
    /// Every model.
    All,
    /// These and no others.
    Only(Vec<ModelId>),
    /// Every model but these.
    AllBut(Vec<ModelId>),
}

/// Where keys must live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeyProtection {
    /// In hardware, by the model's metadata.
    #[default]
    Hardware,
    /// Anywhere.
    Any,
}

/// Whose serial numbers are accepted, in the certificate's subject.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum SerialNumbers {
    /// Any, or none.
    #[default]
    Any,
    /// Those that start with one of these texts.
    StartingWith(Vec<String>),
}

/// What a policy requires of a model. `Default` is the strictest that can still be satisfied: known
/// to the metadata, certified, keys in hardware. [`ModelPolicy::any`] asks for nothing.
///
/// Whatever the policy, a model that the metadata call revoked or compromised is refused, and so is
/// one whose entry cannot be read: the entry might say that.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelPolicy {
    /// Which models.
    pub models: ModelList,
    /// At least this level; [`CertificationLevel::NotCertified`] asks for none.
    pub certification: CertificationLevel,
    /// Where keys must live.
    pub key_protection: KeyProtection,
    /// Which units, by serial number.
    pub serial_numbers: SerialNumbers,
    /// What is known about models.
    pub metadata: Option<Arc<Metadata>>,
}

impl Default for ModelPolicy {
    fn default() -> Self {
        Self {
            models: ModelList::All,
            certification: CertificationLevel::L1,
            key_protection: KeyProtection::Hardware,
            serial_numbers: SerialNumbers::Any,
            metadata: None,
        }
    }
}

/// Why a model is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The policy needs metadata, and they do not have the model.
    #[error("nothing is known about the authenticator's model {0}")]
    Unknown(Aaguid),
    /// The policy needs a trusted attestation, and there is none.
    #[error("the authenticator's model is not proven by an attestation")]
    Unproven,
    /// The metadata say that the model, or its batch, cannot be relied on.
    #[error("the model \"{model}\" has the status {status}")]
    Compromised {
        /// The model's name.
        model: String,
        /// The status, such as `REVOKED`.
        status: String,
    },
    /// The metadata have an entry for the model that cannot be read, so nobody can say that it was
    /// not revoked.
    #[error(
        "the metadata's entry for the model {model} cannot be read ({reason}), so it might be \
         revoked"
    )]
    Unreadable {
        /// The model, as the entry names it.
        model: ModelId,
        /// Why the entry cannot be read.
        reason: String,
    },
    /// The model is not on the list, or on the list of those that are refused.
    #[error("the model {0} is not one that the policy accepts")]
    NotAccepted(Aaguid),
    /// Certified at a lower level than the policy requires.
    #[error(
        "the model \"{model}\" is certified {found}, but the policy requires certification \
         {required}"
    )]
    Certification {
        /// The model's name.
        model: String,
        /// The level in force now.
        found: CertificationLevel,
        /// The level that the policy requires.
        required: CertificationLevel,
    },
    /// Keys do not live in hardware.
    #[error("the model \"{0}\" does not keep its keys in hardware only")]
    KeyProtection(String),
    /// The unit's serial number is missing, or not one of those accepted.
    #[error("the authenticator's serial number {0:?} is not one that the policy accepts")]
    SerialNumber(Option<String>),
}

/// What a registration proved about its authenticator.
pub(crate) struct Proof<'p> {
    pub(crate) aaguid: Aaguid,
    /// The chain, empty without one.
    pub(crate) chain: &'p [Certificate<'p>],
    pub(crate) standing: Standing,
    pub(crate) serial_number: Option<&'p str>,
}

/// Whether an anchor vouches for what a registration says about its authenticator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// An anchor does.
    Anchored,
    /// No anchor does: the authenticator only claims it.
    Claimed,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchored => "as its maker says",
            Self::Claimed => "by its own word alone",
        })
    }
}

/// What a registration said about its authenticator, as a relying party stored it to judge it
/// again when more is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredProof<'p> {
    /// The model.
    pub aaguid: Aaguid,
    /// The attestation's certificates, DER, leaf first; empty where there were none.
    pub chain: &'p [Vec<u8>],
    /// Whether they led to an anchor at registration.
    pub standing: Standing,
    /// The unit's own serial number.
    pub serial_number: Option<&'p str>,
}

impl ModelPolicy {
    /// Asks for nothing; revoked and compromised models, and those whose entry cannot be read, are
    /// refused all the same, where metadata are given.
    pub const fn any() -> Self {
        Self {
            models: ModelList::All,
            certification: CertificationLevel::NotCertified,
            key_protection: KeyProtection::Any,
            serial_numbers: SerialNumbers::Any,
            metadata: None,
        }
    }

    /// Whether only metadata can tell what the policy asks for.
    pub fn asks_metadata(&self) -> bool {
        self.certification > CertificationLevel::NotCertified
            || self.key_protection == KeyProtection::Hardware
    }

    /// Judges a credential that is registered already, by what is known at `now`. Its certificates
    /// are not verified again: they may have expired since.
    ///
    /// # Errors
    /// [`ModelError`]. Certificates that cannot be read prove nothing: [`ModelError::Unproven`].
    pub fn judge_again(
        &self,
        stored: &StoredProof<'_>,
        now: UnixSeconds,
    ) -> Result<(), ModelError> {
        let chain: Result<Vec<_>, _> = stored
            .chain
            .iter()
            .map(|der| Certificate::parse(der))
            .collect();
        let proof = Proof {
            aaguid: stored.aaguid,
            chain: &chain.map_err(|_| ModelError::Unproven)?,
            standing: stored.standing,
            serial_number: stored.serial_number,
        };
        self.judge(&proof, now)
    }

    /// The model, as far as the metadata know it.
    pub(crate) fn model(&self, aaguid: Aaguid, chain: &[Certificate<'_>]) -> Option<&Model> {
        self.metadata.as_deref()?.model(aaguid, chain)
    }

    pub(crate) fn judge(&self, proof: &Proof<'_>, now: UnixSeconds) -> Result<(), ModelError> {
        self.judge_readable(proof)?;
        let model = self.model(proof.aaguid, proof.chain);
        if let Some(model) = model
            && let Some(report) = model.compromise(now, proof.chain)
        {
            return Err(ModelError::Compromised {
                model: model.description.clone(),
                status: report.status.clone(),
            });
        }
        self.judge_list(proof)?;
        self.judge_serial_number(proof)?;
        if !self.asks_metadata() {
            return Ok(());
        }
        proven(proof)?;
        let model = model.ok_or(ModelError::Unknown(proof.aaguid))?;
        let found = model.certification(now);
        if found < self.certification {
            return Err(ModelError::Certification {
                model: model.description.clone(),
                found,
                required: self.certification,
            });
        }
        if self.key_protection == KeyProtection::Hardware && !model.is_hardware() {
            return Err(ModelError::KeyProtection(model.description.clone()));
        }
        Ok(())
    }

    fn judge_readable(&self, proof: &Proof<'_>) -> Result<(), ModelError> {
        let metadata = self.metadata.as_deref();
        let entry = metadata.and_then(|known| known.unreadable_entry(proof.aaguid, proof.chain));
        match entry {
            None => Ok(()),
            Some((model, entry)) => Err(ModelError::Unreadable {
                model,
                reason: entry.reason.clone(),
            }),
        }
    }

    fn judge_list(&self, proof: &Proof<'_>) -> Result<(), ModelError> {
        let is = |id: &ModelId| match id {
            ModelId::Aaguid(aaguid) => *aaguid == proof.aaguid,
            ModelId::Key(key) => proof.chain.iter().any(|link| key_identifier(link) == *key),
        };
        let accepted = match &self.models {
            ModelList::All => true,
            ModelList::Only(list) => {
                proven(proof)?;
                list.iter().any(is)
            }
            // A model that is only claimed may be a lie; one that is refused is refused anyway.
            ModelList::AllBut(list) => !list.iter().any(is),
        };
        if accepted {
            Ok(())
        } else {
            Err(ModelError::NotAccepted(proof.aaguid))
        }
    }

    fn judge_serial_number(&self, proof: &Proof<'_>) -> Result<(), ModelError> {
        let SerialNumbers::StartingWith(starts) = &self.serial_numbers else {
            return Ok(());
        };
        proven(proof)?;
        let accepted = proof
            .serial_number
            .is_some_and(|serial| starts.iter().any(|start| serial.starts_with(start)));
        if accepted {
            Ok(())
        } else {
            let serial = proof.serial_number.map(str::to_owned);
            Err(ModelError::SerialNumber(serial))
        }
    }
}

fn proven(proof: &Proof<'_>) -> Result<(), ModelError> {
    match proof.standing {
        Standing::Anchored => Ok(()),
        Standing::Claimed => Err(ModelError::Unproven),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_is_judged_by_what_is_known_now() {
        let aaguid: Aaguid = "cb69481e-8ff7-4039-93ec-0a2729a154a8".parse().unwrap();
        let stored = StoredProof {
            aaguid,
            chain: &[],
            standing: Standing::Claimed,
            serial_number: None,
        };
        let now = UnixSeconds(0);
        assert_eq!(ModelPolicy::any().judge_again(&stored, now), Ok(()));
        let denied = ModelPolicy {
            models: ModelList::AllBut(vec![ModelId::Aaguid(aaguid)]),
            ..ModelPolicy::any()
        };
        assert_eq!(
            denied.judge_again(&stored, now),
            Err(ModelError::NotAccepted(aaguid))
        );
        assert_eq!(
            ModelPolicy::default().judge_again(&stored, now),
            Err(ModelError::Unproven)
        );
        let broken = [vec![0x30]];
        let stored = StoredProof {
            chain: &broken,
            standing: Standing::Anchored,
            ..stored
        };
        assert_eq!(
            ModelPolicy::any().judge_again(&stored, now),
            Err(ModelError::Unproven)
        );
    }
}
