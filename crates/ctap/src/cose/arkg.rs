//! The public seed of ARKG-P256 as a COSE_Key (draft-bradleylundberg-cfrg-arkg, section 5.1).

use alloc::vec::Vec;

use super::{Algorithm, KeyAgreementKey, PublicKey};
use crate::cbor::{Encode, Encoded, MapBuilder};

/// Anyone with this seed can derive public keys; only the holder of the private seed can derive the
/// private keys that belong to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArkgPublicSeed {
    /// `pkbl`, to which the derived key's blinding factor is added: its x coordinate, big-endian.
    pub blinding_x: [u8; 32],
    /// The y coordinate of `pkbl`, big-endian.
    pub blinding_y: [u8; 32],
    /// `pkkem`, with which a derived key's secret is encapsulated.
    pub encapsulation: KeyAgreementKey,
}

/// ARKG-pub and ARKG-P256: the draft's placeholders.
const KEY_TYPE: i64 = -65537;
const ARKG_P256: i64 = -65700;

/// Keys that are derived from the seed are for ESP256 (`dkalg`).
///
/// Both keys inside name their algorithm (`alg`), ESP256 and ECDH-ES + HKDF-256: COSE leaves it
/// optional, but some readers require it.
impl Encode for ArkgPublicSeed {
    fn encode(&self, out: &mut Vec<u8>) {
        let blinding = PublicKey::Ec2 {
            algorithm: Algorithm::Esp256,
            x: &self.blinding_x,
            y: &self.blinding_y,
        };
        MapBuilder::new()
            .put(1, KEY_TYPE)
            .put(3, ARKG_P256)
            .put(-1, Encoded(&blinding.encode()))
            .put(-2, self.encapsulation)
            .put(-3, Algorithm::Esp256.id())
            .encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of section 5.1, without `kid` and with the algorithms of the two keys.
    #[test]
    fn a_seed_looks_as_in_the_draft() {
        let array = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
        let seed = ArkgPublicSeed {
            blinding_x: array("69380fc1c3b09652134feefba61776f97af875ce46ca20252c4165102966ebc5"),
            blinding_y: array("8b515831462ccb0bd55cba04bfd50da63faf18bd845433622daf97c06a10d0f1"),
            encapsulation: KeyAgreementKey {
                x: array("5c099bec31faa581d14e208250d3ffda9ec7f543043008bc84967a8d875b5d78"),
                y: array("539d57429fcb1c138da29010a155dca14566a8f55ac2f1780810c49d4ed72d58"),
            },
        };
        let mut encoded = Vec::new();
        seed.encode(&mut encoded);
        let expected = "a5013a00010000033a000100a3\
            20a501020328 2001\
            21582069380fc1c3b09652134feefba61776f97af875ce46ca20252c4165102966ebc5\
            2258208b515831462ccb0bd55cba04bfd50da63faf18bd845433622daf97c06a10d0f1\
            21a50102033818 2001\
            2158205c099bec31faa581d14e208250d3ffda9ec7f543043008bc84967a8d875b5d78\
            225820539d57429fcb1c138da29010a155dca14566a8f55ac2f1780810c49d4ed72d58\
            2228";
        assert_eq!(hex::encode(encoded), expected.replace(' ', ""));
    }
}
