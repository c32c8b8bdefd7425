//! Payloads: received within bounds, stored by content, and sent with the type of their bytes.

pub mod sweep;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use hallway_evidence::statement::device::Transaction as Terms;
use hallway_evidence::{DeviceId, Timestamp};
use hallway_hall::foreign::{Content, MediaType};
use hallway_spine::Gateway;
use hallway_spine::http::bounds::Broken;
use hallway_spine::http::foreign::FileRequest;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, WriteMultipart};
use tokio::time::timeout;

use self::sweep::LONGEST_UPLOAD;
use super::transactions::seen;
use crate::DevicesOf;
use crate::store::{Day, MAX_INLINE_BYTES, ObjectName, PayloadLocation, Transaction};

/// How long a payload may bring no bytes before it is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How many payloads are stored at a time that are too large for the database. Each holds two or
/// three parts in memory.
pub const MOST_UPLOADS: usize = 64;
/// Bytes that are written to the object store at a time.
const PART_BYTES: usize = 256 * 1024;

/// Reads the payload, never more of it than the statement announces, and compares its hash.
pub async fn receive(
    gateway: &Gateway,
    terms: &Terms,
    device: DeviceId,
    headers: &HeaderMap,
    body: Body,
) -> Result<PayloadLocation, Problem> {
    let described = &terms.payload;
    let limit = gateway.devices().settings.payload_bytes.get();
    if described.length > limit {
        return Err(Problem::new(
            Code::TooLarge,
            format!(
                "the payload has {} bytes; at most {limit} are taken",
                described.length
            ),
        ));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length != described.length) {
        return Err(mismatch());
    }
    let begun = gateway.now();
    let mut bytes = Incoming {
        gateway,
        until: begun.plus(LONGEST_UPLOAD),
        stream: body.into_data_stream(),
        left: described.length,
        hash: Context::new(&SHA256),
        start: starts_as(described.media_type.as_str()),
    };
    if described.length <= MAX_INLINE_BYTES as u64 {
        let mut payload = Vec::with_capacity(described.length as usize);
        while let Some(chunk) = bytes.next().await? {
            payload.extend_from_slice(&chunk);
        }
        bytes.finish(&described.sha256)?;
        return Ok(PayloadLocation::Inline(payload));
    }
    let _turn = gateway.devices().uploads.try_acquire().map_err(|_| {
        Problem::new(
            Code::Crowded,
            "the gateway stores as many payloads as it can at a time; send it again in a moment",
        )
    })?;
    // Named by content: the same bytes sent twice on a day are one object, and a name says what is in it.
    let name = ObjectName {
        day: Day::of(begun),
        device,
        sha256: described.sha256,
    };
    let key = name.to_string();
    let path = ObjectPath::from(key.as_str());
    let upload = gateway
        .objects
        .put_multipart(&path)
        .await
        .map_err(storage)?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    loop {
        match bytes.next().await {
            Ok(Some(chunk)) => {
                upload.wait_for_capacity(1).await.map_err(storage)?;
                upload.put(chunk);
            }
            Ok(None) => break,
            Err(problem) => {
                upload.abort().await.map_err(storage)?;
                return Err(problem);
            }
        }
    }
    if let Err(problem) = bytes.finish(&described.sha256) {
        upload.abort().await.map_err(storage)?;
        return Err(problem);
    }
    upload.finish().await.map_err(storage)?;
    Ok(PayloadLocation::Object(key))
}

/// A payload on its way in.
struct Incoming<'g> {
    gateway: &'g Gateway,
    /// When it is given up.
    until: Timestamp,
    stream: axum::body::BodyDataStream,
    left: u64,
    hash: Context,
    /// The rest of the first bytes that the media type requires.
    start: &'static [u8],
}

/// The first bytes of a media type that the console shows as a picture: SOI and the marker that
/// follows it (ISO/IEC 10918-1, B.2.1).
fn starts_as(media_type: &str) -> &'static [u8] {
    match media_type {
        "image/jpeg" => &[0xff, 0xd8, 0xff],
        _ => &[],
    }
}

