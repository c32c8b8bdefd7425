//! The secret is encrypted before it is shared: a Feistel cipher of four rounds, each a PBKDF2.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use super::ShareError;
use super::share::Common;

const ROUNDS: u8 = 4;
const ITERATIONS: u32 = 10_000;

pub(super) fn encrypt(
    secret: &[u8],
    passphrase: &[u8],
    common: &Common,
) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    run(secret, passphrase, common, 0..ROUNDS)
}

pub(super) fn decrypt(
    encrypted: &[u8],
    passphrase: &[u8],
    common: &Common,
) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    run(encrypted, passphrase, common, (0..ROUNDS).rev())
}

fn run(
    text: &[u8],
    passphrase: &[u8],
    common: &Common,
    rounds: impl Iterator<Item = u8>,
) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let iterations = NonZeroU32::new((ITERATIONS << common.iteration_exponent) / u32::from(ROUNDS))
        .ok_or(ShareError::Crypto)?;
    let (left, right) = text.split_at(text.len() / 2);
    let mut left = Zeroizing::new(left.to_vec());
    let mut right = Zeroizing::new(right.to_vec());
    // An extendable secret may be shared again under another identifier, so it is not in the salt.
    let salt = match common.extendable {
        true => Vec::new(),
        false => [&b"shamir"[..], &common.identifier.to_be_bytes()].concat(),
    };
    for round in rounds {
        let password = Zeroizing::new([&[round], passphrase].concat());
        let salt = Zeroizing::new([&salt[..], &right].concat());
        let mut mask = Zeroizing::new(vec![0; right.len()]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, iterations, &salt, &password, &mut mask);
        for (byte, mask) in left.iter_mut().zip(mask.iter()) {
            *byte ^= mask;
        }
        std::mem::swap(&mut left, &mut right);
    }
    Ok(Zeroizing::new([&right[..], &left].concat()))
}
