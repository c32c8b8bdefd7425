//! Signed notes (c2sp.org/signed-note): text with Ed25519 signatures below it.

use core::fmt;
use core::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::statement::sha256;

/// The longest note that is read, in bytes.
pub const MAX_NOTE: usize = 64 * 1024;

/// The most signatures that are read; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 32;

/// The signature type of plain Ed25519.
pub(crate) const ED25519_TYPE: u8 = 0x01;

/// The signature type of witnesses' cosignatures (c2sp.org/tlog-cosignature).
pub(crate) const COSIGNATURE_TYPE: u8 = 0x04;

/// Why a note, or a key for one, is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key name that could not stand in a note.
    #[error("{0:?} cannot name a key: it is empty, or has a space, a plus or a control character")]
    Name(String),
    /// Not `name+id+key`, another type of key, or the id does not belong to name and key.
    #[error(
        "not a verifier key with Ed25519 of the type that is needed here: expected name+id+base64, \
         where the id fits the rest"
    )]
    VerifierKey,
    /// Longer than [`MAX_NOTE`].
    #[error("a note of {0} bytes is longer than the 65536 that are read")]
    TooLarge(usize),
    /// Not text, an empty line and signature lines.
    #[error("not a signed note: expected text, an empty line, and signature lines")]
    Format,
    /// A signature line that is not one.
    #[error("line {0} below the note's text is not a signature line")]
    SignatureLine(usize),
    /// The key did not sign.
    #[error("the note has no signature by {0}")]
    Unsigned(String),
    /// The key's signature is wrong.
    #[error("the signature by {0} does not fit the note's text: one of the two was changed")]
    Signature(String),
}

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
    /// the signature's bytes. Gives the text and what the last check found. Signatures by other keys
    /// are passed over, as the specification demands.
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

    /// A signature line.
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

    fn made(&self, signature: &Signature<'_>) -> bool {
        signature.name == self.name && signature.id == self.id
    }
}

impl VerifierKey {
    /// Checks that this key signed `note`, and gives its text.
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

pub(crate) struct Signature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// One note with the signatures of all `notes`, each once. They must have the same text.
///
/// # Errors
/// [`NoteError::Format`] when the texts differ, or there is no note; or one cannot be read.
pub fn gather<'a>(notes: impl IntoIterator<Item = &'a str>) -> Result<String, NoteError> {
    let mut gathered: Option<String> = None;
    for note in notes {
        let (text, _) = parse(note)?;
        let lines = &note[text.len() + 1..];
        let gathered = gathered.get_or_insert_with(|| format!("{text}\n"));
        if gathered.get(..=text.len()) != Some(&note[..=text.len()]) {
            return Err(NoteError::Format);
        }
        for line in lines.split_inclusive('\n') {
            if !gathered[text.len()..].contains(line) {
                gathered.push_str(line);
            }
        }
    }
    gathered.ok_or(NoteError::Format)
}

/// The text, with its last newline, and the signatures.
pub(crate) fn parse(note: &str) -> Result<(&str, Vec<Signature<'_>>), NoteError> {
    if note.len() > MAX_NOTE {
        return Err(NoteError::TooLarge(note.len()));
    }
    if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') || !note.ends_with('\n') {
        return Err(NoteError::Format);
    }
    // The last empty line separates; the text keeps its own newline.
    let at = note.rfind("\n\n").ok_or(NoteError::Format)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    let signatures: Vec<_> = signatures
        .lines()
        .take(MAX_SIGNATURES + 1)
        .enumerate()
        .map(|(at, line)| signature(line).ok_or(NoteError::SignatureLine(at + 1)))
        .collect::<Result<_, _>>()?;
    if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
        return Err(NoteError::Format);
    }
    Ok((text, signatures))
}

