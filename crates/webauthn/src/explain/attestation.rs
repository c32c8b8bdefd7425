//! An attestation object: what a registration returns (WebAuthn Level 3, 6.5.4).

use hallway_ctap::cose::Algorithm;

use super::{Field, Part, authenticator_data, certificate};
use crate::cbor_map::{self, CborMap};
use crate::certificate::MAX_CHAIN;
use crate::jws::Jws;
use crate::relying_party::UnixSeconds;

/// Takes an attestation object apart: authenticator data, the attestation statement, and each
/// certificate of its chain, with whether it is valid at `now`. `rp_id` is the relying party id that
/// was expected, where it is known. Of bytes that break off, the members before the break are shown.
pub fn attestation(bytes: &[u8], rp_id: Option<&str>, now: UnixSeconds) -> Vec<Part> {
    let member = |name| CborMap::new(bytes)?.get(name);
    let mut parts = Vec::new();
    if let Some(data) = member("authData").and_then(cbor_map::bytes) {
        parts.push(authenticator_data(data, rp_id));
    }
    let statement = member("attStmt").unwrap_or_default();
    let chain = chain_of(statement);
    let mut fields = Vec::new();
    if let Some(format) = member("fmt").and_then(cbor_map::text) {
        let meaning = match format {
            "none" => "The key gives no word about its origin.",
            "packed" => "The common format of FIDO2 keys.",
            _ => "A format of a particular platform.",
        };
        let field = Field::within(bytes, format.as_bytes(), "Format", meaning);
        fields.push(field.with_value(shown(format, 64)));
    }
    members(bytes, statement, !chain.is_empty(), &mut fields);
    if fields.is_empty() {
        fields = Field::unreadable(bytes, "This is no attestation object.");
    }
    parts.push(Part {
        id: "attestation",
        title: "Attestation".to_owned(),
        lead: "Where the key comes from. Only a registration has one.".to_owned(),
        length: bytes.len(),
        fields,
    });
    let certificates = chain.iter().enumerate();
    parts.extend(certificates.map(|(place, der)| certificate(der, place, now)));
    parts
}

/// The certificates of an attestation object, DER, the leaf first; none if it has none.
pub fn chain(bytes: &[u8]) -> Vec<Vec<u8>> {
    let statement = CborMap::new(bytes).and_then(|object| object.get("attStmt"));
    chain_of(statement.unwrap_or_default())
}

/// The certificates of a statement; for a compound one, of each part.
fn chain_of(statement: &[u8]) -> Vec<Vec<u8>> {
    if let Some(parts) = cbor_map::array(statement) {
        return parts
            .take(MAX_CHAIN)
            .filter_map(|part| CborMap::new(part)?.get("attStmt"))
            .flat_map(chain_of_one)
            .collect();
    }
    chain_of_one(statement)
}

fn chain_of_one(statement: &[u8]) -> Vec<Vec<u8>> {
    let member = |name| CborMap::new(statement)?.get(name);
    if let Some(items) = member("x5c").and_then(cbor_map::array) {
        let chain = items.take(MAX_CHAIN).filter_map(cbor_map::bytes);
        return chain.map(<[u8]>::to_vec).collect();
    }
    // SafetyNet's certificates are in a JWS.
    let response = member("response").and_then(cbor_map::bytes);
    response
        .and_then(|response| Jws::parse(response).ok())
        .map_or_else(Vec::new, Jws::into_certificates)
}

/// The members of a statement; for a compound one, of each part.
fn members(object: &[u8], statement: &[u8], certified: bool, out: &mut Vec<Field>) {
    if let Some(parts) = cbor_map::array(statement) {
        for part in parts.take(8) {
            members(object, part, certified, out);
        }
    }
    let Some(map) = CborMap::new(statement) else {
        return;
    };
    for (name, value) in map.entries().take(32) {
        match name {
            "attStmt" => members(object, value, certified, out),
            _ => out.push(member(object, name, value, certified)),
        }
    }
}

fn member(object: &[u8], name: &str, value: &[u8], certified: bool) -> Field {
    let meaning = match name {
        "fmt" => "The format of one of several statements.",
        "sig" if certified => {
            "The attestation signature. Made with the key of the attestation certificate, over the \
             authenticator data and the hash of the client data."
        }
        "sig" => {
            "The attestation signature. Made with the new key itself: it proves that the key can \
             sign, not what it is."
        }
        "alg" => "The algorithm of the attestation signature, as COSE numbers it (RFC 9053).",
        "x5c" => "The certificates, the leaf first. They follow below.",
        "ver" => "The version of the program that made the statement.",
        "response" => "What the platform's attestation service signed, a JWS (RFC 7515).",
        "certInfo" => "What the TPM signed: it names the new key.",
        "pubArea" => "The new key, as the TPM describes it.",
        _ => "A member of this format's statement.",
    };
    let (bytes, described) = if let Some(bytes) = cbor_map::bytes(value) {
        (bytes, format!("{} bytes", bytes.len()))
    } else if let Some(text) = cbor_map::text(value) {
        (value, shown(text, 200))
    } else if let Some(number) = cbor_map::integer(value) {
        let described = match Algorithm::from_id(number) {
            Some(algorithm) => format!("{number} ({algorithm})"),
            None => number.to_string(),
        };
        (value, described)
    } else if let Some(items) = cbor_map::array(value) {
        (&[][..], format!("{} items", items.count()))
    } else {
        (value, "a map or another value".to_owned())
    };
    Field::within(object, bytes, &shown(name, 64), meaning).with_value(described)
}

fn shown(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(0);

    #[test]
    fn parts_are_found_wherever_they_stand() {
        // {"fmt": "packed", "attStmt": {"sig": h'05', "x5c": [h'01']}, "authData": h'02'}
        let bytes = [
            b"\xa3\x63fmt\x66packed\x67attStmt\xa2\x63sig\x41\x05\x63x5c\x81\x41\x01".as_slice(),
            b"\x68authData\x41\x02",
        ]
        .concat();
        let parts = attestation(&bytes, Some("x"), NOW);
        let ids: Vec<_> = parts.iter().map(|p| p.id).collect();
        assert_eq!(ids, ["authenticator-data", "attestation", "certificate"]);
        let fields = &parts[1].fields;
        let names: Vec<_> = fields.iter().map(|f| (f.offset, f.name.as_str())).collect();
        assert_eq!(names, [(6, "Format"), (26, "sig"), (0, "x5c")]);
    }

    #[test]
    fn every_cut_is_survived() {
        let bytes = b"\xa2\x63fmt\x61x\x67attStmt\xa1\x63x5c\x81\x41\x01";
        for end in 0..bytes.len() {
            let parts = attestation(&bytes[..end], Some("x"), NOW);
            // What was found before the bytes break off is shown.
            let fields = &parts[0].fields;
            let name = if end < 7 { "Unreadable" } else { "Format" };
            assert_eq!(fields[0].name, name, "cut at {end}");
        }
    }

    #[test]
    fn a_compound_statement_shows_each_part() {
        // {"fmt": "compound", "attStmt": [{"fmt": "packed", "attStmt": {"alg": -7}}]}
        let bytes = [
            b"\xa2\x63fmt\x68compound\x67attStmt\x81\xa2\x63fmt\x66packed".as_slice(),
            b"\x67attStmt\xa1\x63alg\x26",
        ]
        .concat();
        let fields = &attestation(&bytes, None, NOW)[0].fields;
        let values: Vec<_> = fields.iter().filter_map(|f| f.value.as_deref()).collect();
        assert_eq!(values, ["compound", "packed", "-7 (ES256)"]);
    }
}
