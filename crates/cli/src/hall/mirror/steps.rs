//! Carries out the steps of a mirror.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallway_hall::files::Listed;
use tokio::task::JoinSet;

use super::local::{Role, Scan, scan};
use super::pack::{self, Job};
use super::plan::{Entry, FileEntry, Listing, Plan, Surplus};
use super::{Account, unpack};
use crate::hall::HallCommandError;
use crate::hall::path::RelativePath;
use crate::hall::progress::Progress;
use crate::hall::remote::{Expected, Remote, is_changed, is_missing};
use crate::hall::transfer::{Target, download, local_sha256, set_modified, sha256_there, upload};

/// Which way files are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From this computer.
    Up,
    /// To this computer.
    Down,
}

/// A folder here, a place there, and a direction.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    pub(super) remote: Remote,
    /// Where in the store; `None` is its root.
    pub(super) base: Option<RelativePath>,
    pub(super) folder: PathBuf,
    pub(super) direction: Direction,
    pub(super) workers: usize,
    pub(super) json: bool,
}

/// What both sides hold.
pub(super) struct Listings {
    pub(super) source: Listing,
    pub(super) target: Listing,
    skipped: Vec<PathBuf>,
    parts: Vec<PathBuf>,
    unreadable: Vec<String>,
}

/// What to do with one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Copy,
    /// Copy it if the checksums differ.
    Compare,
}

/// What became of one file.
enum Outcome {
    Copied(u64),
    Same,
}

/// What became of a job.
#[derive(Default)]
struct Done {
    results: Results,
    /// Files that have to go one by one.
    singly: Vec<RelativePath>,
}

type Results = Vec<(RelativePath, Result<Outcome, HallCommandError>)>;

impl Mirror {
    /// Lists both sides. A missing target counts as empty; a missing source is an error.
    pub(super) async fn list(&self, surplus: Surplus) -> Result<Listings, HallCommandError> {
        let role = match self.direction {
            Direction::Up => Role::Source,
            Direction::Down => Role::Target,
        };
        let folder = self.folder.clone();
        let here = tokio::task::spawn_blocking(move || scan(&folder, role));
        let there = self.list_remote().await;
        let scan = here.await.map_err(io::Error::other).flatten();
        let scan = scan.map_err(HallCommandError::io("the folder can't be read"))?;
        let Scan {
            listing,
            skipped,
            parts,
            unreadable,
        } = scan;
        let (source, target) = match self.direction {
            Direction::Up => (listing, there?.unwrap_or_default()),
            Direction::Down => {
                let missing = || HallCommandError::Missing(self.base_name());
                (there?.ok_or_else(missing)?, listing)
            }
        };
        // What was left out here is not gone: deleting its copy there would be wrong.
        if surplus == Surplus::Delete && role == Role::Source && !skipped.is_empty() {
            let named = skipped[0].display().to_string();
            return Err(HallCommandError::Skipped(named, skipped.len()));
        }
        Ok(Listings {
            source,
            target,
            skipped,
            parts,
            unreadable,
        })
    }

    fn base_name(&self) -> String {
        self.base
            .as_ref()
            .map_or_else(String::new, ToString::to_string)
    }

    /// Everything below the place at the far side; `None` if the place does not exist.
    async fn list_remote(&self) -> Result<Option<Listing>, HallCommandError> {
        let mut listing = Listing::new();
        // One limit for the whole tree: a far side can make up folders as long as it is asked.
        let listed = Arc::new(Listed::default());
        let mut under_way = JoinSet::new();
        let mut waiting: Vec<Option<RelativePath>> = vec![None];
        loop {
            while under_way.len() < self.workers
                && let Some(folder) = waiting.pop()
            {
                let (remote, there) = (self.remote.clone(), self.join_base(folder.as_ref()));
                let listed = Arc::clone(&listed);
                under_way.spawn(async move {
                    let entries = remote.list_with(there.as_ref(), &listed).await;
                    (folder, entries)
                });
            }
            let Some(done) = under_way.join_next().await else {
                return Ok(Some(listing));
            };
            let (folder, entries) = done.map_err(|error| ended(&error))?;
            let entries = match entries {
                Err(HallCommandError::Client(error)) if folder.is_none() && is_missing(&error) => {
                    return Ok(None);
                }
                other => other?,
            };
            for (path, entry) in entries {
                let below = match &folder {
                    Some(folder) => folder.child(path.name()),
                    None => RelativePath::top(path.name()),
                };
                let Some(below) = below else { continue };
                if entry == Entry::Folder {
                    waiting.push(Some(below.clone()));
                }
                listing.insert(below, entry);
            }
        }
    }

    /// Where a path is at the far side; `None` is the root.
    fn join_base(&self, path: Option<&RelativePath>) -> Option<RelativePath> {
        match (&self.base, path) {
            (Some(base), Some(path)) => Some(base.join(path)),
            (base, path) => path.or(base.as_ref()).cloned(),
        }
    }

