//! TPMT_SIGNATURE (TPM 2.0, part 2, 11.3.4), the form that 8.3 gives `sig`.
//!
//! Windows leaves the structure out and gives the bare signature, and so do the specification's own
//! test vectors; software that speaks to a TPM itself keeps it.

use std::borrow::Cow;

use hallway_ctap::cose::Algorithm;

use super::wire::Fields;
use crate::signature::ecdsa_der_of;

const RSASSA: u16 = 0x0014;
const RSAPSS: u16 = 0x0016;
const ECDSA: u16 = 0x0018;

/// The signature by `algorithm` in `bytes`: the one inside where `bytes` are a structure of that
/// algorithm, otherwise all of `bytes`. Either has to verify, so a wrong guess accepts nothing.
pub(super) fn unwrapped(algorithm: Algorithm, bytes: &[u8]) -> Cow<'_, [u8]> {
    inside(algorithm, bytes).unwrap_or(Cow::Borrowed(bytes))
}

fn inside(algorithm: Algorithm, bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut fields = Fields(bytes);
    if (fields.u16()?, fields.u16()?) != scheme(algorithm)? {
        return None;
    }
    let first = fields.sized()?;
    let signature = match algorithm.curve() {
        None => Cow::Borrowed(first),
        Some(_) => Cow::Owned(ecdsa_der_of(first, fields.sized()?)?),
    };
    fields.is_empty().then_some(signature)
}

/// `sigAlg` and the `hash` inside.
const fn scheme(algorithm: Algorithm) -> Option<(u16, u16)> {
    const SHA1: u16 = 0x0004;
    const SHA256: u16 = 0x000b;
    const SHA384: u16 = 0x000c;
    const SHA512: u16 = 0x000d;
    Some(match algorithm {
        Algorithm::Rs1 => (RSASSA, SHA1),
        Algorithm::Rs256 => (RSASSA, SHA256),
        Algorithm::Rs384 => (RSASSA, SHA384),
        Algorithm::Rs512 => (RSASSA, SHA512),
        Algorithm::Ps256 => (RSAPSS, SHA256),
        Algorithm::Ps384 => (RSAPSS, SHA384),
        Algorithm::Ps512 => (RSAPSS, SHA512),
        Algorithm::Es256 | Algorithm::Esp256 => (ECDSA, SHA256),
        Algorithm::Es384 | Algorithm::Esp384 => (ECDSA, SHA384),
        Algorithm::Es512 | Algorithm::Esp512 => (ECDSA, SHA512),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_taken_out_of_the_structure() {
        let rsa = [0, 0x14, 0, 0x0b, 0, 2, 7, 8];
        assert_eq!(unwrapped(Algorithm::Rs256, &rsa)[..], [7, 8]);
        let ecdsa = [0, 0x18, 0, 0x0b, 0, 2, 0, 1, 0, 1, 0x80];
        assert_eq!(
            unwrapped(Algorithm::Es256, &ecdsa)[..],
            [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]
        );
    }

    #[test]
    fn what_is_no_such_structure_of_the_algorithm_stays_as_it_is() {
        let rsa = [0, 0x14, 0, 0x0b, 0, 2, 7, 8];
        for algorithm in [
            Algorithm::Rs1,
            Algorithm::Ps256,
            Algorithm::Es256,
            Algorithm::EdDsa,
        ] {
            assert_eq!(unwrapped(algorithm, &rsa)[..], rsa, "{algorithm}");
        }
        for bytes in [&rsa[..7], &[&rsa[..], &[0]].concat(), &[0x30, 6], &[]] {
            assert_eq!(unwrapped(Algorithm::Rs256, bytes)[..], *bytes);
        }
    }
}
