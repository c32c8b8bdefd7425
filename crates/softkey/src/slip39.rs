//! A secret as shares, of which some number brings it back and one less says nothing
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

/// Where the polynomials have the secret, and the digest that tells whether it is the right one.
const SECRET_AT: u8 = 255;
const DIGEST_AT: u8 = 254;
const DIGEST: usize = 4;
/// The most shares there can be.
pub(crate) const MAX_SHARES: u8 = 16;

/// Why shares do not give a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Not one of the list's.
    #[error("share {share}: word {word} is not in the list")]
    UnknownWord {
        /// Which share, from 1.
        share: usize,
        /// Which word of it, from 1.
        word: usize,
    },
    /// It is not a share.
    #[error("share {share}: {problem}")]
    Malformed {
        /// Which share, from 1.
        share: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// They come from different secrets, or were made at different times.
    #[error("the shares do not belong together")]
    Mixed,
    /// There must be more of them.
    #[error("{needed} shares are needed, and there are {given}")]
    TooFew {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        given: usize,
    },
    /// They do not give what was shared.
    #[error("the shares do not fit together: one of them is of another secret")]
    Digest,
    /// The number of shares makes no sense.
    #[error("there can be 2 to 16 shares, of which 2 or more are needed to bring the secret back")]
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
/// `threshold` bring it back.
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

/// Brings a secret back from shares, in any order; more than are needed do no harm.
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

/// Random points, but for the secret's and the digest's, and what follows from them.
fn split_points(secret: &[u8], threshold: u8, count: u8) -> Result<Vec<Point>, ShareError> {
    let mut known = Vec::new();
    for x in 0..threshold - 2 {
        known.push(Point {
            x,
            value: random_bytes(secret.len())?,
        });
    }
    let salt = random_bytes(secret.len() - DIGEST)?;
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
    let (found, salt) = check.split_at(DIGEST);
    match digest(salt, &secret).ct_eq(found).into() {
        true => Ok(secret),
        false => Err(ShareError::Digest),
    }
}

fn digest(salt: &[u8], secret: &[u8]) -> [u8; DIGEST] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), secret);
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&tag.as_ref()[..DIGEST]);
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
