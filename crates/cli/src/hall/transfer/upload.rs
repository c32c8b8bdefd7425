//! Copies a file from this computer to a hall.

use std::fs::Metadata;
use std::io::SeekFrom;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use hallway_hall::Body;
use hallway_hall::client::ClientError;
use http::Method;
use http::header::CONTENT_LENGTH;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::super::HallCommandError;
use super::super::mirror::local::file_entry;
use super::super::path::RelativePath;
use super::super::progress::Progress;
use super::super::remote::{
    Expected, MODIFIED, REPR_DIGEST, Remote, UPLOAD_COMPLETE, UPLOAD_OFFSET, WORK_TIMEOUT,
    digest_header, is_changed, is_missing, modified_header,
};
use super::{Attempts, CHUNK_BYTES, Failure, hash_all, sha256_there};

/// Files up to this length are sent in one piece; longer ones can be resumed. Each worker holds one
/// such piece in memory.
const ONE_PIECE_BYTES: u64 = 4 * 1024 * 1024;
/// How long the far side may accept no bytes.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a file goes, and what has to be there now.
pub(crate) type Target<'a> = (&'a RelativePath, &'a Expected);

/// Puts a file. It appears at the far side only when it is complete.
///
/// # Errors
/// The far side refuses, stays out of reach or has something other than expected, or the file
/// changed meanwhile.
pub(crate) async fn upload(
    remote: &Remote,
    source: &Path,
    (path, expected): Target<'_>,
    progress: &Progress,
) -> Result<u64, HallCommandError> {
    progress.name(path);
    let failed = |error| HallCommandError::io(source.display())(error);
    let about = fs::metadata(source).await.map_err(failed)?;
    if about.len() <= ONE_PIECE_BYTES {
        return put(remote, source, (path, expected), progress).await;
    }
    let mut attempts = Attempts::default();
    let mut placing = None;
    loop {
        let target = (path, expected);
        match send_pieces(remote, source, target, &about, progress, &mut placing).await {
            Ok(bytes) => return Ok(bytes),
            Err(failure) => attempts.after(failure, progress).await?,
        }
    }
}

async fn put(
    remote: &Remote,
    source: &Path,
    (path, expected): Target<'_>,
    progress: &Progress,
) -> Result<u64, HallCommandError> {
    let failed = |error| HallCommandError::io(source.display())(error);
    let mut file = File::open(source).await.map_err(failed)?;
    let before = file.metadata().await.map_err(failed)?;
    let mut content = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default() + 1);
    let mut bounded = (&mut file).take(ONE_PIECE_BYTES + 1);
    bounded.read_to_end(&mut content).await.map_err(failed)?;
    let after = file.metadata().await.map_err(failed)?;
    unchanged(source, &before, &after)?;
    let content = Bytes::from(content);
    let sha256 = digest(&SHA256, &content);
    let mut attempts = Attempts::default();
    loop {
        let mut request = remote
            .change(Method::PUT, path, "")
            .header(REPR_DIGEST, digest_header(sha256.as_ref()));
        if let Some(modified_ms) = file_entry(&before).modified_ms {
            request = request.header(MODIFIED, modified_header(modified_ms));
        }
        let sent = remote.send(expected.ask(request), full(content.clone()), WORK_TIMEOUT);
        match sent.await {
            Ok(_) => break,
            // It may have arrived already, and only the answer was lost.
            Err(error) if is_changed(&error) => {
                let there = sha256_there(remote, path, progress).await?;
                if there.is_none_or(|there| there != sha256.as_ref()) {
                    return Err(error.into());
                }
                break;
            }
            Err(error) => attempts.after(error.into(), progress).await?,
        }
    }
    progress.advance(content.len() as u64);
    Ok(content.len() as u64)
}

/// Checks that a file did not change while it was read.
pub(crate) fn unchanged(
    path: &Path,
    before: &Metadata,
    after: &Metadata,
) -> Result<(), HallCommandError> {
    let same = before.len() == after.len() && before.modified().ok() == after.modified().ok();
    if same {
        Ok(())
    } else {
        Err(HallCommandError::Changed(path.to_owned()))
    }
}

