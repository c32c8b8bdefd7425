//! The events of /dev/uhid, as bytes (linux/uhid.h: packed structures in the computer's own byte
//! order, the type first). The kernel fills up with zeros what a write leaves out.

use hallway_authenticator::DEVICE_VERSION;
use hallway_ctap::ctaphid::{REPORT_LENGTH, Report};

/// The longest event (`struct uhid_event`): type and `struct uhid_create2_req`.
pub(crate) const EVENT_BYTES: usize = 4 + 128 + 64 + 64 + 2 + 2 + 4 * 4 + MAX_DATA_BYTES;
/// UHID_DATA_MAX and HID_MAX_DESCRIPTOR_SIZE.
const MAX_DATA_BYTES: usize = 4096;

const OUTPUT: u32 = 6;
const GET_REPORT: u32 = 9;
const GET_REPORT_REPLY: u32 = 10;
const CREATE2: u32 = 11;
const INPUT2: u32 = 12;
const SET_REPORT: u32 = 13;
const SET_REPORT_REPLY: u32 = 14;

/// UHID_OUTPUT_REPORT.
const OUTPUT_REPORT: u8 = 1;
/// BUS_USB (linux/input.h): libfido2 and browsers look for security keys only there.
const BUS_USB: u16 = 3;
/// EIO (errno.h).
const EIO: u16 = 5;

/// The name that programs show.
pub(crate) const NAME: &str = "Hallway security key";

/// A FIDO authenticator with reports of 64 bytes each way (CTAP 2.3, section 11.2.8.1).
pub(crate) const DESCRIPTOR: [u8; 34] = [
    0x06, 0xd0, 0xf1, // Usage Page (FIDO alliance)
    0x09, 0x01, // Usage (CTAPHID)
    0xa1, 0x01, // Collection (Application)
    0x09, 0x20, //   Usage (data in)
    0x15, 0x00, //   Logical Minimum (0)
    0x26, 0xff, 0x00, //   Logical Maximum (255)
    0x75, 0x08, //   Report Size (8)
    0x95, 0x40, //   Report Count (64)
    0x81, 0x02, //   Input (Data, Variable, Absolute)
    0x09, 0x21, //   Usage (data out)
    0x15, 0x00, //   Logical Minimum (0)
    0x26, 0xff, 0x00, //   Logical Maximum (255)
    0x75, 0x08, //   Report Size (8)
    0x95, 0x40, //   Report Count (64)
    0x91, 0x02, //   Output (Data, Variable, Absolute)
    0xc0, // End Collection
];

/// An event from the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromKernel {
    /// A client sent a report.
    Output(Report),
    /// A client sent data the slow way (SET_REPORT), and waits to hear whether they were taken: a
    /// report, if they are one.
    SetReport { id: u32, report: Option<Report> },
    /// A client asks for a report the slow way (GET_REPORT), and waits.
    GetReport { id: u32 },
    /// Any other event, which does not matter here: started, stopped, opened, closed.
    Nothing,
}

/// UHID_CREATE2. Vendor and product are 0: this is nobody's USB device.
pub(crate) fn create() -> Vec<u8> {
    let mut event = Vec::with_capacity(EVENT_BYTES);
    event.extend(CREATE2.to_ne_bytes());
    event.extend(NAME.as_bytes());
    event.resize(4 + 128 + 64 + 64, 0);
    event.extend((DESCRIPTOR.len() as u16).to_ne_bytes());
    event.extend(BUS_USB.to_ne_bytes());
    // bcdDevice: major and minor.
    let [major, minor, _] = DEVICE_VERSION;
    let version = u32::from(major) << 8 | u32::from(minor);
    let [vendor, product, country] = [0_u32; 3];
    for number in [vendor, product, version, country] {
        event.extend(number.to_ne_bytes());
    }
    event.extend(DESCRIPTOR);
    event
}

/// UHID_INPUT2: a report for the clients.
pub(crate) fn input(report: &Report) -> Vec<u8> {
    let mut event = Vec::with_capacity(4 + 2 + REPORT_LENGTH);
    event.extend(INPUT2.to_ne_bytes());
    event.extend((REPORT_LENGTH as u16).to_ne_bytes());
    event.extend(report);
    event
}

/// UHID_SET_REPORT_REPLY.
pub(crate) fn set_report_reply(id: u32, taken: bool) -> Vec<u8> {
    let mut event = SET_REPORT_REPLY.to_ne_bytes().to_vec();
    event.extend(id.to_ne_bytes());
    event.extend(if taken { 0 } else { EIO }.to_ne_bytes());
    event
}

