//! Puts small files together into packs, and sends a pack to a hall in one request.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use hallway_api::Problem;
use hallway_hall::body;
use hallway_hall::client::{self, ClientError};
use hallway_hall::files::{LONGEST_PACKED_BYTES, PackedHead, add_to_pack};
use hallway_hall::foreign::PACK;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

use super::local::file_entry;
use super::plan::{Entry, Listing};
use super::steps::Task;
use crate::hall::HallCommandError;
use crate::hall::path::RelativePath;
use crate::hall::progress::Progress;
use crate::hall::remote::{Expected, Remote, WORK_TIMEOUT};
use crate::hall::transfer::{Attempts, Target, unchanged};

/// The most files and bytes of one pack; one pack for each worker is held in memory.
const MOST_FILES: usize = 256;
const MOST_BYTES: u64 = 1024 * 1024;

/// What one worker does at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// A file by itself.
    One(RelativePath, Task),
    /// Small files to copy, in one request.
    Pack(Vec<RelativePath>),
}

/// Puts the small files among those to copy into packs, in the order in which they come.
pub(super) fn pack(work: &[(&RelativePath, Task)], source: &Listing) -> Vec<Job> {
    let (mut jobs, mut small, mut size) = (Vec::new(), Vec::new(), 0);
    for (path, task) in work {
        let bytes = match source.get(*path) {
            Some(Entry::File(file)) => file.bytes,
            _ => u64::MAX,
        };
        if *task != Task::Copy || bytes > LONGEST_PACKED_BYTES {
            jobs.push(Job::One((*path).clone(), *task));
            continue;
        }
        if small.len() == MOST_FILES || size + bytes > MOST_BYTES {
            jobs.push(Job::Pack(std::mem::take(&mut small)));
            size = 0;
        }
        small.push((*path).clone());
        size += bytes;
    }
    if !small.is_empty() {
        jobs.push(Job::Pack(small));
    }
    jobs
}

/// The result for each file of a pack: its length in bytes, or why it was not stored.
pub(super) type Sent = Vec<Result<u64, HallCommandError>>;

/// Sends files below `folder` to their places below `base`, each on the condition that the expected
/// version is there. `None`: they have to go one by one, because the far side is too old for packs,
/// or refuses this one, perhaps for one file.
///
/// # Errors
/// The far side stays out of reach.
pub(super) async fn send(
    remote: &Remote,
    base: Option<&RelativePath>,
    folder: &Path,
    (paths, expected): (&[RelativePath], &[Expected]),
    progress: &Progress,
) -> Result<Option<Sent>, HallCommandError> {
    if let Some(first) = paths.first() {
        progress.name(first);
    }
    let files = paths.iter().cloned().zip(expected.iter().cloned());
    let (folder, reading) = (folder.to_owned(), files.collect::<Vec<_>>());
    let read = tokio::task::spawn_blocking(move || read_all(&folder, &reading)).await;
    let (content, mut sent) =
        read.map_err(|error| HallCommandError::io("a worker")(error.into()))?;
    let packed = sent.iter_mut().filter(|file| file.is_ok());
    let mut attempts = Attempts::default();
    let verdicts = loop {
        match ask(remote, base, &content).await {
            Ok(verdicts) => break verdicts,
            // A refusal of the caller, or for lack of room, holds for each file.
            Err(ClientError::Problem(problem)) if is_about_all(&problem) => {
                for file in packed {
                    *file = Err(ClientError::Problem(problem.clone()).into());
                }
                return Ok(Some(sent));
            }
            Err(ClientError::Problem(problem)) if !is_passing(&problem) => return Ok(None),
            Err(error) => {
                let answered = matches!(error, ClientError::Problem(_));
                match attempts.after(error.into(), progress).await {
                    Err(_) if answered => return Ok(None),
                    attempted => attempted?,
                }
            }
        }
    };
    let mut verdicts = verdicts.into_iter();
    for file in packed {
        match verdicts.next() {
            Some(None) => progress.advance(*file.as_ref().unwrap_or(&0)),
            Some(Some(problem)) => *file = Err(ClientError::Problem(problem).into()),
            None => {
                let short = "it does not answer for every file".to_owned();
                *file = Err(ClientError::Answer(short).into());
            }
        }
    }
    Ok(Some(sent))
}

