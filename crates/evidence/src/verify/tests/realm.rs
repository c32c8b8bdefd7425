//! A whole small realm for tests: a maker, a device, an owner with a key, and a log.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::RelyingParty;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};

use crate::bundle::Bundle;
use crate::credential_id::CredentialId;
use crate::evidence::Evidence;
use crate::hash::{Hash, sha256};
use crate::id::{DeviceId, PersonId};
use crate::line::Line;
use crate::log::{Appender, Checkpoint, SigningKey, TlogProof};
use crate::receipt::Receipt;
use crate::signed_statement::{Response, SignedStatement};
use crate::statement::device::{Claim, Delivery, Payload, Transaction};
use crate::statement::people::Role;
use crate::statement::web::{Reason, RegisterKey};
use crate::statement::{Act, Statement, device};
use crate::timestamp::Timestamp;
use crate::trust::{TrustFile, TrustedMaker};

pub(crate) const MODEL: Aaguid = Aaguid([0xca; 16]);
pub(crate) const OWNER: PersonId = PersonId::from_bytes([1; 16]);
const ORIGIN: &str = "https://gate.example";

pub(crate) fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

/// A key of an authenticator, with the flags that it sets.
pub(crate) struct Key {
    pair: EcdsaKeyPair,
    pub(crate) id: CredentialId,
    flags: Flags,
    aaguid: Aaguid,
}

impl Key {
    pub(crate) fn new(id: &[u8], flags: Flags, aaguid: Aaguid) -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: CredentialId::new(id).unwrap(),
            flags,
            aaguid,
        }
    }

    fn authenticator_data(&self, with_key: bool) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let cose = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &point[33..],
        }
        .encode();
        AuthenticatorData {
            rp_id_hash: &sha256(b"gate.example"),
            flags: self.flags,
            sign_count: 0,
            attested_credential: with_key.then_some(AttestedCredential {
                aaguid: self.aaguid,
                credential_id: self.id.as_bytes(),
                public_key: &cose,
            }),
            extensions: None,
        }
        .encode()
        .unwrap()
    }

    pub(crate) fn assert(&self, statement: &Statement) -> SignedStatement {
        let client_data_json = client_data("webauthn.get", &statement.hash());
        let authenticator_data = self.authenticator_data(false);
        let signature = sign(&self.pair, &authenticator_data, &client_data_json);
        SignedStatement {
            statement: statement.encode(),
            credential_id: self.id.clone(),
            response: Response::Assertion {
                client_data_json,
                authenticator_data,
                signature,
            },
        }
    }

    /// A registration with a packed attestation by `attester`, or without any.
    pub(crate) fn register(
        &self,
        statement: &Statement,
        attester: Option<(&EcdsaKeyPair, &[u8])>,
    ) -> SignedStatement {
        let client_data_json = client_data("webauthn.create", &statement.hash());
        let auth_data = self.authenticator_data(true);
        let mut encoder = minicbor::Encoder::new(Vec::new());
        encoder.map(3).unwrap().str("fmt").unwrap();
        match attester {
            None => {
                encoder.str("none").unwrap().str("attStmt").unwrap();
                encoder.map(0).unwrap();
            }
            Some((pair, certificate)) => {
                encoder.str("packed").unwrap().str("attStmt").unwrap();
                encoder.map(3).unwrap().str("alg").unwrap().i8(-7).unwrap();
                let signature = sign(pair, &auth_data, &client_data_json);
                encoder.str("sig").unwrap().bytes(&signature).unwrap();
                encoder.str("x5c").unwrap().array(1).unwrap();
                encoder.bytes(certificate).unwrap();
            }
        }
        encoder.str("authData").unwrap().bytes(&auth_data).unwrap();
        SignedStatement {
            statement: statement.encode(),
            credential_id: self.id.clone(),
            response: Response::Registration {
                client_data_json,
                attestation_object: encoder.into_writer(),
            },
        }
    }
}

fn client_data(kind: &str, challenge: &Hash) -> Vec<u8> {
    format!(
        r#"{{"type":"{kind}","challenge":"{}","origin":"{ORIGIN}","crossOrigin":false}}"#,
        URL_SAFE_NO_PAD.encode(challenge)
    )
    .into_bytes()
}

fn sign(pair: &EcdsaKeyPair, authenticator_data: &[u8], client_data_json: &[u8]) -> Vec<u8> {
    let message = [authenticator_data, &sha256(client_data_json)].concat();
    pair.sign(&SystemRandom::new(), &message)
        .unwrap()
        .as_ref()
        .to_vec()
}

/// A maker of devices.
pub(crate) struct Maker {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: Vec<u8>,
}

