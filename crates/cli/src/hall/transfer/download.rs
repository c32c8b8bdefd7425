//! Copies a file from a hall to this computer.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::StreamExt;
use hallway_hall::body::boxed;
use hallway_hall::client::ClientError;
use hallway_hall::files::Patient;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use tokio::fs::{self, File};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::super::HallCommandError;
use super::super::mirror::plan::FileEntry;
use super::super::path::RelativePath;
use super::super::progress::Progress;
use super::super::remote::{Digest, Remote, digest_of};
use super::{Attempts, Failure, PART_PREFIX, hash_all, set_modified};

/// Files up to this length come with their checksum.
const SHORT_BYTES: u64 = 4 * 1024 * 1024;

/// The path of the unfinished copy of a version. Each version has its own, so that no file is made
/// of two.
fn part_of(target: &Path, entry: &FileEntry) -> PathBuf {
    let mut context = Context::new(&SHA256);
    let version = format!("{:?} {} {:?}", entry.etag, entry.bytes, entry.modified_ms);
    context.update(target.file_name().unwrap_or_default().as_encoded_bytes());
    context.update(b"\0");
    context.update(version.as_bytes());
    let name = hex::encode(&context.finish().as_ref()[..16]);
    target.with_file_name(format!("{PART_PREFIX}{name}"))
}

/// The error of an I/O operation on the unfinished copy of `target`.
fn failed(target: &Path) -> impl Fn(io::Error) -> HallCommandError {
    let target = target.to_owned();
    move |error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            let target = target.clone();
            HallCommandError::NoRoom { target, error }
        }
        _ => HallCommandError::io(target.display())(error),
    }
}

/// Gets a file. It appears under its name only when it is complete and its checksum is right.
///
/// # Errors
/// The far side refuses or stays out of reach, it has another version by now, the checksum differs,
/// or this computer can't keep the file. An existing file of this name stays. What arrived stays
/// for a later attempt, unless its checksum differs.
pub(crate) async fn download(
    remote: &Remote,
    path: &RelativePath,
    entry: &FileEntry,
    target: &Path,
    progress: &Progress,
) -> Result<(), HallCommandError> {
    progress.name(path);
    let part = part_of(target, entry);
    let failed = failed(target);
    let etag = entry.etag.as_deref();
    let receiving = async {
        let mut attempts = Attempts::default();
        loop {
            match receive(remote, path, entry, &part, &failed, progress).await {
                Ok(sums) => return Ok::<_, HallCommandError>(sums),
                Err(failure) => attempts.after(failure, progress).await?,
            }
        }
    };
    let meanwhile = async {
        Ok(match digest(entry) {
            Digest::InHead => None,
            Digest::Elsewhere => remote.sha256(path, etag).await.ok().flatten(),
        })
    };
    let (sha256, told) = tokio::try_join!(receiving, meanwhile)?;
    let told = match sha256.told.or(told) {
        Some(told) => Some(told),
        None => remote.sha256(path, etag).await?,
    };
    if told.is_some_and(|told| told[..] != sha256.arrived[..]) {
        fs::remove_file(&part).await.map_err(&failed)?;
        progress.take_back(entry.bytes);
        return Err(HallCommandError::Checksum(path.to_string()));
    }
    if let Some(modified_ms) = entry.modified_ms {
        set_modified(&part, modified_ms).map_err(&failed)?;
    }
    // The content first, then the name: a power cut leaves no name without its content.
    let whole = File::open(&part).await.map_err(&failed)?;
    whole.sync_all().await.map_err(&failed)?;
    fs::rename(&part, target)
        .await
        .map_err(HallCommandError::io(target.display()))
}

/// The far side has to read a whole file for its checksum. It sends a short file after that, in one
/// answer; it hashes a long file for another request while it sends it.
fn digest(entry: &FileEntry) -> Digest {
    if entry.bytes <= SHORT_BYTES {
        Digest::InHead
    } else {
        Digest::Elsewhere
    }
}

/// The checksum of what arrived, and the one that was announced.
struct Sums {
    arrived: Vec<u8>,
    told: Option<[u8; 32]>,
}

