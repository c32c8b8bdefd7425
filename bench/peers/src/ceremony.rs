//! The ceremonies: one that both libraries can do, and those of the specification.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, CredentialRecord, RegistrationPolicy, RegistrationResponse,
    RelyingParty, UnixSeconds, UserVerification, verify_assertion, verify_registration,
};
use minicbor::Encoder;
use serde_json::{Value, json};
use url::Url;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{
    AuthenticationState, PublicKeyCredential, RegisterPublicKeyCredential, RegistrationState,
};

const NOW: UnixSeconds = UnixSeconds(1_767_225_600);
const ID: &[u8; 32] = &[9; 32];

/// One registration and one assertion, as both libraries take them.
pub struct Ceremony {
    rp: RelyingParty,
    core: WebauthnCore,
    record: CredentialRecord,
    registration: Signed,
    assertion: Signed,
    data: Vec<u8>,
    register: (RegisterPublicKeyCredential, RegistrationState),
    assert: (PublicKeyCredential, AuthenticationState),
}

struct Signed {
    challenge: Vec<u8>,
    client_data: Vec<u8>,
    /// Attestation object, or authenticator data.
    body: Vec<u8>,
    signature: Vec<u8>,
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn challenge_of(options: &Value) -> Vec<u8> {
    let text = options["publicKey"]["challenge"].as_str().expect("a challenge");
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn client_data(ceremony: &str, challenge: &[u8]) -> Vec<u8> {
    let challenge = b64(challenge);
    format!(
        r#"{{"type":"webauthn.{ceremony}","challenge":"{challenge}","origin":"https://gate.example","crossOrigin":false}}"#
    )
    .into_bytes()
}

fn authenticator_data(counter: u32, credential: Option<AttestedCredential<'_>>) -> Vec<u8> {
    let hash = digest(&SHA256, b"gate.example");
    let data = AuthenticatorData {
        rp_id_hash: hash.as_ref().try_into().expect("32 bytes"),
        flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
        sign_count: counter,
        attested_credential: credential,
        extensions: None,
    };
    data.encode().expect("a short credential id")
}

fn none_object(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(&mut out)
        .map(3)
        .and_then(|e| {
            e.str("fmt")?.str("none")?.str("attStmt")?.map(0)?;
            e.str("authData")?.bytes(data)
        })
        .expect("writing to a vector does not fail");
    out
}

impl Ceremony {
    pub fn new() -> Self {
        let origin = Url::parse("https://gate.example").expect("a URL");
        let core = WebauthnCore::new_unsafe_experts_only(
            "Gate",
            "gate.example",
            vec![origin],
            Duration::from_secs(60),
            None,
            None,
        );
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let point = pair.public_key().as_ref();
        let cose = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &point[33..],
        }
        .encode();
        let data = authenticator_data(
            0,
            Some(AttestedCredential {
                aaguid: Aaguid::ZERO,
                credential_id: ID,
                public_key: &cose,
            }),
        );
        let builder = core
            .new_challenge_register_builder(b"user", "ada", "Ada")
            .expect("a builder");
        let (options, state) = core.generate_challenge_register(builder).expect("options");
        let challenge = challenge_of(&serde_json::to_value(&options).expect("JSON"));
        let registration = Signed {
            client_data: client_data("create", &challenge),
            challenge,
            body: none_object(&data),
            signature: Vec::new(),
        };
        let json = json!({
            "id": b64(ID), "rawId": b64(ID), "type": "public-key", "extensions": {},
            "response": {
                "attestationObject": b64(&registration.body),
                "clientDataJSON": b64(&registration.client_data),
            },
        });
        let theirs: RegisterPublicKeyCredential = serde_json::from_value(json).expect("theirs");
        let credential = core
            .register_credential(&theirs, &state, None)
            .expect("they register it");
        let register = (theirs, state);

        let builder = core
            .new_challenge_authenticate_builder(vec![credential], None)
            .expect("a builder");
        let (options, state) = core
            .generate_challenge_authenticate(builder)
            .expect("options");
        let challenge = challenge_of(&serde_json::to_value(&options).expect("JSON"));
        let client_data = client_data("get", &challenge);
        let body = authenticator_data(7, None);
        let message = [&body[..], digest(&SHA256, &client_data).as_ref()].concat();
        let signature = pair.sign(&SystemRandom::new(), &message).expect("a signature");
        let assertion = Signed {
            challenge,
            client_data,
            body,
            signature: signature.as_ref().to_vec(),
        };
        let json = json!({
            "id": b64(ID), "rawId": b64(ID), "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": b64(&assertion.body),
                "clientDataJSON": b64(&assertion.client_data),
                "signature": b64(&assertion.signature),
            },
        });
        let theirs: PublicKeyCredential = serde_json::from_value(json).expect("theirs");
        let rp = RelyingParty::new("gate.example", "https://gate.example");
        let response = RegistrationResponse::new(&registration.client_data, &registration.body);
        let person = RegistrationPolicy::person();
        let verified =
            verify_registration(&rp, &registration.challenge, &person, NOW, &response).expect("ours");
        Self {
            rp,
            core,
            record: verified.credential,
            registration,
            assertion,
            data,
            register,
            assert: (theirs, state),
        }
    }