impl Incoming<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let chunk = timeout(STALL_TIMEOUT, self.stream.next())
            .await
            .map_err(|_| {
                Problem::new(
                    Code::Stalled,
                    "no bytes came for half a minute; send it again",
                )
            })?;
        if self.gateway.now() >= self.until {
            return Err(Problem::new(
                Code::TooSlow,
                "the payload was not whole after a day; send it again",
            ));
        }
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk.map_err(|error| match Broken::of(&error) {
            Some(broken) => broken.into(),
            None => Problem::malformed("the connection broke in the middle of the payload"),
        })?;
        self.left = self
            .left
            .checked_sub(chunk.len() as u64)
            .ok_or_else(mismatch)?;
        let compared = self.start.len().min(chunk.len());
        let (expected, rest) = self.start.split_at(compared);
        if chunk.get(..compared) != Some(expected) {
            return Err(not_a_jpeg());
        }
        self.start = rest;
        self.hash.update(&chunk);
        Ok(Some(chunk))
    }

    fn finish(self, expected: &[u8; 32]) -> Result<(), Problem> {
        if !self.start.is_empty() {
            return Err(not_a_jpeg());
        }
        if self.left == 0 && self.hash.finish().as_ref() == expected {
            Ok(())
        } else {
            Err(mismatch())
        }
    }
}

fn not_a_jpeg() -> Problem {
    Problem::new(
        Code::NotAJpeg,
        "the statement says image/jpeg, but the bytes are no JPEG",
    )
}

fn mismatch() -> Problem {
    Problem::new(
        Code::HashMismatch,
        "the payload is not the bytes that the statement describes",
    )
}

fn storage(error: object_store::Error) -> Problem {
    tracing::error!(%error, "the object store failed");
    Problem::new(
        Code::Storage,
        "the payload could not be stored; send it again later",
    )
}

/// Bytes of a payload that are read at a time.
const PIECE_BYTES: u64 = 256 * 1024;

/// All bytes of a transaction, if they are at most `most`.
///
/// # Errors
/// 409 `too-large` if there are more; then none is read.
pub async fn bytes(
    gateway: &Gateway,
    transaction: &Transaction,
    most: u64,
) -> Result<Vec<u8>, Problem> {
    if transaction.length > most {
        return Err(Problem::new(
            Code::TooLargeToShow,
            format!(
                "the payload has {} bytes, too many for this; download it and use `hallway verify`",
                transaction.length
            ),
        ));
    }
    let mut whole = Vec::with_capacity(usize::try_from(transaction.length).unwrap_or_default());
    let mut pieces = std::pin::pin!(pieces(gateway, transaction, 0..transaction.length));
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece.map_err(storage)?);
    }
    Ok(whole)
}

/// A range of the bytes of a transaction. Each piece is read when the reader asks for it.
pub fn pieces(
    gateway: &Gateway,
    transaction: &Transaction,
    part: Range<u64>,
) -> BoxStream<'static, Result<Bytes, object_store::Error>> {
    let key = match &transaction.payload {
        PayloadLocation::Inline(bytes) => {
            // At most MAX_INLINE_BYTES bytes.
            let part = part.start as usize..part.end as usize;
            let bytes = Bytes::copy_from_slice(bytes.get(part).unwrap_or_default());
            return stream::once(std::future::ready(Ok(bytes))).boxed();
        }
        PayloadLocation::Object(key) => ObjectPath::from(key.as_str()),
    };
    let objects = Arc::clone(&gateway.objects);
    stream::try_unfold(part, move |part| {
        let (objects, key) = (Arc::clone(&objects), key.clone());
        async move {
            if part.is_empty() {
                return Ok(None);
            }
            let end = part.end.min(part.start + PIECE_BYTES);
            let piece = objects.get_range(&key, part.start..end).await?;
            Ok(Some((piece, end..part.end)))
        }
    })
    .boxed()
}

/// Sends one payload unchanged. Only pictures keep their type, because nothing else from a device
/// is shown.
pub async fn payload(
    State(gateway): State<Gateway>,
    caller: Caller,
    request: FileRequest,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (_, transaction) = seen(&gateway, &caller, &hash).await?;
    let content = Content {
        media_type: match transaction.media_type.as_str() {
            "image/jpeg" => MediaType::JPEG,
            _ => MediaType::BYTES,
        },
        name: &transaction.file_name,
        length: transaction.length,
        cache: "private, max-age=3600",
    };
    let body = Body::from_stream(pieces(&gateway, &transaction, 0..transaction.length));
    Ok(request.answer(content, body))
}