async fn receive(
    remote: &Remote,
    path: &RelativePath,
    entry: &FileEntry,
    part: &Path,
    failed: &impl Fn(io::Error) -> HallCommandError,
    progress: &Progress,
) -> Result<Sums, Failure> {
    let mut file = open_part(part).await.map_err(failed)?;
    let mut context = Context::new(&SHA256);
    let mut length = hash_all(&mut file, &mut context).await.map_err(failed)?;
    if length > entry.bytes {
        file.set_len(0).await.map_err(failed)?;
        file.rewind().await.map_err(failed)?;
        (context, length) = (Context::new(&SHA256), 0);
    }
    if length == entry.bytes && length > 0 {
        progress.advance(length);
        return Ok(sums(context, None));
    }
    let response = remote
        .get(path, length, entry.etag.as_deref(), digest(entry))
        .await?;
    if length > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
        // It sends the whole file again.
        file.set_len(0).await.map_err(failed)?;
        file.rewind().await.map_err(failed)?;
        (context, length) = (Context::new(&SHA256), 0);
    }
    let told = digest_of(response.headers());
    let expected = entry.bytes - length;
    let announced = response.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced != expected) {
        let other = format!("{path} has a different length by now");
        return Err(ClientError::Answer(other).into());
    }
    progress.advance(length);
    let mut moved = 0;
    let mut body = Patient::new(boxed(response.into_body()));
    let ended = loop {
        match body.next().await {
            None => break Ok(()),
            Some(Err(error)) => break Err(ClientError::Broken(error.to_string())),
            Some(Ok(data)) => {
                moved += data.len() as u64;
                if moved > expected {
                    let lie = format!("{path} is longer than announced");
                    break Err(ClientError::Answer(lie));
                }
                context.update(&data);
                file.write_all(&data).await.map_err(failed)?;
                progress.advance(data.len() as u64);
            }
        }
    };
    file.flush().await.map_err(failed)?;
    let ended = match ended {
        Ok(()) if moved < expected => Err(ClientError::Broken("it ended early".to_owned())),
        other => other,
    };
    match ended {
        Ok(()) => Ok(sums(context, told)),
        Err(error) => {
            // The next attempt counts what is on the disk again.
            progress.take_back(length + moved);
            Err(Failure {
                error: error.into(),
                moved,
            })
        }
    }
}

fn sums(context: Context, told: Option<[u8; 32]>) -> Sums {
    Sums {
        arrived: context.finish().as_ref().to_vec(),
        told,
    }
}

/// Opens an unfinished copy; anything else of its name is replaced, never written through.
async fn open_part(part: &Path) -> io::Result<File> {
    if let Ok(about) = fs::symlink_metadata(part).await
        && !about.is_file()
    {
        fs::remove_file(part).await?;
    }
    let mut options = fs::OpenOptions::new();
    let options = options.read(true).write(true).create(true);
    options.truncate(false).open(part).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::UnixListener;
    use tokio::time::{Instant, sleep};

    use super::super::super::way::Way;
    use super::super::is_part;
    use super::*;

    /// A far side that answers with `length` bytes, one in a minute.
    async fn drip(listener: UnixListener, length: u64) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let mut gone = stream.write_all(head.as_bytes()).await;
                while gone.is_ok() {
                    gone = stream.write_all(b"x").await;
                    sleep(Duration::from_secs(60)).await;
                }
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_far_side_that_gives_a_byte_a_minute_is_given_up_and_nothing_is_in_view() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let entry = FileEntry {
            bytes: 1_000_000,
            ..FileEntry::default()
        };
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(drip(listener, entry.bytes));
        let remote = Remote::new(Way::Shared(socket), "data".parse().unwrap());
        let (path, target) = (RelativePath::top("a").unwrap(), folder.path().join("a"));
        let began = Instant::now();
        let progress = Progress::new(0, true);
        let error = download(&remote, &path, &entry, &target, &progress)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("less than a kilobyte"),
            "{error}"
        );
        assert!(began.elapsed() < Duration::from_secs(20 * 60));
        assert!(!target.exists());
    }

    #[test]
    fn each_version_has_an_unfinished_copy_of_its_own() {
        let entry = |etag: &str, bytes| FileEntry {
            etag: Some(etag.to_owned()),
            bytes,
            ..FileEntry::default()
        };
        let of = |name: &str, entry: &FileEntry| part_of(&Path::new("/folder").join(name), entry);
        let one = of("a", &entry("1", 5));
        assert_eq!(one.parent(), Some(Path::new("/folder")));
        assert!(is_part(one.file_name().unwrap().to_str().unwrap()));
        assert_eq!(one, of("a", &entry("1", 5)));
        for other in [
            of("b", &entry("1", 5)),
            of("a", &entry("2", 5)),
            of("a", &entry("1", 6)),
        ] {
            assert_ne!(one, other);
        }
        let long = "x".repeat(255);
        assert!(of(&long, &entry("1", 5)).file_name().unwrap().len() < 64);
    }
}
