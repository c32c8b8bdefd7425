//! A bundle: a receipt together with the receipts that it rests on.

use crate::fields::{DecodeError, Fields, Value};
use crate::receipt::{MAX_RECEIPT, Receipt};

/// The longest bundle, in bytes.
pub const MAX_BUNDLE: usize = 1024 * 1024;

/// The most receipts in a bundle.
pub const MAX_RECEIPTS: usize = 16;

/// Receipts, the subject first. For a device's transaction: the transaction, the device's
/// enrolment, the claim, the registration of the owner's key, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle(pub Vec<Receipt>);

impl Bundle {
    /// The deterministic encoding: `{receipts: [the bytes of each]}`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let receipts: Vec<Vec<u8>> = self.0.iter().map(Receipt::encode).collect();
        let list = receipts
            .iter()
            .map(|receipt| Value::Bytes(receipt))
            .collect();
        Fields::default()
            .with("receipts", Value::List(list))
            .encode()
    }

    /// Reads exactly one bundle of at most [`MAX_BUNDLE`] bytes and [`MAX_RECEIPTS`] receipts.
    /// Nothing in it is verified yet: see [`crate::verify`].
    ///
    /// # Errors
    /// [`BundleError`] says which receipt is wrong, and how.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut fields = Fields::decode(bytes, MAX_BUNDLE)?;
        let list: Vec<Value<'_>> = fields.take("receipts")?;
        fields.finish()?;
        if list.is_empty() || list.len() > MAX_RECEIPTS {
            return Err(BundleError::Count(list.len()));
        }
        list.into_iter()
            .enumerate()
            .map(|(at, value)| {
                let at = at + 1;
                match value {
                    Value::Bytes(bytes) if bytes.len() <= MAX_RECEIPT => {
                        Receipt::decode(bytes).map_err(|why| BundleError::Receipt { at, why })
                    }
                    _ => Err(BundleError::Receipt {
                        at,
                        why: DecodeError::WrongType("receipts"),
                    }),
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Why bytes are not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The frame around the receipts is wrong.
    #[error("the evidence cannot be read: {0}")]
    Frame(#[from] DecodeError),
    /// No receipts, or too many.
    #[error("the evidence holds {0} receipts; 1 to 16 are allowed")]
    Count(usize),
    /// One receipt is wrong.
    #[error("receipt {at} of the evidence cannot be read: {why}")]
    Receipt {
        /// Which one, from 1.
        at: usize,
        /// What is wrong with it.
        why: DecodeError,
    },
}
