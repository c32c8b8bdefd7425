//! A secret as shares: a threshold of them restores it, and one fewer tells nothing about it
//! (SatoshiLabs' SLIP-0039).
//!
//! Shares are made in one group; shares in several groups, as other programs make them, are read.

mod checksum;
mod cipher;
mod field;
mod share;

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::KeyFileError;
use crate::protection::random;
use crate::slip39::field::{Point, interpolate};
use crate::slip39::share::{Common, Share};

/// The points at which the polynomials have the secret, and the digest that proves it.
const SECRET_AT: u8 = 255;
const DIGEST_AT: u8 = 254;
const DIGEST_BYTES: usize = 4;
/// The most shares there can be.
pub(crate) const MAX_SHARES: u8 = 16;

/// Why shares do not give a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// A word is not in the list.
    #[error("share {share}: word {word} is not in the list")]
    UnknownWord {
        /// The share's place among the given ones, from 1.
        share: usize,
        /// The word's place in the share, from 1.
        word: usize,
    },
    /// The words are not a share.
    #[error("share {share}: {problem}")]
    Malformed {
        /// The share's place among the given ones, from 1.
        share: usize,
        /// What is wrong with the share.
        problem: &'static str,
    },
    /// The shares come from different secrets, or were made at different times.
    #[error("the shares do not belong together")]
    Mixed,
    /// More shares are needed.
    #[error("{needed} shares are needed, and there are {given}")]
    TooFew {
        /// How many shares, or groups of shares, are needed.
        needed: usize,
        /// How many there are.
        given: usize,
    },
    /// The restored secret does not match its digest.
    #[error("the shares do not fit together: one of them belongs to another secret")]
    Digest,
    /// The number of shares makes no sense.
    #[error("there can be 2 to 16 shares, of which 2 or more are needed to restore the secret")]
    Numbers,
    /// Cryptography or randomness failed.
    #[error("cryptography or the source of randomness failed on this computer")]
    Crypto,
}

impl From<KeyFileError> for ShareError {
    fn from(_: KeyFileError) -> Self {
        Self::Crypto
    }
}

/// Splits a secret of an even number of bytes, at least 16, into `count` shares of which
/// `threshold` restore it.
pub(crate) fn split(
    secret: &[u8],
    threshold: u8,
    count: u8,
) -> Result<Zeroizing<Vec<String>>, ShareError> {
    if threshold < 2 || threshold > count || count > MAX_SHARES {
        return Err(ShareError::Numbers);
    }
    let common = Common {
        identifier: u16::from_be_bytes(*random::<2>()?) >> 1,
        extendable: true,
        iteration_exponent: 0,
        group_threshold: 1,
        group_count: 1,
    };
    let encrypted = cipher::encrypt(secret, b"", &common)?;
    let points = split_points(&encrypted, threshold, count)?;
    let shares = points.into_iter().map(|Point { x, value }| {
        let share = Share {
            common,
            group: 0,
            index: x,
            threshold,
            value,
        };
        share.words()
    });
    Ok(Zeroizing::new(shares.collect()))
}

/// Restores a secret from shares, in any order; more than are needed do no harm.
pub(crate) fn combine(
    shares: &[&str],
    passphrase: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let mut all = Vec::new();
    for (place, words) in (1..).zip(shares) {
        let share = Share::from_words(place, words)?;
        if !all.contains(&share) {
            all.push(share);
        }
    }
    let first = all.first().ok_or(ShareError::TooFew {
        needed: 1,
        given: 0,
    })?;
    let (common, length) = (first.common, first.value.len());
    let mut groups: BTreeMap<u8, Vec<&Share>> = BTreeMap::new();
    for share in &all {
        if share.common != common || share.value.len() != length {
            return Err(ShareError::Mixed);
        }
        groups.entry(share.group).or_default().push(share);
    }
    let mut secrets = Vec::new();
    let mut incomplete = None;
    for (group, members) in &groups {
        let threshold = members[0].threshold;
        if members.iter().any(|member| member.threshold != threshold) {
            return Err(ShareError::Mixed);
        }
        let needed = usize::from(threshold);
        if members.len() < needed {
            let given = members.len();
            incomplete = Some(ShareError::TooFew { needed, given });
            continue;
        }
        let points: Vec<Point> = members.iter().map(|member| member.point()).collect();
        let value = recover(&points[..needed], threshold)?;
        secrets.push(Point { x: *group, value });
    }
    let needed = usize::from(common.group_threshold);
    if secrets.len() < needed {
        let given = secrets.len();
        return Err(incomplete.unwrap_or(ShareError::TooFew { needed, given }));
    }
    let encrypted = recover(&secrets[..needed], common.group_threshold)?;
    cipher::decrypt(&encrypted, passphrase, &common)
}

/// The points of the shares: random ones, and those that follow from them, the secret and the
/// digest.
fn split_points(secret: &[u8], threshold: u8, count: u8) -> Result<Vec<Point>, ShareError> {
    let mut known = Vec::new();
    for x in 0..threshold - 2 {
        known.push(Point {
            x,
            value: random_bytes(secret.len())?,
        });
    }
    let salt = random_bytes(secret.len() - DIGEST_BYTES)?;
    let digest = digest(&salt, secret);
    let mut given: Vec<Point> = known.clone();
    given.push(Point {
        x: DIGEST_AT,
        value: Zeroizing::new([&digest[..], &salt].concat()),
    });
    given.push(Point {
        x: SECRET_AT,
        value: Zeroizing::new(secret.to_vec()),
    });
    for x in threshold - 2..count {
        let value = interpolate(&given, x).ok_or(ShareError::Mixed)?;
        known.push(Point { x, value });
    }
    Ok(known)
}

/// The secret of `threshold` points.
fn recover(points: &[Point], threshold: u8) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    if threshold == 1 {
        return points
            .first()
            .map(|point| point.value.clone())
            .ok_or(ShareError::Mixed);
    }
    let secret = interpolate(points, SECRET_AT).ok_or(ShareError::Mixed)?;
    let check = interpolate(points, DIGEST_AT).ok_or(ShareError::Mixed)?;
    let (found, salt) = check.split_at(DIGEST_BYTES);
    match digest(salt, &secret).ct_eq(found).into() {
        true => Ok(secret),
        false => Err(ShareError::Digest),
    }
}

fn digest(salt: &[u8], secret: &[u8]) -> [u8; DIGEST_BYTES] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), secret);
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&tag.as_ref()[..DIGEST_BYTES]);
    digest
}

fn random_bytes(length: usize) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut bytes).map_err(|_| ShareError::Crypto)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "slip39/tests.rs"]
mod tests;
