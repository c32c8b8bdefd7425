use super::*;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

const LATER_MS: u64 = 10_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + ms)
}

fn names(watcher: &mut Watcher, now: Timestamp) -> Vec<String> {
    watcher
        .look(now, |_| false)
        .unwrap()
        .into_iter()
        .map(|found| {
            found.unwrap_or_else(|Misfit { name, why }| format!("{}: {why}", name.display()))
        })
        .collect()
}

fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Watcher) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let watcher = Watcher::new(folder.path(), 1000);
    (folder, watcher)
}

#[test]
fn files_count_once_they_rest() {
    let (folder, mut watcher) = folder(&[("b.txt", b"b"), ("a.txt", b"a")]);
    assert!(names(&mut watcher, at(0)).is_empty());
    assert!(watcher.expects_more());
    assert!(names(&mut watcher, at(999)).is_empty());
    fs::write(folder.path().join("a.txt"), b"longer").unwrap();
    assert_eq!(names(&mut watcher, at(1000)), ["b.txt"]);
    assert_eq!(names(&mut watcher, at(2000)).len(), 2);
    let found = watcher.read("a.txt", at(2000)).unwrap().unwrap();
    assert_eq!(found.bytes, b"longer");
    fs::remove_file(folder.path().join("a.txt")).unwrap();
    assert_eq!(watcher.read("a.txt", at(2000)), Ok(None));
}

#[test]
fn hidden_and_unfinished_files_links_and_folders_are_not_taken() {
    let (folder, mut watcher) = folder(&[
        (".hidden", b"x"),
        ("a.jpg.part", b"x"),
        ("b.TMP", b"x"),
        ("c~", b"x"),
        ("real.txt", b"x"),
    ]);
    fs::create_dir(folder.path().join("sub")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link.txt")).unwrap();
    names(&mut watcher, at(0));
    assert_eq!(names(&mut watcher, at(LATER_MS)), ["real.txt"]);
}

#[test]
fn a_file_that_is_not_signed_is_told_once() {
    let (folder, mut watcher) = folder(&[("long.bin", &[0; 1001])]);
    fs::write(folder.path().join("gpj\u{202e}.txt"), b"x").unwrap();
    names(&mut watcher, at(0));
    let told = names(&mut watcher, at(LATER_MS));
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .any(|text| text.contains("1001 bytes; at most 1000")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|text| text.contains("rename it")),
        "{told:?}"
    );
    assert!(names(&mut watcher, at(2 * LATER_MS)).is_empty());
    assert!(!watcher.expects_more());
}

#[test]
fn an_empty_file_is_waited_for_and_then_told() {
    let (folder, mut watcher) = folder(&[("a.txt", b""), ("b.txt", b"")]);
    names(&mut watcher, at(0));
    assert!(names(&mut watcher, at(59_000)).is_empty());
    assert!(watcher.expects_more());
    fs::write(folder.path().join("b.txt"), b"b").unwrap();
    assert_eq!(names(&mut watcher, at(60_000)), ["a.txt: it is empty"]);
    assert_eq!(names(&mut watcher, at(70_000)), ["b.txt"]);
}

#[test]
fn names_that_are_not_utf_8_are_told_apart() {
    let (folder, mut watcher) = folder(&[("\u{fffd}.jpg", b"good")]);
    let broken = [&b"\xfe.jpg"[..], b"\xff.jpg"].map(OsStr::from_bytes);
    for name in broken {
        fs::write(folder.path().join(name), name.as_bytes()).unwrap();
    }
    names(&mut watcher, at(0));
    let found = watcher.look(at(LATER_MS), |_| false).unwrap();
    let (fit, unfit): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    assert_eq!(fit, [Ok("\u{fffd}.jpg".to_owned())]);
    let mut unfit: Vec<_> = unfit
        .into_iter()
        .map(|misfit| misfit.unwrap_err().name)
        .collect();
    unfit.sort();
    assert_eq!(unfit, broken);
    assert!(watcher.look(at(LATER_MS), |_| false).unwrap().len() == 1);
}

#[test]
fn a_pipe_that_takes_the_place_of_a_file_never_keeps_the_agent_waiting() {
    let (folder, mut watcher) = folder(&[("a.txt", b"a"), ("b.txt", b"b")]);
    names(&mut watcher, at(0));
    assert_eq!(names(&mut watcher, at(LATER_MS)).len(), 2);
    for name in ["a.txt", "b.txt"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("a.txt"), mode).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("b.txt")).unwrap();
    for name in ["a.txt", "b.txt"] {
        assert_eq!(watcher.read(name, at(LATER_MS)), Ok(None));
    }
    assert!(names(&mut watcher, at(LATER_MS)).is_empty());
    assert!(!watcher.expects_more());
}

#[test]
fn half_a_picture_is_waited_for_and_then_taken_as_it_is() {
    let half = b"\xff\xd8\xff\xe0";
    let (_folder, mut watcher) = folder(&[("a.jpg", half)]);
    names(&mut watcher, at(0));
    assert_eq!(names(&mut watcher, at(LATER_MS)), ["a.jpg"]);
    assert_eq!(watcher.read("a.jpg", at(LATER_MS)), Ok(None));
    let taken = watcher.read("a.jpg", at(70_000)).unwrap().unwrap();
    assert_eq!(taken.bytes, half);
}

#[test]
fn a_time_that_no_statement_can_carry_is_told() {
    let (folder, mut watcher) = folder(&[("old.txt", b"x"), ("1970.txt", b"x")]);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    for (name, time) in [("old.txt", before), ("1970.txt", SystemTime::UNIX_EPOCH)] {
        let file = fs::File::options()
            .write(true)
            .open(folder.path().join(name));
        file.unwrap().set_modified(time).unwrap();
    }
    names(&mut watcher, at(0));
    let told = names(&mut watcher, at(LATER_MS));
    assert_eq!(told.len(), 2);
    assert_eq!(
        told.iter()
            .filter(|text| text.contains("cannot be signed"))
            .count(),
        1
    );
    let found = watcher.read("1970.txt", at(LATER_MS)).unwrap().unwrap();
    assert_eq!(found.modified, Timestamp::default());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_open_for_writing_is_not_read() {
    let (folder, mut watcher) = folder(&[]);
    let path = folder.path().join("slow.txt");
    let mut writer = fs::File::create(&path).unwrap();
    writer.write_all(b"half").unwrap();
    names(&mut watcher, at(0));
    assert_eq!(names(&mut watcher, at(LATER_MS)), ["slow.txt"]);
    assert_eq!(watcher.read("slow.txt", at(LATER_MS)), Ok(None));
    drop(writer);
    assert!(watcher.read("slow.txt", at(LATER_MS)).unwrap().is_some());
}
