//! `/evidence`.

use axum::extract::State;
use axum::response::Response;
use hallway_evidence::Evidence;

use super::super::view::{Count, EvidencePage, EvidenceRow, Place};
use super::names::Names;
use super::query::ListQuery;
use super::{frame, html, moment};
use crate::Gateway;
use crate::doors::evidence as door;
use crate::http::input::Asked;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{EvidenceRecord, PageRequest};

/// The hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// The evidence that the visitor may see.
pub(super) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let (rows, next) = rows(&gateway, &caller, &query.request()?).await?;
    html(&EvidencePage {
        frame: frame(&gateway, &caller, Place::Evidence),
        rows,
        paging: query.paging(Place::Evidence.path(), next),
    })
}

/// One page of the evidence that the visitor may see.
pub(super) async fn rows(
    gateway: &Gateway,
    caller: &Caller,
    request: &PageRequest<u64>,
) -> Result<(Vec<EvidenceRow>, Option<u64>), Problem> {
    let filter = door::filter(caller);
    let reader = gateway.store.read();
    let page = reader.evidence().page(filter, request).await?;
    let mut names = Names::new(reader);
    let mut rows = Vec::with_capacity(page.items.len());
    for record in page.items {
        let signer = match (record.person, record.device) {
            (_, Some(device)) if is_devices_own(&record.act) => {
                names.device_then(device, record.log_index).await?
            }
            (Some(person), _) => names.person(person).await?,
            (None, Some(device)) => names.device_then(device, record.log_index).await?,
            (None, None) => "somebody unknown".to_owned(),
        };
        rows.push(EvidenceRow {
            hash: record.hash.to_string(),
            sentence: sentence(&record),
            signer,
            index: Count(record.log_index),
            accepted: moment(gateway, record.accepted),
        });
    }
    Ok((rows, page.next))
}

/// Whether a device signs such acts itself; its owner signs the others about it.
fn is_devices_own(act: &str) -> bool {
    matches!(act, "device.enrol" | "device.transaction" | "device.status")
}

/// What the evidence says, without the realm and the time, which every sentence begins with.
pub(super) fn sentence(record: &EvidenceRecord) -> String {
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
    fn what_every_sentence_begins_with_is_left_out() {
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
