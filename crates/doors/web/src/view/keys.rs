//! A person's own keys, links and sessions.

use askama::Template;
use hallway_spine::console::view::{Frame, ModelCard, Moment};

use super::LinkItem;

/// One registered key.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// Its identifier in the API.
    pub id: String,
    /// The name that its owner gave it.
    pub label: String,
    /// What it is: `Security key`, `Passkey, synchronised`.
    pub kind: String,
    /// Its model, where the metadata know it.
    pub model: Option<ModelCard>,
    /// Why it opens nothing, where its model is not accepted.
    pub refused: Option<String>,
    /// When it was registered.
    pub registered: Moment,
    /// When it last signed something here.
    pub last_used: Option<Moment>,
    /// The evidence of its registration, in hexadecimal.
    pub evidence: Option<String>,
}

/// A session.
#[derive(Clone, Debug)]
pub struct SessionItem {
    /// The identifier in the API.
    pub id: String,
    /// The browser or program in words, such as `Chromium on Linux`.
    pub agent: String,
    /// Where it was opened from.
    pub address: String,
    /// What the key is called that was touched for it.
    pub key: String,
    /// When that was.
    pub touched: Moment,
    /// When it was used last.
    pub last_used: Moment,
    /// Whether it is the one in which the page is looked at.
    pub current: bool,
}

/// `/keys`.
#[derive(Template, Clone, Debug)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// The frame.
    pub frame: Frame,
    /// All keys of the visitor, oldest first.
    pub keys: Vec<KeyRow>,
    /// One-time links of the visitor's own that are open.
    pub links: Vec<LinkItem>,
    /// Where the visitor is signed in.
    pub sessions: Vec<SessionItem>,
}

impl KeysPage {
    fn only_one(&self) -> bool {
        self.keys.len() == 1
    }
}
