//! The bytes that devices signed.

use askama::Template;
use hallway_spine::console::view::{Count, Frame, Moment, Paging, Size};

/// One transaction in a list.
#[derive(Clone, Debug)]
pub struct TransactionRow {
    /// The evidence, in hexadecimal.
    pub hash: String,
    /// The device's identifier.
    pub device_id: String,
    /// The device's name.
    pub device: String,
    /// Whether there is a picture to show.
    pub picture: bool,
    /// The name of the file that was signed, where the device gave one.
    pub file: Option<String>,
    /// How many bytes were signed.
    pub size: Size,
    /// The device's own count.
    pub sequence: Count,
    /// When the gateway accepted it.
    pub accepted: Moment,
}

impl TransactionRow {
    /// The first twelve digits of its hash.
    pub fn short_hash(&self) -> &str {
        self.hash.get(..12).unwrap_or(&self.hash)
    }
}

/// `/transactions`.
#[derive(Template, Clone, Debug)]
#[template(path = "transactions.html")]
pub struct TransactionsPage {
    /// The frame.
    pub frame: Frame,
    /// The device whose transactions are shown, with its identifier and name; all devices without
    /// it.
    pub only: Option<(String, String)>,
    /// One page of transactions, newest first.
    pub rows: Vec<TransactionRow>,
    /// The neighbouring pages.
    pub paging: Paging,
}

impl TransactionsPage {
    /// Whether the page adds new transactions on top.
    fn is_live(&self) -> bool {
        self.paging.newest.is_none()
    }
}
