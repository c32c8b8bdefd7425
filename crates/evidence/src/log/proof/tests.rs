use super::*;
use crate::log::appender::Appender;
use crate::log::tree::{Frontier, leaf_hash};

fn entry(n: u64) -> Hash {
    crate::hash::sha256(&n.to_le_bytes())
}

/// All tiles of a tree of `size`, and the root at every size.
fn grow(size: u64) -> (TileSet, Vec<Hash>) {
    let mut tiles = TileSet::default();
    let mut log = Appender::new();
    let entries: Vec<Hash> = (0..size).map(entry).collect();
    for (tile, bytes) in log.append(&entries).tiles {
        if tile.level != Level::Entries {
            tiles.insert(tile, &bytes).unwrap();
        }
    }
    let mut tree = Frontier::default();
    let mut roots = vec![tree.root()];
    for entry in &entries {
        tree.push(leaf_hash(entry));
        roots.push(tree.root());
    }
    (tiles, roots)
}

#[test]
fn inclusion_at_every_size_and_index() {
    let (tiles, roots) = grow(70);
    for size in 1..=70u64 {
        for index in 0..size {
            let hashes = Plan::inclusion(index, size)
                .unwrap()
                .hashes(&tiles)
                .unwrap();
            let proof = InclusionProof {
                index,
                size,
                hashes,
            };
            let (leaf, root) = (leaf_hash(&entry(index)), roots[size as usize]);
            assert_eq!(proof.verify(&leaf, &root), Ok(()));
            assert_eq!(
                proof.verify(&leaf_hash(&entry(index + 1)), &root),
                Err(ProofError::Root)
            );
            if size > 1 {
                let mut short = proof.clone();
                short.hashes.pop();
                assert!(matches!(
                    short.verify(&leaf, &root),
                    Err(ProofError::Length { .. })
                ));
            }
        }
        assert_eq!(
            Plan::inclusion(size, size).unwrap_err(),
            ProofError::Index { index: size, size }
        );
    }
}

#[test]
fn consistency_between_every_two_sizes() {
    let (tiles, roots) = grow(70);
    for new in 0..=70u64 {
        for old in 0..=new {
            let mut hashes = Plan::consistency(old, new).unwrap().hashes(&tiles).unwrap();
            let (was, is) = (roots[old as usize], roots[new as usize]);
            assert_eq!(verify_consistency(old, &was, new, &is, &hashes), Ok(()));
            if old > 0 && old < new {
                assert!(verify_consistency(old, &is, new, &is, &hashes).is_err());
                assert!(verify_consistency(old, &was, new, &was, &hashes).is_err());
                hashes[0][3] ^= 1;
                assert_eq!(
                    verify_consistency(old, &was, new, &is, &hashes),
                    Err(ProofError::Rewritten)
                );
                hashes.push([0; 32]);
                assert!(matches!(
                    verify_consistency(old, &was, new, &is, &hashes),
                    Err(ProofError::Length { .. })
                ));
            }
        }
    }
    assert_eq!(
        Plan::consistency(3, 2).unwrap_err(),
        ProofError::Shrunk { old: 3, new: 2 }
    );
}

#[test]
fn large_trees_read_few_tiles() {
    let (tiles, roots) = grow(70_000);
    for index in [0, 255, 256, 65_535, 65_536, 69_999] {
        let plan = Plan::inclusion(index, 70_000).unwrap();
        assert!(plan.tiles().len() <= 5);
        let proof = InclusionProof {
            index,
            size: 70_000,
            hashes: plan.hashes(&tiles).unwrap(),
        };
        proof
            .verify(&leaf_hash(&entry(index)), &roots[70_000])
            .unwrap();
    }
    let plan = Plan::consistency(65_536, 70_000).unwrap();
    let hashes = plan.hashes(&tiles).unwrap();
    verify_consistency(65_536, &roots[65_536], 70_000, &roots[70_000], &hashes).unwrap();
    assert!(matches!(
        plan.hashes(&TileSet::default()),
        Err(ProofError::MissingTile(_))
    ));
}

#[test]
fn hostile_sizes_end() {
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
        assert!(Plan::inclusion(size - 1, size).unwrap().ranges.len() <= 64);
        assert!(Plan::consistency(size / 3, size).unwrap().ranges.len() <= 128);
    }
    let proof = InclusionProof {
        index: 5,
        size: u64::MAX,
        hashes: Vec::new(),
    };
    assert!(matches!(
        proof.verify(&[0; 32], &[0; 32]),
        Err(ProofError::Length {
            expected: 64,
            got: 0
        })
    ));
}