impl Maker {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Lens & Co");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// A device's own attestation key and certificate.
    pub(crate) fn device(&self, serial: &str) -> (EcdsaKeyPair, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        let name = &mut params.distinguished_name;
        name.push(DnType::CountryName, "NL");
        name.push(DnType::OrganizationName, "Lens & Co");
        name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        name.push(DnType::CommonName, "Camera");
        name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial);
        params.is_ca = IsCa::ExplicitNoCa;
        let aaguid = [&[4, 16][..], &MODEL.0].concat();
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4],
                aaguid,
            ));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der())
            .unwrap();
        (pair, certificate.der().to_vec())
    }
}

/// What can differ from one story to the next.
pub(crate) struct Story {
    pub(crate) realm: &'static str,
    pub(crate) serial_in_claim: &'static str,
    pub(crate) claim_of_this_enrolment: bool,
    pub(crate) claimed_by_owner: bool,
    pub(crate) order: [usize; 4],
    pub(crate) device_flags: Flags,
    pub(crate) owner_flags: Flags,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            realm: "gate.example",
            serial_in_claim: "C-0042",
            claim_of_this_enrolment: true,
            claimed_by_owner: true,
            order: [0, 1, 2, 3],
            device_flags: Flags::default(),
            owner_flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
        }
    }
}

pub(crate) fn statement(realm: &str, act: impl Into<Act>) -> Statement {
    Statement {
        realm: line(realm),
        issued: Timestamp::from(std::time::SystemTime::now()),
        nonce: [9; 16],
        act: act.into(),
    }
}

/// Plays `story` about `payload`: the bundle of what happened, and the trust file of the realm.
pub(crate) fn play(story: &Story, payload: &[u8]) -> (Bundle, TrustFile) {
    let maker = Maker::new();
    let (attester, certificate) = maker.device("C-0042");
    let device = Key::new(b"device key", story.device_flags, MODEL);
    let owner = Key::new(b"owner key", story.owner_flags, Aaguid::ZERO);
    let say = |act: Act| statement(story.realm, act);

    let person = if story.claimed_by_owner {
        OWNER
    } else {
        PersonId::from_bytes([2; 16])
    };
    let key = say(RegisterKey {
        person,
        name: line("Emily"),
        role: Role::Owner,
        label: line("Desk"),
        reason: Reason::Setup,
        link: [10; 32],
        authorised_by: None,
    }
    .into());
    let enrolment = say(device::Enrol {}.into());
    let claim = say(Claim {
        device: DeviceId::from_bytes([3; 16]),
        serial: line(story.serial_in_claim),
        model: MODEL,
        maker: line("Lens & Co"),
        credential: device.id.clone(),
        enrolment: if story.claim_of_this_enrolment {
            enrolment.hash()
        } else {
            [0; 32]
        },
        owner: OWNER,
    }
    .into());
    let transaction = say(Transaction {
        sequence: 7,
        taken: Timestamp::from_ms(1_790_000_000_000),
        delivery: Delivery::Live,
        payload: Payload::of(payload, line("image/jpeg"), line("IMG_0007.JPG")),
        challenge: None,
    }
    .into());
    let happened = [
        owner.register(&key, None),
        device.register(&enrolment, Some((&attester, &certificate))),
        owner.assert(&claim),
        device.assert(&transaction),
    ];
    let logged = log(story.order.iter().map(|at| happened[*at].clone()).collect());
    let at = |which: usize| logged[story.order.iter().position(|at| *at == which).unwrap()].clone();
    let trust = TrustFile::new(
        line("gate.example"),
        RelyingParty::new("gate.example", ORIGIN),
        log_key().verifier(),
        vec![TrustedMaker {
            name: line("Lens & Co"),
            certificate: maker.certificate,
        }],
    );
    let bundle = Bundle::of(at(3), [at(0), at(1), at(2)]).unwrap();
    (bundle, trust)
}

pub(crate) fn log_key() -> SigningKey {
    SigningKey::from_seed("gate.example/log", &[5; 32]).unwrap()
}

/// Accepts and logs what was signed, in this order.
pub(crate) fn log(signed: Vec<SignedStatement>) -> Vec<Receipt> {
    let key = log_key();
    let evidence: Vec<Evidence> = signed
        .into_iter()
        .map(|signed| Evidence {
            signed,
            accepted: Timestamp::from(std::time::SystemTime::now()),
        })
        .collect();
    let entries: Vec<Hash> = evidence.iter().map(Evidence::hash).collect();
    let appended = Appender::new().append(&entries);
    let head = Checkpoint::new(key.name(), appended.size, appended.root)
        .unwrap()
        .sign(&key);
    evidence
        .into_iter()
        .zip(&appended.proofs)
        .map(|(evidence, proof)| Receipt {
            evidence,
            proof: TlogProof::new(proof, head.clone()),
        })
        .collect()
}
