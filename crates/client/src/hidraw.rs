//! Security keys on USB, through Linux's hidraw devices.
//!
//! Keys are recognised by their report descriptors in sysfs, which need no ioctl: a key has a
//! top-level usage of the FIDO page (CTAP 2.3, section 11.2.8.2). Opening one needs the rights that
//! systemd's udev rules give to the user who sits at the machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hallway_ctap::ctaphid::{REPORT_LENGTH, Report};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::connection::ConnectionError;
use crate::report_connection::{ReportConnection, Reports};

/// Where Linux describes hidraw devices, and where they are opened.
const SYSFS: &str = "/sys/class/hidraw";
const DEVICES: &str = "/dev";

/// The usage page of the FIDO Alliance, and CTAPHID within it.
const FIDO_PAGE: u32 = 0xf1d0;
const CTAPHID: u32 = 0x01;

/// The longest report descriptor that Linux keeps (HID_MAX_DESCRIPTOR_SIZE).
const MAX_DESCRIPTOR_BYTES: u64 = 4096;

/// A security key that is plugged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HidKey {
    /// The device, such as `/dev/hidraw3`.
    pub path: PathBuf,
    /// The maker's name for the device; empty if it has none.
    pub name: String,
}

/// The security keys that are plugged in, by device name; none where there is no hidraw.
///
/// # Errors
/// The errors of reading sysfs; a device that is unplugged meanwhile is left out.
pub fn hid_keys() -> io::Result<Vec<HidKey>> {
    keys_in(Path::new(SYSFS), Path::new(DEVICES))
}

