//! Claiming a device by the code that it shows.

use askama::Template;
use hallway_spine::console::view::Frame;

/// `/claim`. A script asks for the device when the code is typed, so that no address contains a
/// code.
#[derive(Template, Clone, Debug)]
#[template(path = "claim.html")]
pub struct ClaimPage {
    /// The frame.
    pub frame: Frame,
    /// How many makers the realm accepts: without one, no device can enrol.
    pub makers: usize,
}
