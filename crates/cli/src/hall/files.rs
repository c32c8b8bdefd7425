//! `hallway ls`, `get`, `put` and `rm`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use hallway_evidence::{Printable, Timestamp};
use hallway_hall::Right;
use hallway_hall::dav::date::http_date;
use serde::Serialize;
use tempfile::{NamedTempFile, TempDir};

use super::HallCommandError;
use super::duration::OwnGrant;
use super::mirror::plan::{Entry, FileEntry};
use super::path::{RelativePath, StorePath};
use super::progress::Progress;
use super::remote::{Expected, Remote};
use super::transfer::{download, upload};
use super::visit::visit;
use crate::person::PersonArguments;

/// List a folder of a hall's store.
///
/// It uses the grant of a running `hallway open`; without one, it opens the hall with a touch. So
/// do get, put, rm and mirror.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct LsCommand {
    /// The folder or file: [REALM/]HALL:STORE/path.
    place: StorePath,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grant: OwnGrant,
    #[command(flatten)]
    person: PersonArguments,
}

/// Get a file from a hall's store.
///
/// The file appears under its name when it is complete and its SHA-256 is right. If the command is
/// interrupted, run it again: it goes on where it stopped. Standard output gets the file in the same
/// state; until then the file is in TMPDIR, and an interrupted command begins anew.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct GetCommand {
    /// The file: [REALM/]HALL:STORE/path.
    place: StorePath,
    /// Where to: a file, an existing folder, or - for standard output.
    #[arg(default_value = ".")]
    to: PathBuf,
    #[command(flatten)]
    replacing: Replacing,
}

/// Put a file into a hall's store.
///
/// The file appears there when it is complete and its SHA-256 is right; missing folders are made.
/// If the command is interrupted, run it again: it goes on where it stopped. Standard input is read
/// to its end first, into TMPDIR; an interrupted command begins anew.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct PutCommand {
    /// The file, or - for standard input.
    file: PathBuf,
    /// Where to: [REALM/]HALL:STORE/path. A slash at the end, or the store alone, means into that
    /// folder.
    place: String,
    #[command(flatten)]
    replacing: Replacing,
}

#[derive(Debug, Args)]
struct Replacing {
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grant: OwnGrant,
    #[command(flatten)]
    person: PersonArguments,
}

/// Remove a file from a hall's store.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct RmCommand {
    /// The file or folder: [REALM/]HALL:STORE/path.
    place: StorePath,
    /// Remove a folder with everything in it.
    #[arg(long, short)]
    recursive: bool,
    #[command(flatten)]
    grant: OwnGrant,
    #[command(flatten)]
    person: PersonArguments,
}

/// A line of `ls --json`.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
}

/// What `get --json` and `put --json` print.
#[derive(Serialize)]
struct Moved {
    from: String,
    to: String,
    bytes: u64,
}

pub(crate) fn ls(command: &LsCommand) -> Result<(), HallCommandError> {
    let place = &command.place;
    let rights = [Right::Read(place.store.clone())];
    let lasting = Some(command.grant.milliseconds());
    let inside = visit(
        &command.person,
        &place.hall,
        &rights,
        lasting,
        async |way| {
            let remote = Remote::new(way, place.store.clone());
            let Some(path) = &place.path else {
                return remote.list(None).await;
            };
            match remote.entry(path).await? {
                Some(Entry::Folder) => remote.list(Some(path)).await,
                Some(file) => Ok(vec![(path.clone(), file)]),
                None => Err(HallCommandError::Missing(place.to_string())),
            }
        },
    );
    let mut entries = super::run(inside)?;
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    let lines: Vec<Line<'_>> = entries.iter().map(Line::new).collect();
    if command.json {
        println!("{}", serde_json::to_string(&lines)?);
        return Ok(());
    }
    let width = lines
        .iter()
        .map(|line| line.size().len())
        .max()
        .unwrap_or(0);
    for line in lines {
        let slash = if line.kind == "folder" { "/" } else { "" };
        println!(
            "{:>width$}  {:<20}  {}{slash}",
            line.size(),
            line.modified(),
            Printable(line.name)
        );
    }
    Ok(())
}

