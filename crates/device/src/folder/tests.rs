use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    (place, folder)
}

/// A pipe that nobody writes to: opening it as a file waits for ever.
fn pipe(path: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

fn names(folder: &Folder) -> Vec<OsString> {
    let mut names: Vec<_> = folder.names().unwrap().map(Result::unwrap).collect();
    names.sort();
    names
}

#[test]
fn replaces_whole_files_and_leaves_nothing_beside_them() {
    let (place, folder) = folder();
    folder.write("a.json", b"one").unwrap();
    folder.write("a.json", b"two").unwrap();
    assert_eq!(folder.read("a.json", 3).unwrap().bytes, b"two");
    let mode = fs::metadata(place.path().join("a.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    folder.rename("a.json", &folder, "b.json").unwrap();
    assert_eq!(names(&folder), ["b.json"]);
    folder.remove("a.json").unwrap();
    for length in [247, 248, 255] {
        let name = "x".repeat(length);
        folder.write(&name, name.as_bytes()).unwrap();
        assert_eq!(folder.length_of(&name).unwrap(), length as u64);
    }
    // A folder cannot be replaced: it stays, and nothing is left beside it.
    fs::create_dir(place.path().join("c")).unwrap();
    folder.write("c", b"x").unwrap_err();
    assert_eq!(names(&folder).len(), 5);
}

#[test]
fn a_link_is_replaced_and_removed_itself_and_never_followed() {
    let (place, folder) = folder();
    let (elsewhere, theirs) = (tempfile::tempdir().unwrap(), "precious");
    let victim = elsewhere.path().join("victim");
    fs::write(&victim, theirs).unwrap();
    symlink(&victim, place.path().join("link")).unwrap();
    symlink(elsewhere.path(), place.path().join("folder")).unwrap();
    assert!(matches!(folder.read("link", 99), Err(FileError::NotAFile)));
    assert!(matches!(folder.open_lock("link"), Err(FileError::NotAFile)));
    assert_eq!(folder.kind_of("link").unwrap(), Some(FileType::Symlink));
    for enter in [Folder::enter, Folder::enter_or_make] {
        assert!(matches!(
            enter(&folder, "folder"),
            Err(EnterError::NotAFolder)
        ));
    }
    folder.write("link", b"mine").unwrap();
    assert_eq!(folder.read("link", 99).unwrap().bytes, b"mine");
    folder.remove("folder").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), theirs);
}

#[test]
fn pipes_links_and_folders_never_keep_the_agent_waiting() {
    let (place, folder) = folder();
    pipe(&place.path().join("pipe"));
    fs::create_dir(place.path().join("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path().join("socket")).unwrap();
    for name in ["pipe", "folder", "socket"] {
        let read = folder.read(name, 99);
        assert!(matches!(read, Err(FileError::NotAFile)), "{name}: {read:?}");
        let lock = folder.open_lock(name);
        assert!(matches!(lock, Err(FileError::NotAFile)), "{name}: {lock:?}");
    }
    assert!(matches!(folder.read("none", 99), Err(FileError::Gone)));
}

#[test]
fn no_more_is_read_than_is_allowed() {
    let (_place, folder) = folder();
    folder.write("a", b"four").unwrap();
    assert_eq!(folder.read("a", 4).unwrap().bytes, b"four");
    assert!(matches!(folder.read("a", 3), Err(FileError::TooLong(3))));
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let (_place, folder) = folder();
    for name in ["", ".", "..", "../a", "a/b", "/etc/passwd"] {
        assert!(folder.write(name, b"x").is_err(), "{name}");
        assert!(folder.read(name, 9999).is_err(), "{name}");
        assert!(folder.remove(name).is_err(), "{name}");
        assert!(folder.enter_or_make(name).is_err(), "{name}");
    }
    assert!(names(&folder).is_empty());
}

#[test]
fn unfinished_files_are_swept_and_nothing_else() {
    let (place, folder) = folder();
    let left = "hallway-0123456789abcdef.writing";
    let written = "hallway-00000000deadbeef.writing";
    let theirs = ["hallway-x.writing", "a.writing", "20240101.jpg"];
    for name in theirs.into_iter().chain([left, written]) {
        fs::write(place.path().join(name), b"x").unwrap();
    }
    let writer = File::open(place.path().join(written)).unwrap();
    writer.lock().unwrap();
    folder.sweep().unwrap();
    let left: Vec<_> = names(&folder);
    assert_eq!(left.len(), 4, "{left:?}");
    drop(writer);
    folder.sweep().unwrap();
    assert_eq!(
        names(&folder),
        ["20240101.jpg", "a.writing", "hallway-x.writing"]
    );
}
