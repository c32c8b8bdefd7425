//! Gets small files from a hall, many in one answer.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use hallway_hall::body;
use hallway_hall::client::ClientError;
use hallway_hall::dav::date;
use hallway_hall::files::{PackWanted, PackedHead, Patient, Unpacking};
use hallway_hall::foreign::PACK;
use http::Method;
use http::header::CONTENT_TYPE;

use crate::hall::HallCommandError;
use crate::hall::path::RelativePath;
use crate::hall::progress::Progress;
use crate::hall::remote::{Remote, WORK_TIMEOUT};
use crate::hall::transfer::part_of_pack;

/// From this number of files on, one flush of the whole file system costs less than one for each.
const FLUSH_ALL_FROM_FILES: usize = 16;

/// Gets files from below `base` to their places below `folder`, each complete and with the SHA-256
/// that the far side announced, and returns the length of each. A file that is missing from the
/// result did not arrive or can't be kept: the caller asks for it alone, and learns why.
///
/// # Errors
/// [`HallCommandError::Unasked`]: the far side sends something else. Nothing of the pack is kept.
pub(super) async fn receive(
    remote: &Remote,
    base: Option<&RelativePath>,
    folder: &Path,
    paths: &[RelativePath],
    progress: &Progress,
) -> Result<HashMap<RelativePath, u64>, HallCommandError> {
    let mut wanted: HashMap<String, RelativePath> = paths
        .iter()
        .map(|path| (path.to_string(), path.clone()))
        .collect();
    if let Some(first) = paths.first() {
        progress.name(first);
    }
    let arrived = match ask(remote, base, paths).await {
        Ok(files) => unpack(files, &mut wanted).await?,
        Err(error) => {
            tracing::debug!(%error, "no pack");
            Vec::new()
        }
    };
    let folder = folder.to_owned();
    let kept = tokio::task::spawn_blocking(move || keep_all(&folder, arrived)).await;
    let kept = kept.unwrap_or_default();
    progress.advance(kept.values().sum());
    Ok(kept)
}

/// Takes the `wanted` files, each once, until they end or another file comes: so the far side can't
/// choose where files are written, and can't send without end.
async fn unpack(
    mut files: Unpacking,
    wanted: &mut HashMap<String, RelativePath>,
) -> Result<Vec<(RelativePath, PackedHead, Bytes)>, HallCommandError> {
    let mut arrived = Vec::new();
    while let Ok(Some((head, content))) = files.next().await {
        let Some(path) = wanted.remove(&head.path) else {
            return Err(HallCommandError::Unasked(head.path));
        };
        if hex::encode(digest(&SHA256, &content)) == head.sha256 {
            arrived.push((path, head, content));
        }
    }
    Ok(arrived)
}

async fn ask(
    remote: &Remote,
    base: Option<&RelativePath>,
    paths: &[RelativePath],
) -> Result<Unpacking, ClientError> {
    let paths = paths.iter().map(ToString::to_string).collect();
    let list = serde_json::to_vec(&PackWanted { paths })
        .map_err(|error| ClientError::Answer(error.to_string()))?;
    let request = remote
        .change_in(Method::POST, base)
        .header(CONTENT_TYPE, "application/json");
    let answer = remote.send(request, body::full(list), WORK_TIMEOUT).await?;
    if answer
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind != PACK)
    {
        return Err(ClientError::Answer("it is not a pack".to_owned()));
    }
    let body = Patient::new(body::boxed(answer.into_body()));
    Ok(Unpacking::new(Box::pin(body)))
}

/// Writes all files under temporary names beside their places, makes them durable together, then
/// gives each its name: so a power cut leaves no name without its content.
fn keep_all(
    folder: &Path,
    files: Vec<(RelativePath, PackedHead, Bytes)>,
) -> HashMap<RelativePath, u64> {
    let write = |(path, head, content): (RelativePath, PackedHead, Bytes)| {
        let part = Part::write(path.under(folder), &head, &content).ok()?;
        Some((path, head.bytes, part))
    };
    let written: Vec<_> = files.into_iter().filter_map(write).collect();
    if let Err(error) = make_durable(folder, written.iter().map(|(_, _, part)| part)) {
        tracing::debug!(%error, "the files of a pack could not be made durable");
        return HashMap::new();
    }
    let name = |(path, bytes, part): (RelativePath, u64, Part)| {
        Some((path, part.name().ok().map(|()| bytes)?))
    };
    written.into_iter().filter_map(name).collect()
}

