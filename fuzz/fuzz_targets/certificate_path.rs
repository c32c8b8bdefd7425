//! Chains of certificates, leaf first, and an anchor: a time in seconds in four bytes, then each
//! certificate after its length in two, the anchor last.
#![no_main]

mod object;

use hallway_webauthn::explain::{ClientDataGiven, Evidence, explain};
use hallway_webauthn::{TrustAnchor, TrustAnchors, UnixSeconds};
use libfuzzer_sys::fuzz_target;
use minicbor::Encoder;
use object::object;

fuzz_target!(|bytes: &[u8]| {
    let Some((time, mut rest)) = bytes.split_first_chunk() else {
        return;
    };
    let mut certificates = Vec::new();
    while let Some((length, more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(more.len());
        let (certificate, after) = more.split_at(length);
        rest = after;
        certificates.push(certificate);
    }
    let Some((anchor, chain)) = certificates.split_last() else {
        return;
    };
    let anchors: TrustAnchors = TrustAnchor::new("it", *anchor).into_iter().collect();
    let mut statement = Vec::new();
    let mut e = Encoder::new(&mut statement);
    let written = e.map(1).and_then(|e| {
        e.str("x5c")?.array(chain.len() as u64)?;
        chain
            .iter()
            .try_fold(e, |e, certificate| e.bytes(certificate))
    });
    written.expect("writing to a vector does not fail");
    // Without client data there is no signature to check; the path is checked all the same.
    let evidence = Evidence {
        client_data: ClientDataGiven::Nothing,
        expected: None,
        anchors: &anchors,
        now: UnixSeconds(u32::from_be_bytes(*time).into()),
    };
    let _ = explain(&object("packed", &statement), &evidence);
});