/// An upload's id at the far side. The same file of the same modification time gets the same id, so
/// another run of the command finds what the first one sent.
fn upload_id(source: &Path, path: &RelativePath, about: &Metadata) -> String {
    let mut context = Context::new(&SHA256);
    let modified = file_entry(about).modified_ms;
    for part in [
        std::path::absolute(source)
            .unwrap_or_default()
            .as_os_str()
            .as_encoded_bytes(),
        path.to_string().as_bytes(),
        format!("{} {modified:?}", about.len()).as_bytes(),
    ] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    hex::encode(&context.finish().as_ref()[..16])
}

/// One attempt. `placing` is the SHA-256 of the content that an earlier attempt asked the far side
/// to put in its place.
async fn send_pieces(
    remote: &Remote,
    source: &Path,
    (path, expected): Target<'_>,
    before: &Metadata,
    progress: &Progress,
    placing: &mut Option<[u8; 32]>,
) -> Result<u64, Failure> {
    let failed = |error| HallCommandError::io(source.display())(error);
    let query = format!("?upload={}", upload_id(source, path, before));
    let offset = match offset(remote, path, &query).await? {
        // It may be in its place already, and only the answer was lost.
        None if placing.is_some() && remote.sha256(path, None).await.ok().flatten() == *placing => {
            progress.advance(before.len());
            return Ok(before.len());
        }
        offset => offset.unwrap_or(0).min(before.len()),
    };
    let mut file = File::open(source).await.map_err(failed)?;
    let mut context = Context::new(&SHA256);
    let mut sent = (&mut file).take(offset);
    hash_all(&mut sent, &mut context).await.map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).await.map_err(failed)?;
    progress.advance(offset);

    let hashing = Arc::new(Mutex::new((context, 0_u64)));
    // Stops the sending of a file that is refused.
    let over = CancellationToken::new();
    let attempt = over.clone().drop_guard();
    let pieces = {
        let (hashing, progress) = (Arc::clone(&hashing), progress.clone());
        let rest = file.take(before.len() - offset);
        let pieces =
            ReaderStream::with_capacity(rest, CHUNK_BYTES).take_until(over.cancelled_owned());
        pieces.map_ok(move |bytes| {
            let mut hashing = hashing.lock().unwrap_or_else(PoisonError::into_inner);
            hashing.0.update(&bytes);
            hashing.1 += bytes.len() as u64;
            progress.advance(bytes.len() as u64);
            Frame::data(bytes)
        })
    };
    let request = remote
        .change(Method::PATCH, path, &query)
        .header(UPLOAD_OFFSET, offset)
        .header(UPLOAD_COMPLETE, "?0")
        .header(CONTENT_LENGTH, before.len() - offset);
    let request = expected.ask(request);
    let moved = || hashing.lock().unwrap_or_else(PoisonError::into_inner).1;
    let went = tokio::select! {
        went = remote.send(request, StreamBody::new(pieces).boxed_unsync(), Duration::MAX) => went,
        () = stalled(moved, before.len() - offset) => Err(ClientError::Stalled(STALL_TIMEOUT)),
    };
    drop(attempt);
    let (context, moved) = {
        let hashing = hashing.lock().unwrap_or_else(PoisonError::into_inner);
        (hashing.0.clone(), hashing.1)
    };
    if let Err(error) = went {
        progress.take_back(offset + moved);
        return Err(Failure {
            error: error.into(),
            moved,
        });
    }
    let after = fs::metadata(source).await.map_err(failed)?;
    if offset + moved != before.len() {
        return Err(HallCommandError::Changed(source.to_owned()).into());
    }
    unchanged(source, before, &after)?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    *placing = Some(sha256);
    let mut request = remote
        .change(Method::PATCH, path, &query)
        .header(UPLOAD_OFFSET, before.len())
        .header(UPLOAD_COMPLETE, "?1")
        .header(REPR_DIGEST, digest_header(&sha256));
    if let Some(modified_ms) = file_entry(before).modified_ms {
        request = request.header(MODIFIED, modified_header(modified_ms));
    }
    let request = expected.ask(request);
    remote.send(request, Body::default(), WORK_TIMEOUT).await?;
    Ok(before.len())
}

