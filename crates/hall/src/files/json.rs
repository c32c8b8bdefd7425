//! JSON in a request, and what is wrong with it in our own words.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Why JSON is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not whole.
    #[error("the request ends before its JSON does")]
    Cut,
    /// It is no JSON.
    #[error("the request is not JSON at line {line}, column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// It is JSON, but not what was asked for.
    #[error("the request is not {form} at line {line}, column {column}")]
    Form {
        /// What it should be, as a text for people.
        form: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
}

/// Reads JSON that should be `form`, which is a text for people.
///
/// # Errors
/// [`JsonError`].
pub(super) fn read<T: DeserializeOwned>(json: &[u8], form: &'static str) -> Result<T, JsonError> {
    serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Eof => JsonError::Cut,
            // Bytes in memory are read without errors.
            Category::Syntax | Category::Io => JsonError::Syntax { line, column },
            Category::Data => JsonError::Form { form, line, column },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_repeats_no_words_of_the_sender() {
        let form = "a list of numbers";
        let wrong = |json: &str| read::<Vec<u8>>(json.as_bytes(), form).unwrap_err();
        assert_eq!(wrong("[1"), JsonError::Cut);
        assert_eq!(wrong("[\n1;"), JsonError::Syntax { line: 2, column: 2 });
        let column = 4;
        let line = 1;
        assert_eq!(wrong("[\"a\"]"), JsonError::Form { form, line, column });
    }
}
