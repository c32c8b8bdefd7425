//! The smallest X.509 certificate that says whose key attests a U2F registration.

use alloc::vec::Vec;

use crate::signatures::SignatureError;

/// ecdsa-with-SHA256, an AlgorithmIdentifier.
const ECDSA_SHA256: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
/// id-ecPublicKey on prime256v1, an AlgorithmIdentifier.
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
/// commonName.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`, the version.
const VERSION: u8 = 0xa0;

/// A certificate for the P-256 point `04 || x || y`, signed with its own key. It is the same each
/// time, except for the signature: nothing but the point links the registrations of one key.
pub(super) fn self_signed(
    point: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SignatureError>,
) -> Result<Vec<u8>, SignatureError> {
    let name = der(
        SEQUENCE,
        &der(
            SET,
            &der(
                SEQUENCE,
                &[COMMON_NAME, &der(UTF8_STRING, b"Hallway security key")].concat(),
            ),
        ),
    );
    // RFC 5280, section 4.1.2.5: no well-defined end of life.
    let validity = [
        der(GENERALIZED_TIME, b"20250101000000Z"),
        der(GENERALIZED_TIME, b"99991231235959Z"),
    ]
    .concat();
    let key = [P256, &bit_string(point)].concat();
    let body = der(
        SEQUENCE,
        &[
            &der(VERSION, &der(INTEGER, &[2]))[..],
            &der(INTEGER, &[1]),
            ECDSA_SHA256,
            &name,
            &der(SEQUENCE, &validity),
            &name,
            &der(SEQUENCE, &key),
        ]
        .concat(),
    );
    let signature = sign(&body)?;
    Ok(der(
        SEQUENCE,
        &[&body[..], ECDSA_SHA256, &bit_string(&signature)].concat(),
    ))
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    der(BIT_STRING, &[&[0], bytes].concat())
}

/// Tag, length and content; contents here are shorter than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = alloc::vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}
