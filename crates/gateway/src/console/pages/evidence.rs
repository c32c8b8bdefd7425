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
            (Some(person), _) => names.person(person).await?,
            (None, Some(device)) => names.device(device).await?,
            (None, None) => "a device before its claim".to_owned(),
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

/// The act of a statement's sentence, as a sentence of its own.
fn clause(sentence: &str) -> String {
    let clause = sentence.split_once(": ").map_or(sentence, |(_, act)| act);
    let mut characters = clause.chars();
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
}