    fn there(&self, path: &RelativePath) -> RelativePath {
        match &self.base {
            Some(base) => base.join(path),
            None => path.clone(),
        }
    }

    /// Carries out a plan. The account lists what failed; then nothing surplus is deleted.
    pub(super) async fn carry_out(
        &self,
        plan: Plan,
        listings: Listings,
    ) -> Result<Account, HallCommandError> {
        if self.direction == Direction::Down {
            tokio::fs::create_dir_all(&self.folder)
                .await
                .map_err(HallCommandError::io(self.folder.display()))?;
        }
        let mut account = Account {
            same: plan.same,
            skipped: listings
                .skipped
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            // Then nothing surplus is deleted: what can't be read is not known to be gone.
            failed: listings.unreadable.clone(),
            ..Account::default()
        };
        for path in &plan.blocked {
            let reason = "something of another kind is in the way; --delete removes it";
            account.failed.push(format!("{path}: {reason}"));
        }
        for path in &plan.clear {
            let removed = self.remove(path, &listings.target).await;
            account.deleted += account.note(path, removed)?;
        }
        if self.direction == Direction::Up
            && let Some(base) = &self.base
        {
            self.remote.make_folders(base).await?;
        }
        for path in &plan.make {
            let made = self.make(path).await;
            account.made += account.note(path, made)?;
        }
        let copy = plan.copy.iter().map(|path| (path, Task::Copy));
        let compare = plan.compare.iter().map(|path| (path, Task::Compare));
        let work: Vec<_> = copy.chain(compare).collect();
        // The far side may claim lengths whose sum overflows.
        let bytes = work
            .iter()
            .map(|(path, _)| length(&listings.source, path))
            .fold(0, u64::saturating_add);
        let progress = Progress::new(bytes, self.json);
        for (path, result) in self.copy_all(&work, &listings, &progress).await? {
            match result {
                Ok(Outcome::Copied(bytes)) => {
                    account.copied += 1;
                    account.bytes += bytes;
                }
                Ok(Outcome::Same) => account.same += 1,
                Err(error) => account.failed.push(format!("{path}: {error}")),
            }
        }
        progress.finish();
        if account.failed.is_empty() {
            for path in &plan.delete {
                let removed = self.remove(path, &listings.target).await;
                account.deleted += account.note(path, removed)?;
            }
            // They are of versions that nobody will ask for again.
            for part in listings
                .parts
                .iter()
                .filter(|_| self.direction == Direction::Down)
            {
                let _ = tokio::fs::remove_file(part).await;
            }
        }
        Ok(account)
    }

    async fn copy_all(
        &self,
        work: &[(&RelativePath, Task)],
        Listings { source, target, .. }: &Listings,
        progress: &Progress,
    ) -> Result<Results, HallCommandError> {
        let mut results = Vec::with_capacity(work.len());
        let mut under_way = JoinSet::new();
        let mut left = VecDeque::from(pack::pack(work, source));
        loop {
            while under_way.len() < self.workers
                && let Some(job) = left.pop_front()
            {
                let (mirror, progress) = (self.clone(), progress.clone());
                let entry = match &job {
                    Job::One(path, _) => source.get(path).cloned(),
                    Job::Pack(_) => None,
                };
                let paths = match &job {
                    Job::One(path, _) => std::slice::from_ref(path),
                    Job::Pack(paths) => paths.as_slice(),
                };
                // What was seen at the target, so that no change since then is lost.
                let expected = paths.iter().map(|path| Expected::of(target.get(path)));
                let expected = expected.collect();
                under_way.spawn(async move { mirror.work(job, entry, expected, &progress).await });
            }
            let Some(done) = under_way.join_next().await else {
                return Ok(results);
            };
            let done = done.map_err(|error| ended(&error))??;
            results.extend(done.results);
            let singly = done.singly.into_iter();
            left.extend(singly.map(|path| Job::One(path, Task::Copy)));
        }
    }

    /// Does one job. `entry` is the source's entry if the job is about one file, `expected` what
    /// the target must have for each file.
    async fn work(
        &self,
        job: Job,
        entry: Option<Entry>,
        expected: Vec<Expected>,
        progress: &Progress,
    ) -> Result<Done, HallCommandError> {
        match (job, entry) {
            (Job::One(path, task), Some(Entry::File(entry))) => {
                let expected = expected.into_iter().next().unwrap_or_default();
                let target = (&path, &expected);
                let result = self.copy(target, &entry, task, progress).await;
                Ok(Done {
                    results: vec![(path, result)],
                    singly: Vec::new(),
                })
            }
            (Job::One(..), _) => Ok(Done::default()),
            (Job::Pack(paths), _) if self.direction == Direction::Up => {
                self.send(paths, &expected, progress).await
            }
            (Job::Pack(paths), _) => self.receive(paths, progress).await,
        }
    }

