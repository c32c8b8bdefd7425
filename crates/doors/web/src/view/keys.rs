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
    /// Its kind: `Security key`, `Passkey, synchronised`.
    pub kind: String,
    /// The name of its model, if the metadata know it.
    pub model: Option<ModelCard>,
    /// Why its model is not accepted, if so: then the key opens nothing.
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
    /// The address that it was opened from.
    pub address: String,
    /// The name of the key that was touched for it.
    pub key: String,
    /// When the key was touched.
    pub touched: Moment,
    /// When it was used last.
    pub last_used: Moment,
    /// Whether it is the session of this page.
    pub current: bool,
}

/// `/keys`.
#[derive(Template, Clone, Debug)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// The frame.
    pub frame: Frame,
    /// All keys of the viewer, oldest first.
    pub keys: Vec<KeyRow>,
    /// The viewer's own open one-time links.
    pub links: Vec<LinkItem>,
    /// The viewer's sessions.
    pub sessions: Vec<SessionItem>,
}

impl KeysPage {
    fn only_one(&self) -> bool {
        self.keys.len() == 1
    }
}
