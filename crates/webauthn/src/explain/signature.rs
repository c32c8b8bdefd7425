//! A signature.

use super::{Field, Part};

/// Splits a signature. An ECDSA signature is two numbers in DER (RFC 3279, 2.2.3).
pub fn signature(bytes: &[u8]) -> Part {
    let fields = match ecdsa(bytes) {
        Some([r, s]) => vec![
            Field::within(
                bytes,
                r,
                "r",
                "The first number of an ECDSA signature, made from a random point of the curve.",
            ),
            Field::within(
                bytes,
                s,
                "s",
                "The second number, made from the first, the message's hash and the private key.",
            ),
        ],
        None => vec![Field::new(
            0,
            bytes,
            "Signature",
            "Made with the private key, checked with the public one.",
        )],
    };
    Part {
        id: "signature",
        title: "Signature".to_owned(),
        lead: "Over the authenticator data, followed by the SHA-256 of the client data. Only the \
               private key could make it; the public key is enough to check it."
            .to_owned(),
        length: bytes.len(),
        fields,
    }
}

/// The two integers of `SEQUENCE { INTEGER, INTEGER }`, if `bytes` are one. Signatures of
/// the curves in use are short enough for lengths of one byte.
fn ecdsa(bytes: &[u8]) -> Option<[&[u8]; 2]> {
    let (0x30, rest) = bytes.split_first().map(|(tag, rest)| (*tag, rest))? else {
        return None;
    };
    let (length, rest) = rest.split_first()?;
    if usize::from(*length) != rest.len() {
        return None;
    }
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then_some([r, s])
}

fn integer(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = bytes else {
        return None;
    };
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecdsa_signature_is_two_numbers() {
        let part = signature(&[0x30, 6, 2, 1, 5, 2, 1, 9]);
        let fields: Vec<_> = part
            .fields
            .iter()
            .map(|f| (f.offset, f.name.as_str()))
            .collect();
        assert_eq!(fields, [(4, "r"), (7, "s")]);
    }

    #[test]
    fn any_other_signature_is_one_field() {
        assert_eq!(signature(&[7; 64]).fields.len(), 1);
        assert_eq!(signature(&[0x30, 6, 2, 1, 5, 2, 9, 9]).fields.len(), 1);
    }
}
