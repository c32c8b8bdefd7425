//! Signed ceremonies to verify, and the bare checks of the signatures in them.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, ML_DSA_44, ML_DSA_44_SIGNING, PqdsaKeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, CredentialRecord, RegistrationPolicy, RegistrationResponse,
    RelyingParty, TrustAnchor, TrustAnchors, UnixSeconds, verify_assertion, verify_registration,
};
use minicbor::Encoder;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, SigningKey,
};

const CHALLENGE: &[u8; 32] = b"a challenge of thirty-two bytes.";
/// Client data as Chromium writes them, with the members in its order.
const CLIENT_DATA: &str = r#"","origin":"https://gate.example","crossOrigin":false}"#;

fn client_data(ceremony: &str) -> Vec<u8> {
    use base64::Engine;
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(CHALLENGE);
    format!(r#"{{"type":"webauthn.{ceremony}","challenge":"{challenge}{CLIENT_DATA}"#).into_bytes()
}

fn relying_party() -> RelyingParty {
    RelyingParty::new("gate.example", "https://gate.example")
}

fn authenticator_data(credential: Option<AttestedCredential<'_>>) -> Vec<u8> {
    let hash = digest(&SHA256, b"gate.example");
    let data = AuthenticatorData {
        rp_id_hash: hash.as_ref().try_into().unwrap(),
        flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
        sign_count: 7,
        attested_credential: credential,
        extensions: None,
    };
    data.encode().unwrap()
}

fn message(authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [authenticator_data, digest(&SHA256, client_data).as_ref()].concat()
}

/// The bare check of one signature.
enum Bare {
    Bytes(&'static dyn VerificationAlgorithm, Vec<u8>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl Bare {
    fn verify(&self, message: &[u8], signature: &[u8]) {
        match self {
            Self::Bytes(algorithm, key) => {
                UnparsedPublicKey::new(*algorithm, key).verify(message, signature)
            }
            Self::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        }
        .unwrap();
    }
}

/// A signed assertion.
pub(crate) struct Assertion {
    pub(crate) name: &'static str,
    rp: RelyingParty,
    policy: AssertionPolicy,
    record: CredentialRecord,
    client_data: Vec<u8>,
    authenticator_data: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
    bare: Bare,
}

impl Assertion {
    pub(crate) fn one_of_each() -> Vec<Self> {
        vec![
            Self::es256(),
            Self::eddsa(),
            Self::rs256(),
            Self::ml_dsa_44(),
        ]
    }

    fn new(
        name: &'static str,
        public_key: Vec<u8>,
        bare: Bare,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Self {
        let client_data = client_data("get");
        let authenticator_data = authenticator_data(None);
        let message = message(&authenticator_data, &client_data);
        Self {
            name,
            rp: relying_party(),
            policy: AssertionPolicy::default(),
            record: CredentialRecord {
                id: vec![1; 32],
                public_key,
                sign_count: 0,
                backup_eligible: false,
                backed_up: false,
                uv_initialized: true,
                transports: vec![],
                user_handle: vec![],
                aaguid: Aaguid::ZERO,
            },
            signature: sign(&message),
            message,
            client_data,
            authenticator_data,
            bare,
        }
    }

    fn es256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let cose = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &point[33..],
        }
        .encode();
        let bare = Bare::Bytes(&ECDSA_P256_SHA256_ASN1, point);
        let sign = |m: &[u8]| {
            pair.sign(&SystemRandom::new(), m)
                .unwrap()
                .as_ref()
                .to_vec()
        };
        Self::new("ES256", cose, bare, sign)
    }

    fn eddsa() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = pair.public_key().as_ref().to_vec();
        let algorithm = Algorithm::EdDsa;
        let cose = PublicKey::Okp { algorithm, x: &x }.encode();
        let bare = Bare::Bytes(&ED25519, x);
        Self::new("EdDSA", cose, bare, |m| pair.sign(m).as_ref().to_vec())
    }

    fn rs256() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        // RSAPublicKey: two INTEGERs, the first of 257 bytes with its sign byte.
        let der = pair.public_key().as_ref();
        let key = RsaPublicKeyComponents {
            n: der[9..265].to_vec(),
            e: der[267..].to_vec(),
        };
        let cose = PublicKey::Rsa {
            algorithm: Algorithm::Rs256,
            n: &key.n,
            e: &key.e,
        }
        .encode();
        Self::new("RS256", cose, Bare::Rsa(key), |m| {
            let mut signature = vec![0; 256];
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), m, &mut signature)
                .unwrap();
            signature
        })
    }

    fn ml_dsa_44() -> Self {
        let pair = PqdsaKeyPair::generate(&ML_DSA_44_SIGNING).unwrap();
        let key = pair.public_key().as_ref().to_vec();
        let algorithm = Algorithm::MlDsa44;
        let cose = PublicKey::Akp {
            algorithm,
            key: &key,
        }
        .encode();
        let bare = Bare::Bytes(&ML_DSA_44, key);
        Self::new("ML-DSA-44", cose, bare, |m| {
            let mut signature = vec![0; ML_DSA_44_SIGNING.signature_len()];
            pair.sign(m, &mut signature).unwrap();
            signature
        })
    }

    pub(crate) fn verify(&self) {
        let response = AssertionResponse {
            credential_id: &self.record.id,
            client_data_json: &self.client_data,
            authenticator_data: &self.authenticator_data,
            signature: &self.signature,
            user_handle: None,
        };
        let verified =
            verify_assertion(&self.rp, CHALLENGE, &self.policy, &self.record, &response).unwrap();
        assert!(verified.user_verified);
    }

    pub(crate) fn bare(&self) {
        self.bare.verify(&self.message, &self.signature);
    }
}