fn keys_in(sysfs: &Path, devices: &Path) -> io::Result<Vec<HidKey>> {
    let entries = match sysfs.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut keys = Vec::new();
    for entry in entries {
        let entry = entry?;
        let device = entry.path().join("device");
        let Ok(descriptor) = read(&device.join("report_descriptor")) else {
            continue;
        };
        if is_fido(&descriptor) {
            keys.push(HidKey {
                path: devices.join(entry.file_name()),
                name: read(&device.join("uevent"))
                    .map(|text| maker_name(&String::from_utf8_lossy(&text)))
                    .unwrap_or_default(),
            });
        }
    }
    keys.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(keys)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_DESCRIPTOR_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The maker's name for the device, without characters that could control a terminal.
fn maker_name(uevent: &str) -> String {
    uevent
        .lines()
        .find_map(|line| line.strip_prefix("HID_NAME="))
        .unwrap_or_default()
        .chars()
        .filter(|character| !character.is_control())
        .collect()
}

/// Whether a report descriptor (HID 1.11, section 6.2.2) has a collection for CTAPHID.
fn is_fido(mut descriptor: &[u8]) -> bool {
    let (mut page, mut usage) = (0, 0);
    while let Some((&head, rest)) = descriptor.split_first() {
        // Long items (6.2.2.3) say nothing about usages.
        let (length, data_at) = match head {
            0xfe => (rest.first().copied().unwrap_or(0) as usize, 2),
            _ => ([0, 1, 2, 4][usize::from(head & 3)], 0),
        };
        let Some(data) = rest.get(data_at..data_at + length) else {
            return false;
        };
        match head & 0xfc {
            _ if head == 0xfe => {}
            0x04 => page = little_endian(data),
            // A usage of four bytes includes its page.
            0x08 if length == 4 => {
                let whole = little_endian(data);
                (page, usage) = (whole >> 16, whole & 0xffff);
            }
            0x08 => usage = little_endian(data),
            0xa0 if (page, usage) == (FIDO_PAGE, CTAPHID) => return true,
            // A main item ends what the local items before it said.
            0x80 | 0x90 | 0xa0 | 0xb0 | 0xc0 => usage = 0,
            _ => {}
        }
        descriptor = &rest[data_at + length..];
    }
    false
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// An open hidraw device.
#[derive(Debug)]
pub struct HidRaw(File);

impl HidRaw {
    /// Opens a device.
    ///
    /// # Errors
    /// The error of opening the device: most often, this user may not.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).open(path).map(Self)
    }
}

impl ReportConnection<HidRaw> {
    /// Opens a channel to the key behind a hidraw device.
    ///
    /// # Errors
    /// [`ConnectionError`] when the device can't be opened or does not answer.
    pub fn hidraw(path: impl AsRef<Path>) -> Result<Self, ConnectionError> {
        Self::open(HidRaw::open(path.as_ref())?)
    }
}

impl Reports for HidRaw {
    fn send(&mut self, report: &Report) -> io::Result<()> {
        // hidraw wants the report's number in front: 0, as keys do not number their reports.
        let mut numbered = [0; REPORT_LENGTH + 1];
        numbered[1..].copy_from_slice(report);
        self.0.write_all(&numbered)
    }

    fn receive(&mut self, timeout: Duration) -> io::Result<Option<Report>> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            let mut awaited = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut awaited, Some(&left)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut report = [0; REPORT_LENGTH];
            match self.0.read(&mut report)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                REPORT_LENGTH => return Ok(Some(report)),
                // Not a CTAPHID report: those all have one length.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    use std::thread;

    use super::*;
    use crate::connection::Connection;

    /// The descriptor of a common key: page, usage, collection, one report each way.
    const KEY: [u8; 34] = [
        0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75,
        0x08, 0x95, 0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95,
        0x40, 0x91, 0x02, 0xc0,
    ];
    /// The start of a boot keyboard's.
    const KEYBOARD: [u8; 8] = [0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07];

    #[test]
    fn only_a_collection_of_the_fido_page_makes_a_key() {
        assert!(is_fido(&KEY));
        assert!(is_fido(&[0x0b, 0x01, 0x00, 0xd0, 0xf1, 0xa1, 0x01]));
        assert!(is_fido(&[&KEYBOARD[..], &[0xc0], &KEY].concat()));
        assert!(is_fido(&[&[0xfe, 2, 9, 9, 9][..], &KEY].concat()));
        assert!(!is_fido(&KEYBOARD));
        assert!(!is_fido(&KEY[..5]), "a usage without a collection");
        let mut other_usage = KEY;
        other_usage[4] = 2;
        assert!(!is_fido(&other_usage));
    }

    proptest::proptest! {
        #[test]
        fn no_descriptor_is_too_odd(bytes: Vec<u8>) {
            is_fido(&bytes);
        }
    }

    #[test]
    fn keys_are_found_among_other_devices() {
        let sysfs = tempfile::tempdir().unwrap();
        for (name, descriptor) in [
            ("hidraw7", &KEY[..]),
            ("hidraw0", &KEYBOARD),
            ("hidraw2", &KEY),
        ] {
            let device = sysfs.path().join(name).join("device");
            std::fs::create_dir_all(&device).unwrap();
            std::fs::write(device.join("report_descriptor"), descriptor).unwrap();
            let uevent = format!("DRIVER=hid-generic\nHID_NAME=Maker \u{1b}[2J{name}\n");
            std::fs::write(device.join("uevent"), uevent).unwrap();
        }
        std::fs::create_dir(sysfs.path().join("hidraw9")).unwrap();
        let found = keys_in(sysfs.path(), Path::new("/dev")).unwrap();
        let expected = ["hidraw2", "hidraw7"].map(|name| HidKey {
            path: Path::new("/dev").join(name),
            name: format!("Maker [2J{name}"),
        });
        assert_eq!(found, expected);
        let nowhere = sysfs.path().join("nothing");
        assert_eq!(keys_in(&nowhere, Path::new("/dev")).unwrap(), []);
    }

    /// A device whose other end is in this process, where a number and a report arrive.
    fn device() -> (HidRaw, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        (HidRaw(File::from(OwnedFd::from(ours))), theirs)
    }

    #[test]
    fn a_message_crosses_with_its_report_number() {
        let (device, key) = device();
        let answering = thread::spawn(move || {
            let mut written = [0; 100];
            assert_eq!(key.recv(&mut written).unwrap(), 65);
            assert_eq!(written[..8], [0, 0xff, 0xff, 0xff, 0xff, 0x86, 0, 8]);
            let mut answer = [0; 64];
            answer[..7].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 17]);
            answer[7..15].copy_from_slice(&written[8..16]);
            answer[15..19].copy_from_slice(&[0, 0, 0, 5]);
            // A report of another length is not CTAPHID's.
            key.send(&[1; 8]).unwrap();
            key.send(&answer).unwrap();
            assert_eq!(key.recv(&mut written).unwrap(), 65);
            assert_eq!(written[..9], [0, 0, 0, 0, 5, 0x90, 0, 1, 4]);
            let mut answer = [0; 64];
            answer[..9].copy_from_slice(&[0, 0, 0, 5, 0x90, 0, 2, 0, 0xa0]);
            key.send(&answer).unwrap();
        });
        let mut connection = ReportConnection::open(device).unwrap();
        assert_eq!(connection.transact(&[4], &mut |_| {}).unwrap(), [0, 0xa0]);
        answering.join().unwrap();
    }

    #[test]
    fn silence_and_a_pulled_key_are_told_apart() {
        let (mut device, key) = device();
        assert_eq!(device.receive(Duration::from_millis(1)).unwrap(), None);
        drop(key);
        assert!(device.send(&[0; 64]).is_err());
    }
}
