//! Attestation objects that are valid but for the statement, which comes from the input.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use minicbor::Encoder;

/// The generator of P-256, used as the public key of a registration (SEC 2, 2.4.2).
const X: [u8; 32] = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
];
const Y: [u8; 32] = [
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// An attestation object of this format; `statement` is CBOR, or any bytes in its place.
pub(crate) fn object(format: &str, statement: &[u8]) -> Vec<u8> {
    let public_key = PublicKey::Ec2 {
        algorithm: Algorithm::Es256,
        x: &X,
        y: &Y,
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
