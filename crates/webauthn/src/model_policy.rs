//! Which models of authenticators a door accepts.

use std::sync::Arc;

use hallway_ctap::aaguid::Aaguid;

use crate::certificate::Certificate;
use crate::metadata::{CertificationLevel, KeyIdentifier, Metadata, Model, key_identifier};
use crate::relying_party::UnixSeconds;

/// What names a model.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ModelId {
    /// A FIDO2 model.
    Aaguid(Aaguid),
    /// A U2F model, by its attestation certificate's key.
    Key(KeyIdentifier),
}

/// A list of models.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelList {
    /// Every model.
    All,
    /// These and no others.
    Only(Vec<ModelId>),
    /// All others.
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

/// What a model must be. `Default` is the strictest that can still be satisfied: known to the
/// metadata, certified, keys in hardware. [`ModelPolicy::any`] asks for nothing.
///
/// Whatever the policy, a model that the metadata call revoked or compromised is refused.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelPolicy {
    /// Which models.
    pub models: ModelList,
    /// At least this level; [`CertificationLevel::NotCertified`] asks for none.
    pub certification: CertificationLevel,
    /// Where keys must live.
    pub key_protection: KeyProtection,
    /// Which units.
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
    /// The policy asks what only metadata can say, and the model is not in them.
    #[error("nothing is known about the authenticator's model {0}")]
    Unknown(Aaguid),
    /// The policy asks what only a trusted attestation proves.
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
    /// The model is not on the list, or on the list of those that are refused.
    #[error("the model {0} is not one that the policy accepts")]
    NotAccepted(Aaguid),
    /// Less certified than asked for.
    #[error("the model \"{model}\" is certified {found:?}, the policy asks for {required:?}")]
    Certification {
        /// The model's name.
        model: String,
        /// In force now.
        found: CertificationLevel,
        /// In the policy.
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
pub(crate) enum Standing {
    Anchored,
    Claimed,
}

impl ModelPolicy {
    /// Asks for nothing; revoked and compromised models are refused all the same, where metadata
    /// are given.
    pub const fn any() -> Self {
        Self {
            models: ModelList::All,
            certification: CertificationLevel::NotCertified,
            key_protection: KeyProtection::Any,
            serial_numbers: SerialNumbers::Any,
            metadata: None,
        }
    }

    /// The model, as far as the metadata know it.
    pub(crate) fn model(&self, aaguid: Aaguid, chain: &[Certificate<'_>]) -> Option<&Model> {
        self.metadata.as_deref()?.model(aaguid, chain)
    }

    pub(crate) fn judge(&self, proof: &Proof<'_>, now: UnixSeconds) -> Result<(), ModelError> {
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
        let asks = self.certification > CertificationLevel::NotCertified
            || self.key_protection == KeyProtection::Hardware;
        if !asks {
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
