//! The log as others read it: the crates `signed_note` and `tlog_tiles`, written elsewhere from
//! the same specifications.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallway_evidence::Timestamp;
use hallway_evidence::log::{
    Appender, Checkpoint, CosignerKey, CosigningKey, Level, Plan, SigningKey, Tile, TileSet,
    proof::verify_consistency,
};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader};

type Tiles = BTreeMap<String, Vec<u8>>;

/// Our tiles, for their reader.
struct Served<'a>(&'a Tiles);

impl TileReader for Served<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles
            .iter()
            .map(|tile| {
                let ours = Tile {
                    level: Level::Hashes(tile.level()),
                    index: tile.level_index(),
                    width: tile.width() as u16,
                };
                self.0[&ours.to_string()].clone()
            })
            .collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn entry(n: u64) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..8].copy_from_slice(&n.to_be_bytes());
    entry
}

/// A log that grew to each of `sizes`, its tiles as they were served, and its roots.
fn grow(sizes: &[u64]) -> (Tiles, BTreeMap<u64, [u8; 32]>) {
    let (mut tiles, mut roots) = (Tiles::new(), BTreeMap::new());
    let mut log = Appender::new();
    for size in sizes {
        let batch: Vec<_> = (log.size()..*size).map(entry).collect();
        let appended = log.append(&batch);
        roots.insert(appended.size, appended.root);
        tiles.extend(
            appended
                .tiles
                .into_iter()
                .map(|(tile, bytes)| (tile.to_string(), bytes)),
        );
    }
    (tiles, roots)
}

#[test]
fn other_readers_accept_our_tiles_and_the_same_proofs() {
    const SIZES: [u64; 6] = [1, 200, 256, 700, 65_536, 66_000];
    let (tiles, roots) = grow(&SIZES);
    let served = Served(&tiles);
    let size = 66_000;
    let root = Hash(roots[&size]);
    let reader = TileHashReader::new(size, root, &served);
    for index in [0, 255, 256, 65_535, 65_536, 65_999] {
        let leaf = tlog_tiles::record_hash(&entry(index));
        assert_eq!(
            reader
                .read_hashes(&[tlog_tiles::stored_hash_index(0, index)])
                .unwrap(),
            [leaf]
        );
        let theirs = tlog_tiles::prove_record(size, index, &reader).unwrap();
        tlog_tiles::check_record(&theirs, size, root, index, leaf).unwrap();
        let plan = Plan::inclusion(index, size).unwrap();
        let ours = plan.hashes(&load(&plan, &tiles)).unwrap();
        assert_eq!(ours, theirs.iter().map(|hash| hash.0).collect::<Vec<_>>());
    }
    for old in [1, 200, 256, 700, 65_536] {
        let theirs = tlog_tiles::prove_tree(size, old, &reader).unwrap();
        tlog_tiles::check_tree(&theirs, size, root, old, Hash(roots[&old])).unwrap();
        let plan = Plan::consistency(old, size).unwrap();
        let ours = plan.hashes(&load(&plan, &tiles)).unwrap();
        assert_eq!(ours, theirs.iter().map(|hash| hash.0).collect::<Vec<_>>());
        verify_consistency(old, &roots[&old], size, &roots[&size], &ours).unwrap();
    }
}

fn load(plan: &Plan, tiles: &Tiles) -> TileSet {
    let mut set = TileSet::default();
    for tile in plan.tiles() {
        set.insert(tile, &tiles[&tile.to_string()]).unwrap();
    }
    set
}

#[test]
fn other_readers_notice_a_changed_tile() {
    let (mut tiles, roots) = grow(&[700]);
    tiles.get_mut("tile/0/002.p/188").unwrap()[40] ^= 1;
    let served = Served(&tiles);
    let reader = TileHashReader::new(700, Hash(roots[&700]), &served);
    assert!(tlog_tiles::prove_record(700, 300, &reader).is_err());
}

#[test]
fn other_readers_verify_our_checkpoints() {
    let key = SigningKey::from_seed("gate.example/log", &[3; 32]).unwrap();
    let head = Checkpoint::new(key.name(), 700, [9; 32]).unwrap();
    let signed = head.sign(&key);

    let verifier = StandardVerifier::new(&key.verifier().to_string()).unwrap();
    let note = Note::from_bytes(signed.as_bytes()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));

    let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(theirs.origin(), "gate.example/log");
    assert_eq!((theirs.size(), theirs.hash().0), (700, [9; 32]));
    assert_eq!(theirs.extension(), "");

    let changed = Note::from_bytes(signed.replace("700", "701").as_bytes()).unwrap();
    assert!(changed.verify(&known).is_err());
}

#[test]
fn other_readers_pass_over_cosignatures_that_they_do_not_know() {
    let key = SigningKey::from_seed("gate.example/log", &[3; 32]).unwrap();
    let witness = CosigningKey::from_seed("other.example/witness", &[4; 32]).unwrap();
    let head = Checkpoint::new(key.name(), 700, [9; 32]).unwrap();
    let at = Timestamp::from_ms(1_795_000_000_000);
    let cosigned = head.sign(&key) + &witness.cosign(&head, at);

    let note = Note::from_bytes(cosigned.as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&key.verifier().to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 1));

    // The cosignature, checked by the text of c2sp.org/tlog-cosignature alone.
    let vkey = witness.cosigner().to_string();
    let [name, id, public] = *vkey.split('+').collect::<Vec<_>>() else {
        panic!("{vkey}");
    };
    let public = STANDARD.decode(public).unwrap();
    assert_eq!(public[0], 0x04);
    let hashed = [name.as_bytes(), b"\n", &public[..]].concat();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &hashed);
    assert_eq!(hex::encode(&hash.as_ref()[..4]), id);
    let line = cosigned.lines().last().unwrap();
    let line = line.strip_prefix("— other.example/witness ").unwrap();
    let signature = STANDARD.decode(line).unwrap();
    assert_eq!(hex::encode(&signature[..4]), id);
    assert_eq!(signature[4..12], 1_795_000_000u64.to_be_bytes());
    let mut message = b"cosignature/v1\ntime 1795000000\n".to_vec();
    message.extend_from_slice(note.text());
    UnparsedPublicKey::new(&ED25519, &public[1..])
        .verify(&message, &signature[12..])
        .unwrap();
}

/// A public witness's key, from the tests of github.com/transparency-dev/formats (Apache-2.0).
#[test]
fn the_key_of_a_witness_elsewhere_is_read() {
    let vkey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    let key: CosignerKey = vkey.parse().unwrap();
    assert_eq!(key.name(), "remora.n621.de");
    assert_eq!(key.to_string(), vkey);
    assert!(vkey.replace("da77", "da78").parse::<CosignerKey>().is_err());
}
