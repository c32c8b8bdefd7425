//! Client data, written as WebAuthn Level 3, section 5.8.1.1 prescribes byte by byte.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The ceremony that client data belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ceremony {
    /// `webauthn.create`.
    Create,
    /// `webauthn.get`.
    Get,
}

/// The JSON-compatible serialisation of client data for a same-origin ceremony.
pub fn client_data_json(ceremony: Ceremony, challenge: &[u8], origin: &str) -> Vec<u8> {
    let kind = match ceremony {
        Ceremony::Create => "webauthn.create",
        Ceremony::Get => "webauthn.get",
    };
    let mut json = String::with_capacity(96 + challenge.len() * 4 / 3 + origin.len());
    json.push_str("{\"type\":");
    push_string(&mut json, kind);
    json.push_str(",\"challenge\":");
    push_string(&mut json, &URL_SAFE_NO_PAD.encode(challenge));
    json.push_str(",\"origin\":");
    push_string(&mut json, origin);
    json.push_str(",\"crossOrigin\":false}");
    json.into_bytes()
}

/// CCDToString.
fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => {
                json.push_str("\\u00");
                for digit in [c as u32 >> 4, c as u32 & 15] {
                    json.extend(char::from_digit(digit, 16));
                }
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let json = client_data_json(Ceremony::Get, &[0xff, 0xfe], "https://gate.example");
        assert_eq!(
            String::from_utf8(json).unwrap(),
            "{\"type\":\"webauthn.get\",\"challenge\":\"__4\",\
             \"origin\":\"https://gate.example\",\"crossOrigin\":false}"
        );
    }

    #[test]
    fn odd_characters_stay_json() {
        let origin = "a\"b\\c\n\u{1f}\u{e9}\u{1f600}";
        let json = client_data_json(Ceremony::Create, &[], origin);
        let parsed: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(parsed["origin"], origin);
        assert_eq!(parsed["type"], "webauthn.create");
    }
}
