//! Cosignatures: a witness says that it saw a log grow and never change
//! (c2sp.org/tlog-cosignature).
//!
//! These are the Ed25519 ones, `cosignature/v1`, which today's tools read.

use core::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::checkpoint::Checkpoint;
use super::note::{COSIGNATURE_TYPE, NoteError, NoteKey, VerifierKey, parse};
use crate::timestamp::Timestamp;

/// The public key of a witness.
pub type CosignerKey = NoteKey<COSIGNATURE_TYPE>;

/// The key with which a witness cosigns.
pub struct CosigningKey {
    cosigner: CosignerKey,
    pair: Ed25519KeyPair,
}

/// Who cosigned a checkpoint, and when.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cosigned {
    /// The name of the witness's key.
    pub witness: String,
    /// When, to the second, by the witness's clock.
    pub at_ms: Timestamp,
}

impl CosigningKey {
    /// The Ed25519 key pair of a secret seed of 32 random bytes, which must be that of no other
    /// key: a cosignature does not commit to the cosigner's name.
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        // Any 32 bytes are an Ed25519 seed (RFC 8032, 5.1.5).
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::VerifierKey)?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self {
            cosigner: CosignerKey::new(name, public)?,
            pair,
        })
    }

    /// The public part.
    #[must_use]
    pub const fn cosigner(&self) -> &CosignerKey {
        &self.cosigner
    }

    /// The signature line by which the witness says that, as of `at`, this is the largest tree of
    /// that log that it has seen, and that it grew out of all earlier ones.
    #[must_use]
    pub fn cosign(&self, checkpoint: &Checkpoint, at: Timestamp) -> String {
        let seconds = at.as_seconds();
        let signature = self.pair.sign(&message(seconds, &checkpoint.text()));
        let signature = [&seconds.to_be_bytes(), signature.as_ref()].concat();
        self.cosigner.line(&signature)
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosigningKey({})", self.cosigner)
    }
}

impl CosignerKey {
    /// Checks that this witness cosigned `note`, and returns when (by its last line, if it cosigned
    /// more than once). [`Checkpoint::open`] reads the note and checks the log's signature.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when it did not, [`NoteError::Signature`] when its signature does
    /// not fit the text, or the note cannot be read.
    pub fn cosigned(&self, note: &str) -> Result<Timestamp, NoteError> {
        let check = |text: &str, signature: &[u8]| {
            let (time, signature) = signature.split_first_chunk::<8>()?;
            let seconds = u64::from_be_bytes(*time);
            // No witness means a time after the year 9999.
            let at = seconds.checked_mul(1000).map(Timestamp::from_ms)?;
            (at.as_seconds() == seconds && self.verifies(&message(seconds, text), signature))
                .then_some(at)
        };
        self.check_each(note, check).map(|(_, at)| at)
    }
}

