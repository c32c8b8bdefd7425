//! A receipt: evidence and the proof that the log holds it.

use crate::evidence::{Evidence, MAX_EVIDENCE_BYTES};
use crate::fields::{DecodeError, Fields};
use crate::log::tlog_proof::{MAX_TLOG_PROOF_BYTES, TlogProof};

/// The longest receipt, in bytes.
pub const MAX_RECEIPT_BYTES: usize = MAX_EVIDENCE_BYTES + MAX_TLOG_PROOF_BYTES + 64;

/// The receipt that a gateway gives once evidence is on disk and in the log. Anybody who has the
/// trust file can check the receipt offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The evidence.
    pub evidence: Evidence,
    /// Where the log holds its hash, and the signed checkpoint that says so.
    pub proof: TlogProof,
}

impl Receipt {
    /// The deterministic encoding: `{evidence: its bytes, proof: the text of the tlog-proof}`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (evidence, proof) = (self.evidence.encode(), self.proof.to_string());
        Fields::default()
            .with("evidence", evidence.as_slice())
            .with("proof", proof.as_str())
            .encode()
    }

    /// Reads exactly one receipt of at most [`MAX_RECEIPT_BYTES`] bytes. Nothing is verified
    /// yet: see [`crate::verify`].
    ///
    /// # Errors
    /// [`DecodeError`] names the member that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::decode(bytes, MAX_RECEIPT_BYTES)?;
        let evidence = Evidence::decode(fields.take("evidence")?)?;
        let proof: &str = fields.take("proof")?;
        let proof = TlogProof::parse(proof).map_err(DecodeError::Proof)?;
        if proof.extra().is_some() {
            return Err(DecodeError::ExtraData);
        }
        fields.finish()?;
        Ok(Self { evidence, proof })
    }
}
