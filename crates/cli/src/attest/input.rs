//! Reads an attestation object or an assertion, in any of the forms in which people pass them
//! around.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hallway_webauthn::UnixSeconds;
use serde_json::Value;

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) attestation_object: Option<Vec<u8>>,
    pub(super) client_data: Option<Vec<u8>>,
    pub(super) client_data_hash: Option<Vec<u8>>,
    pub(super) assertion: Option<Assertion>,
    /// Every reading of the challenge: it may be base64url, hexadecimal or plain text.
    pub(super) challenges: Vec<Vec<u8>>,
    pub(super) origins: Vec<String>,
    pub(super) rp_id: Option<String>,
    /// The key authorization of an ACME challenge: the token, a dot, and the thumbprint of the
    /// account's key.
    pub(super) key_authorization: Option<String>,
    pub(super) at: Option<UnixSeconds>,
}

/// An assertion, with what is known of the credential.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assertion {
    pub(super) credential_id: Vec<u8>,
    pub(super) authenticator_data: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) user_handle: Option<Vec<u8>>,
    /// The COSE_Key.
    pub(super) public_key: Option<Vec<u8>>,
    pub(super) sign_count: u32,
}

/// How many levels of JSON are searched.
const MOST_LEVELS: usize = 5;

/// Reads CBOR, its hexadecimal or base64 text, or JSON that has an attestation object or an
/// assertion somewhere in it.
pub(super) fn read(bytes: &[u8]) -> Result<Input, String> {
    let text = std::str::from_utf8(bytes).ok().map(str::trim);
    if let Some(text) = text.filter(|text| text.starts_with('{')) {
        let json = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        return from_json(&json);
    }
    let decoded = text.and_then(|text| {
        let joined: String = text.split_whitespace().collect();
        decode(&joined).filter(|decoded| !decoded.is_empty())
    });
    match decoded {
        Some(inner) if inner.first() == Some(&b'{') => read(&inner),
        Some(object) => Ok(Input::attestation(object)),
        None if is_cbor_map(bytes) => Ok(Input::attestation(bytes.to_vec())),
        None => Err(
            "neither CBOR (an attestation object starts with a byte from a0 to bf), nor \
             hexadecimal, base64 or JSON"
                .to_owned(),
        ),
    }
}

impl Input {
    fn attestation(object: Vec<u8>) -> Self {
        Self {
            attestation_object: Some(object),
            ..Self::default()
        }
    }
}

fn is_cbor_map(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 5 == 5)
}

fn from_json(json: &Value) -> Result<Input, String> {
    if let Some(payload) = acme_payload(json) {
        return Ok(Input {
            key_authorization: key_authorization(json),
            ..read(&payload)?
        });
    }
    let bytes = |names: &[&str]| find(json, names).map(|value| to_bytes(&value)).transpose();
    let attestation_object = bytes(&["attestationobject", "attobj"])?;
    let client_data = bytes(&["clientdatajson", "clientdata"])?;
    let signature = bytes(&["signature"])?;
    let authenticator_data = bytes(&["authenticatordata", "authdata"])?;
    let assertion = match (signature, authenticator_data) {
        (Some(signature), Some(authenticator_data)) => Some(Assertion {
            credential_id: bytes(&["rawid", "credentialid", "id"])?.unwrap_or_default(),
            authenticator_data,
            signature,
            user_handle: bytes(&["userhandle"])?.filter(|handle| !handle.is_empty()),
            public_key: bytes(&["credentialpublickey", "cosekey", "publickey"])?,
            sign_count: find(json, &["signcount", "counter"])
                .and_then(|count| u32::try_from(count.as_u64()?).ok())
                .unwrap_or(0),
        }),
        _ => None,
    };
    if attestation_object.is_none() && assertion.is_none() {
        return Err(
            "the JSON has no member \"attestationObject\", and no \"authenticatorData\" with a \
             \"signature\""
                .to_owned(),
        );
    }
    let text =
        |names: &[&str]| find(json, names).and_then(|value| value.as_str().map(str::to_owned));
    let rp_id = text(&["rpid", "expectedrpid"]);
    let rp_id = rp_id.or_else(|| json.pointer("/rp/id")?.as_str().map(str::to_owned));
    Ok(Input {
        attestation_object,
        client_data,
        client_data_hash: bytes(&["clientdatahash"])?,
        assertion,
        challenges: text(&["challenge", "expectedchallenge"])
            .map(|text| challenges(&text))
            .unwrap_or_default(),
        origins: origins(find(json, &["origin", "origins", "expectedorigin"])),
        rp_id,
        key_authorization: key_authorization(json),
        at: find(json, &["at", "now"]).and_then(|at| at.as_i64().map(UnixSeconds)),
    })
}

