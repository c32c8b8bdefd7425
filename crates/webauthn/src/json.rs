//! A strict JSON walk that borrows and does not allocate, for client data.
//!
//! Accepts exactly RFC 8259; a member that occurs twice is for the caller to refuse. `serde_json` is
//! not used here: it refuses lone surrogates, which the JSON of 5.8.1 may have, and bounds no nesting
//! in values that nobody keeps.

use std::fmt;

/// How deeply arrays and objects may nest: bounds the stack that hostile input can use.
const MAX_DEPTH: u8 = 16;

/// Why text is not acceptable JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8.
    #[error("the client data are not UTF-8")]
    Utf8,
    /// Not JSON, at this byte offset.
    #[error("the client data are not JSON (at byte {0})")]
    Syntax(usize),
    /// Nested more than 16 levels deep.
    #[error("the client data are nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// Bytes follow the JSON object, from this offset.
    #[error("something follows the client data's JSON object (at byte {0})")]
    Trailing(usize),
}

/// The inside of a JSON string, escapes still in it.
#[derive(Clone, Copy)]
pub(crate) struct JsonStr<'a>(&'a str);

impl<'a> JsonStr<'a> {
    /// The characters, escapes resolved; a lone surrogate becomes U+FFFD.
    pub(crate) fn chars(self) -> impl Iterator<Item = char> + 'a {
        Unescape {
            rest: self.0.chars(),
        }
    }

    pub(crate) fn is(self, other: &str) -> bool {
        if self.0.contains('\\') {
            self.chars().eq(other.chars())
        } else {
            self.0 == other
        }
    }
}

impl PartialEq for JsonStr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl fmt::Display for JsonStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|c| write!(f, "{c}"))
    }
}

impl fmt::Debug for JsonStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

struct Unescape<'a> {
    rest: std::str::Chars<'a>,
}

impl Unescape<'_> {
    fn unit(&mut self) -> Option<u32> {
        let mut value = 0;
        for _ in 0..4 {
            value = value << 4 | self.rest.next()?.to_digit(16)?;
        }
        Some(value)
    }
}

impl Iterator for Unescape<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = self.rest.next()?;
        if first != '\\' {
            return Some(first);
        }
        Some(match self.rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = self.unit()?;
                let mut ahead = Unescape {
                    rest: self.rest.clone(),
                };
                if (0xd800..0xdc00).contains(&high)
                    && ahead.rest.next() == Some('\\')
                    && ahead.rest.next() == Some('u')
                    && let Some(low @ 0xdc00..0xe000) = ahead.unit()
                {
                    self.rest = ahead.rest;
                    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                        .unwrap_or(char::REPLACEMENT_CHARACTER)
                } else {
                    char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            other => other,
        })
    }
}

/// A value, as far as client data need to know it.
pub(crate) enum Value<'a> {
    Text(JsonStr<'a>),
    Bool(bool),
    Null,
    /// A number, an array or an object: walked, not kept.
    Other,
}

/// Walks the members of the one object that `text` must be.
pub(crate) fn members<'a, E: From<JsonError>>(
    text: &'a str,
    mut member: impl FnMut(JsonStr<'a>, Value<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut walk = Walk { text, at: 0 };
    walk.space();
    walk.object(MAX_DEPTH, &mut member)?;
    walk.space();
    if walk.at == text.len() {
        Ok(())
    } else {
        Err(JsonError::Trailing(walk.at).into())
    }
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.wrong()
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn object<E: From<JsonError>>(
        &mut self,
        depth: u8,
        member: &mut dyn FnMut(JsonStr<'a>, Value<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value(depth)?;
            member(name, value)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.expect(b'}')?;
                    return Ok(());
                }
            }
        }
    }

    fn array(&mut self, depth: u8) -> Result<(), JsonError> {
        self.expect(b'[')?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.expect(b']'),
            }
        }
    }

    fn value(&mut self, depth: u8) -> Result<Value<'a>, JsonError> {
        let deeper = || depth.checked_sub(1).ok_or(JsonError::TooDeep);
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => {
                self.object::<JsonError>(deeper()?, &mut |_, _| Ok(()))?;
                Ok(Value::Other)
            }
            Some(b'[') => {
                self.array(deeper()?)?;
                Ok(Value::Other)
            }
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        match self.text.get(self.at..) {
            Some(rest) if rest.starts_with(word) => {
                self.at += word.len();
                Ok(value)
            }
            _ => self.wrong(),
        }
    }

    fn number(&mut self) -> Result<Value<'a>, JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Other)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            self.wrong()
        } else {
            Ok(())
        }
    }

    fn string(&mut self) -> Result<JsonStr<'a>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let inside = self.text.get(start..self.at);
                    self.at += 1;
                    return inside.map(JsonStr).ok_or(JsonError::Syntax(start));
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                            self.at += 1;
                        }
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
                                    return self.wrong();
                                }
                                self.at += 1;
                            }
                        }
                        _ => return self.wrong(),
                    }
                }
                Some(0x20..) => self.at += 1,
                _ => return self.wrong(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &str) -> Result<Vec<(String, String)>, JsonError> {
        let mut seen = Vec::new();
        members(text, |name, value| {
            let value = match value {
                Value::Text(text) => text.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Null => "null".to_owned(),
                Value::Other => "other".to_owned(),
            };
            seen.push((name.to_string(), value));
            Ok::<(), JsonError>(())
        })?;
        Ok(seen)
    }

    #[test]
    fn members_come_in_order_with_escapes_resolved() {
        let seen =
            walk(r#" { "a\u0062" : "\ud83d\ude00\n\/" , "c":[1,-0.5e+3,{"d":null}],"e":true } "#);
        assert_eq!(
            seen.unwrap(),
            [
                ("ab".to_owned(), "\u{1f600}\n/".to_owned()),
                ("c".to_owned(), "other".to_owned()),
                ("e".to_owned(), "true".to_owned())
            ]
        );
        assert_eq!(walk("{}").unwrap(), []);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "[]",
            "{",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\u{1}\"}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[1,]}",
            "{\"a\":\"",
        ] {
            assert!(walk(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_using_the_stack() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(walk(&deep), Err(JsonError::TooDeep));
    }

    #[test]
    fn lone_surrogates_do_not_match_anything_real() {
        let seen = walk(r#"{"a":"\ud800x"}"#).unwrap();
        assert_eq!(seen[0].1, "\u{fffd}x");
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde_json_on_what_is_json(text in "[{}\\[\\]\":,a0-9.eE+\\\\u tfn-]{0,24}") {
            let reference: Result<serde_json::Map<String, serde_json::Value>, _> =
                serde_json::from_str(&text);
            // serde_json refuses lone surrogates and numbers beyond f64; this walk does not.
            if reference.is_ok() {
                proptest::prop_assert!(walk(&text).is_ok());
            }
        }

        #[test]
        fn what_serde_json_prints_is_read_back(key: String, value: String) {
            let text = serde_json::json!({ key.clone(): value.clone() }).to_string();
            proptest::prop_assert_eq!(walk(&text).unwrap(), [(key, value)]);
        }
    }
}
