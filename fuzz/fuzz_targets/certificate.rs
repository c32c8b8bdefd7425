//! A certificate: as an anchor, and as the leaf of a statement of each format that has leaves.
#![no_main]

mod object;

use hallway_webauthn::explain::{ClientDataGiven, Evidence, explain};
use hallway_webauthn::{TrustAnchor, TrustAnchors, UnixSeconds};
use libfuzzer_sys::fuzz_target;
use minicbor::Encoder;
use object::object;

fuzz_target!(|bytes: &[u8]| {
    let anchors: TrustAnchors = TrustAnchor::new("it", bytes).into_iter().collect();
    for format in ["packed", "tpm", "android-key", "apple", "fido-u2f"] {
        let mut statement = Vec::new();
        let mut e = Encoder::new(&mut statement);
        let written = e.map(4).and_then(|e| {
            e.str("ver")?.str("2.0")?.str("alg")?.i64(-7)?;
            e.str("sig")?.bytes(&[])?.str("x5c")?.array(1)?.bytes(bytes)
        });
        written.expect("writing to a vector does not fail");
        let evidence = Evidence {
            client_data: ClientDataGiven::Hash(&[7; 32]),
            expected: None,
            anchors: &anchors,
            now: UnixSeconds(1_767_225_600),
        };
        let _ = explain(&object(format, &statement), &evidence);
    }
});