/// What an ACME client signed: the payload of its request (RFC 8555, 6.2), if this is one.
fn acme_payload(json: &Value) -> Option<Vec<u8>> {
    json.get("protected")?;
    let payload = base64(json.get("payload")?.as_str()?)?;
    payload.starts_with(b"{").then_some(payload)
}

fn key_authorization(json: &Value) -> Option<String> {
    let text = |name| find(json, &[name]).and_then(|value| value.as_str().map(str::to_owned));
    text("keyauthorization").or_else(|| Some(format!("{}.{}", text("token")?, text("thumbprint")?)))
}

/// The readings of a challenge, the usual one first.
pub(super) fn challenges(text: &str) -> Vec<Vec<u8>> {
    let mut readings: Vec<Vec<u8>> = base64(text).into_iter().chain(hex(text)).collect();
    readings.push(text.as_bytes().to_vec());
    readings
}

/// Whether client data (JSON) hold this challenge.
pub(super) fn mentions(client_data: &[u8], challenge: &[u8]) -> bool {
    let client_data: Option<Value> = serde_json::from_slice(client_data).ok();
    let held = client_data.and_then(|data| Some(base64(data["challenge"].as_str()?)));
    held.flatten().is_some_and(|held| held == challenge)
}

fn origins(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::String(origin)) => vec![origin],
        Some(Value::Array(origins)) => origins
            .iter()
            .filter_map(|origin| origin.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// The value at the first of the names that occurs, nearest to the top. Names are compared without
/// regard to case, `_` and `-`.
fn find(json: &Value, names: &[&str]) -> Option<Value> {
    names.iter().find_map(|name| {
        let mut level = vec![json];
        for _ in 0..MOST_LEVELS {
            let mut below = Vec::new();
            for object in level.iter().filter_map(|value| value.as_object()) {
                for (key, value) in object {
                    let plain = key.replace(['_', '-'], "").to_lowercase();
                    if plain == *name && !value.is_null() {
                        return Some(value.clone());
                    }
                    below.push(value);
                }
            }
            level = below;
        }
        None
    })
}

/// Bytes as text, as an array of numbers, or as Node.js prints a Buffer.
fn to_bytes(value: &Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) if text.trim_start().starts_with('{') => Ok(text.as_bytes().to_vec()),
        Value::String(text) => decode(text).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            format!("\"{shown}\" is neither base64url, base64 nor hexadecimal")
        }),
        Value::Array(numbers) => numbers
            .iter()
            .map(|number| u8::try_from(number.as_u64()?).ok())
            .collect::<Option<_>>()
            .ok_or_else(|| "an array of bytes has something else in it".to_owned()),
        Value::Object(buffer) if buffer.contains_key("data") => to_bytes(&value["data"]),
        _ => Err("bytes are given as something other than text or numbers".to_owned()),
    }
}

