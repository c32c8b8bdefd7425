//! A datagram socket, which keeps events apart, plays the kernel here;
//! `tests/test_virtual_machine.py` has a real one.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hallway_ctap::ctaphid::{Channel, HidCommand, reports};

use super::*;
use crate::consent::Consent;
use crate::protection::Protection;
use crate::soft_key::{KeyFile, NewKey, SoftKey};

struct Kernel(UnixDatagram);

impl Kernel {
    fn hear(&self) -> Vec<u8> {
        let mut event = [0; EVENT_BYTES];
        let length = self.0.recv(&mut event).unwrap();
        event[..length].to_vec()
    }

    /// A client wrote a report through hidraw.
    fn output(&self, report: &[u8; 64]) {
        let mut event = 6_u32.to_ne_bytes().to_vec();
        event.push(0);
        event.extend(report);
        event.resize(4 + 4096, 0);
        event.extend(65_u16.to_ne_bytes());
        event.push(1);
        self.0.send(&event).unwrap();
    }
}

fn plugged_in() -> (Kernel, Uhid) {
    let (kernel, device) = UnixDatagram::pair().unwrap();
    kernel
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    device.set_nonblocking(true).unwrap();
    let uhid = Uhid::over(File::from(OwnedFd::from(device))).unwrap();
    (Kernel(kernel), uhid)
}

#[test]
fn a_client_gets_a_channel_and_a_get_report_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.key");
    let protection = Protection::OperatorKey([7; 32].into());
    KeyFile::create(&path, &protection, &NewKey::personal()).unwrap();
    let key = SoftKey::open(&path, &protection, Consent::Always).unwrap();
    let (worker, closing) = Worker::start(key).unwrap();
    let (kernel, uhid) = plugged_in();
    let stop = Arc::new(AtomicBool::new(false));
    let serving = thread::spawn({
        let stop = Arc::clone(&stop);
        move || serve_uhid(worker, &uhid, &stop)
    });

    assert_eq!(kernel.hear(), event::create());
    kernel.0.send(&2_u32.to_ne_bytes()).unwrap();
    let hello = reports(Channel::BROADCAST, HidCommand::Init, &[9; 8]).unwrap();
    kernel.output(&hello[0]);
    let answer = kernel.hear();
    assert_eq!(answer[..6], event::input(&[0; 64])[..6]);
    assert_eq!(answer[6 + 7..][..8], [9; 8]);

    let mut get = 9_u32.to_ne_bytes().to_vec();
    get.extend([3, 0, 0, 0, 0, 0]);
    kernel.0.send(&get).unwrap();
    assert_eq!(
        kernel.hear(),
        event::get_report_refusal(u32::from_ne_bytes([3, 0, 0, 0]))
    );

    stop.store(true, Ordering::Relaxed);
    serving.join().unwrap().unwrap();
    closing.join().unwrap();
}

#[test]
fn errors_say_what_to_do() {
    let absent = Uhid::plug_in(Path::new("/nowhere/uhid")).err().unwrap();
    assert!(matches!(absent, UhidError::Absent(_)));
    assert!(absent.to_string().contains("modprobe uhid"), "{absent}");
    // A regular file takes the event, a folder cannot be opened for writing at all.
    let folder = Uhid::plug_in(Path::new("/")).err().unwrap();
    assert!(matches!(folder, UhidError::Io { .. }), "{folder}");
}
