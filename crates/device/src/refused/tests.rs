use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::*;

fn aside(watched: &Path, name: &OsStr) -> Result<PathBuf, AsideError> {
    set_aside(
        watched,
        name,
        "the gateway says \u{1b}[31mno",
        Timestamp::from_ms(0),
    )
}

#[test]
fn a_file_of_any_name_has_its_reason_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let refused = folder.path().join(FOLDER);
    let long = "x".repeat(251) + ".jpg";
    let names = ["a.jpg", "a.jpg", &long, &long, "b.reason", "c\u{202e}.txt"];
    let broken = OsStr::from_bytes(b"\xff.jpg");
    let names = names.map(OsStr::new).into_iter().chain([broken]);
    for (number, name) in names.enumerate() {
        fs::write(folder.path().join(name), [number as u8]).unwrap();
        let place = aside(folder.path(), name).unwrap();
        assert!(!folder.path().join(name).exists());
        assert_eq!(fs::read(&place).unwrap(), [number as u8]);
        let name = place.file_name().unwrap().to_str().unwrap();
        let reason = refused.join(with_suffix(name, REASON, MAX_NAME_BYTES));
        let reason = fs::read_to_string(reason).unwrap();
        assert!(
            reason.contains(" was not sent: the gateway says "),
            "{reason}"
        );
        assert!(reason.contains("1970-01-01 00:00:00 UTC") && !reason.contains('\u{1b}'));
    }
    assert_eq!(fs::read_dir(&refused).unwrap().count(), 14);
    assert_eq!(count(folder.path()), 7);
    assert!(aside(folder.path(), OsStr::new("gone")).is_err());
    assert_eq!(fs::read_dir(&refused).unwrap().count(), 14);
}

#[test]
fn folders_and_links_in_the_way_are_passed_by() {
    let folder = tempfile::tempdir().unwrap();
    let refused = folder.path().join(FOLDER);
    fs::create_dir_all(refused.join("a.txt.reason")).unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    for name in ["b.writing", "b.txt.writing", "b.txt.reason"] {
        symlink(&victim, refused.join(name)).unwrap();
    }
    for name in ["a.txt", "b.txt"] {
        fs::write(folder.path().join(name), name).unwrap();
        let place = aside(folder.path(), OsStr::new(name)).unwrap();
        assert_eq!(fs::read_to_string(place).unwrap(), name);
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    // Folders and links do not count as files that were set aside.
    assert_eq!(count(folder.path()), 2);
}

#[test]
fn no_file_is_moved_to_where_a_link_leads() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), folder.path().join(FOLDER)).unwrap();
    fs::write(folder.path().join("a.txt"), "a").unwrap();
    fs::write(elsewhere.path().join("other.txt"), "other").unwrap();
    let error = aside(folder.path(), OsStr::new("a.txt")).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
    assert!(folder.path().join("a.txt").exists());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    assert_eq!(count(folder.path()), 0);
    sweep(folder.path()).unwrap();
}
