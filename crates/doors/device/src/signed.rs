//! The bytes that devices sent, with their evidence.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use hallway_evidence::{Bundle, embedding};
use hallway_hall::foreign::{Content, MediaType};
use hallway_spine::Gateway;
use hallway_spine::http::foreign::FileRequest;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use hallway_spine::ledger::bundle::bundle_of;

use super::store::Device;
use super::{payload, transactions};
use crate::DevicesOf;

/// The receipts that the transactions of a device rest on now: its claim, and the receipts that the
/// claim rests on; `None` before the claim.
pub async fn grounds_of_device(
    gateway: &Gateway,
    device: &Device,
) -> Result<Option<Bundle>, Problem> {
    let Some(claim) = device.claim else {
        return Ok(None);
    };
    match gateway.store.read().evidence().get(&claim).await? {
        Some(record) => bundle_of(gateway, &record).await.map(Some),
        None => Ok(None),
    }
}

/// The file that a device sent, with its bundle inside, if the format has a place for it.
pub async fn file(
    State(gateway): State<Gateway>,
    caller: Caller,
    request: FileRequest,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (hash, transaction) = transactions::seen(&gateway, &caller, &hash).await?;
    let record = gateway.store.read().evidence().get(&hash).await?;
    let record = record.ok_or_else(|| Problem::not_found("evidence"))?;
    let bundle = bundle_of(&gateway, &record).await?;
    let turn = gateway.devices().thumbnails.turn().await?;
    let most = gateway.devices().settings.payload_bytes.get();
    let file = payload::bytes(&gateway, &transaction, most).await?;
    let media_type = MediaType::of_picture(&file).unwrap_or(MediaType::BYTES);
    let embedded = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        embedding::embed(&file, &bundle).map(|longer| Insertion::of(&file, &longer))
    });
    let embedded = embedded.await.map_err(|error| Problem::internal(&error))?;
    let Insertion { at, inserted } = embedded.map_err(|error| {
        Problem::new(
            Code::NoPlace,
            format!(
                "{error}; save its bytes as they are, and its receipt beside them under the same name \
                 and .evidence"
            ),
        )
    })?;
    let content = Content {
        media_type,
        name: &transaction.file_name,
        length: transaction.length + inserted.len() as u64,
        cache: "private, max-age=3600",
    };
    // The file is read again while it is sent, so that it does not wait in memory for a slow
    // reader.
    let before = payload::pieces(&gateway, &transaction, 0..at);
    let after = payload::pieces(&gateway, &transaction, at..transaction.length);
    let evidence = stream::once(std::future::ready(Ok(inserted)));
    let body = Body::from_stream(before.chain(evidence).chain(after));
    Ok(request.answer(content, body))
}

/// The bytes that evidence adds to a file.
#[derive(Debug, PartialEq, Eq)]
struct Insertion {
    /// The number of bytes in front of the added ones.
    at: u64,
    inserted: Bytes,
}

impl Insertion {
    /// The difference between `file` and `longer`.
    fn of(file: &[u8], longer: &[u8]) -> Self {
        let same = file.iter().zip(longer).take_while(|(a, b)| a == b);
        let at = same.count();
        let more = longer.len() - file.len();
        let inserted = longer.get(at..at + more).unwrap_or_default();
        Self {
            at: at as u64,
            inserted: Bytes::copy_from_slice(inserted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_makes_the_longer_one_of_the_shorter() {
        for (picture, longer) in [
            (&b"abcd"[..], &b"abXYcd"[..]),
            (b"abcd", b"ababcd"),
            (b"aaaa", b"aaaaaa"),
            (b"abcd", b"Xabcd"),
            (b"abcd", b"abcdX"),
        ] {
            let Insertion { at, inserted } = Insertion::of(picture, longer);
            let (before, after) = picture.split_at(at as usize);
            assert_eq!([before, &inserted, after].concat(), longer);
        }
    }
}