/// Those of `witnesses` who cosigned `note`, in the order of `witnesses`.
///
/// # Errors
/// [`NoteError::Signature`] when the cosignature of one of them does not fit, or the note cannot be
/// read.
pub fn cosigned(note: &str, witnesses: &[CosignerKey]) -> Result<Vec<Cosigned>, NoteError> {
    let mut found = Vec::new();
    for witness in witnesses {
        match witness.cosigned(note) {
            Ok(at_ms) => found.push(Cosigned {
                witness: witness.name().to_owned(),
                at_ms,
            }),
            Err(NoteError::Unsigned(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The first signer of `note` who is neither the log nor one of `witnesses`, so that nobody can
/// check the signature. `None` when there is no such signer.
///
/// # Errors
/// When the note cannot be read.
pub fn unknown_signer<'a>(
    note: &str,
    log: &VerifierKey,
    witnesses: impl Iterator<Item = &'a CosignerKey> + Clone,
) -> Result<Option<String>, NoteError> {
    let (_, signatures) = parse(note)?;
    let mut unknown = signatures
        .iter()
        .filter(|found| !log.made(found) && !witnesses.clone().any(|witness| witness.made(found)));
    Ok(unknown.next().map(|found| found.name().to_owned()))
}

/// The signed bytes: two lines of their own, then the whole text of the checkpoint.
fn message(seconds: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

impl fmt::Display for Cosigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.witness, self.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SigningKey;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn witness(seed: u8) -> CosigningKey {
        CosigningKey::from_seed("gate.alpha.example/witness", &[seed; 32]).unwrap()
    }

    fn signed() -> (Checkpoint, String) {
        let key = SigningKey::from_seed("gate.beta.example/log", &[1; 32]).unwrap();
        let head = Checkpoint::new(key.name(), 42, [7; 32]).unwrap();
        let note = head.sign(&key);
        (head, note)
    }

    #[test]
    fn a_cosignature_counts_for_its_witness_and_leaves_the_logs_signature_alone() {
        let (head, note) = signed();
        let (one, other) = (witness(2), witness(3));
        let cosigned = note.clone() + &one.cosign(&head, NOW);
        assert_eq!(one.cosigner().cosigned(&cosigned), Ok(NOW));
        let unsigned = Err(NoteError::Unsigned("gate.alpha.example/witness".into()));
        assert_eq!(other.cosigner().cosigned(&cosigned), unsigned);
        assert_eq!(one.cosigner().cosigned(&note), unsigned);
        let key = SigningKey::from_seed("gate.beta.example/log", &[1; 32]).unwrap();
        assert_eq!(Checkpoint::open(&cosigned, &key.verifier()), Ok(head));
        assert_eq!(key.verifier().keep_own(&cosigned), Ok(note));
    }

    #[test]
    fn all_that_cosigned_are_found_and_a_wrong_one_is_never_passed_over() {
        let (head, note) = signed();
        let (one, other) = (witness(2), witness(3));
        let keys = [other.cosigner().clone(), one.cosigner().clone()];
        assert_eq!(cosigned(&note, &keys), Ok(Vec::new()));
        let both = format!(
            "{note}{}{}",
            one.cosign(&head, NOW),
            other.cosign(&head, NOW)
        );
        assert_eq!(cosigned(&both, &keys).unwrap().len(), 2);
        let moved = Checkpoint { size: 43, ..head };
        let wrong = note + &one.cosign(&moved, NOW);
        assert!(matches!(
            cosigned(&wrong, &keys),
            Err(NoteError::Signature(_))
        ));
    }

    #[test]
    fn times_that_nobody_meant_are_refused() {
        let (_, note) = signed();
        let one = witness(2);
        for seconds in [u64::MAX, 1 << 63, 253_402_300_800] {
            let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
            let signature = one.pair.sign(&message(seconds, &text));
            let bytes = [&seconds.to_be_bytes(), signature.as_ref()].concat();
            let line = one.cosigner().line(&bytes);
            let found = one.cosigner().cosigned(&(note.clone() + &line));
            assert!(matches!(found, Err(NoteError::Signature(_))), "{seconds}");
        }
    }

    #[test]
    fn a_key_of_one_type_is_none_of_the_other() {
        let text = witness(2).cosigner().to_string();
        assert_eq!(text.parse::<CosignerKey>().unwrap(), *witness(2).cosigner());
        assert_eq!(
            text.parse::<crate::log::VerifierKey>(),
            Err(NoteError::VerifierKey)
        );
    }

    proptest::proptest! {
        #[test]
        fn a_changed_byte_is_always_noticed(at: proptest::sample::Index, bit in 0u8..7) {
            let (head, _) = signed();
            let one = witness(2);
            let mut text = (head.text() + "\n" + &one.cosign(&head, NOW)).into_bytes();
            let at = at.index(text.len());
            text[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(text) {
                proptest::prop_assert!(one.cosigner().cosigned(&text).is_err());
            }
        }
    }
}