impl<'a> Line<'a> {
    fn new((path, entry): &'a (RelativePath, Entry)) -> Self {
        let file = match entry {
            Entry::Folder => None,
            Entry::File(file) => Some(file),
        };
        Self {
            name: path.name(),
            kind: if file.is_some() { "file" } else { "folder" },
            bytes: file.map(|file| file.bytes),
            modified_ms: file.and_then(|file| file.modified_ms),
            etag: file.and_then(|file| file.etag.as_deref()),
        }
    }

    fn size(&self) -> String {
        self.bytes
            .map_or_else(|| "-".to_owned(), |bytes| bytes.to_string())
    }

    fn modified(&self) -> String {
        let Some(ms) = self.modified_ms else {
            return String::new();
        };
        match u64::try_from(ms) {
            Ok(ms) => Timestamp::from_ms(ms).to_string(),
            Err(_) => http_date(ms).unwrap_or_default(),
        }
    }
}

/// Whether a path stands for standard input or output; `./-` is a file.
fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(crate) fn get(command: &GetCommand) -> Result<(), HallCommandError> {
    let place = &command.place;
    let folder = || HallCommandError::IsFolder(place.to_string());
    let path = place.path.as_ref().ok_or_else(folder)?;
    if is_stream(&command.to) {
        return print(command, path);
    }
    let to = if command.to.is_dir() {
        command.to.join(path.name())
    } else {
        command.to.clone()
    };
    if !command.replacing.force && to.symlink_metadata().is_ok() {
        return Err(HallCommandError::Exists(to.display().to_string()));
    }
    let bytes = fetch(command, path, &to)?;
    let json = command.replacing.json;
    tell(place.to_string(), to.display().to_string(), bytes, json)
}

/// Gets the file to standard output, once all of it is here and its SHA-256 is right.
fn print(command: &GetCommand, path: &RelativePath) -> Result<(), HallCommandError> {
    if command.replacing.json {
        return Err(HallCommandError::FileAndJson);
    }
    let folder = TempDir::new().map_err(HallCommandError::io("a folder in TMPDIR"))?;
    let whole = folder.path().join("whole");
    fetch(command, path, &whole)?;
    let mut file = std::fs::File::open(&whole).map_err(HallCommandError::io(whole.display()))?;
    let printed = io::copy(&mut file, &mut io::stdout().lock());
    printed
        .map(drop)
        .map_err(HallCommandError::io("standard output"))
}

/// Gets the file into a new one of this computer. Returns its length.
fn fetch(command: &GetCommand, path: &RelativePath, to: &Path) -> Result<u64, HallCommandError> {
    let place = &command.place;
    let rights = [Right::Read(place.store.clone())];
    let Replacing {
        person,
        json,
        grant,
        ..
    } = &command.replacing;
    let lasting = Some(grant.milliseconds());
    super::run(visit(person, &place.hall, &rights, lasting, async |way| {
        let remote = Remote::new(way, place.store.clone());
        let entry = match remote.entry(path).await? {
            Some(Entry::File(entry)) => entry,
            Some(Entry::Folder) => return Err(HallCommandError::IsFolder(place.to_string())),
            None => return Err(HallCommandError::Missing(place.to_string())),
        };
        let progress = Progress::new(entry.bytes, *json);
        let done = download(&remote, path, &entry, to, &progress).await;
        progress.finish();
        done.map(|()| entry.bytes)
    }))
    .map_err(HallCommandError::of_copying)
}

/// Everything from standard input, as a file that goes with this value.
fn taken_in() -> Result<NamedTempFile, HallCommandError> {
    let failed = || HallCommandError::io("standard input, kept in TMPDIR");
    let mut file = NamedTempFile::new().map_err(failed())?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(failed())?;
    Ok(file)
}

