//! A bundle: a receipt together with the receipts that it rests on.

use crate::fields::{DecodeError, Fields, Value};
use crate::receipt::{MAX_RECEIPT_BYTES, Receipt};

/// The longest bundle, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 1024 * 1024;

/// The most receipts in a bundle: room for a chain of some sixty people who invited one another.
pub const MAX_RECEIPTS: usize = 128;

/// Receipts of one log in its order, the latest first. That one is the subject, the others are what
/// it rests on. For a device's transaction: the transaction, the claim, the device's enrolment,
/// the registration of the owner's key, and what allowed that key, down to the set-up of the realm.
///
/// The same receipts have one encoding: they are in order, and none is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    subject: Receipt,
    rests_on: Vec<Receipt>,
}

impl Bundle {
    /// Puts `subject` and what it `rests_on` in order. Of several receipts of one piece of evidence
    /// the first is kept.
    ///
    /// # Errors
    /// [`BundleError::Order`] when a receipt is of an entry that is not before the subject, or of
    /// the same entry as another one; [`BundleError::Count`] or [`BundleError::Frame`] when there
    /// are too many, or they are too long.
    pub fn of(
        subject: Receipt,
        rests_on: impl IntoIterator<Item = Receipt>,
    ) -> Result<Self, BundleError> {
        let mut others: Vec<Receipt> = Vec::new();
        for receipt in rests_on {
            let is_known = |known: &Receipt| known.evidence == receipt.evidence;
            if !is_known(&subject) && !others.iter().any(is_known) {
                others.push(receipt);
            }
        }
        others.sort_by_key(|receipt| core::cmp::Reverse(receipt.proof.index()));
        let bundle = Self::ordered(subject, others)?;
        let got = bundle.encode().len();
        if got > MAX_BUNDLE_BYTES {
            let limit = MAX_BUNDLE_BYTES;
            return Err(DecodeError::TooLarge { limit, got }.into());
        }
        Ok(bundle)
    }

    /// The subject: the latest receipt, which rests on the others.
    #[must_use]
    pub const fn subject(&self) -> &Receipt {
        &self.subject
    }

    /// All receipts, the subject first.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> + Clone {
        core::iter::once(&self.subject).chain(&self.rests_on)
    }

    /// The deterministic encoding: `{receipts: [the bytes of each]}`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let receipts: Vec<Vec<u8>> = self.receipts().map(Receipt::encode).collect();
        let list = receipts
            .iter()
            .map(|receipt| Value::Bytes(receipt))
            .collect();
        Fields::default()
            .with("receipts", Value::List(list))
            .encode()
    }

    /// Reads exactly one bundle of at most [`MAX_BUNDLE_BYTES`] bytes and [`MAX_RECEIPTS`]
    /// receipts. Only the bytes that [`Bundle::encode`] gives are accepted. No receipt is verified
    /// yet: see [`crate::verify`].
    ///
    /// # Errors
    /// [`BundleError`] says which receipt is wrong, and how.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut fields = Fields::decode(bytes, MAX_BUNDLE_BYTES)?;
        let list: Vec<Value<'_>> = fields.take("receipts")?;
        fields.finish()?;
        let count = list.len();
        if count > MAX_RECEIPTS {
            return Err(BundleError::Count(count));
        }
        let mut receipts = (1..).zip(list).map(|(at, value)| match value {
            Value::Bytes(bytes) if bytes.len() > MAX_RECEIPT_BYTES => Err(BundleError::TooLong {
                at,
                got: bytes.len(),
            }),
            Value::Bytes(bytes) => {
                Receipt::decode(bytes).map_err(|why| BundleError::Receipt { at, why })
            }
            _ => Err(BundleError::Receipt {
                at,
                why: DecodeError::WrongType("receipts"),
            }),
        });
        let subject = receipts.next().ok_or(BundleError::Count(count))??;
        let bundle = Self::ordered(subject, receipts.collect::<Result<_, _>>()?)?;
        if bundle.encode() == bytes {
            Ok(bundle)
        } else {
            Err(DecodeError::NotDeterministic.into())
        }
    }

    /// A bundle of any receipts, unchecked, as an attacker may make one.
    #[cfg(test)]
    pub(crate) fn as_they_stand(receipts: impl IntoIterator<Item = Receipt>) -> Self {
        let mut receipts = receipts.into_iter();
        Self {
            subject: receipts.next().unwrap(),
            rests_on: receipts.collect(),
        }
    }

    /// Its receipts, to change some.
    #[cfg(test)]
    pub(crate) fn to_vec(&self) -> Vec<Receipt> {
        self.receipts().cloned().collect()
    }

    /// Checks that there are not too many receipts, and that each is of an earlier entry than the
    /// one before it.
    fn ordered(subject: Receipt, rests_on: Vec<Receipt>) -> Result<Self, BundleError> {
        let bundle = Self { subject, rests_on };
        let count = bundle.receipts().count();
        if count > MAX_RECEIPTS {
            return Err(BundleError::Count(count));
        }
        let indices: Vec<u64> = bundle.receipts().map(|one| one.proof.index()).collect();
        let mut pairs = (2..).zip(indices.windows(2));
        match pairs.find(|(_, pair)| pair[0] <= pair[1]) {
            Some((at, _)) => Err(BundleError::Order { at }),
            None => Ok(bundle),
        }
    }
}

/// Why bytes, or receipts, are not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The frame around the receipts is wrong.
    #[error("the evidence cannot be read: {0}")]
    Frame(#[from] DecodeError),
    /// No receipts, or too many.
    #[error("the evidence holds {0} receipts; 1 to 128 are allowed")]
    Count(usize),
    /// Not in the order of the log, or one is there twice.
    #[error(
        "receipt {at} of the evidence is out of order: the latest entry of the log comes first, \
         and none comes twice"
    )]
    Order {
        /// Its place in the bundle, from 1.
        at: usize,
    },
    /// One receipt is longer than [`MAX_RECEIPT_BYTES`].
    #[error(
        "receipt {at} of the evidence has {got} bytes; at most {MAX_RECEIPT_BYTES} are allowed"
    )]
    TooLong {
        /// Its place in the bundle, from 1.
        at: usize,
        /// How many bytes it has.
        got: usize,
    },
    /// One receipt is wrong.
    #[error("receipt {at} of the evidence cannot be read: {why}")]
    Receipt {
        /// Its place in the bundle, from 1.
        at: usize,
        /// The fault in the receipt.
        why: DecodeError,
    },
}
