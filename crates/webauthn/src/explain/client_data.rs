//! Client data, which the browser or the device's own client writes (WebAuthn Level 3, 5.8.1).

use super::{Field, Part};
use crate::base64url_digits::Base64UrlDigits;

/// The challenge that client data should name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Challenge<'a> {
    /// The challenge itself.
    pub bytes: &'a [u8],
    /// What it is, for a sentence: `the challenge that was sent`.
    pub called: &'a str,
}

/// Takes client data apart. `challenge` is the one that was expected, where it is known.
pub fn client_data(bytes: &[u8], challenge: Option<Challenge<'_>>) -> Part {
    Part {
        id: "client-data",
        title: "Client data".to_owned(),
        lead: "What the browser or the device's client saw, as JSON. The key signs the SHA-256 of \
               exactly these bytes."
            .to_owned(),
        length: bytes.len(),
        fields: members(bytes)
            .into_iter()
            .map(|(offset, raw)| {
                let text = String::from_utf8_lossy(raw);
                let (name, value) = name_and_value(&text);
                let meaning = meaning(&name, &value, challenge);
                Field::new(offset, raw, &name, meaning)
                    .with_value(value)
                    .as_text(text)
            })
            .collect(),
    }
}

fn meaning(name: &str, value: &str, challenge: Option<Challenge<'_>>) -> String {
    match (name, value) {
        ("type", "webauthn.get") => "An assertion: an existing credential signs.".to_owned(),
        ("type", "webauthn.create") => "A registration: a new credential is made.".to_owned(),
        ("challenge", _) => answered(value, challenge),
        ("origin", _) => "The page or program that asked. The browser writes it, not the page, \
                          so a page elsewhere cannot pass for this one."
            .to_owned(),
        ("crossOrigin", "false") => "The page that asked was not inside another site's.".to_owned(),
        ("crossOrigin", _) => "The page that asked was inside another site's page.".to_owned(),
        _ => "An addition of the client. A verifier must not mind additions.".to_owned(),
    }
}

fn answered(value: &str, challenge: Option<Challenge<'_>>) -> String {
    let Some(Challenge { bytes, called }) = challenge else {
        return "What the signature answers, in base64url.".to_owned();
    };
    let expected = Base64UrlDigits(bytes).to_string();
    if value == expected {
        format!("This is {called}, so the signature is over that.")
    } else {
        format!("This is not {called}, which is {expected}. The signature is over something else.")
    }
}

fn name_and_value(member: &str) -> (String, String) {
    let bare = member.trim().trim_start_matches('{').trim_end_matches(',');
    // The last member is followed by the brace that closes the whole object.
    let candidates = [format!("{{{bare}}}"), format!("{{{bare}")];
    let parsed = candidates.iter().find_map(|object| {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(object)
            .ok()?
            .into_iter()
            .next()
    });
    match parsed {
        Some((name, serde_json::Value::String(text))) => (name, text),
        Some((name, value)) => (name, value.to_string()),
        None => ("unreadable".to_owned(), member.to_owned()),
    }
}

/// The members of a JSON object: the offset of each, and its bytes with the punctuation before it.
fn members(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut out = Vec::new();
    let (mut start, mut depth, mut quoted, mut escaped) = (0, 0_u32, false, false);
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => {
                out.push((start, &bytes[start..=i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    if start < bytes.len() {
        out.push((start, &bytes[start..]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Bytes;

    fn asked(bytes: &[u8]) -> Option<Challenge<'_>> {
        let called = "the challenge";
        Some(Challenge { bytes, called })
    }

    #[test]
    fn members_together_are_the_whole() {
        let json =
            br#"{"type":"webauthn.get","challenge":"AAEC","origin":"https://a,b","x":{"y":[1,2]}}"#;
        let part = client_data(json, asked(&[0, 1, 2]));
        let names: Vec<_> = part.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["type", "challenge", "origin", "x"]);
        let whole: String = part
            .fields
            .iter()
            .map(|f| match &f.bytes {
                Bytes::Text(text) => text.as_str(),
                Bytes::Hex(_) => unreachable!(),
            })
            .collect();
        assert_eq!(whole.as_bytes(), json);
    }

    #[test]
    fn a_foreign_challenge_is_pointed_out() {
        let part = client_data(br#"{"challenge":"AAEC"}"#, asked(&[9; 32]));
        assert!(part.fields[0].meaning.starts_with("This is not"));
        let part = client_data(br#"{"challenge":"AAEC"}"#, asked(&[0, 1, 2]));
        assert!(part.fields[0].meaning.starts_with("This is the challenge"));
    }

    #[test]
    fn bytes_that_are_not_json_are_shown() {
        assert_eq!(client_data(b"\xff\xfe", None).fields[0].name, "unreadable");
        assert!(client_data(b"", None).fields.is_empty());
    }
}
