//! The entries of CBOR maps, each with its bytes.

use minicbor::Decoder;
use minicbor::data::Type;

/// One entry of a map, flattened: the entries of an inner map follow under `outer.inner`.
pub(super) struct Entry<'a> {
    /// The offset of the entry's first byte.
    pub(super) offset: usize,
    /// The encoded key and value.
    pub(super) bytes: &'a [u8],
    /// The key, with those of the maps around it.
    pub(super) name: String,
    /// The value in CBOR's diagnostic notation (RFC 8949, 8).
    pub(super) value: String,
}

/// The depth to which maps are split; a deeper map is shown as one value.
const MAX_DEPTH: usize = 4;

/// The entries of the map `bytes`, up to the first byte that can't be read.
pub(super) fn entries(bytes: &[u8]) -> Vec<Entry<'_>> {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(bytes);
    // If the map breaks off, the entries before the break are shown.
    let _ = map(&mut decoder, bytes, "", MAX_DEPTH, &mut out);
    out
}

fn map<'a>(
    decoder: &mut Decoder<'a>,
    bytes: &'a [u8],
    prefix: &str,
    depth: usize,
    out: &mut Vec<Entry<'a>>,
) -> Result<(), minicbor::decode::Error> {
    let Some(length) = decoder.map()? else {
        return Err(minicbor::decode::Error::message("indefinite length"));
    };
    for _ in 0..length {
        let start = decoder.position();
        let key = item(decoder, bytes)?;
        let key = key.trim_matches('"');
        let name = if prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{prefix}.{key}")
        };
        if decoder.datatype()? == Type::Map && depth > 1 {
            map(decoder, bytes, &name, depth - 1, out)?;
            continue;
        }
        let value = item(decoder, bytes)?;
        out.push(Entry {
            offset: start,
            bytes: bytes.get(start..decoder.position()).unwrap_or_default(),
            name,
            value,
        });
    }
    Ok(())
}

fn item(decoder: &mut Decoder<'_>, bytes: &[u8]) -> Result<String, minicbor::decode::Error> {
    let start = decoder.position();
    decoder.skip()?;
    let one = bytes.get(start..decoder.position()).unwrap_or_default();
    Ok(minicbor::display(one).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_map_is_flattened() {
        // {"a": 1, "b": {"c": h'01', "d": "x"}}
        let bytes = [
            0xa2, 0x61, b'a', 0x01, 0x61, b'b', 0xa2, 0x61, b'c', 0x41, 0x01, 0x61, b'd', 0x61,
            b'x',
        ];
        let found: Vec<_> = entries(&bytes)
            .into_iter()
            .map(|entry| (entry.offset, entry.name, entry.value))
            .collect();
        let expected = [(1, "a", "1"), (7, "b.c", "h'01'"), (11, "b.d", "\"x\"")];
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!((found.0, found.1.as_str(), found.2.as_str()), expected);
        }
        assert_eq!(found.len(), expected.len());
    }

    #[test]
    fn a_broken_map_is_shown_up_to_the_break() {
        assert_eq!(entries(&[0xa2, 0x61, b'a', 0x01, 0x61]).len(), 1);
        assert!(entries(&[]).is_empty());
        assert!(entries(&[0xff; 40]).is_empty());
    }
}
