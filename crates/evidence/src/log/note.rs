//! Signed notes (c2sp.org/signed-note): text with Ed25519 signatures below it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

mod key;

pub(crate) use key::COSIGNATURE_TYPE;
pub use key::{NoteKey, SigningKey, VerifierKey};

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// The most signatures that are read; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 32;

/// Why a note, or a key for one, is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key name that could not stand in a note.
    #[error("{0:?} cannot name a key: it is empty, or has a space, a plus or a control character")]
    Name(String),
    /// Not `name+id+key`, another type of key, or the id does not belong to name and key.
    #[error(
        "not an Ed25519 verifier key of the type that is needed here: expected name+id+base64, \
         with the id that belongs to the rest"
    )]
    VerifierKey,
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("the note has {0} bytes; at most 65536 are allowed")]
    TooLarge(usize),
    /// More than [`MAX_SIGNATURES`] together.
    #[error("the notes have signatures by {0} keys together; at most 32 are allowed")]
    Signatures(usize),
    /// Not text, an empty line and signature lines.
    #[error("not a signed note: expected text, an empty line, and signature lines")]
    Format,
    /// A line below the text is not a signature line.
    #[error("line {0} below the note's text is not a signature line")]
    SignatureLine(usize),
    /// The key did not sign.
    #[error("the note has no signature by {0}")]
    Unsigned(String),
    /// The key's signature is wrong.
    #[error("the signature by {0} does not fit the note's text: one of the two was changed")]
    Signature(String),
}

pub(crate) struct Signature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Signature<'_> {
    /// The name of the key that it claims to be by; nothing is verified.
    pub(crate) const fn name(&self) -> &str {
        self.name
    }

    fn line(&self) -> String {
        let bytes = [&self.id, self.bytes.as_slice()].concat();
        format!("— {} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// One note with the signatures of all `notes`, one for each key, in the one order that receipts
/// have: by the name and the id of the key. A key whose name is the text's first line, as the log's
/// own key's is, goes before the others. The notes must have the same text.
///
/// # Errors
/// [`NoteError::Format`] when the texts differ, or there is no note; [`NoteError::Signatures`] and
/// [`NoteError::TooLarge`] when no reader would take the note; or one cannot be read.
pub fn gather<'a>(notes: impl IntoIterator<Item = &'a str>) -> Result<String, NoteError> {
    let mut gathered: Option<&str> = None;
    let mut lines = BTreeMap::new();
    for note in notes {
        let (text, signatures) = parse(note)?;
        if *gathered.get_or_insert(text) != text {
            return Err(NoteError::Format);
        }
        let origin = text.lines().next();
        for found in signatures {
            let place = (Some(found.name) != origin, found.name, found.id);
            lines.entry(place).or_insert(found);
        }
    }
    let text = gathered.ok_or(NoteError::Format)?;
    if lines.len() > MAX_SIGNATURES {
        return Err(NoteError::Signatures(lines.len()));
    }
    let lines: String = lines.values().map(Signature::line).collect();
    let note = format!("{text}\n{lines}");
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge(note.len()));
    }
    Ok(note)
}

/// The text, with its last newline, and the signatures.
pub(crate) fn parse(note: &str) -> Result<(&str, Vec<Signature<'_>>), NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge(note.len()));
    }
    if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') || !note.ends_with('\n') {
        return Err(NoteError::Format);
    }
    // The last empty line ends the text, which keeps its own newline.
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
    fn notes_that_no_reader_accepts_are_not_gathered() {
        let sign = |number: usize, text: &str| {
            let key = SigningKey::from_seed(&format!("k{number}"), &[1; 32]).unwrap();
            key.sign(text)
        };
        let notes: Vec<String> = (0..=MAX_SIGNATURES).map(|at| sign(at, "text\n")).collect();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        let most = gather(notes[..MAX_SIGNATURES].iter().copied()).unwrap();
        assert_eq!(gather([most.as_str()]), Ok(most.clone()));
        let many = MAX_SIGNATURES + 1;
        assert_eq!(gather(notes), Err(NoteError::Signatures(many)));
        let text = "x".repeat(MAX_NOTE_BYTES - 150) + "\n";
        let (a, b) = (sign(1, &text), sign(2, &text));
        assert!(gather([a.as_str()]).is_ok());
        assert!(matches!(
            gather([a.as_str(), &b]),
            Err(NoteError::TooLarge(_))
        ));
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
            open(&"x".repeat(MAX_NOTE_BYTES + 1)),
            NoteError::TooLarge(MAX_NOTE_BYTES + 1)
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
