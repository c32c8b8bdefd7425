//! CTAPHID: reports of 64 bytes in any order, with pauses, and with requests that finish at once or
//! later. At most one request is under way at any time.
#![no_main]

use hallway_authenticator::{HidAction, HidDevice, KeepaliveStatus};
use hallway_ctap::ctaphid::{MAX_MESSAGE, REPORT_LENGTH};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut device = HidDevice::default();
    let mut now_ms = 0;
    let mut working = false;
    // A byte for time and haste, then a report.
    for chunk in bytes.chunks_exact(1 + REPORT_LENGTH) {
        let (haste, report) = (chunk[0], chunk[1..].try_into().expect("a report"));
        now_ms += u64::from(haste >> 1) * 20;
        match device.receive(report, now_ms) {
            HidAction::Work { request, .. } => {
                assert!(!working, "two requests at once");
                assert!(!request.is_empty() && request.len() <= MAX_MESSAGE);
                working = true;
            }
            HidAction::Cancel => assert!(working, "nothing to cancel"),
            HidAction::Abort { .. } => {
                assert!(working, "nothing to abort");
                working = false;
            }
            HidAction::Nothing
            | HidAction::AwaitMore
            | HidAction::Reply(_)
            | HidAction::Restart { .. }
            | HidAction::Wink(_) => {}
        }
        // Only while a request is under way, and never for a U2F request.
        let keepalive = device.keepalive(KeepaliveStatus::Processing);
        assert!(working || keepalive.is_none());
        if haste & 1 == 1 {
            let answered = !device.finished(&[0]).is_empty();
            assert_eq!(answered, working);
            working = false;
        }
        device.tick(now_ms);
    }
});
