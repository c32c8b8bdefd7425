//! A key file that was changed or cut: it is refused, or it opens with the records from before the
//! cut. It never opens with other records.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder"));
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = FOLDER.path().join("whole.key");
    KeyFile::create(&path, &protection(), &NewKey::personal()).expect("a new file");
    drop(SoftKey::open(&path, &protection(), Consent::Always).expect("it opens"));
    std::fs::read(path).expect("it can be read")
});

fn protection() -> Protection {
    Protection::OperatorKey([7; 32].into())
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([high, low], changes)) = bytes.split_first_chunk() else {
        return;
    };
    let mut file = WHOLE.clone();
    // Each change: a place, and the bits to flip. Then the file is cut.
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % file.len();
        file[at] ^= change[2];
    }
    let cut = usize::from(u16::from_be_bytes([*high, *low])).min(file.len());
    file.truncate(cut);
    let is_prefix = file == WHOLE[..cut];
    let path: PathBuf = FOLDER.path().join("changed.key");
    std::fs::write(&path, &file).expect("it can be written");
    if let Ok(mut key) = SoftKey::open(&path, &protection(), Consent::Always) {
        // A damaged last batch counts as torn: the file opens with the batches before it.
        assert!(
            is_prefix || key.dropped_bytes() > 0,
            "a changed file opened"
        );
        assert_eq!(key.discoverable_credentials(), 0);
    }
});
