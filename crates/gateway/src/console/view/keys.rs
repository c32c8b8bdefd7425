//! A person's own keys.

use askama::Template;

use super::{Frame, ModelCard, Moment};

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

/// `/keys`.
#[derive(Template, Clone, Debug)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// The frame.
    pub frame: Frame,
    /// All keys of the visitor, oldest first.
    pub keys: Vec<KeyRow>,
}

impl KeysPage {
    fn only_one(&self) -> bool {
        self.keys.len() == 1
    }
}
