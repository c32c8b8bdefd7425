//! The two ways to write an ECDSA signature: fixed length, as JSON signatures have it, and DER.

use super::without_leading_zeros;

/// Turns an ECDSA signature of two numbers, each of `width` bytes, into the DER form that
/// [`super::verify_raw`] takes.
pub(crate) fn ecdsa_der(fixed: &[u8], width: usize) -> Option<Vec<u8>> {
    let (r, s) = fixed.split_at_checked(width)?;
    if s.len() != width {
        return None;
    }
    ecdsa_der_of(r, s)
}

/// The DER form of an ECDSA signature, from its two numbers, of at most 66 bytes each.
pub(crate) fn ecdsa_der_of(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    const MAX_BYTES: usize = 66;
    if r.len() > MAX_BYTES || s.len() > MAX_BYTES {
        return None;
    }
    let mut body = Vec::with_capacity(2 * MAX_BYTES + 6);
    for number in [r, s] {
        let digits = without_leading_zeros(number);
        let sign = usize::from(digits.first().is_none_or(|first| first & 0x80 != 0));
        body.extend([2, (digits.len() + sign) as u8]);
        body.extend(std::iter::repeat_n(0, sign));
        body.extend_from_slice(digits);
    }
    let mut der = vec![0x30];
    if body.len() >= 128 {
        der.push(0x81);
    }
    der.push(u8::try_from(body.len()).ok()?);
    der.extend(body);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_signatures_become_der() {
        let fixed = [&[0, 0, 0x80][..], &[0, 0, 0]].concat();
        assert_eq!(
            ecdsa_der(&fixed, 3).unwrap(),
            [0x30, 7, 2, 2, 0, 0x80, 2, 1, 0]
        );
        assert_eq!(ecdsa_der(&fixed, 4), None);
        assert_eq!(ecdsa_der(&[0xff; 132], 66).unwrap()[..3], [0x30, 0x81, 138]);
    }
}
