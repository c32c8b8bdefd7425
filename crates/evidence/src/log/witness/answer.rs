//! A witness's answer, as the log reads it.

use super::super::cosignature::CosignerKey;
use super::super::note::{MAX_NOTE_BYTES, NoteError};
use super::request::size;

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = MAX_NOTE_BYTES / 2;

/// The media type of an answer that names the size from which the witness wants a proof.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// How a witness answers when it is asked to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The witness cosigned: the note with its cosignature. Other lines that it sent are dropped.
    Cosigned(String),
    /// The witness wants a proof from this size on.
    Stale(u64),
    /// The witness refuses.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The witness's own words: one line of at most 300 characters, without control characters.
        words: String,
    },
}

/// Why an answer is not one that a witness may give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// 200 without a cosignature that holds.
    #[error("the witness agreed, but {0}")]
    Cosignature(#[from] NoteError),
    /// 409 with [`SIZE_TYPE`], but without a size.
    #[error("the witness answered 409 without the size of the log that it knows")]
    Size,
}

impl Answer {
    /// Reads the answer to a request to cosign `note`.
    ///
    /// # Errors
    /// [`AnswerError`] says what is wrong.
    pub fn read(
        status: u16,
        media_type: &str,
        body: &[u8],
        note: &str,
        witness: &CosignerKey,
    ) -> Result<Self, AnswerError> {
        let body = String::from_utf8_lossy(body);
        if status == 200 {
            let text = note.rfind("\n\n").map_or(note, |at| &note[..=at]);
            // Only the line of this witness is kept, and only if it holds.
            let own = witness.keep_own(&format!("{text}\n{body}"))?;
            witness.cosigned(&own)?;
            let line = own.get(text.len() + 1..).unwrap_or_default();
            return Ok(Self::Cosigned(format!("{note}{line}")));
        }
        if status == 409 && media_type == SIZE_TYPE {
            let size = body.strip_suffix('\n').and_then(size);
            return size.map(Self::Stale).ok_or(AnswerError::Size);
        }
        let words = body.lines().next().unwrap_or_default();
        let words = words.chars().filter(|c| !c.is_control()).take(300);
        Ok(Self::Refused {
            status,
            words: words.collect(),
        })
    }
}
