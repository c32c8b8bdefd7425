//! The list of devices, and one device with what can be done to it.

use core::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use hallway_evidence::statement::device;
use hallway_spine::console::view::{Count, Frame, Mark, ModelCard, Moment, Paging, Tone};

use super::TransactionRow;

/// How many files a device has set aside, as a sentence with a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetAside(pub u32);

impl SetAside {
    /// Whether no file is set aside.
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return write!(f, "{}", Mark::new(Tone::Good, "No files set aside"));
        }
        let count = Count(self.0.into());
        let files = if self.0 == 1 { "file" } else { "files" };
        write!(
            f,
            r#"<span class="mark warning">{count} {files} set aside</span>"#
        )
    }
}

impl HtmlSafe for SetAside {}

/// One device in a list.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// The identifier in the API.
    pub id: String,
    /// The name that its owner gave it.
    pub name: String,
    /// The serial number from its attestation certificate.
    pub serial: String,
    /// Its state.
    pub state: Mark,
    /// The name of its owner.
    pub owner: String,
    /// When the gateway last heard from it.
    pub last_seen: Option<Moment>,
    /// The number of its newest transaction, by its own count; 0 before the first.
    pub sequence: Count,
    /// How many files it has set aside.
    pub set_aside: SetAside,
}

/// `/devices`.
#[derive(Template, Clone, Debug)]
#[template(path = "devices.html")]
pub struct DevicesPage {
    /// The frame.
    pub frame: Frame,
    /// One page of devices.
    pub devices: Vec<DeviceRow>,
    /// How many makers the realm accepts: without one, no device can enrol.
    pub makers: usize,
    /// The neighbouring pages.
    pub paging: Paging,
}

/// An act on a device that is possible now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceAct {
    /// Refuse it until it is reinstated.
    Suspend,
    /// Accept it again.
    Reinstate,
    /// Refuse it and every new enrolment of it, because it was stolen.
    ReportStolen,
    /// Let another person enrol it.
    Release,
    /// Refuse it for good.
    Retire,
}

impl DeviceAct {
    /// The name of its statement.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspend => device::Suspend::DECLARED.name,
            Self::Reinstate => device::Reinstate::DECLARED.name,
            Self::ReportStolen => device::ReportStolen::DECLARED.name,
            Self::Release => device::Release::DECLARED.name,
            Self::Retire => device::Retire::DECLARED.name,
        }
    }

    /// The button's text.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Suspend => "Suspend",
            Self::Reinstate => "Reinstate",
            Self::ReportStolen => "Report stolen",
            Self::Release => "Release",
            Self::Retire => "Retire",
        }
    }

    /// The effect, in one sentence.
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::Suspend => "The gateway accepts nothing from the device until you reinstate it.",
            Self::Reinstate => "The gateway accepts again what the device sends.",
            Self::ReportStolen => {
                "Nothing that it sends is accepted, and nobody can enrol it again, \
                 factory reset or not."
            }
            Self::Release => "Its enrolment ends, and anybody who holds it can enrol it anew.",
            Self::Retire => "Its enrolment ends for good. This cannot be taken back.",
        }
    }

    /// Whether operators may do it, because another act takes it back.
    pub const fn can_be_undone(self) -> bool {
        matches!(self, Self::Suspend | Self::Reinstate)
    }

    /// Whether it ends a suspension.
    pub const fn lifts_suspension(self) -> bool {
        matches!(self, Self::Reinstate | Self::Release)
    }

    /// Whether the button looks dangerous.
    pub const fn is_grave(self) -> bool {
        matches!(self, Self::ReportStolen | Self::Release | Self::Retire)
    }
}

/// One line of a device's history.
#[derive(Clone, Debug)]
pub struct History {
    /// The statement as a sentence.
    pub sentence: String,
    /// The evidence, in hexadecimal.
    pub hash: String,
    /// When it was accepted.
    pub accepted: Moment,
}

/// `/devices/{id}`.
#[derive(Template, Clone, Debug)]
#[template(path = "device.html")]
pub struct DevicePage {
    /// The frame.
    pub frame: Frame,
    /// The device.
    pub device: DeviceRow,
    /// The name of its maker.
    pub maker: String,
    /// The AAGUID of its authenticator, which names the model.
    pub aaguid: String,
    /// The model, where the metadata know it.
    pub model: Option<ModelCard>,
    /// Why its model is not accepted, if so: then nothing that the device signs is accepted.
    pub refused: Option<String>,
    /// The acts that the viewer can do on it now.
    pub acts: Vec<DeviceAct>,
    /// The people to whom the viewer can give it, with identifiers and names; empty if it can't be
    /// given.
    pub heirs: Vec<(String, String)>,
    /// Its newest transactions, at most five.
    pub latest: Vec<TransactionRow>,
    /// Evidence about it, newest first.
    pub history: Vec<History>,
}