fn make_durable<'a>(
    folder: &Path,
    parts: impl ExactSizeIterator<Item = &'a Part>,
) -> io::Result<()> {
    if parts.len() >= FLUSH_ALL_FROM_FILES {
        return Ok(rustix::fs::syncfs(File::open(folder)?)?);
    }
    for part in parts {
        File::open(&part.place)?.sync_all()?;
    }
    Ok(())
}

/// A file under a temporary name beside its place; removed unless it gets its own name.
struct Part {
    place: PathBuf,
    target: PathBuf,
}

impl Part {
    fn write(target: PathBuf, head: &PackedHead, content: &[u8]) -> io::Result<Self> {
        let place = part_of_pack(&target);
        let mut file = fresh(&place)?;
        let part = Self { place, target };
        file.write_all(content)?;
        if let Some(time) = head.modified_ms.and_then(date::from_ms) {
            file.set_modified(time)?;
        }
        Ok(part)
    }

    fn name(self) -> io::Result<()> {
        fs::rename(&self.place, &self.target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Finds nothing once the file has its name.
        let _ = fs::remove_file(&self.place);
    }
}

/// A new file; anything that has its name already is replaced, never written through.
fn fresh(part: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    match options.open(part) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(part)?;
            options.open(part)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use futures_util::{StreamExt, stream};
    use hallway_hall::files::add_to_pack;

    use super::*;

    /// A pack of files with this content, which repeats without end.
    fn endless(names: &[&str], content: &[u8]) -> Unpacking {
        let mut pack = Vec::new();
        for name in names {
            let head = PackedHead {
                path: (*name).to_owned(),
                bytes: content.len() as u64,
                modified_ms: None,
                sha256: hex::encode(digest(&SHA256, content)),
                if_match: None,
                if_none_match: None,
            };
            add_to_pack(&mut pack, &head, content).unwrap();
        }
        let pack = Bytes::from(pack);
        Unpacking::new(stream::repeat_with(move || Ok(pack.clone())).boxed())
    }

    #[tokio::test]
    async fn a_pack_ends_at_the_first_file_that_was_not_asked_for() {
        let packs: [(&[&str], &str); 4] = [
            (&["zzz", "a"], "zzz"),
            (&["a", "zzz"], "zzz"),
            (&["b", "a"], "b"),
            (&["a", "a"], "a"),
        ];
        for (names, first) in packs {
            let path = |name: &str| (name.to_owned(), RelativePath::top(name).unwrap());
            let mut wanted = HashMap::from(["a", "b"].map(path));
            let unpacked = unpack(endless(names, b"hello"), &mut wanted).await;
            let error = unpacked.unwrap_err().to_string();
            assert!(error.starts_with(&format!("{first}: ")), "{error}");
        }
    }

    #[test]
    fn a_file_is_kept_whole_with_its_time_and_nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(folder.path().join("other"), "untouched").unwrap();
        symlink("other", part_of_pack(&target)).unwrap();
        symlink("other", &target).unwrap();
        let head = PackedHead {
            path: "target".to_owned(),
            bytes: 5,
            modified_ms: Some(1_700_000_000_123),
            sha256: String::new(),
            if_match: None,
            if_none_match: None,
        };
        let path: RelativePath = "target".parse().unwrap();
        let file = (path.clone(), head.clone(), Bytes::from_static(b"hello"));
        let kept = keep_all(folder.path(), vec![file.clone()]);
        assert_eq!(kept, HashMap::from([(path, 5)]));
        let about = fs::symlink_metadata(&target).unwrap();
        assert!(about.is_file());
        let modified = about
            .modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        assert_eq!(modified.as_millis(), 1_700_000_000_123);
        assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"untouched");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(keep_all(&folder.path().join("nowhere"), vec![file]).is_empty());
    }
}