/// UHID_GET_REPORT_REPLY: there is nothing to get, as CTAPHID has no feature reports.
pub(crate) fn get_report_refusal(id: u32) -> Vec<u8> {
    let mut event = GET_REPORT_REPLY.to_ne_bytes().to_vec();
    event.extend(id.to_ne_bytes());
    event.extend(EIO.to_ne_bytes());
    event.extend(0_u16.to_ne_bytes());
    event
}

/// Reads an event. One that is cut short or unknown is [`FromKernel::Nothing`].
pub(crate) fn parse(event: &[u8]) -> FromKernel {
    read(event).unwrap_or(FromKernel::Nothing)
}

fn read(event: &[u8]) -> Option<FromKernel> {
    let (kind, body) = event.split_first_chunk::<4>()?;
    match u32::from_ne_bytes(*kind) {
        OUTPUT => {
            let (data, rest) = body.split_first_chunk::<MAX_DATA_BYTES>()?;
            let (size, _) = rest.split_first_chunk::<2>()?;
            let data = data.get(..usize::from(u16::from_ne_bytes(*size)))?;
            report(data).map(FromKernel::Output)
        }
        GET_REPORT => {
            let (id, _) = body.split_first_chunk::<4>()?;
            Some(FromKernel::GetReport {
                id: u32::from_ne_bytes(*id),
            })
        }
        SET_REPORT => {
            let (id, rest) = body.split_first_chunk::<4>()?;
            let ([_, kind, low, high], data) = rest.split_first_chunk::<4>()?;
            let size = usize::from(u16::from_ne_bytes([*low, *high]));
            Some(FromKernel::SetReport {
                id: u32::from_ne_bytes(*id),
                report: (*kind == OUTPUT_REPORT)
                    .then(|| data.get(..size).and_then(report))
                    .flatten(),
            })
        }
        _ => None,
    }
}

/// A report, with or without its number in front: hidraw's clients write one, and it is 0.
fn report(data: &[u8]) -> Option<Report> {
    let data = match data {
        [0, rest @ ..] if rest.len() == REPORT_LENGTH => rest,
        data => data,
    };
    data.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(data: &[u8]) -> Vec<u8> {
        let mut event = OUTPUT.to_ne_bytes().to_vec();
        event.extend(data);
        event.resize(4 + MAX_DATA_BYTES, 0);
        event.extend((data.len() as u16).to_ne_bytes());
        event.push(OUTPUT_REPORT);
        event
    }

    #[test]
    fn the_device_is_described_as_the_kernel_expects() {
        let event = create();
        assert_eq!(event[..4], 11_u32.to_ne_bytes());
        assert_eq!(&event[4..4 + NAME.len()], NAME.as_bytes());
        assert_eq!(event[260..262], 34_u16.to_ne_bytes());
        assert_eq!(event[262..264], BUS_USB.to_ne_bytes());
        assert_eq!(event[280..], DESCRIPTOR);
        assert_eq!(EVENT_BYTES, 4376);
    }

    #[test]
    fn reports_come_with_and_without_a_number() {
        let numbered = [[0; 1].as_slice(), &[7; 64]].concat();
        assert_eq!(parse(&output(&numbered)), FromKernel::Output([7; 64]));
        assert_eq!(parse(&output(&[7; 64])), FromKernel::Output([7; 64]));
        for wrong in [&[7; 65][..], &[7; 63], &[]] {
            assert_eq!(parse(&output(wrong)), FromKernel::Nothing);
        }
    }

    #[test]
    fn get_report_and_set_report_are_answered() {
        let mut event = SET_REPORT.to_ne_bytes().to_vec();
        event.extend(9_u32.to_ne_bytes());
        event.extend([0, OUTPUT_REPORT]);
        event.extend(64_u16.to_ne_bytes());
        event.extend([5; 64]);
        let report = Some([5; 64]);
        assert_eq!(parse(&event), FromKernel::SetReport { id: 9, report });
        event[9] = 0;
        let report = None;
        assert_eq!(parse(&event), FromKernel::SetReport { id: 9, report });
        assert_eq!(set_report_reply(9, true)[8..], [0, 0]);
        assert_eq!(set_report_reply(9, false)[8..], EIO.to_ne_bytes());
    }

    proptest::proptest! {
        #[test]
        fn any_event_is_survived(event in proptest::collection::vec(0u8.., 0..5000), kind in 0u32..16) {
            parse(&event);
            parse(&[&kind.to_ne_bytes()[..], &event].concat());
        }
    }
}
