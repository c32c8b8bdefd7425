//! Proofs that travel: inclusion and checkpoint in one text (c2sp.org/tlog-proof@v1).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{MAX_NOTE_BYTES, VerifierKey, gather};
use super::proof::{InclusionProof, MAX_PROOF_HASHES, ProofError};
use super::tree::leaf_hash;
use crate::hash::Hash;

/// The longest proof that is read, in bytes.
pub const MAX_TLOG_PROOF_BYTES: usize = MAX_NOTE_BYTES + 8 * 1024;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The start of a line of extra data.
const EXTRA: &str = "extra ";

/// Proves that a log holds an entry; anybody who has the log's key can check it offline. Prints in
/// its text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: String,
}

/// Why a proof is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not in the format.
    #[error("line {0} of the proof does not follow c2sp.org/tlog-proof@v1")]
    Line(usize),
    /// Longer than [`MAX_TLOG_PROOF_BYTES`].
    #[error("the proof has {0} bytes; at most 73728 are allowed")]
    TooLarge(usize),
    /// The signatures below the checkpoint are not in the order of [`gather`].
    #[error(
        "the checkpoint's signatures are out of order: the log's own comes first, the others \
         follow by their names, and no key signs twice"
    )]
    Signatures,
    /// The checkpoint is not accepted.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The inclusion proof does not hold.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

impl TlogProof {
    /// Joins an inclusion proof with the signed checkpoint of the tree that it is for.
    #[must_use]
    pub fn new(proof: &InclusionProof, checkpoint: String) -> Self {
        Self {
            extra: None,
            index: proof.index,
            hashes: proof.hashes.clone(),
            checkpoint,
        }
    }