/// Text as bytes. Text of hexadecimal digits alone is read as such: long base64 never is.
fn decode(text: &str) -> Option<Vec<u8>> {
    hex(text).or_else(|| base64(text))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let url = GeneralPurpose::new(&URL_SAFE, lenient);
    let standard = GeneralPurpose::new(&STANDARD, lenient);
    url.decode(text).or_else(|_| standard.decode(text)).ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0 && !digits.is_empty())?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: [u8; 3] = [0xa1, 0x61, 0xff];

    #[test]
    fn every_form_of_an_object_is_read() {
        for form in [
            &OBJECT[..],
            b"a161ff",
            b"A161FF\n",
            b"oWH_",
            b"oWH/",
            b"  oWH_\r\n",
            br#"{"attestationObject": "oWH_"}"#,
            br#"{"response": {"attestation_object": "a161ff"}}"#,
            br#"{"a": {"response": {"attestationObject": [161, 97, 255]}}}"#,
            br#"{"attestationObject": {"type": "Buffer", "data": [161, 97, 255]}}"#,
            b"eyJhdHRlc3RhdGlvbk9iamVjdCI6Im9XSF8ifQ==",
        ] {
            let input = read(form).unwrap();
            assert_eq!(input.attestation_object.as_deref(), Some(&OBJECT[..]));
        }
    }

    #[test]
    fn the_ceremony_around_it_is_read() {
        let input = read(
            br#"{"challenge": "AQID", "origin": ["https://a.test"], "rp": {"id": "a.test"},
                "at": 7, "credential": {"response": {"attestationObject": "oWH_",
                "clientDataJSON": "{\"type\":\"x\"}"}}}"#,
        )
        .unwrap();
        assert_eq!(input.challenges[0], [1, 2, 3]);
        assert_eq!(input.origins, ["https://a.test"]);
        assert_eq!(input.rp_id.as_deref(), Some("a.test"));
        assert_eq!(input.at, Some(UnixSeconds(7)));
        assert_eq!(input.client_data.as_deref(), Some(&br#"{"type":"x"}"#[..]));
        assert_eq!(input.assertion, None);
    }

    #[test]
    fn an_acme_answer_is_read_with_its_key_authorization() {
        for form in [
            &br#"{"attObj": "oWH_", "keyAuthorization": "token.print"}"#[..],
            br#"{"token": "token", "thumbprint": "print", "payload": {"attObj": "oWH_"}}"#,
            // {"attObj": "oWH_"}, as it is sent.
            br#"{"protected": "e30", "payload": "eyJhdHRPYmoiOiAib1dIXyJ9", "signature": "AA",
                "keyAuthorization": "token.print"}"#,
        ] {
            let input = read(form).unwrap();
            assert_eq!(input.attestation_object.as_deref(), Some(&OBJECT[..]));
            assert_eq!(input.key_authorization.as_deref(), Some("token.print"));
        }
    }

    #[test]
    fn an_assertion_is_read_with_its_key() {
        let input = read(
            br#"{"rawId": "AQ", "response": {"authenticatorData": "AgI", "signature": "AwM=",
                "clientDataJSON": "e30"}, "publicKey": "a0", "signCount": 9}"#,
        )
        .unwrap();
        let assertion = input.assertion.unwrap();
        assert_eq!(assertion.credential_id, [1]);
        assert_eq!(assertion.signature, [3, 3]);
        assert_eq!(assertion.public_key, Some(vec![0xa0]));
        assert_eq!(assertion.sign_count, 9);
        assert_eq!(assertion.user_handle, None);
    }

    #[test]
    fn what_is_none_of_it_is_refused_with_a_reason() {
        for (form, reason) in [
            (&b"\x00\x01"[..], "neither CBOR"),
            (b"", "neither CBOR"),
            (b"{", "not JSON"),
            (b"{}", "no member"),
            (br#"{"attestationObject": "!"}"#, "neither base64url"),
            (br#"{"attestationObject": [300]}"#, "something else"),
            (br#"{"attestationObject": true}"#, "something other"),
        ] {
            let error = read(form).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
