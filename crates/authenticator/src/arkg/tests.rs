use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use p256::ProjectivePoint;

use super::*;

/// ARKG-Derive-Public-Key, which the other party computes: the public key and its handle.
fn derive_public_key(
    seed: &ArkgPublicSeed,
    ikm: &[u8; 32],
    context: &[u8],
) -> Result<(PublicKey, Vec<u8>), ArkgError> {
    let context = Context::new(context)?;
    let ephemeral = private_key(hash_to_field(ikm, &[b"ARKG-KEM-ECDH-KG.", ENCAPSULATION])?)?;
    let encapsulation = PublicKey::from_sec1_bytes(&seed.encapsulation.to_sec1()).unwrap();
    let shared = ephemeral.diffie_hellman(&encapsulation);
    let shared = Encapsulated::new(shared.raw_secret_bytes(), context)?;
    let point = uncompressed(&ephemeral.public_key());
    let handle = [&shared.tag(&point)[..], &point].concat();
    let tau = blinding_factor(&shared.secret, context)?;
    let blinding = KeyAgreementKey {
        x: seed.blinding_x,
        y: seed.blinding_y,
    };
    let blinding = PublicKey::from_sec1_bytes(&blinding.to_sec1()).unwrap();
    let sum = blinding.to_projective() + ProjectivePoint::GENERATOR * *tau;
    Ok((PublicKey::from_affine(sum.to_affine()).unwrap(), handle))
}

fn uncompressed(key: &PublicKey) -> Vec<u8> {
    key.to_sec1_point(false).as_bytes().to_vec()
}

fn public_key_of(key: &PrivateKey) -> PublicKey {
    SecretKey::from_slice(key.bytes()).unwrap().public_key()
}

/// The three test vectors of the draft, each a map with the draft's names.
fn vectors() -> Vec<BTreeMap<String, Vec<u8>>> {
    let text = include_str!("../../tests/data/arkg/arkg_p256.cddl");
    let mut sets = Vec::new();
    let mut name = String::new();
    for line in text.lines().map(str::trim) {
        if line == "; Inputs:" {
            sets.push(BTreeMap::new());
        }
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        // A point continues on a second line.
        let value = match line.split_once(" = ") {
            Some((next, value)) => {
                name = next.trim().into();
                value
            }
            None => line,
        };
        let bytes = match value.strip_prefix('\'') {
            Some(text) => text.trim_end_matches('\'').as_bytes().to_vec(),
            None => unhex(value.trim_start_matches("h'").trim_start_matches("0x")),
        };
        let set: &mut BTreeMap<_, Vec<u8>> = sets.last_mut().unwrap();
        set.entry(name.clone()).or_default().extend(bytes);
    }
    sets
}

/// The draft writes numbers without leading zeros.
fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim_end_matches('\'');
    let digits = match digits.len() % 2 {
        0 => digits.into(),
        _ => std::format!("0{digits}"),
    };
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array[32 - bytes.len()..].copy_from_slice(bytes);
    array
}

fn seed(blinding: u8, encapsulation: u8) -> PrivateSeed {
    PrivateSeed::derive(&[blinding; 32], &[encapsulation; 32]).unwrap()
}

#[test]
fn the_vectors_of_the_draft_hold_step_by_step() {
    let sets = vectors();
    assert_eq!(sets.len(), 3);
    for set in &sets {
        let context = &set["ctx"];
        let private = PrivateSeed::derive(&array(&set["ikm_bl"]), &array(&set["ikm_kem"])).unwrap();
        assert_eq!(private.blinding.to_bytes()[..], array(&set["sk_bl"]));
        assert_eq!(private.encapsulation.to_bytes()[..], array(&set["sk_kem"]));
        assert_eq!(uncompressed(&private.blinding.public_key()), set["pk_bl"]);
        assert_eq!(
            uncompressed(&private.encapsulation.public_key()),
            set["pk_kem"]
        );

        let shared = Encapsulated::new(&set["k_prime"], Context::new(context).unwrap()).unwrap();
        assert_eq!(shared.mac_key[..], set["mk"]);
        assert_eq!(shared.secret[..], set["k"]);
        assert_eq!(shared.tag(&set["c_prime"])[..], set["t"]);
        let tau = blinding_factor(&shared.secret, Context::new(context).unwrap()).unwrap();
        assert_eq!(tau.to_bytes()[..], array(&set["tau"]));

        let public = private.public().unwrap();
        let (derived, handle) = derive_public_key(&public, &array(&set["ikm"]), context).unwrap();
        assert_eq!(uncompressed(&derived), set["pk_prime"]);
        assert_eq!(handle, set["kh"]);

        let key = private.derive_private_key(&handle, context).unwrap();
        assert_eq!(key.bytes(), array(&set["sk_prime"]));
        assert_eq!(public_key_of(&key), derived);
    }
}

#[test]
fn a_handle_is_of_one_seed_and_one_context() {
    let private = seed(1, 2);
    let (_, handle) = derive_public_key(&private.public().unwrap(), &[3; 32], b"context").unwrap();
    let refused = |seed: &PrivateSeed, handle: &[u8], context: &[u8]| {
        seed.derive_private_key(handle, context).err()
    };
    assert_eq!(refused(&private, &handle, b"context"), None);
    let no = Some(ArkgError::KeyHandle);
    assert_eq!(refused(&private, &handle, b"contexT"), no);
    assert_eq!(refused(&private, &handle, b""), no);
    assert_eq!(refused(&seed(1, 4), &handle, b"context"), no);
    for bit in 0..handle.len() * 8 {
        let mut changed = handle.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refused(&private, &changed, b"context"), no, "bit {bit}");
    }
    for end in 0..handle.len() {
        assert_eq!(refused(&private, &handle[..end], b"context"), no);
    }
    let longer = [&handle[..], &[0]].concat();
    assert_eq!(refused(&private, &longer, b"context"), no);
}

#[test]
fn a_context_has_64_bytes_at_most() {
    let private = seed(1, 2);
    let public = private.public().unwrap();
    let (derived, handle) = derive_public_key(&public, &[3; 32], &[4; 64]).unwrap();
    let key = private.derive_private_key(&handle, &[4; 64]).unwrap();
    assert_eq!(public_key_of(&key), derived);
    assert_eq!(
        private.derive_private_key(&handle, &[4; 65]).err(),
        Some(ArkgError::ContextTooLong)
    );
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))]

    #[test]
    fn both_parties_derive_the_same_key(
        blinding: [u8; 32],
        encapsulation: [u8; 32],
        ikm: [u8; 32],
        context in proptest::collection::vec(proptest::num::u8::ANY, 0..=64),
    ) {
        let private = PrivateSeed::derive(&blinding, &encapsulation).unwrap();
        let public = private.public().unwrap();
        let (derived, handle) = derive_public_key(&public, &ikm, &context).unwrap();
        let key = private.derive_private_key(&handle, &context).unwrap();
        proptest::prop_assert_eq!(public_key_of(&key), derived);
    }

    #[test]
    fn any_handle_is_refused(handle: Vec<u8>, context: Vec<u8>) {
        proptest::prop_assert!(seed(1, 2).derive_private_key(&handle, &context).is_err());
    }
}
