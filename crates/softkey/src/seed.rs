//! A key's seed outside the key: as words or as shares.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use crate::slip39::{self, ShareError};

/// Why words or shares are not a seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The words are not the words of a seed.
    #[error("these are not the 24 words of a seed: {0}")]
    Words(String),
    /// The shares do not give a seed.
    #[error("these shares do not give a seed: {0}")]
    Shares(#[from] ShareError),
}

/// The seed of a key. All its credentials that are not discoverable are derived from it.
pub struct Seed(pub(crate) Zeroizing<[u8; 32]>);

impl Seed {
    /// The seed as 24 English words (BIP-39: the seed is the entropy; there is no passphrase).
    pub fn words(&self) -> Result<Zeroizing<String>, SeedError> {
        let mnemonic = mnemonic(Mnemonic::from_entropy(&self.0[..]))?;
        Ok(Zeroizing::new(mnemonic.to_string()))
    }

    /// Reads the 24 words, which carry a checksum; capitals and spaces do not matter.
    ///
    /// # Errors
    /// [`SeedError::Words`], which says which word is wrong where that is known.
    pub fn from_words(words: &str) -> Result<Self, SeedError> {
        let mut plain = Zeroizing::new(String::with_capacity(words.len()));
        for word in words.split_whitespace() {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.extend(word.chars().flat_map(char::to_lowercase));
        }
        let mnemonic = mnemonic(Mnemonic::parse_in_normalized(Language::English, &plain))?;
        let (entropy, length) = mnemonic.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        match entropy.first_chunk::<32>() {
            Some(seed) if length == 32 => Ok(Self(Zeroizing::new(*seed))),
            _ => Err(SeedError::Words(format!("there are {}", length * 3 / 4))),
        }
    }

    /// The seed as `count` shares of words (SLIP-0039, one group, no passphrase), of which any
    /// `threshold` restore it: at least 2, of at most 16.
    ///
    /// # Errors
    /// [`ShareError::Numbers`].
    pub fn shares(&self, threshold: u8, count: u8) -> Result<Zeroizing<Vec<String>>, SeedError> {
        Ok(slip39::split(&self.0[..], threshold, count)?)
    }

    /// Restores a seed from shares.
    ///
    /// # Errors
    /// [`SeedError::Shares`], which says which share is wrong where that is known.
    pub fn from_shares(shares: &[&str]) -> Result<Self, SeedError> {
        let secret = slip39::combine(shares, b"")?;
        let seed: &[u8; 32] = secret[..].try_into().map_err(|_| ShareError::Malformed {
            share: 1,
            problem: "it belongs to a secret of another length",
        })?;
        Ok(Self(Zeroizing::new(*seed)))
    }
}

fn mnemonic(made: Result<Mnemonic, bip39::Error>) -> Result<Zeroizing<Mnemonic>, SeedError> {
    made.map(Zeroizing::new).map_err(|error| {
        SeedError::Words(match error {
            bip39::Error::UnknownWord(place) => {
                format!("word {} is not in the list", place + 1)
            }
            bip39::Error::BadWordCount(count) => format!("there are {count}"),
            bip39::Error::InvalidChecksum => {
                "a word is wrong or two changed places (the checksum does not fit)".into()
            }
            other => other.to_string(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of BIP-39 (python-mnemonic, vectors.json).
    const VECTORS: [([u8; 32], &str); 2] = [
        (
            [0x80; 32],
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd \
             amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
        ),
        (
            [0xff; 32],
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo \
             zoo zoo vote",
        ),
    ];

    #[test]
    fn words_are_those_of_the_standard() {
        for (seed, words) in VECTORS {
            assert_eq!(*Seed(Zeroizing::new(seed)).words().unwrap(), words);
            let typed = format!(" {}\n", words.to_uppercase().replace(' ', "\n"));
            assert_eq!(*Seed::from_words(&typed).unwrap().0, seed);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let (_, words) = VECTORS[0];
        for (typed, named) in [
            (words.replacen("cage", "cafe", 1), "word 3"),
            (
                words.replacen("letter advice", "advice letter", 1),
                "checksum",
            ),
            (words.rsplit_once(' ').unwrap().0.into(), "23"),
            (
                "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong".into(),
                "12",
            ),
            (String::new(), "there are 0"),
        ] {
            let error = Seed::from_words(&typed).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
