//! The credential's key, and the maker that attests it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use hallway_ctap::cose::{Algorithm, PublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose,
    SigningKey,
};

use crate::ceremony::{Signed, message};

pub enum Signer {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl Signer {
    pub fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"))
    }

    pub fn rs256() -> Self {
        Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    /// The COSE_Key.
    pub fn public_key(&self) -> Vec<u8> {
        match self {
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let algorithm = Algorithm::Es256;
                PublicKey::Ec2 { algorithm, x, y }.encode()
            }
            Self::Rs256(pair) => {
                // RSAPublicKey: two INTEGERs, the first of 257 bytes with its sign byte.
                let der = pair.public_key().as_ref();
                let algorithm = Algorithm::Rs256;
                let (n, e) = (&der[9..265], &der[267..]);
                PublicKey::Rsa { algorithm, n, e }.encode()
            }
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => pair
                .sign(&random, message)
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; 256];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
        }
    }
}

/// The bare check of one signature by aws-lc-rs.
pub struct BareCheck {
    key: BareKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

enum BareKey {
    Bytes(&'static dyn VerificationAlgorithm, Vec<u8>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl BareCheck {
    /// The check of an assertion's signature, with a COSE_Key.
    pub fn new(public_key: &[u8], assertion: &Signed) -> Self {
        let key = match PublicKey::decode(public_key).expect("a key") {
            PublicKey::Ec2 { x, y, .. } => {
                BareKey::Bytes(&ECDSA_P256_SHA256_ASN1, [&[4], x, y].concat())
            }
            PublicKey::Okp { x, .. } => BareKey::Bytes(&ED25519, x.to_vec()),
            PublicKey::Rsa { n, e, .. } => BareKey::Rsa(RsaPublicKeyComponents {
                n: n.to_vec(),
                e: e.to_vec(),
            }),
            PublicKey::Akp { .. } => unreachable!("not among the ceremonies"),
        };
        Self {
            key,
            message: message(&assertion.body, &assertion.client_data),
            signature: assertion.signature.clone(),
        }
    }

    pub fn verify(&self) {
        let (message, signature) = (&self.message, &self.signature);
        match &self.key {
            BareKey::Bytes(algorithm, key) => {
                UnparsedPublicKey::new(*algorithm, key).verify(message, signature)
            }
            BareKey::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        }
        .expect("a signature");
    }
}

/// A maker: a root, and an attestation certificate that it issued.
pub struct Attester {
    pub root: Vec<u8>,
    pub leaf: Vec<u8>,
    key: rcgen::KeyPair,
}

impl Attester {
    pub fn new() -> Self {
        let root_key = rcgen::KeyPair::generate().expect("a key");
        let mut root = CertificateParams::new(Vec::new()).expect("no names");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_der = root.self_signed(&root_key).expect("a root").der().to_vec();
        let issuer = Issuer::new(root, root_key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in [
            (DnType::CountryName, "SE"),
            (DnType::OrganizationName, "Maker"),
            (DnType::OrganizationalUnitName, "Authenticator Attestation"),
            (DnType::CommonName, "Key"),
        ] {
            params.distinguished_name.push(kind, value);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let leaf = params
            .signed_by(&key, &issuer)
            .expect("a leaf")
            .der()
            .to_vec();
        Self {
            root: root_der,
            leaf,
            key,
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).expect("a signature")
    }
}