    /// The extra data, whose meaning the application defines. Nothing authenticates them, and
    /// [`TlogProof::verify`] does not look at them. A [`Receipt`](crate::Receipt) has none.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The entry's index in the log, from 0. Unverified until [`TlogProof::verify`] passed.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The signed checkpoint. Unverified until [`TlogProof::verify`] passed.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Reads a proof of any application, with its extra data. An empty line of extra data is
    /// refused, and so are signatures in another order than that of [`gather`].
    ///
    /// # Errors
    /// [`TlogProofError::Line`] names the line; [`TlogProofError::Signatures`];
    /// [`TlogProofError::Checkpoint`] when the checkpoint is no signed note.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        if text.len() > MAX_TLOG_PROOF_BYTES {
            return Err(TlogProofError::TooLarge(text.len()));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(TlogProofError::Line(text.lines().count()))?;
        let mut lines = (1..).zip(head.split('\n')).peekable();
        if lines.next() != Some((1, FIRST_LINE)) {
            return Err(TlogProofError::Line(1));
        }
        let extra = lines
            .next_if(|(_, line)| line.starts_with(EXTRA))
            .map(|(number, line)| {
                let data = STANDARD.decode(&line[EXTRA.len()..]).ok();
                data.filter(|data| !data.is_empty())
                    .ok_or(TlogProofError::Line(number))
            })
            .transpose()?;
        let index_at = if extra.is_some() { 3 } else { 2 };
        let index = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix("index "))
            .and_then(|index| index.parse().ok())
            .ok_or(TlogProofError::Line(index_at))?;
        let hashes = lines
            .take(MAX_PROOF_HASHES + 1)
            .map(|(number, line)| {
                STANDARD
                    .decode(line)
                    .ok()
                    .and_then(|hash| hash.try_into().ok())
                    .ok_or(TlogProofError::Line(number))
            })
            .collect::<Result<Vec<Hash>, _>>()?;
        if hashes.len() > MAX_PROOF_HASHES {
            return Err(TlogProofError::Line(index_at + 1 + MAX_PROOF_HASHES));
        }
        if gather([checkpoint]).map_err(CheckpointError::from)? != checkpoint {
            return Err(TlogProofError::Signatures);
        }
        let proof = Self {
            extra,
            index,
            hashes,
            checkpoint: checkpoint.to_owned(),
        };
        if proof.to_string() == text {
            Ok(proof)
        } else {
            Err(TlogProofError::Line(index_at))
        }
    }

    /// Checks that the log of `key` holds `entry`, and returns the checkpoint that says so.
    ///
    /// # Errors
    /// [`TlogProofError`] says whether the checkpoint or the inclusion proof is wrong.
    pub fn verify(&self, entry: &[u8], key: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        let head = Checkpoint::open(&self.checkpoint, key)?;
        InclusionProof {
            index: self.index,
            size: head.size,
            hashes: self.hashes.clone(),
        }
        .verify(&leaf_hash(entry), &head.root)?;
        Ok(head)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "{EXTRA}{}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Appender, SigningKey};

    fn example() -> (TlogProof, VerifierKey) {
        let key = SigningKey::from_seed("gate.example/log", &[1; 32]).unwrap();
        let appended = Appender::new().append(&[[1; 32], [2; 32], [3; 32]]);
        let head = Checkpoint::new(key.name(), appended.size, appended.root).unwrap();
        let proof = TlogProof::new(&appended.proofs[1], head.sign(&key));
        (proof, key.verifier())
    }

    #[test]
    fn is_read_back_and_verifies() {
        let (proof, key) = example();
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 1\n"));
        assert_eq!(TlogProof::parse(&text), Ok(proof.clone()));
        assert_eq!(proof.verify(&[2; 32], &key).unwrap().size, 3);
        assert_eq!(
            proof.verify(&[3; 32], &key),
            Err(TlogProofError::Inclusion(ProofError::Root))
        );
        let other = SigningKey::from_seed("gate.example/log", &[2; 32]).unwrap();
        assert!(matches!(
            proof.verify(&[2; 32], &other.verifier()),
            Err(TlogProofError::Checkpoint(_))
        ));
    }

    #[test]
    fn extra_data_are_read_and_kept_and_prove_nothing() {
        let (proof, key) = example();
        let text = proof.to_string();
        assert_eq!(proof.extra(), None);
        let foreign = text.replacen("index 1", "extra YW55dGhpbmc=\nindex 1", 1);
        let read = TlogProof::parse(&foreign).unwrap();
        assert_eq!(read.extra(), Some(b"anything".as_slice()));
        assert_eq!((read.index(), read.to_string()), (1, foreign));
        assert_eq!(read.verify(&[2; 32], &key).unwrap().size, 3);
        assert!(read.verify(&[3; 32], &key).is_err());
    }

    #[test]
    fn malformed_texts_are_refused_by_line() {
        let text = example().0.to_string();
        for (from, to, line) in [
            ("@v1", "@v2", 1),
            ("index 1", "index 01", 2),
            ("index 1", "extra \nindex 1", 2),
            ("index 1", "extra A\nindex 1", 2),
            ("index 1", "extra AB==\nindex 1", 2),
            ("index 1", "extra AA==\nindex 01", 3),
            ("index 1", "extra AA==\nextra AA==\nindex 1", 3),
            ("index 1", "index 1\nextra AA==", 3),
            ("index 1\n", "index 1\nAAAA\n", 3),
        ] {
            assert_eq!(
                TlogProof::parse(&text.replacen(from, to, 1)),
                Err(TlogProofError::Line(line)),
                "{to}"
            );
        }
        let long = text.replacen(
            "index 1\n",
            &format!(
                "index 1\n{}",
                format!("{}\n", STANDARD.encode([0; 32])).repeat(200)
            ),
            1,
        );
        assert_eq!(TlogProof::parse(&long), Err(TlogProofError::Line(131)));
        assert!(TlogProof::parse("").is_err());
        assert!(TlogProof::parse(&"x".repeat(MAX_TLOG_PROOF_BYTES + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_changed_byte_is_always_noticed(at: proptest::sample::Index, bit in 0u8..7) {
            let (proof, key) = example();
            let mut text = proof.to_string().into_bytes();
            let at = at.index(text.len());
            text[at] ^= 1 << bit;
            let noticed = String::from_utf8(text).ok().is_none_or(|text| {
                TlogProof::parse(&text).is_ok_and(|proof| proof.verify(&[2; 32], &key).is_err())
                    || TlogProof::parse(&text).is_err()
            });
            proptest::prop_assert!(noticed);
        }
    }
}
