//! Claiming a device by the code that it shows.

use askama::Template;
use hallway_spine::console::view::Frame;

/// `/claim`. What the code stands for is fetched when it is typed, so that no code is ever part
/// of an address.
#[derive(Template, Clone, Debug)]
#[template(path = "claim.html")]
pub struct ClaimPage {
    /// The frame.
    pub frame: Frame,
    /// How many makers the gateway trusts: with none, no device can enrol.
    pub makers: usize,
}
