//! The keys that sign notes, and those that check them.

use core::fmt;
use core::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{NoteError, Signature, parse};
use crate::hash::sha256;

/// The signature type of plain Ed25519.
pub(crate) const ED25519_TYPE: u8 = 0x01;

/// The signature type of witnesses' cosignatures (c2sp.org/tlog-cosignature).
pub(crate) const COSIGNATURE_TYPE: u8 = 0x04;

/// The key that signs the log's checkpoints.
pub struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// The Ed25519 key pair of a secret seed of 32 random bytes. By convention the name is the
    /// log's origin.
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        // Any 32 bytes are an Ed25519 seed (RFC 8032, 5.1.5).
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::VerifierKey)?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self {
            verifier: VerifierKey::new(name, public)?,
            pair,
        })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    /// The public part.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// `text`, which ends in a newline, with the signature below it.
    pub(crate) fn sign(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        format!("{text}\n{}", self.verifier.line(signature.as_ref()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

/// The public key of a log.
pub type VerifierKey = NoteKey<ED25519_TYPE>;

/// The Ed25519 public key of somebody who signs notes, with signatures of type `TYPE`. Prints as
/// `name+id+key`, the form that other log tools read.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoteKey<const TYPE: u8> {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl<const TYPE: u8> NoteKey<TYPE> {
    /// A key from its name and its 32 bytes (RFC 8032).
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if name.is_empty()
            || name
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(NoteError::Name(name.to_owned()));
        }
        let hash = sha256(&[name.as_bytes(), b"\n", &[TYPE], &public].concat());
        let mut id = [0; 4];
        id.copy_from_slice(&hash[..4]);
        Ok(Self {
            name: name.to_owned(),
            id,
            public,
        })
    }

    /// The key's name; by convention the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself, 32 bytes (RFC 8032).
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Reads `note` and checks each signature of this key with `check`, which is given the text and
    /// the signature's bytes. Returns the text and what the last check found. Signatures by other
    /// keys are passed over, as the specification demands.
    pub(crate) fn check_each<'a, T>(
        &self,
        note: &'a str,
        check: impl Fn(&'a str, &[u8]) -> Option<T>,
    ) -> Result<(&'a str, T), NoteError> {
        let (text, signatures) = parse(note)?;
        let mut found = None;
        for signature in signatures.iter().filter(|found| self.made(found)) {
            let checked = check(text, &signature.bytes);
            found = Some(checked.ok_or_else(|| NoteError::Signature(self.name.clone()))?);
        }
        match found {
            Some(found) => Ok((text, found)),
            None => Err(NoteError::Unsigned(self.name.clone())),
        }
    }

    /// Whether `signature` is Ed25519 over `message` by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(message, signature)
            .is_ok()
    }

    /// The line of a signature by this key, with its newline.
    pub(crate) fn line(&self, signature: &[u8]) -> String {
        let bytes = [&self.id, signature].concat();
        format!("— {} {}\n", self.name, STANDARD.encode(bytes))
    }

    /// `note` with no other signatures than this key's, which are not verified here.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when there is none, or the note cannot be read.
    pub fn keep_own(&self, note: &str) -> Result<String, NoteError> {
        let (text, signatures) = parse(note)?;
        let own = signatures.iter().filter(|found| self.made(found));
        let lines: String = own.map(|found| self.line(&found.bytes)).collect();
        if lines.is_empty() {
            return Err(NoteError::Unsigned(self.name.clone()));
        }
        Ok(format!("{text}\n{lines}"))
    }

    /// Whether `signature` says that it is by this key.
    pub(crate) fn made(&self, signature: &Signature<'_>) -> bool {
        signature.name == self.name && signature.id == self.id
    }
}

impl VerifierKey {
    /// Checks that this key signed `note`, and returns its text.
    ///
    /// # Errors
    /// [`NoteError`] says what is wrong.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let check =
            |text: &str, signature: &[u8]| self.verifies(text.as_bytes(), signature).then_some(());
        self.check_each(note, check).map(|(text, ())| text)
    }
}

impl<const TYPE: u8> fmt::Display for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![TYPE];
        key.extend_from_slice(&self.public);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            STANDARD.encode(key)
        )
    }
}

impl<const TYPE: u8> fmt::Debug for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteKey({self})")
    }
}

impl<const TYPE: u8> FromStr for NoteKey<TYPE> {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey);
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::VerifierKey)?;
        let public = match key.split_first() {
            Some((&kind, public)) if kind == TYPE => {
                public.try_into().map_err(|_| NoteError::VerifierKey)?
            }
            _ => return Err(NoteError::VerifierKey),
        };
        let parsed = Self::new(name, public)?;
        if hex::encode(parsed.id) == id {
            Ok(parsed)
        } else {
            Err(NoteError::VerifierKey)
        }
    }
}

impl<const TYPE: u8> TryFrom<String> for NoteKey<TYPE> {
    type Error = NoteError;

    fn try_from(text: String) -> Result<Self, NoteError> {
        text.parse()
    }
}

impl<const TYPE: u8> From<NoteKey<TYPE>> for String {
    fn from(key: NoteKey<TYPE>) -> Self {
        key.to_string()
    }
}