pub(crate) fn put(command: &PutCommand) -> Result<(), HallCommandError> {
    let mut place: StorePath = command.place.parse()?;
    let from_stream = is_stream(&command.file);
    let name = command.file.file_name().and_then(|name| name.to_str());
    let odd = || HallCommandError::Name(command.file.display().to_string());
    let into = if command.place.ends_with('/') || place.path.is_none() {
        if from_stream {
            return Err(HallCommandError::Nameless(command.place.clone()));
        }
        let name = name.ok_or_else(odd)?;
        match &place.path {
            Some(folder) => folder.child(name),
            None => RelativePath::top(name),
        }
    } else {
        place.path.clone()
    };
    let path = into.ok_or_else(odd)?;
    place.path = Some(path.clone());
    let rights = [
        Right::Read(place.store.clone()),
        Right::Write(place.store.clone()),
    ];
    let Replacing {
        person,
        json,
        force,
        grant,
    } = &command.replacing;
    let lasting = Some(grant.milliseconds());
    let taken = from_stream.then(taken_in).transpose()?;
    let file = taken.as_ref().map_or(&*command.file, |file| file.path());
    // Fails before anybody touches a key in vain.
    length(file)?;
    let bytes = super::run(visit(person, &place.hall, &rights, lasting, async |way| {
        let remote = Remote::new(way, place.store.clone());
        let seen = remote.entry(&path).await?;
        match &seen {
            Some(Entry::Folder) => return Err(HallCommandError::IsFolder(place.to_string())),
            Some(_) if !force => return Err(HallCommandError::Exists(place.to_string())),
            Some(_) => {}
            None => make_way(&remote, &path).await?,
        }
        let expected = if *force {
            Expected::Anything
        } else {
            Expected::of(seen.as_ref())
        };
        let progress = Progress::new(length(file)?.bytes, *json);
        let done = upload(&remote, file, (&path, &expected), &progress).await;
        progress.finish();
        done
    }))
    .map_err(HallCommandError::of_copying)?;
    tell(
        command.file.display().to_string(),
        place.to_string(),
        bytes,
        *json,
    )
}

/// Makes the folder of a file that is about to be put there, if it is missing.
async fn make_way(remote: &Remote, path: &RelativePath) -> Result<(), HallCommandError> {
    if let Some(folder) = path.parent()
        && remote.entry(&folder).await?.is_none()
    {
        remote.make_folders(&folder).await?;
    }
    Ok(())
}

fn length(file: &Path) -> Result<FileEntry, HallCommandError> {
    let about = std::fs::metadata(file).map_err(HallCommandError::io(file.display()))?;
    let name = || file.display().to_string();
    if about.is_file() {
        Ok(super::mirror::local::file_entry(&about))
    } else if about.is_dir() {
        Err(HallCommandError::IsFolder(name()))
    } else {
        Err(HallCommandError::NotAFile(name()))
    }
}

fn tell(from: String, to: String, bytes: u64, json: bool) -> Result<(), HallCommandError> {
    if json {
        println!("{}", serde_json::to_string(&Moved { from, to, bytes })?);
    } else {
        println!("{}", Printable(&to));
    }
    Ok(())
}

pub(crate) fn rm(command: &RmCommand) -> Result<(), HallCommandError> {
    let place = &command.place;
    let whole = || HallCommandError::WholeStore(place.to_string());
    let path = place.path.as_ref().ok_or_else(whole)?;
    let rights = [
        Right::Read(place.store.clone()),
        Right::Delete(place.store.clone()),
    ];
    let lasting = Some(command.grant.milliseconds());
    super::run(visit(
        &command.person,
        &place.hall,
        &rights,
        lasting,
        async |way| {
            let remote = Remote::new(way, place.store.clone());
            match remote.entry(path).await? {
                None => return Err(HallCommandError::Missing(place.to_string())),
                Some(Entry::Folder) if !command.recursive => {
                    return Err(HallCommandError::Recursive(place.to_string()));
                }
                Some(_) => {}
            }
            Ok(remote.remove(path, &Expected::Anything).await?)
        },
    ))
}
