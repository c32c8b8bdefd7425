//! The pages for somebody who is not signed in yet.

use askama::Template;
use hallway_spine::console::view::Frame;

/// `/` for somebody who is not signed in.
#[derive(Template, Clone, Debug)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// The frame, without a visitor.
    pub frame: Frame,
    /// Where to go after signing in: a path of this gateway.
    pub then: String,
}

/// `/join`: what a one-time link leads to. The token is in the address's fragment, which no
/// server sees, so the page holds every purpose and the script shows the one that applies.
#[derive(Template, Clone, Debug)]
#[template(path = "join.html")]
pub struct JoinPage {
    /// The frame, without a visitor.
    pub frame: Frame,
}