/// How many bytes of an upload are there; `None` if the far side does not know it.
async fn offset(
    remote: &Remote,
    path: &RelativePath,
    query: &str,
) -> Result<Option<u64>, ClientError> {
    let request = remote.change(Method::HEAD, path, query);
    let response = match remote.send(request, Body::default(), WORK_TIMEOUT).await {
        Err(error) if is_missing(&error) => return Ok(None),
        other => other?,
    };
    let value = response.headers().get(UPLOAD_OFFSET);
    value
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Some)
        .ok_or_else(|| ClientError::Answer("an upload without an offset".to_owned()))
}

/// Resolves when the far side has accepted nothing for a while, or all of it and does not answer.
async fn stalled(moved: impl Fn() -> u64, expected: u64) {
    loop {
        let before = moved();
        let patience = match before < expected {
            true => STALL_TIMEOUT,
            false => WORK_TIMEOUT,
        };
        tokio::time::sleep(patience).await;
        if moved() == before {
            return;
        }
    }
}

fn full(content: Bytes) -> Body {
    Full::new(content)
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixListener;
    use tokio::time::{Instant, sleep};

    use super::super::super::way::Way;
    use super::*;

    /// A far side that answers the head of each request, once. Returns how many bytes came after
    /// the head of the last.
    async fn answers(listener: UnixListener, answers: [&str; 2]) -> u64 {
        let mut came = 0;
        for answer in answers {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).await.unwrap();
            }
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            came = tokio::io::copy(&mut stream, &mut tokio::io::sink())
                .await
                .unwrap();
        }
        came
    }

    #[tokio::test]
    async fn a_refused_upload_is_not_sent_on() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, source) = (folder.path().join("s"), folder.path().join("large"));
        let length = 1 << 30;
        let file = std::fs::File::create(&source).unwrap();
        file.set_len(length).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let far = tokio::spawn(answers(listener, ["404 Not Found", "507 Full"]));
        let remote = Remote::new(Way::Shared(socket), "data".parse().unwrap());
        let path = RelativePath::top("large").unwrap();
        let progress = Progress::new(0, true);
        let error = upload(&remote, &source, (&path, &Expected::Anything), &progress)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("507"), "{error}");
        assert!(far.await.unwrap() < length / 2);
    }

    #[tokio::test]
    async fn what_was_changed_meanwhile_is_not_written_over() {
        let (mine, theirs) = (digest(&SHA256, b"mine"), digest(&SHA256, b"theirs"));
        for (there, goes) in [(mine, true), (theirs, false)] {
            let folder = tempfile::tempdir().unwrap();
            let (socket, source) = (folder.path().join("s"), folder.path().join("small"));
            std::fs::write(&source, "mine").unwrap();
            let listener = UnixListener::bind(&socket).unwrap();
            let found = format!("200 OK\r\nrepr-digest: {}", digest_header(there.as_ref()));
            let far = tokio::spawn(async move {
                answers(listener, ["412 Precondition Failed", &found]).await
            });
            let remote = Remote::new(Way::Shared(socket), "data".parse().unwrap());
            let path = RelativePath::top("small").unwrap();
            let target = (&path, &Expected::Nothing);
            let done = upload(&remote, &source, target, &Progress::new(0, true)).await;
            assert_eq!(done.is_ok(), goes, "{done:?}");
            far.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_far_side_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let began = Instant::now();
        stalled(|| 7, 100).await;
        assert_eq!(began.elapsed(), STALL_TIMEOUT);

        let moved = AtomicU64::new(0);
        let taking = async {
            for _ in 0..20 {
                sleep(STALL_TIMEOUT / 2).await;
                moved.fetch_add(5, Ordering::Relaxed);
            }
            // Everything was accepted; now it is stored.
            sleep(WORK_TIMEOUT / 2).await;
        };
        tokio::select! {
            () = taking => {}
            () = stalled(|| moved.load(Ordering::Relaxed), 100) => panic!("it goes on"),
        }
    }
}
