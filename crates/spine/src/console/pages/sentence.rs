//! The sentence of a piece of evidence, as a page shows it.

use hallway_evidence::Evidence;

use crate::store::EvidenceRecord;

/// The hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// The sentence without its beginning: the realm and the time, which are in every sentence.
pub fn stated(record: &EvidenceRecord) -> String {
    let whole = record
        .bytes
        .as_deref()
        .and_then(|bytes| Evidence::decode(bytes).ok())
        .and_then(|evidence| evidence.signed.read_statement().ok())
        .map(|statement| statement.sentence());
    let Some(whole) = whole else {
        return format!(
            "Erased. The log still holds the hash of this “{}”.",
            record.act
        );
    };
    clause(&whole)
}

/// The act of a statement's sentence, as a sentence of its own. Hashes are cut short: they stand
/// in full where the statement is explained.
fn clause(sentence: &str) -> String {
    let clause = sentence.split_once(": ").map_or(sentence, |(_, act)| act);
    let mut out = String::with_capacity(clause.len());
    for (place, word) in clause.split(' ').enumerate() {
        if place > 0 {
            out.push(' ');
        }
        let digits = word.bytes().take_while(u8::is_ascii_hexdigit).count();
        match word.split_at_checked(digits) {
            Some((hash, rest)) if digits == HASH_DIGITS => {
                out.extend([
                    hash.get(..8).unwrap_or(hash),
                    "…",
                    rest.trim_end_matches('.'),
                ]);
            }
            _ => out.push_str(word),
        }
    }
    let mut characters = out.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_every_sentence_is_left_out() {
        assert_eq!(
            clause("At gate.example, on 2026-11-18 11:06:40 UTC: sign in."),
            "Sign in."
        );
    }

    #[test]
    fn a_hash_is_cut_short() {
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(
            clause(&format!("At x, on y: accept {hash}), or not.")),
            "Accept 01234567…), or not."
        );
        assert_eq!(
            clause(&format!("At x, on y: accept {hash}.")),
            "Accept 01234567…"
        );
        assert_eq!(clause("At x, on y: decade."), "Decade.");
    }
}