/// Whether each file alone would be refused for the same reason.
fn is_about_all(problem: &Problem) -> bool {
    let status = StatusCode::from_u16(problem.status);
    matches!(
        status,
        Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::INSUFFICIENT_STORAGE)
    )
}

fn is_passing(problem: &Problem) -> bool {
    ClientError::Problem(problem.clone()).is_passing()
}

async fn ask(
    remote: &Remote,
    base: Option<&RelativePath>,
    content: &Bytes,
) -> Result<Vec<Option<Problem>>, ClientError> {
    let request = remote
        .change_in(Method::POST, base)
        .header(CONTENT_TYPE, PACK);
    let answer = remote
        .send(request, body::full(content.clone()), WORK_TIMEOUT)
        .await?;
    client::json(answer).await
}

/// The pack, and for each file its length or why it is not in the pack.
fn read_all(folder: &Path, files: &[(RelativePath, Expected)]) -> (Bytes, Sent) {
    let mut pack = Vec::new();
    let sent = files
        .iter()
        .map(|(path, expected)| read(&path.under(folder), (path, expected), &mut pack))
        .collect();
    (pack.into(), sent)
}

fn read(
    source: &Path,
    (path, expected): Target<'_>,
    pack: &mut Vec<u8>,
) -> Result<u64, HallCommandError> {
    let failed = |error| HallCommandError::io(source.display())(error);
    let mut file = File::open(source).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    let mut content = Vec::new();
    let mut bounded = (&mut file).take(LONGEST_PACKED_BYTES + 1);
    bounded.read_to_end(&mut content).map_err(failed)?;
    let after = file.metadata().map_err(failed)?;
    unchanged(source, &before, &after)?;
    let bytes = content.len() as u64;
    if bytes != before.len() || bytes > LONGEST_PACKED_BYTES {
        return Err(HallCommandError::Changed(source.to_owned()));
    }
    let head = PackedHead {
        path: path.to_string(),
        bytes,
        modified_ms: file_entry(&before).modified_ms,
        sha256: hex::encode(digest(&SHA256, &content)),
        if_match: expected.if_match(),
        if_none_match: expected.if_none_match().map(str::to_owned),
    };
    add_to_pack(pack, &head, &content)
        .map_err(|error| HallCommandError::io(source.display())(std::io::Error::other(error)))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::plan::FileEntry;
    use super::*;

    fn path(text: &str) -> RelativePath {
        text.parse().unwrap()
    }

    #[test]
    fn only_small_files_that_have_to_be_copied_go_together() {
        let mut source = Listing::new();
        let mut file = |name: &str, bytes| {
            let entry = FileEntry {
                bytes,
                ..FileEntry::default()
            };
            source.insert(path(name), Entry::File(entry));
            path(name)
        };
        let large = file("large", LONGEST_PACKED_BYTES + 1);
        let same = file("same", 5);
        let small: Vec<_> = (0..600)
            .map(|n| file(&format!("small/{n:03}"), 1))
            .collect();
        let middle: Vec<_> = (0..10)
            .map(|n| file(&format!("middle/{n}"), LONGEST_PACKED_BYTES))
            .collect();
        let mut work = vec![(&large, Task::Copy), (&same, Task::Compare)];
        work.extend(small.iter().chain(&middle).map(|path| (path, Task::Copy)));
        let jobs = pack(&work, &source);
        assert_eq!(jobs[0], Job::One(large.clone(), Task::Copy));
        assert_eq!(jobs[1], Job::One(same.clone(), Task::Compare));
        let packs: Vec<usize> = jobs[2..]
            .iter()
            .map(|job| match job {
                Job::Pack(paths) => paths.len(),
                Job::One(path, _) => panic!("{path} by itself"),
            })
            .collect();
        // The third has seven of 128 KiB beside its 88 small ones: an eighth does not fit.
        assert_eq!(packs, [256, 256, 88 + 7, 3]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "hello").unwrap();
        let long = vec![0; usize::try_from(LONGEST_PACKED_BYTES).unwrap() + 1];
        std::fs::write(folder.path().join("grown"), long).unwrap();
        let files = ["a", "gone", "grown"].map(|name| (path(name), Expected::Nothing));
        let (pack, sent) = read_all(folder.path(), &files);
        assert!(matches!(sent[..], [Ok(5), Err(_), Err(_)]));
        assert!(pack.ends_with(b"hello"));
    }
}
