//! RSA keys of 2048 bits from a seed of 32 bytes, the same key each time: a security key keeps
//! only a seed of each credential, whatever its algorithm.
//!
//! Candidates for the primes come from HKDF-SHA-256 over the seed, each one afresh, and the first
//! ones that are prime are taken (FIPS 186-5, A.1.3, with a fixed source of bits). A library is
//! asked only which numbers are prime, so no later version of it can find other keys.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use aws_lc_rs::rsa::KeyPair;
use crypto_bigint::{Limb, NonZero, Odd, U1024, U2048, Word};
use crypto_primes::{Flavor, is_prime};
use hallway_authenticator::SignatureError;
use zeroize::Zeroizing;

const EXPONENT: Word = 65_537;
const PRIME_BYTES: usize = 128;
/// The probability that none of this many candidates is prime is below 2^-128.
const MAX_CANDIDATES: u32 = 100_000;
/// Candidates with an odd divisor below this number are rejected at once.
const SMALL_DIVISORS_BELOW: Word = 1000;

/// The private key that belongs to `seed`. Finding it takes some tenths of a second.
pub(crate) fn from_seed(seed: &[u8]) -> Result<KeyPair, SignatureError> {
    let source = Prk::new_less_safe(HKDF_SHA256, seed);
    let p = prime(&source, "p")?;
    let q = prime(&source, "q")?;
    let (p, q) = match p > q {
        true => (p, q),
        false => (q, p),
    };
    let der = private_key(&p, &q).ok_or(SignatureError)?;
    // Checks that the numbers belong together.
    KeyPair::from_der(&der).map_err(|_| SignatureError)
}

/// The first prime of its source that is fit for the exponent. Its two highest bits are set, so
/// that the product of two has 2048 bits.
fn prime(source: &Prk, which: &'static str) -> Result<U1024, SignatureError> {
    for attempt in 0..MAX_CANDIDATES {
        let mut bytes = Zeroizing::new([0; PRIME_BYTES]);
        source
            .expand(
                &[
                    b"hallway RSA prime ",
                    which.as_bytes(),
                    &attempt.to_be_bytes(),
                ],
                Length,
            )
            .and_then(|output| output.fill(&mut bytes[..]))
            .map_err(|_| SignatureError)?;
        bytes[0] |= 0xc0;
        bytes[PRIME_BYTES - 1] |= 1;
        let candidate = U1024::from_be_slice(&bytes[..]);
        if !has_small_factor(&candidate)
            && remainder(&candidate.wrapping_sub(&U1024::ONE), EXPONENT) != Some(0)
            && is_prime(Flavor::Any, &candidate)
        {
            return Ok(candidate);
        }
    }
    Err(SignatureError)
}

fn has_small_factor(candidate: &U1024) -> bool {
    (3..SMALL_DIVISORS_BELOW)
        .step_by(2)
        .any(|divisor| remainder(candidate, divisor) == Some(0))
}

fn remainder(number: &U1024, divisor: Word) -> Option<Word> {
    let divisor: Option<NonZero<Limb>> = NonZero::new(Limb(divisor)).into_option();
    Some(number.rem_limb(divisor?).0)
}

/// RSAPrivateKey (RFC 8017, A.1.2); `p` is the larger prime.
fn private_key(p: &U1024, q: &U1024) -> Option<Zeroizing<Vec<u8>>> {
    let less = |prime: &U1024| NonZero::new(prime.wrapping_sub(&U1024::ONE)).into_option();
    let (p1, q1) = (less(p)?, less(q)?);
    let n: U2048 = p.concatenating_mul(q);
    let phi: U2048 = p1.as_ref().concatenating_mul(q1.as_ref());
    let phi = NonZero::new(phi).into_option()?;
    let d: U2048 = U2048::from(EXPONENT).invert_mod(&phi).into_option()?;
    let q_inverse = q
        .invert_odd_mod(&Odd::new(*p).into_option()?)
        .into_option()?;
    let mut numbers = Zeroizing::new(vec![0x02, 1, 0]);
    for number in [
        n.to_be_bytes().as_ref(),
        &EXPONENT.to_be_bytes(),
        d.to_be_bytes().as_ref(),
        p.to_be_bytes().as_ref(),
        q.to_be_bytes().as_ref(),
        d.rem(&p1).to_be_bytes().as_ref(),
        d.rem(&q1).to_be_bytes().as_ref(),
        q_inverse.to_be_bytes().as_ref(),
    ] {
        integer(number, &mut numbers);
    }
    let mut der = Zeroizing::new(vec![0x30]);
    length(numbers.len(), &mut der);
    der.extend_from_slice(&numbers);
    Some(der)
}

/// A DER INTEGER that is not negative.
fn integer(big_endian: &[u8], out: &mut Vec<u8>) {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = big_endian.get(zeros..).unwrap_or_default();
    let sign: &[u8] = match digits.first() {
        Some(first) if *first < 0x80 => &[],
        _ => &[0],
    };
    out.push(0x02);
    length(sign.len() + digits.len(), out);
    out.extend_from_slice(sign);
    out.extend_from_slice(digits);
}

/// A DER length below 65,536.
fn length(length: usize, out: &mut Vec<u8>) {
    let [high, low] = (length as u16).to_be_bytes();
    match (high, low) {
        (0, ..0x80) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        PRIME_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::KeyPair as _;

    #[test]
    fn der_lengths_and_integers() {
        let print = |number: &[u8]| {
            let mut out = Vec::new();
            integer(number, &mut out);
            out
        };
        assert_eq!(print(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(print(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(print(&[0]), [2, 1, 0]);
        assert_eq!(print(&[1; 127])[..2], [2, 127]);
        assert_eq!(print(&[1; 128])[..3], [2, 0x81, 128]);
        assert_eq!(print(&[1; 256])[..4], [2, 0x82, 1, 0]);
    }

    /// A credential must have the same key for ever. The hashes come from another program, written
    /// for this test in Python, with its own search and test for primes.
    #[test]
    fn a_seed_has_the_same_key_in_every_version() {
        let public = |seed: u8| {
            let pair = from_seed(&[seed; 32]).unwrap();
            let modulus = pair.public_key().modulus();
            modulus.big_endian_without_leading_zero().to_vec()
        };
        for (seed, start) in [(1, "d9cfa90dc3b3d390"), (2, "05780cb2a9f34a0f")] {
            let modulus = public(seed);
            assert_eq!(modulus.len(), 256);
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &modulus);
            let hex: String = hash.as_ref()[..8]
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(hex, start, "seed {seed}");
        }
    }
}
