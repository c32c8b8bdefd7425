//! Ed448 (RFC 8032, 5.2), which aws-lc does not have: this one check is done in Rust.

/// Checks a signature; `None` where it does not verify, or the key is invalid.
pub(super) fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key: &[u8; 57] = key.try_into().ok()?;
    // The crate accepts points that are not encoded canonically (RFC 8032, 5.2.3, step 1).
    if !point_is_canonical(key) || !point_is_canonical(signature.first_chunk()?) {
        return None;
    }
    let key = ed448_goldilocks::VerifyingKey::from_bytes(key).ok()?;
    let signature = ed448_goldilocks::Signature::from_slice(signature).ok()?;
    key.verify_raw(&signature, message).ok()
}

/// Whether the unused bits of the last byte are clear and y, little-endian, is less than
/// 2^448 - 2^224 - 1: all bits set but bit 224.
fn point_is_canonical(point: &[u8; 57]) -> bool {
    let (low, rest) = point.split_at(28);
    let all_set = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0xff);
    let (middle, high, last) = (rest[0], &rest[1..28], rest[28]);
    let reaches_p = all_set(high) && (middle == 0xff || (middle == 0xfe && all_set(low)));
    last & 0x7f == 0 && !reaches_p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_one_encoding() {
        let mut point = [0xff; 57];
        point[56] = 0x80;
        point[28] = 0xfe;
        assert!(!point_is_canonical(&point), "y is p");
        point[0] = 0xfe;
        assert!(point_is_canonical(&point), "y is p - 1");
        point[28] = 0xff;
        assert!(!point_is_canonical(&point), "y is more than p");
        point = [0; 57];
        assert!(point_is_canonical(&point));
        point[56] = 1;
        assert!(!point_is_canonical(&point), "an unused bit");
    }
}
