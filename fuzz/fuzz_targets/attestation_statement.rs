//! Statements of every format, in an attestation object whose other parts are valid. The first byte
//! chooses the format.
#![no_main]

mod object;

use hallway_webauthn::explain::{ClientDataGiven, Evidence, explain};
use hallway_webauthn::{Format, TrustAnchors, UnixSeconds};
use libfuzzer_sys::fuzz_target;
use object::object;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, statement)) = bytes.split_first() else {
        return;
    };
    let format = Format::ALL[usize::from(*choice) % Format::ALL.len()];
    let anchors = TrustAnchors::new();
    let evidence = Evidence {
        client_data: ClientDataGiven::Hash(&[7; 32]),
        expected: None,
        anchors: &anchors,
        now: UnixSeconds(1_767_225_600),
    };
    let _ = explain(&object(format.name(), statement), &evidence);
});
