//! The two numbers of an ECDSA signature (RFC 3279, section 2.2.3).

/// `(r, s)`, big-endian without leading zeros; `None` for anything but exactly such a signature.
pub(crate) fn ecdsa_numbers(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, []) = element(0x30, signature)? else {
        return None;
    };
    let (r, rest) = element(0x02, body)?;
    let (s, []) = element(0x02, rest)? else {
        return None;
    };
    Some((unsigned(r), unsigned(s)))
}

/// Splits off one element whose length fits one byte: all that a P-256 signature has.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag || length >= 0x80 {
        return None;
    }
    rest.split_at_checked(usize::from(length))
}

fn unsigned(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_without_their_sign_byte() {
        let signature = [0x30, 7, 0x02, 2, 0x00, 0x80, 0x02, 1, 0x05];
        assert_eq!(ecdsa_numbers(&signature), Some((&[0x80][..], &[5][..])));
        for end in 0..signature.len() {
            assert_eq!(ecdsa_numbers(&signature[..end]), None);
        }
        assert_eq!(ecdsa_numbers(&[&signature[..], &[0]].concat()), None);
    }
}