fn signature(line: &str) -> Option<Signature<'_>> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    if name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace) {
        return None;
    }
    Some(Signature {
        name,
        id: *id,
        bytes: signature.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/signed-note's reference implementation (golang.org/x/mod).
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_of_the_reference_implementation() {
        let key: VerifierKey = PETER.parse().unwrap();
        assert_eq!(key.to_string(), PETER);
        assert!(key.open(NOTE).unwrap().ends_with("problem is.\n"));
        let changed = NOTE.replace("answer", "cipher");
        assert_eq!(
            key.open(&changed),
            Err(NoteError::Signature("PeterNeumann".into()))
        );
    }

    #[test]
    fn other_keys_are_passed_over_and_no_key_is_an_error() {
        let (ours, theirs) = (
            SigningKey::from_seed("ours", &[1; 32]).unwrap(),
            SigningKey::from_seed("theirs", &[2; 32]).unwrap(),
        );
        let note = ours.sign("text\n");
        assert_eq!(
            theirs.verifier().open(&note),
            Err(NoteError::Unsigned("theirs".into()))
        );
        let both = note.clone() + theirs.sign("text\n").split_once("\n\n").unwrap().1;
        assert_eq!(ours.verifier().open(&both), Ok("text\n"));
        assert_eq!(theirs.verifier().open(&both), Ok("text\n"));
        // The same name with another key is another key.
        let renamed = SigningKey::from_seed("ours", &[3; 32]).unwrap();
        assert_eq!(
            renamed.verifier().open(&note),
            Err(NoteError::Unsigned("ours".into()))
        );
    }

    #[test]
    fn signatures_under_one_text_are_gathered() {
        let key = |name: &str| SigningKey::from_seed(name, &[1; 32]).unwrap();
        let (a, b) = (key("a").sign("text\n"), key("b").sign("text\n"));
        let both = gather([a.as_str(), &b]).unwrap();
        assert_eq!(key("a").verifier().keep_own(&both), Ok(a.clone()));
        assert_eq!(key("b").verifier().keep_own(&both), Ok(b.clone()));
        assert_eq!(gather([both.as_str(), &a, &b]), Ok(both.clone()));
        let other = key("b").sign("another text\n");
        let longer = key("b").sign("text\nmore\n");
        for other in [other, longer] {
            assert_eq!(gather([a.as_str(), &other]), Err(NoteError::Format));
        }
        assert_eq!(gather([]), Err(NoteError::Format));
    }

    #[test]
    fn malformed_notes_are_refused() {
        let key = SigningKey::from_seed("k", &[1; 32]).unwrap();
        let good = key.sign("text\n");
        let open = |note: &str| key.verifier().open(note).unwrap_err();
        assert_eq!(open(""), NoteError::Format);
        assert_eq!(open("text\n"), NoteError::Format);
        assert_eq!(open("text\n\n"), NoteError::Format);
        assert_eq!(open(good.trim_end()), NoteError::Format);
        assert_eq!(open(&good.replace('t', "\t")), NoteError::Format);
        assert_eq!(
            open(&good.replace("— k ", "- k ")),
            NoteError::SignatureLine(1)
        );
        assert_eq!(
            open(&format!("{good}— k AAA=\n")),
            NoteError::SignatureLine(2)
        );
        assert_eq!(
            open(&"x".repeat(MAX_NOTE + 1)),
            NoteError::TooLarge(MAX_NOTE + 1)
        );
        let many = good.clone() + &"— other AAAAAAA=\n".repeat(MAX_SIGNATURES);
        assert_eq!(open(&many), NoteError::Format);
        for name in ["", "a b", "a+b", "a\nb"] {
            assert!(matches!(
                SigningKey::from_seed(name, &[1; 32]),
                Err(NoteError::Name(_))
            ));
        }
        for vkey in [
            "",
            "k",
            "k+00000000+AAAA",
            &PETER.replace("c74f20a3", "c74f20a4"),
        ] {
            assert_eq!(vkey.parse::<VerifierKey>(), Err(NoteError::VerifierKey));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_changed_byte_is_always_noticed(at: proptest::sample::Index, bit in 0u8..7) {
            let key = SigningKey::from_seed("gate.example/log", &[1; 32]).unwrap();
            let mut note = key.sign("gate.example/log\n1\nAAAA\n").into_bytes();
            let at = at.index(note.len());
            note[at] ^= 1 << bit;
            if let Ok(note) = String::from_utf8(note) {
                proptest::prop_assert!(key.verifier().open(&note).is_err());
            }
        }
    }
}
