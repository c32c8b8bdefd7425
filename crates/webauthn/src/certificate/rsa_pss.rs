//! The parameters of RSASSA-PSS in X.509 (RFC 4055, 3.1).

use x509_parser::asn1_rs::Any;

use crate::der::{self, Reader, Tag};
use crate::signature::Hash;

/// The hash of RSASSA-PSS parameters (RFC 4055, 3.1), where the mask is made by the same hash and
/// the salt is as long as it. The defaults, which mean SHA-1, are refused.
pub(super) fn hash(parameters: &Any<'_>) -> Option<Hash> {
    const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    let mut fields = Reader::new(parameters.data);
    let mut hash_algorithm =
        Reader::new(der::only(fields.expect(Tag::context(0))?, Tag::SEQUENCE)?);
    let hash = hash_algorithm.expect(Tag::OID)?;
    let mut mask = Reader::new(der::only(fields.expect(Tag::context(1))?, Tag::SEQUENCE)?);
    let is_mgf1 = mask.expect(Tag::OID)? == MGF1;
    let mask_hash = Reader::new(mask.expect(Tag::SEQUENCE)?).expect(Tag::OID)?;
    let salt = der::only(fields.expect(Tag::context(2))?, Tag::INTEGER).and_then(der::unsigned)?;
    let (hash_id, length) = match hash.strip_prefix(SHA2)? {
        [1] => (Hash::Sha256, 32),
        [2] => (Hash::Sha384, 48),
        [3] => (Hash::Sha512, 64),
        _ => return None,
    };
    (is_mgf1 && mask_hash == hash && salt == length && fields.is_empty()).then_some(hash_id)
}

/// 2.16.840.1.101.3.4.2, the arc of SHA-2.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
