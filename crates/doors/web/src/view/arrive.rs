//! The pages for people who are not signed in.

use askama::Template;
use hallway_spine::console::view::Frame;

/// `/` for a person who is not signed in.
#[derive(Template, Clone, Debug)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// The frame, without a viewer.
    pub frame: Frame,
    /// Where to go after signing in: a path of this gateway.
    pub then: String,
}

/// `/join`: the page of a one-time link. The token is in the fragment of the address, which no
/// server sees, so the page holds the text for every purpose, and the script shows one.
#[derive(Template, Clone, Debug)]
#[template(path = "join.html")]
pub struct JoinPage {
    /// The frame, without a viewer.
    pub frame: Frame,
}
