//! Checkpoints: the signed head of the log (c2sp.org/tlog-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::note::{NoteError, SigningKey, VerifierKey, parse};
use crate::count::Count;
use crate::hash::Hash;

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, the first line of the text.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Further lines that a log may sign with its head, each with its line break. They mean nothing
    /// here; they are kept because signatures and cosignatures cover them too.
    pub(crate) extension: String,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is not accepted.
    #[error("the checkpoint is not signed as it should be: {0}")]
    Note(#[from] NoteError),
    /// The text is not a checkpoint's.
    #[error(
        "the signed text is not a checkpoint: expected origin, size and root, each on its own \
         line, and then other lines, if any, none of them empty"
    )]
    Format,
    /// The checkpoint is another log's.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    Origin {
        /// The origin that was expected: the key's name.
        expected: String,
        /// The origin that the checkpoint states.
        found: String,
    },
}

impl Checkpoint {
    /// A head to sign.
    ///
    /// # Errors
    /// [`CheckpointError::Format`] when the origin is empty or not one line.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(CheckpointError::Format);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extension: String::new(),
        })
    }

    /// The extension lines, in order; Hallway's own logs have none.
    pub fn extension_lines(&self) -> impl Iterator<Item = &str> {
        self.extension.lines()
    }

    /// The note: this head's text, signed with `key`.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign(&self.text())
    }

    /// Reads a note that `key` signed. The origin must be the key's name. Extension lines are kept
    /// (c2sp.org/tlog-checkpoint, "Note text").
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let text = key.open(note)?;
        let checkpoint = Self::parse(text)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin {
                expected: key.name().to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(checkpoint)
    }

    /// The origin that a note states; nothing is verified.
    ///
    /// # Errors
    /// [`CheckpointError`] when it is not the note of a checkpoint.
    pub fn unverified_origin(note: &str) -> Result<String, CheckpointError> {
        let (text, _) = parse(note)?;
        Ok(Self::parse(text)?.origin)
    }

    /// The number of entries that a note states; nothing is verified.
    #[must_use]
    pub fn unverified_size(note: &str) -> Option<u64> {
        let (text, _) = parse(note).ok()?;
        Self::parse(text).ok().map(|checkpoint| checkpoint.size)
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.splitn(4, '\n');
        let (Some(origin), Some(size), Some(root), Some(extension)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Format);
        };
        // Each extension line ends in a newline, and none is empty.
        if !extension.is_empty() && !extension.ends_with('\n')
            || extension.starts_with('\n')
            || extension.contains("\n\n")
        {
            return Err(CheckpointError::Format);
        }
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok())
            .ok_or(CheckpointError::Format)?;
        let size: Count = size.parse().map_err(|_| CheckpointError::Format)?;
        let checkpoint = Self {
            extension: extension.to_owned(),
            ..Self::new(origin, size.get(), root)?
        };
        if checkpoint.text() == text {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Format)
        }
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}",
            self.origin,
            self.size,
            STANDARD.encode(self.root),
            self.extension
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_and_odd_texts_are_refused() {
        let key = SigningKey::from_seed("gate.example/log", &[1; 32]).unwrap();
        let head = Checkpoint::new(key.name(), 42, [7; 32]).unwrap();
        let note = head.sign(&key);
        assert_eq!(Checkpoint::open(&note, &key.verifier()), Ok(head.clone()));

        let open = |text: &str| Checkpoint::open(&key.sign(text), &key.verifier()).unwrap_err();
        let root = STANDARD.encode([7; 32]);
        for text in [
            "gate.example/log\n42\n".to_owned(),
            format!("gate.example/log\n042\n{root}\n"),
            format!("gate.example/log\n+42\n{root}\n"),
            format!("gate.example/log\n42\n{root}\n\nextension\n"),
            format!("gate.example/log\n42\n{root}\na\n\nb\n"),
            format!("gate.example/log\n42\n{root}\na\n\n"),
            format!("gate.example/log\n42\n{}\n", STANDARD.encode([7; 31])),
            format!("\n42\n{root}\n"),
            format!("gate.example/log\n9223372036854775808\n{root}\n"),
        ] {
            assert_eq!(open(&text), CheckpointError::Format, "{text}");
        }
        assert_eq!(
            open(&format!("other.example/log\n42\n{root}\n")),
            CheckpointError::Origin {
                expected: "gate.example/log".into(),
                found: "other.example/log".into()
            }
        );
        for lines in ["extension\n", "one 1\n— two\n  \n"] {
            let text = format!("gate.example/log\n42\n{root}\n{lines}");
            let note = key.sign(&text);
            let read = Checkpoint::open(&note, &key.verifier()).unwrap();
            assert_eq!((read.size, read.root), (42, [7; 32]));
            assert!(read.extension_lines().eq(lines.lines()));
            assert_eq!(read.text(), text);
            assert_eq!(read.sign(&key), note);
            assert_ne!(read, head);
            // They are signed, like all the rest.
            let changed = note.replace("one", "two").replace("ext", "Ext");
            assert!(Checkpoint::open(&changed, &key.verifier()).is_err());
        }
        assert_eq!(
            Checkpoint::new("two\nlines", 1, [0; 32]),
            Err(CheckpointError::Format)
        );
    }
}