    pub fn registration_data(&self) -> &[u8] {
        &self.data
    }

    pub fn register_here(&self) {
        let signed = &self.registration;
        let response = RegistrationResponse::new(&signed.client_data, &signed.body);
        let person = RegistrationPolicy::person();
        verify_registration(&self.rp, &signed.challenge, &person, NOW, &response).expect("ours");
    }

    pub fn register_there(&self) {
        let (response, state) = &self.register;
        self.core
            .register_credential(response, state, None)
            .expect("theirs");
    }

    pub fn assert_here(&self) {
        let signed = &self.assertion;
        let policy = AssertionPolicy::default();
        let response = AssertionResponse {
            credential_id: ID,
            client_data_json: &signed.client_data,
            authenticator_data: &signed.body,
            signature: &signed.signature,
            user_handle: None,
        };
        let verified =
            verify_assertion(&self.rp, &signed.challenge, &policy, &self.record, &response);
        assert!(verified.expect("ours").user_verified);
    }

    pub fn assert_there(&self) {
        let (response, state) = &self.assert;
        self.core
            .authenticate_credential(response, state)
            .expect("theirs");
    }
}

/// A section of the specification's test vectors.
pub struct Vector {
    rp: RelyingParty,
    policy: RegistrationPolicy,
    record: CredentialRecord,
    registration: Signed,
    assertion: Signed,
}

impl Vector {
    pub fn new(section: &str) -> Self {
        let vectors: Vec<Value> = serde_json::from_str(include_str!(
            "../../../crates/webauthn/tests/vectors/webauthn-l3.json"
        ))
        .expect("the vectors");
        let id = format!("sctn-test-vectors-{section}");
        let found = vectors.iter().find(|v| v["id"] == id).expect("the section");
        let signed = |at: usize, body: &str| {
            let field = |name: &str| {
                let text = found["ceremonies"][at][name].as_str().unwrap_or_default();
                hex::decode(text).expect("hexadecimal")
            };
            Signed {
                challenge: field("challenge"),
                client_data: field("clientDataJSON"),
                body: field(body),
                signature: field("signature"),
            }
        };
        let registration = signed(0, "attestationObject");
        let rp = RelyingParty::new("example.org", "https://example.org");
        let policy = RegistrationPolicy {
            user_verification: UserVerification::NotRequired,
            ..RegistrationPolicy::person()
        };
        let response = RegistrationResponse::new(&registration.client_data, &registration.body);
        let verified = verify_registration(&rp, &registration.challenge, &policy, NOW, &response)
            .expect("the registration");
        Self {
            rp,
            policy,
            record: verified.credential,
            registration,
            assertion: signed(1, "authenticatorData"),
        }
    }

    pub fn register(&self) {
        let signed = &self.registration;
        let response = RegistrationResponse::new(&signed.client_data, &signed.body);
        verify_registration(&self.rp, &signed.challenge, &self.policy, NOW, &response)
            .expect("the registration");
    }

    pub fn assert(&self) {
        let signed = &self.assertion;
        let policy = AssertionPolicy {
            user_verification: UserVerification::NotRequired,
            ..AssertionPolicy::default()
        };
        let response = AssertionResponse {
            credential_id: &self.record.id,
            client_data_json: &signed.client_data,
            authenticator_data: &signed.body,
            signature: &signed.signature,
            user_handle: None,
        };
        let verified =
            verify_assertion(&self.rp, &signed.challenge, &policy, &self.record, &response);
        assert!(verified.expect("the assertion").user_present);
    }
}
