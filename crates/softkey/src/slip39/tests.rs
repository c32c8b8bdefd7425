//! Against SatoshiLabs' test vectors; `tests/test_key_backup.py` trades shares with their program.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    description: String,
    mnemonics: Vec<String>,
    /// Empty where the mnemonics must be refused.
    secret: String,
}

#[test]
fn all_of_satoshilabs_vectors() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 45);
    for vector in vectors {
        let shares: Vec<&str> = vector.mnemonics.iter().map(String::as_str).collect();
        let found = combine(&shares, b"TREZOR");
        let hex = found.map(|secret| secret.iter().map(|byte| format!("{byte:02x}")).collect());
        let wanted = (!vector.secret.is_empty()).then_some(vector.secret);
        assert_eq!(hex.ok(), wanted, "{}", vector.description);
    }
}

#[test]
fn enough_shares_restore_the_secret_and_fewer_do_not() {
    let secret = [7; 32];
    for (threshold, count) in [(2, 2), (2, 3), (3, 5), (16, 16)] {
        let shares = split(&secret, threshold, count).unwrap();
        assert_eq!(shares.len(), usize::from(count));
        let mut shares: Vec<&str> = shares.iter().map(String::as_str).collect();
        shares.reverse();
        assert_eq!(*combine(&shares, b"").unwrap(), secret);
        let enough = usize::from(threshold);
        assert_eq!(*combine(&shares[..enough], b"").unwrap(), secret);
        let too_few = combine(&shares[1..enough], b"").unwrap_err();
        assert!(matches!(too_few, ShareError::TooFew { .. }), "{too_few}");
    }
}

#[test]
fn mistakes_are_named() {
    let split = |byte| split(&[byte; 32], 2, 3).unwrap();
    let (ours, others) = (split(7), split(8));
    assert_eq!(
        combine(&[&ours[0], &others[1]], b""),
        Err(ShareError::Mixed)
    );
    // The same share twice is one share.
    assert!(matches!(
        combine(&[&ours[0], &ours[0]], b""),
        Err(ShareError::TooFew {
            needed: 2,
            given: 1
        })
    ));
    let (first, _) = ours[1].rsplit_once(' ').unwrap();
    let wrong = if ours[1].ends_with("zero") {
        "acid"
    } else {
        "zero"
    };
    assert!(matches!(
        combine(&[&ours[0], &format!("{first} {wrong}")], b""),
        Err(ShareError::Malformed { share: 2, .. })
    ));
    assert!(matches!(
        combine(&[&ours[0].replacen(' ', " zebra ", 1)], b""),
        Err(ShareError::UnknownWord { share: 1, word: 2 })
    ));
    for (threshold, count) in [(0, 3), (1, 3), (3, 2), (2, 17)] {
        let refused = super::split(&[7; 32], threshold, count).err();
        assert_eq!(refused, Some(ShareError::Numbers));
    }
}

proptest::proptest! {
    #[test]
    fn any_words_are_survived(words in proptest::collection::vec(0_usize..1024, 0..70)) {
        let list: Vec<&str> = include_str!("wordlist.txt").lines().collect();
        let words: Vec<&str> = words.into_iter().map(|word| list[word]).collect();
        proptest::prop_assert!(combine(&[&words.join(" ")], b"").is_err());
    }
}
