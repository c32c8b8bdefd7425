//! What keys proved about their authenticators when they were registered, kept to be judged again
//! when more is known about a model.

use hallway_evidence::CredentialId;
use sea_orm::{EntityTrait, IntoActiveModel};

use super::column::{Cell, text};
use super::entity::attestation as row;
use super::error::StoreError;
use super::unit::Unit;

/// An attestation that verified. Without a row, a key's attestation was `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttestation {
    /// The format, such as `packed`.
    pub format: String,
    /// The certificates, DER, leaf first; empty where the key attested itself.
    pub chain: Vec<Vec<u8>>,
    /// The name of the anchor that the certificates led to then, if they led to one.
    pub anchor: Option<String>,
    /// The unit's own serial number, if its certificate has one.
    pub serial_number: Option<String>,
}

/// The attestations. They go with their credential.
#[derive(Clone, Copy, Debug)]
pub struct AttestationRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The attestations. They go with their credential.
    #[must_use]
    pub const fn attestations(&self) -> AttestationRows<'_> {
        AttestationRows(self)
    }
}

impl TryFrom<row::Model> for KeyAttestation {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            format: row.format,
            chain: decode(&row.chain).map_err(|_| Cell("attestation", "chain").corrupt())?,
            anchor: row.anchor,
            serial_number: row.serial,
        })
    }
}

/// A CBOR array of byte strings.
fn encode(chain: &[Vec<u8>]) -> Vec<u8> {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    // Writing to a Vec cannot fail.
    let _ = encoder.array(chain.len() as u64);
    for certificate in chain {
        let _ = encoder.bytes(certificate);
    }
    encoder.into_writer()
}

/// Reads what `encode` wrote.
pub fn decode(bytes: &[u8]) -> Result<Vec<Vec<u8>>, minicbor::decode::Error> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let certificates = decoder.array_iter::<&minicbor::bytes::ByteSlice>()?;
    certificates.map(|der| Ok(der?.to_vec())).collect()
}

impl AttestationRows<'_> {
    /// Keeps the attestation of a credential that was added before, in the same unit.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it has one.
    pub async fn add(
        &self,
        id: &CredentialId,
        attestation: &KeyAttestation,
    ) -> Result<(), StoreError> {
        let row = row::Model {
            credential_id: id.as_bytes().to_vec(),
            format: attestation.format.clone(),
            chain: encode(&attestation.chain),
            anchor: attestation.anchor.clone(),
            serial: attestation.serial_number.as_deref().map(text),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("attestation"))?;
        Ok(())
    }

    /// A credential's.
    pub async fn get(&self, id: &CredentialId) -> Result<Option<KeyAttestation>, StoreError> {
        row::Entity::find_by_id(id.as_bytes().to_vec())
            .one(&self.0.db())
            .await?
            .map(KeyAttestation::try_from)
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_back() {
        for chain in [
            vec![],
            vec![vec![0x30, 0]],
            vec![vec![1; 900], vec![2; 400]],
        ] {
            assert_eq!(decode(&encode(&chain)).unwrap(), chain);
        }
        assert!(decode(&[0x81, 0x42, 0]).is_err());
    }
}
