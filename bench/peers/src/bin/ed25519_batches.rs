//! Ed25519 signatures checked one by one and in batches: the cost of both, and signatures for which
//! their answers differ. See "Ed25519 in batches" in README.md.

use std::hint::black_box;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signature, VerifyingKey, verify_batch};
use hallway_bench_peers::{median, processor_time};
use sha2::{Digest, Sha512};

const TURNS: usize = 25;
/// The length of a message that an authenticator signs: its data and a hash.
const MESSAGE_BYTES: usize = 37 + 32;

/// Signatures in a form that both libraries read.
struct Signed {
    keys: Vec<[u8; 32]>,
    messages: Vec<Vec<u8>>,
    signatures: Vec<[u8; 64]>,
}

impl Signed {
    fn new(count: usize) -> Self {
        let mut signed = Self {
            keys: Vec::new(),
            messages: Vec::new(),
            signatures: Vec::new(),
        };
        for at in 0..count {
            let pair = Ed25519KeyPair::generate().expect("a key");
            let message = vec![at as u8; MESSAGE_BYTES];
            let signature = pair.sign(&message);
            signed
                .keys
                .push(pair.public_key().as_ref().try_into().expect("32 bytes"));
            signed
                .signatures
                .push(signature.as_ref().try_into().expect("64 bytes"));
            signed.messages.push(message);
        }
        signed
    }

    /// The number of signatures that hold, checked one by one.
    fn singly(&self) -> usize {
        let each = self.keys.iter().zip(&self.messages).zip(&self.signatures);
        each.filter(|((key, message), signature)| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(message, *signature)
                .is_ok()
        })
        .count()
    }

    fn together(&self) -> bool {
        let messages: Vec<&[u8]> = self.messages.iter().map(Vec::as_slice).collect();
        let signatures: Vec<_> = self.signatures.iter().map(Signature::from_bytes).collect();
        let keys: Result<Vec<_>, _> = self.keys.iter().map(VerifyingKey::from_bytes).collect();
        keys.is_ok_and(|keys| verify_batch(&messages, &signatures, &keys).is_ok())
    }

    /// The further check that would make the answers equal: every R is in the subgroup of prime order.
    fn nonces_are_torsion_free(&self) -> bool {
        self.signatures.iter().all(|signature| {
            CompressedEdwardsY::from_slice(&signature[..32])
                .ok()
                .and_then(|point| point.decompress())
                .is_some_and(|point| point.is_torsion_free())
        })
    }
}

/// A signature by the owner of a key who adds a point of order 8 to R. RFC 8032's equation then holds
/// only if both sides are multiplied by the cofactor.
fn mixed_order(number: u64) -> Signed {
    let secret = Scalar::hash_from_bytes::<Sha512>(b"secret");
    let nonce = Scalar::hash_from_bytes::<Sha512>(&number.to_le_bytes());
    let key = (&secret * ED25519_BASEPOINT_TABLE).compress().to_bytes();
    let r = (&nonce * ED25519_BASEPOINT_TABLE + EIGHT_TORSION[1])
        .compress()
        .to_bytes();
    let message = vec![7; MESSAGE_BYTES];
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(&message)
        .finalize();
    let s = nonce + Scalar::from_bytes_mod_order_wide(&hash.into()) * secret;
    let signature = [r, s.to_bytes()].concat().try_into().expect("64 bytes");
    Signed {
        keys: vec![key],
        messages: vec![message],
        signatures: vec![signature],
    }
}

fn main() {
    println!("microseconds of processor time for each signature, medians of turns:");
    for count in [8, 64, 256] {
        let signed = Signed::new(count);
        assert!(signed.together() && signed.singly() == count && signed.nonces_are_torsion_free());
        let cost = |work: &dyn Fn() -> bool| {
            let start = processor_time();
            assert!(black_box(work()));
            (processor_time() - start) / count as f64
        };
        let turns: Vec<[f64; 3]> = (0..TURNS)
            .map(|_| {
                [
                    cost(&|| signed.singly() == count),
                    cost(&|| signed.together()),
                    cost(&|| signed.nonces_are_torsion_free()),
                ]
            })
            .collect();
        let middle = |which: usize| median(turns.iter().map(|turn| turn[which]).collect());
        let ratio = |costs: fn(&[f64; 3]) -> f64| median(turns.iter().map(costs).collect());
        println!(
            "{count:4} signatures: singly {:5.1}, in a batch {:5.1} ({:.2} times), with R checked as well {:5.1} ({:.2} times)",
            middle(0),
            middle(1),
            ratio(|[single, batch, _]| single / batch),
            median(
                turns
                    .iter()
                    .map(|[_, batch, check]| batch + check)
                    .collect()
            ),
            ratio(|[single, batch, check]| single / (batch + check)),
        );
    }
    let made: Vec<Signed> = (0..800).map(mixed_order).collect();
    let singly = made.iter().filter(|signed| signed.singly() == 1).count();
    let together = made.iter().filter(|signed| signed.together()).count();
    println!(
        "of 800 signatures with a point of order 8 in R, {singly} hold singly and {together} in a batch"
    );
}
