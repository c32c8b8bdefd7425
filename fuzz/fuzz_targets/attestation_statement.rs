//! Statements of every format, in an attestation object whose other parts are right. The first
//! byte picks the format.
#![no_main]

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::explain::{ClientDataGiven, Evidence, explain};
use hallway_webauthn::{Format, TrustAnchors, UnixSeconds};
use libfuzzer_sys::fuzz_target;
use minicbor::Encoder;

fn object(format: &str, statement: &[u8]) -> Vec<u8> {
    let public_key = PublicKey::Ec2 {
        algorithm: Algorithm::Es256,
        x: &[1; 32],
        y: &[2; 32],
    }
    .encode();
    let data = AuthenticatorData {
        rp_id_hash: &[7; 32],
        flags: Flags::USER_PRESENT,
        sign_count: 0,
        attested_credential: Some(AttestedCredential {
            aaguid: Aaguid([7; 16]),
            credential_id: b"id",
            public_key: &public_key,
        }),
        extensions: None,
    };
    let data = data.encode().expect("the credential id is short");
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    let written = e.map(3).and_then(|e| {
        e.str("fmt")?
            .str(format)?
            .str("authData")?
            .bytes(&data)?
            .str("attStmt")
    });
    written.expect("writing to a vector does not fail");
    out.extend_from_slice(statement);
    out
}

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
