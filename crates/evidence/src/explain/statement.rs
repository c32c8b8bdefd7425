//! A statement, which is the signed content.

use hallway_webauthn::explain::{Field, Part};

use super::cbor;

/// Splits a statement into its members.
pub fn statement(bytes: &[u8]) -> Part {
    Part {
        id: "statement",
        title: "Statement".to_owned(),
        lead: "What is about to happen, exactly. It is deterministic CBOR, so the same statement \
               always has the same bytes. Their SHA-256 is the challenge that the key signs."
            .to_owned(),
        length: bytes.len(),
        fields: cbor::entries(bytes)
            .into_iter()
            .map(|entry| {
                Field::new(entry.offset, entry.bytes, &entry.name, meaning(&entry.name))
                    .with_value(readable(&entry.value))
            })
            .collect(),
    }
}

/// A value in diagnostic notation without the spaces and marks that only programs need.
fn readable(value: &str) -> String {
    match value
        .strip_prefix("h'")
        .and_then(|hex| hex.strip_suffix('\''))
    {
        Some(hex) => hex.replace(' ', ""),
        None => value.trim_matches('"').to_owned(),
    }
}

fn meaning(name: &str) -> &'static str {
    match name {
        "hallway" => "The version of the format of statements.",
        "act" => "What is to happen: the door, and what is done there.",
        "realm" => "The realm in which it is to happen. Another realm refuses it.",
        "issued" => {
            "When the statement was made, in milliseconds since 1970, by the clock of whoever \
             made it. One that is too old is refused."
        }
        "nonce" => "Sixteen random bytes, so that no two statements have the same hash.",
        "terms.sha256" => {
            "The SHA-256 of the bytes that are signed. One changed bit gives another hash."
        }
        "terms.length" => "How many bytes are signed.",
        "terms.media_type" => "What kind of bytes the device says they are.",
        "terms.file_name" => "The name of the file on the device.",
        "terms.sequence" => {
            "The device's own count. It only goes up, so nothing can be replayed or slipped in."
        }
        "terms.taken" => {
            "When the bytes came to be, in milliseconds since 1970, by the device's clock."
        }
        "terms.delivery" => "Whether it was sent at once, or queued while there was no network.",
        "terms.challenge" => "What the gateway asked the device to sign, where it asked.",
        "terms.serial" => "The serial number from the attestation certificate.",
        "terms.model" => "The AAGUID, which names the model.",
        "terms.maker" => "The realm's name for the maker whose authority attested the device.",
        "terms.certificate" => "The certificate, or its hash.",
        "terms.credential" => "The credential that is spoken of.",
        "terms.enrolment" => "The evidence with which the device proved its attestation key.",
        "terms.device" => "The device's identifier in this realm.",
        "terms.owner" | "terms.person" | "terms.to" => "The person's identifier in this realm.",
        "terms.name" | "terms.label" => "The name that people call it by.",
        "terms.role" => "What the person may do in this realm.",
        "terms.link" => {
            "The SHA-256 of the one-time link's secret. The secret itself is nowhere kept."
        }
        "terms.change" => "What becomes of the device.",
        _ => "One of the act's terms; the sentence above says what it stands for.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_carry_their_bytes_and_their_meaning() {
        let part = statement(&[0xa1, 0x65, b'r', b'e', b'a', b'l', b'm', 0x61, b'x']);
        assert_eq!(part.fields.len(), 1);
        assert_eq!(part.fields[0].name, "realm");
        assert_eq!(part.fields[0].value.as_deref(), Some("x"));
        assert!(part.fields[0].meaning.contains("Another realm"));
    }
}
