//! Every algorithm end to end: a self attestation by a key of its own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaEncoding,
};
use hallway_ctap::authenticator_data::Flags;
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::{AttestationKind, RegistrationPolicy};

use crate::maker::{Ceremony, Credential, packed_statement};

/// Registers a credential with this key by self attestation, and tries what must fail.
fn registers(algorithm: Algorithm, cose: &[u8], sign: &dyn Fn(&[u8]) -> Vec<u8>) {
    let flags = Flags::USER_PRESENT | Flags::USER_VERIFIED;
    let ceremony = Ceremony::with_key(Credential::new(), cose, flags);
    let policy = RegistrationPolicy {
        algorithms: vec![algorithm],
        ..RegistrationPolicy::person()
    };
    let attempt = |named: Algorithm, signature: &[u8]| {
        let statement = packed_statement(named, signature, &[]);
        ceremony.register_observed(&ceremony.object("packed", &statement), &policy)
    };
    let signature = sign(&ceremony.message());
    let (result, _) = attempt(algorithm, &signature);
    let registration = result.unwrap_or_else(|error| panic!("{algorithm}: {error}"));
    assert_eq!(registration.algorithm, algorithm);
    assert_eq!(registration.attestation.kind, AttestationKind::SelfSigned);

    let (_, failed) = attempt(algorithm, &sign(b"something else"));
    assert_eq!(failed, Some("8.2/3.2"), "{algorithm}");
    let other = match algorithm {
        Algorithm::Es256 => Algorithm::Esp256,
        _ => Algorithm::Es256,
    };
    assert_eq!(attempt(other, &signature).1, Some("8.2/3.1"), "{algorithm}");
}

#[test]
fn ecdsa_on_every_curve_by_every_name() {
    type Case = (&'static EcdsaSigningAlgorithm, &'static [Algorithm]);
    let cases: [Case; 4] = [
        (
            &lc::ECDSA_P256_SHA256_ASN1_SIGNING,
            &[Algorithm::Es256, Algorithm::Esp256],
        ),
        (
            &lc::ECDSA_P384_SHA384_ASN1_SIGNING,
            &[Algorithm::Es384, Algorithm::Esp384],
        ),
        (
            &lc::ECDSA_P521_SHA512_ASN1_SIGNING,
            &[Algorithm::Es512, Algorithm::Esp512],
        ),
        (&lc::ECDSA_P256K1_SHA256_ASN1_SIGNING, &[Algorithm::Es256K]),
    ];
    for (signing, names) in cases {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(point.len() / 2);
        for algorithm in names {
            let algorithm = *algorithm;
            let cose = PublicKey::Ec2 { algorithm, x, y }.encode();
            registers(algorithm, &cose, &|message| {
                let signature = pair.sign(&SystemRandom::new(), message).unwrap();
                signature.as_ref().to_vec()
            });
        }
    }
}

#[test]
fn ed25519_by_both_names() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = pair.public_key().as_ref();
    for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
        let cose = PublicKey::Okp { algorithm, x }.encode();
        registers(algorithm, &cose, &|message| {
            pair.sign(message).as_ref().to_vec()
        });
    }
}

#[test]
fn rsa_with_both_paddings_and_every_hash() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    // RSAPublicKey: two INTEGERs, the first of 257 bytes with its sign byte.
    let der = pair.public_key().as_ref();
    let (n, e) = (&der[9..265], &der[267..]);
    let cases: [(Algorithm, &'static dyn RsaEncoding); 6] = [
        (Algorithm::Rs256, &lc::RSA_PKCS1_SHA256),
        (Algorithm::Rs384, &lc::RSA_PKCS1_SHA384),
        (Algorithm::Rs512, &lc::RSA_PKCS1_SHA512),
        (Algorithm::Ps256, &lc::RSA_PSS_SHA256),
        (Algorithm::Ps384, &lc::RSA_PSS_SHA384),
        (Algorithm::Ps512, &lc::RSA_PSS_SHA512),
    ];
    for (algorithm, encoding) in cases {
        let cose = PublicKey::Rsa { algorithm, n, e }.encode();
        registers(algorithm, &cose, &|message| {
            let mut signature = vec![0; 256];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                .unwrap();
            signature
        });
    }
}

#[test]
fn ml_dsa_of_every_size() {
    let cases: [(Algorithm, &'static PqdsaSigningAlgorithm); 3] = [
        (Algorithm::MlDsa44, &lc::ML_DSA_44_SIGNING),
        (Algorithm::MlDsa65, &lc::ML_DSA_65_SIGNING),
        (Algorithm::MlDsa87, &lc::ML_DSA_87_SIGNING),
    ];
    for (algorithm, signing) in cases {
        let pair = PqdsaKeyPair::generate(signing).unwrap();
        let key = pair.public_key().as_ref();
        let cose = PublicKey::Akp { algorithm, key }.encode();
        registers(algorithm, &cose, &|message| {
            let mut signature = vec![0; signing.signature_len()];
            pair.sign(message, &mut signature).unwrap();
            signature
        });
    }
}

/// A self attestation by RS1 is refused even where a policy offers it: SHA-1 is for TPMs only.
#[test]
fn rs1_makes_no_credential() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.public_key().as_ref();
    let cose = PublicKey::Rsa {
        algorithm: Algorithm::Rs1,
        n: &der[9..265],
        e: &der[267..],
    };
    let flags = Flags::USER_PRESENT | Flags::USER_VERIFIED;
    let ceremony = Ceremony::with_key(Credential::new(), &cose.encode(), flags);
    let policy = RegistrationPolicy {
        algorithms: vec![Algorithm::Rs1],
        ..RegistrationPolicy::person()
    };
    let statement = packed_statement(Algorithm::Rs1, &[0; 256], &[]);
    let object = ceremony.object("packed", &statement);
    let (_, failed) = ceremony.register_observed(&object, &policy);
    assert_eq!(failed, Some("8.2/3.2"));
}