/// A registration by packed attestation with a certificate that a root issued.
pub(crate) struct Registration {
    rp: RelyingParty,
    policy: RegistrationPolicy,
    client_data: Vec<u8>,
    object: Vec<u8>,
    /// Key, message and signature of the attestation and of the certificate.
    checks: [(Vec<u8>, Vec<u8>, Vec<u8>); 2],
}

impl Registration {
    pub(crate) fn packed() -> Self {
        let root_key = rcgen::KeyPair::generate().unwrap();
        let root_point = root_key.public_key_raw().to_vec();
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let issuer = Issuer::new(root, root_key);

        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
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
        let leaf = params.signed_by(&key, &issuer).unwrap().der().to_vec();

        let credential = rcgen::KeyPair::generate().unwrap();
        let (x, y) = credential.public_key_raw()[1..].split_at(32);
        let algorithm = Algorithm::Es256;
        let cose = PublicKey::Ec2 { algorithm, x, y }.encode();
        let data = authenticator_data(Some(AttestedCredential {
            aaguid: Aaguid([7; 16]),
            credential_id: &[1; 32],
            public_key: &cose,
        }));
        let client_data = client_data("create");
        let message = message(&data, &client_data);
        let signature = key.sign(&message).unwrap();
        let mut object = Vec::new();
        let mut e = Encoder::new(&mut object);
        e.map(3).unwrap().str("fmt").unwrap().str("packed").unwrap();
        e.str("attStmt").unwrap().map(3).unwrap();
        e.str("alg").unwrap().i64(-7).unwrap();
        e.str("sig").unwrap().bytes(&signature).unwrap();
        e.str("x5c")
            .unwrap()
            .array(1)
            .unwrap()
            .bytes(&leaf)
            .unwrap();
        e.str("authData").unwrap().bytes(&data).unwrap();
        let anchors = TrustAnchors::from_iter([TrustAnchor::new("root", root_der).unwrap()]);
        let (signed, certificate_signature) = parts(&leaf);
        Self {
            rp: relying_party(),
            policy: RegistrationPolicy::attested(anchors),
            client_data,
            object,
            checks: [
                (key.public_key_raw().to_vec(), message, signature),
                (root_point, signed, certificate_signature),
            ],
        }
    }

    pub(crate) fn verify(&self) {
        let response = RegistrationResponse::new(&self.client_data, &self.object);
        let now = UnixSeconds(1_767_225_600);
        let verified =
            verify_registration(&self.rp, CHALLENGE, &self.policy, now, &response).unwrap();
        assert!(verified.user_verified);
    }

    pub(crate) fn bare(&self) {
        for (key, message, signature) in &self.checks {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
                .verify(message, signature)
                .unwrap();
        }
    }
}

/// The signed part of a certificate, and the signature.
fn parts(certificate: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).unwrap();
    (
        parsed.tbs_certificate.as_ref().to_vec(),
        parsed.signature_value.as_ref().to_vec(),
    )
}
