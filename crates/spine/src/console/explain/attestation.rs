//! An attestation object: what a registration returns (WebAuthn Level 3, 6.5.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Decoder;
use minicbor::data::Type;

use super::super::view::{Field, Part};
use super::{authenticator_data, certificate, offset_in};

/// Takes an attestation object apart: authenticator data, the attestation statement, and each
/// certificate of its chain.
pub fn attestation(bytes: &[u8], rp_id: &str) -> Vec<Part> {
    let mut found = Found::default();
    // What was found before the bytes break off is shown.
    let _ = found.read(&mut Decoder::new(bytes));
    let mut parts = Vec::new();
    if let Some(data) = found.authenticator_data {
        parts.push(authenticator_data(data, rp_id));
    }
    let mut fields = Vec::new();
    if let Some(format) = found.format {
        fields.push(
            Field::new(
                offset_in(bytes, format.as_bytes()),
                format.as_bytes(),
                "Format",
                match format {
                    "none" => "The key gives no word about its origin.",
                    "packed" => "The common format of FIDO2 keys.",
                    _ => "A format of a particular platform.",
                },
            )
            .with_value(format),
        );
    }
    if let Some(signature) = found.signature {
        fields.push(Field::new(
            offset_in(bytes, signature),
            signature,
            "Attestation signature",
            if found.chain.is_empty() {
                "Made with the new key itself: it proves that the key can sign, not what it is."
            } else {
                "Made with the key of the attestation certificate, over the authenticator data \
                 and the hash of the client data."
            },
        ));
    }
    if fields.is_empty() {
        fields.push(Field::new(
            0,
            bytes,
            "Unreadable",
            "This is no attestation object.",
        ));
    }
    parts.push(Part {
        id: "attestation",
        title: "Attestation".to_owned(),
        lead: "Where the key comes from. Only a registration has one.".to_owned(),
        length: bytes.len(),
        fields,
    });
    parts.extend(
        found
            .chain
            .iter()
            .enumerate()
            .map(|(place, der)| certificate(der, place)),
    );
    parts
}

/// The certificates of an attestation object, the leaf first; none if it has none.
pub(super) fn chain(bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Found::default();
    let _ = found.read(&mut Decoder::new(bytes));
    found.chain
}

/// Bytes as WebAuthn's JSON writes them: base64url without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[derive(Default)]
struct Found<'a> {
    format: Option<&'a str>,
    authenticator_data: Option<&'a [u8]>,
    signature: Option<&'a [u8]>,
    chain: Vec<&'a [u8]>,
}

impl<'a> Found<'a> {
    fn read(&mut self, decoder: &mut Decoder<'a>) -> Result<(), minicbor::decode::Error> {
        for _ in 0..decoder.map()?.unwrap_or(0) {
            match (decoder.str()?, decoder.datatype()?) {
                ("fmt", Type::String) => self.format = Some(decoder.str()?),
                ("authData", Type::Bytes) => self.authenticator_data = Some(decoder.bytes()?),
                ("attStmt", Type::Map) => self.read_statement(decoder)?,
                _ => decoder.skip()?,
            }
        }
        Ok(())
    }

    fn read_statement(&mut self, decoder: &mut Decoder<'a>) -> Result<(), minicbor::decode::Error> {
        for _ in 0..decoder.map()?.unwrap_or(0) {
            match (decoder.str()?, decoder.datatype()?) {
                ("sig", Type::Bytes) => self.signature = Some(decoder.bytes()?),
                ("x5c", Type::Array) => {
                    for _ in 0..decoder.array()?.unwrap_or(0) {
                        self.chain.push(decoder.bytes()?);
                    }
                }
                _ => decoder.skip()?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_wherever_they_stand() {
        // {"fmt": "packed", "attStmt": {"sig": h'05', "x5c": [h'01']}, "authData": h'02'}
        let bytes = [
            b"\xa3\x63fmt\x66packed\x67attStmt\xa2\x63sig\x41\x05\x63x5c\x81\x41\x01".as_slice(),
            b"\x68authData\x41\x02",
        ]
        .concat();
        let ids: Vec<_> = attestation(&bytes, "x").iter().map(|p| p.id).collect();
        assert_eq!(ids, ["authenticator-data", "attestation", "certificate"]);
    }

    #[test]
    fn every_cut_is_survived() {
        let bytes = b"\xa1\x67attStmt\xa1\x63x5c\x81\x41\x01";
        for end in 0..bytes.len() {
            assert!(!attestation(&bytes[..end], "x").is_empty(), "cut at {end}");
        }
    }
}
