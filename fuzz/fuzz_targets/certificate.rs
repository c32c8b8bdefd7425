//! Certificates: as anchors, and as a chain of one that leads to itself.
#![no_main]

use hallway_webauthn::explain::{ClientDataGiven, Evidence, explain};
use hallway_webauthn::{TrustAnchor, TrustAnchors, UnixSeconds};
use libfuzzer_sys::fuzz_target;
use minicbor::Encoder;

fuzz_target!(|bytes: &[u8]| {
    let anchors: TrustAnchors = TrustAnchor::new("it", bytes).into_iter().collect();
    for format in ["packed", "tpm", "android-key", "apple", "fido-u2f"] {
        let mut object = Vec::new();
        let mut e = Encoder::new(&mut object);
        let written = e.map(3).and_then(|e| {
            e.str("fmt")?.str(format)?.str("attStmt")?;
            e.map(3)?.str("alg")?.i64(-7)?.str("sig")?.bytes(&[])?;
            e.str("x5c")?.array(2)?.bytes(bytes)?.bytes(bytes)?;
            e.str("authData")?.bytes(&[0; 37])
        });
        written.expect("writing to a vector does not fail");
        let evidence = Evidence {
            client_data: ClientDataGiven::Hash(&[7; 32]),
            expected: None,
            anchors: &anchors,
            now: UnixSeconds(1_767_225_600),
        };
        let _ = explain(&object, &evidence);
    }
});