    async fn send(
        &self,
        paths: Vec<RelativePath>,
        expected: &[Expected],
        progress: &Progress,
    ) -> Result<Done, HallCommandError> {
        let (base, files) = (self.base.as_ref(), (paths.as_slice(), expected));
        // A pack may be refused as a whole because of one of its files.
        let Some(mut sent) = pack::send(&self.remote, base, &self.folder, files, progress).await?
        else {
            return Ok(Done {
                results: Vec::new(),
                singly: paths,
            });
        };
        for (path, file) in paths.iter().zip(&mut sent) {
            // It may have arrived already, and only the answer was lost.
            if matches!(file, Err(HallCommandError::Client(error)) if is_changed(error)) {
                let here = path.under(&self.folder);
                let there = sha256_there(&self.remote, &self.there(path), progress).await?;
                if there.is_some() && there == Some(local_sha256(&here).await?) {
                    let about = tokio::fs::metadata(&here).await;
                    *file = about
                        .map(|about| about.len())
                        .map_err(HallCommandError::io(here.display()));
                }
            }
        }
        let sent = sent.into_iter().map(|file| file.map(Outcome::Copied));
        Ok(Done {
            results: paths.into_iter().zip(sent).collect(),
            singly: Vec::new(),
        })
    }

    async fn receive(
        &self,
        paths: Vec<RelativePath>,
        progress: &Progress,
    ) -> Result<Done, HallCommandError> {
        let base = self.base.as_ref();
        let kept = unpack::receive(&self.remote, base, &self.folder, &paths, progress).await?;
        let mut done = Done::default();
        for path in paths {
            match kept.get(&path) {
                Some(bytes) => done.results.push((path, Ok(Outcome::Copied(*bytes)))),
                None => done.singly.push(path),
            }
        }
        Ok(done)
    }

    async fn copy(
        &self,
        (path, expected): Target<'_>,
        entry: &FileEntry,
        task: Task,
        progress: &Progress,
    ) -> Result<Outcome, HallCommandError> {
        let here = path.under(&self.folder);
        let there = self.there(path);
        if task == Task::Compare && self.is_same((&here, &there), entry, progress).await? {
            progress.advance(entry.bytes);
            return Ok(Outcome::Same);
        }
        match self.direction {
            Direction::Up => upload(&self.remote, &here, (&there, expected), progress)
                .await
                .map(Outcome::Copied),
            Direction::Down => {
                download(&self.remote, &there, entry, &here, progress).await?;
                Ok(Outcome::Copied(entry.bytes))
            }
        }
    }

    /// Whether both sides have the same bytes. If so, a copy here gets the original's modification
    /// time, so that the next mirror need not compare again.
    async fn is_same(
        &self,
        (here, there): (&Path, &RelativePath),
        entry: &FileEntry,
        progress: &Progress,
    ) -> Result<bool, HallCommandError> {
        let Some(sha256) = sha256_there(&self.remote, there, progress).await? else {
            return Ok(false);
        };
        if local_sha256(here).await? != sha256 {
            return Ok(false);
        }
        if self.direction == Direction::Down
            && let Some(modified_ms) = entry.modified_ms
        {
            set_modified(here, modified_ms).map_err(HallCommandError::io(here.display()))?;
        }
        Ok(true)
    }

    async fn make(&self, path: &RelativePath) -> Result<(), HallCommandError> {
        match self.direction {
            Direction::Up => Ok(self.remote.make_folder(&self.there(path)).await?),
            Direction::Down => {
                let here = path.under(&self.folder);
                let made = tokio::fs::create_dir(&here).await;
                made.map_err(HallCommandError::io(here.display()))
            }
        }
    }

    async fn remove(&self, path: &RelativePath, target: &Listing) -> Result<(), HallCommandError> {
        if self.direction == Direction::Up {
            let expected = match target.get(path) {
                Some(Entry::Folder) => Expected::Anything,
                seen => Expected::of(seen),
            };
            return Ok(self.remote.remove(&self.there(path), &expected).await?);
        }
        let here = path.under(&self.folder);
        let removed = match target.get(path) {
            // Only an empty one: what appeared in it meanwhile must stay.
            Some(Entry::Folder) => tokio::fs::remove_dir(&here).await,
            _ => tokio::fs::remove_file(&here).await,
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(HallCommandError::io(here.display())),
        }
    }
}

fn length(listing: &Listing, path: &RelativePath) -> u64 {
    match listing.get(path) {
        Some(Entry::File(file)) => file.bytes,
        _ => 0,
    }
}

fn ended(error: &tokio::task::JoinError) -> HallCommandError {
    HallCommandError::io("a worker")(io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hall::remote::tests::far_side;

    #[tokio::test]
    async fn folders_in_folders_without_end_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let entry = r#"{"name":"d","kind":"folder","bytes":0,"modified_ms":0}"#;
        let page = format!(r#"{{"entries":[{entry}]}}"#);
        let mirror = Mirror {
            remote: far_side(folder.path(), move |_| page.clone()),
            base: None,
            folder: folder.path().join("copy"),
            direction: Direction::Down,
            workers: 4,
            json: true,
        };
        let error = mirror.list_remote().await.unwrap_err();
        assert!(matches!(error, HallCommandError::Deep(_)), "{error}");
    }
}
