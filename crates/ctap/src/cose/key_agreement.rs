//! The ECDH public key of the PIN/UV auth protocols (CTAP 2.3, section 6.5.6).

use alloc::vec::Vec;

use crate::cbor::{Encode, MapBuilder, ReadError, Value};

/// A P-256 point as a COSE_Key with algorithm -25 (ECDH-ES + HKDF-256).
///
/// The key agreement checks that the point is on the curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyAgreementKey {
    /// The x coordinate, big-endian.
    pub x: [u8; 32],
    /// The y coordinate, big-endian.
    pub y: [u8; 32],
}

const ECDH_ES_HKDF_256: i64 = -25;

impl KeyAgreementKey {
    /// Reads the COSE_Key.
    ///
    /// # Errors
    /// [`ReadError::Value`] for another key type, curve or algorithm, and for coordinates of
    /// another length: the key is not a key agreement key.
    pub fn parse(value: Value<'_>) -> Result<Self, ReadError> {
        let map = value.map()?;
        for (label, expected) in [(1, 2), (3, ECDH_ES_HKDF_256), (-1, 1)] {
            if map.required(label)?.integer()? != expected {
                return Err(ReadError::Value);
            }
        }
        let coordinate = |label: i64| {
            let bytes = map.required(label)?.bytes()?;
            bytes.try_into().map_err(|_| ReadError::Value)
        };
        Ok(Self {
            x: coordinate(-2)?,
            y: coordinate(-3)?,
        })
    }

    /// The uncompressed SEC 1 point, `04 || x || y`.
    pub fn to_sec1(&self) -> [u8; 65] {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&self.x);
        point[33..].copy_from_slice(&self.y);
        point
    }

    /// Takes an uncompressed SEC 1 point apart; `None` for anything else.
    pub fn from_sec1(point: &[u8]) -> Option<Self> {
        let (&4, rest) = point.split_first()? else {
            return None;
        };
        let (x, y) = rest.split_first_chunk::<32>()?;
        Some(Self {
            x: *x,
            y: y.try_into().ok()?,
        })
    }
}

impl Encode for KeyAgreementKey {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put(1, 2u8)
            .put(3, ECDH_ES_HKDF_256)
            .put(-1, 1u8)
            .put(-2, self.x)
            .put(-3, self.y)
            .encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Form;

    #[test]
    fn the_key_survives_and_a_signature_key_is_refused() {
        let key = KeyAgreementKey {
            x: [1; 32],
            y: [2; 32],
        };
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        let value = Value::parse(&bytes, Form::Canonical).unwrap();
        assert_eq!(KeyAgreementKey::parse(value), Ok(key));
        assert_eq!(KeyAgreementKey::from_sec1(&key.to_sec1()), Some(key));
        assert_eq!(KeyAgreementKey::from_sec1(&key.to_sec1()[..64]), None);
        let at = bytes.windows(3).position(|w| w == [3, 0x38, 0x18]);
        bytes[at.unwrap() + 2] = 0x19;
        let value = Value::parse(&bytes, Form::Canonical).unwrap();
        assert_eq!(KeyAgreementKey::parse(value), Err(ReadError::Value));
    }
}
