//! The proof that a log was rewritten: two checkpoints under its own signature that exclude one
//! another.

use serde::{Deserialize, Serialize};

use super::super::checkpoint::{Checkpoint, CheckpointError};
use super::super::note::VerifierKey;
use super::super::proof::consistency_roots;
use crate::hash::Hash;

/// Two checkpoints that the log signed, and why they exclude one another. Anybody who has the log's
/// key can check it, so nobody has to trust the witness that shows it. JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// The checkpoint that was cosigned: its note, signed by the log.
    pub first: String,
    /// The one that came later: its note, signed by the log.
    pub second: String,
    /// Empty when both have the same number of entries. Otherwise a consistency proof that leads
    /// from another tree than the first one's to the second one's root.
    /// Hexadecimal in JSON.
    #[serde(with = "hex_hashes")]
    pub proof: Vec<Hash>,
}

/// The two checkpoints of a [`Fork`] that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forked {
    /// The number of entries of the first checkpoint.
    pub first: u64,
    /// The number of entries of the second.
    pub second: u64,
}

/// Why a fork is not proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// A checkpoint that the log did not sign.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The two may well be of one log.
    #[error("nothing here shows that the second checkpoint did not grow out of the first")]
    Nothing,
}

impl Fork {
    /// Checks that the log of `key` signed both, and that they exclude one another.
    ///
    /// # Errors
    /// [`ForkError`].
    pub fn verify(&self, key: &VerifierKey) -> Result<Forked, ForkError> {
        let first = Checkpoint::open(&self.first, key)?;
        let second = Checkpoint::open(&self.second, key)?;
        let forked = if first.size == second.size {
            first.root != second.root
        } else {
            let old_root = &first.root;
            (1..second.size).contains(&first.size)
                && consistency_roots(first.size, old_root, second.size, &self.proof)
                    .is_ok_and(|(was, is)| is == second.root && was != first.root)
        };
        if forked {
            Ok(Forked {
                first: first.size,
                second: second.size,
            })
        } else {
            Err(ForkError::Nothing)
        }
    }
}

mod hex_hashes {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::hash::Hash;

    pub(super) fn serialize<S: Serializer>(
        hashes: &[Hash],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = hashes.iter().map(hex::encode).collect();
        texts.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Hash>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .into_iter()
            .map(|text| {
                let mut hash = [0; 32];
                hex::decode_to_slice(text, &mut hash).map_err(D::Error::custom)?;
                Ok(hash)
            })
            .collect()
    }
}
