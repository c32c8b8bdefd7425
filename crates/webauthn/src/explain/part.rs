//! Bytes taken apart for a reader: which of them mean what. A terminal and a page show the same.

use serde::{Serialize, Serializer};

use crate::observer::Hex;

/// One of the things that evidence is made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// A name for links within a page.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// What this part is for.
    pub lead: String,
    /// How many bytes it has.
    pub length: usize,
    /// Its bytes, in order.
    pub fields: Vec<Field>,
}

/// Some bytes, and what they mean.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Field {
    /// Where the bytes begin within their part.
    pub offset: usize,
    /// The bytes; none where the value follows from other fields.
    pub bytes: Bytes,
    /// The specification's name for them.
    pub name: String,
    /// Their value, if it reads better than the bytes.
    pub value: Option<String>,
    /// What it is for, in a sentence or two.
    pub meaning: String,
    /// The bits, if it is a byte of flags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bits: Vec<Bit>,
}

/// Bytes as they are best shown. In JSON: `{"as": "hex" or "text", "content": …}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "as", content = "content", rename_all = "snake_case")]
pub enum Bytes {
    /// In hexadecimal.
    #[serde(serialize_with = "as_hex")]
    Hex(Vec<u8>),
    /// As text, where the bytes are text.
    Text(String),
}

/// One bit of a byte of flags.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Bit {
    /// 7 is the highest.
    pub number: u8,
    /// The specification's name: `UP`.
    pub name: &'static str,
    /// Whether it is set.
    pub set: bool,
    /// What that means here.
    pub meaning: &'static str,
}

impl Part {
    /// The field of that name, if there is one; the first of several.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// A field whose bytes begin at `offset`.
    pub fn new(offset: usize, bytes: &[u8], name: &str, meaning: impl Into<String>) -> Self {
        Self {
            offset,
            bytes: Bytes::Hex(bytes.to_vec()),
            name: name.to_owned(),
            value: None,
            meaning: meaning.into(),
            bits: Vec::new(),
        }
    }

    /// A field whose bytes are `inner`, a part of `outer`.
    pub(super) fn within(
        outer: &[u8],
        inner: &[u8],
        name: &str,
        meaning: impl Into<String>,
    ) -> Self {
        let offset = (inner.as_ptr() as usize)
            .checked_sub(outer.as_ptr() as usize)
            .filter(|offset| *offset <= outer.len())
            .unwrap_or(0);
        Self::new(offset, inner, name, meaning)
    }

    /// The only field of a part that cannot be read.
    pub(super) fn unreadable(bytes: &[u8], why: impl ToString) -> Vec<Self> {
        vec![Self::new(0, bytes, "Unreadable", why.to_string())]
    }

    /// The same field, with its value.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The same field, its bytes shown as the text that they are.
    #[must_use]
    pub fn as_text(mut self, text: impl Into<String>) -> Self {
        self.bytes = Bytes::Text(text.into());
        self
    }
}

fn as_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hex(bytes))
}
