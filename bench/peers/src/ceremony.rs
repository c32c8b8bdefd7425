//! Ceremonies for both libraries.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, CredentialRecord, RegistrationPolicy, RegistrationResponse,
    RelyingParty, TrustAnchor, TrustAnchors, UnixSeconds, verify_assertion, verify_registration,
};
use minicbor::Encoder;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{
    AttestationCaList, AttestationCaListBuilder, AttestationConveyancePreference,
    AuthenticationState, PublicKeyCredential, RegisterPublicKeyCredential, RegistrationState,
};

use crate::signer::{Attester, BareCheck, Signer};

pub const NOW: UnixSeconds = UnixSeconds(1_767_225_600);
const AAGUID: [u8; 16] = [7; 16];
const ID: &[u8; 32] = &[9; 32];

/// One registration and one assertion, in the form that each library takes.
pub struct Ceremony {
    rp: RelyingParty,
    core: WebauthnCore,
    policy: RegistrationPolicy,
    roots: Option<AttestationCaList>,
    bare: BareCheck,
    record: CredentialRecord,
    registration: Signed,
    assertion: Signed,
    data: Vec<u8>,
    register: (RegisterPublicKeyCredential, RegistrationState),
    assert: (PublicKeyCredential, AuthenticationState),
}

/// The answer of a key.
pub struct Signed {
    pub challenge: Vec<u8>,
    pub client_data: Vec<u8>,
    /// Attestation object, or authenticator data.
    pub body: Vec<u8>,
    pub signature: Vec<u8>,
}

/// The message that a key signs.
pub fn message(authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [authenticator_data, digest(&SHA256, client_data).as_ref()].concat()
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn challenge_of(options: &Value) -> Vec<u8> {
    let text = options["publicKey"]["challenge"]
        .as_str()
        .expect("a challenge");
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

fn object(data: &[u8], client_data: &[u8], attester: Option<&Attester>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    let written = e.map(3).and_then(|e| {
        match attester {
            None => {
                e.str("fmt")?.str("none")?.str("attStmt")?.map(0)?;
            }
            Some(attester) => {
                let signature = attester.sign(&message(data, client_data));
                e.str("fmt")?.str("packed")?.str("attStmt")?.map(3)?;
                e.str("alg")?.i64(-7)?.str("sig")?.bytes(&signature)?;
                e.str("x5c")?.array(1)?.bytes(&attester.leaf)?;
            }
        }
        e.str("authData")?.bytes(data)
    });
    written.expect("writing to a vector does not fail");
    out
}

/// The same root certificate for both libraries.
fn trusted(attester: &Attester) -> (RegistrationPolicy, AttestationCaList) {
    let anchor = TrustAnchor::new("root", attester.root.clone()).expect("a root");
    let policy = RegistrationPolicy::attested(TrustAnchors::from_iter([anchor]));
    let mut list = AttestationCaListBuilder::new();
    list.insert_device_der(
        &attester.root,
        Uuid::from_bytes(AAGUID),
        "root".to_owned(),
        Default::default(),
    )
    .expect("a root");
    (policy, list.build())
}

impl Ceremony {
    pub fn new(signer: Signer, attester: Option<Attester>) -> Self {
        let origin = Url::parse("https://gate.example").expect("a URL");
        let core = WebauthnCore::new_unsafe_experts_only(
            "Gate",
            "gate.example",
            vec![origin],
            Duration::from_secs(60),
            None,
            None,
        );
        let cose = signer.public_key();
        let data = authenticator_data(
            0,
            Some(AttestedCredential {
                aaguid: Aaguid(AAGUID),
                credential_id: ID,
                public_key: &cose,
            }),
        );
        let builder = core
            .new_challenge_register_builder(b"user", "ada", "Ada")
            .expect("a builder")
            .attestation(AttestationConveyancePreference::Direct);
        let (options, state) = core.generate_challenge_register(builder).expect("options");
        let challenge = challenge_of(&serde_json::to_value(&options).expect("JSON"));
        let client_data_json = client_data("create", &challenge);
        let registration = Signed {
            body: object(&data, &client_data_json, attester.as_ref()),
            client_data: client_data_json,
            challenge,
            signature: Vec::new(),
        };
        let (policy, roots) = attester.as_ref().map(trusted).unzip();
        let policy = policy.unwrap_or_else(RegistrationPolicy::person);
        let json = json!({
            "id": b64(ID), "rawId": b64(ID), "type": "public-key", "extensions": {},
            "response": {
                "attestationObject": b64(&registration.body),
                "clientDataJSON": b64(&registration.client_data),
            },
        });
        let theirs: RegisterPublicKeyCredential = serde_json::from_value(json).expect("theirs");
        let credential = core
            .register_credential(&theirs, &state, roots.as_ref())
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
        let assertion = Signed {
            signature: signer.sign(&message(&body, &client_data)),
            challenge,
            client_data,
            body,
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
        let verified = verify_registration(&rp, &registration.challenge, &policy, NOW, &response)
            .expect("ours");
        Self {
            rp,
            core,
            bare: BareCheck::new(&verified.credential.public_key, &assertion),
            policy,
            roots,
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
        verify_registration(&self.rp, &signed.challenge, &self.policy, NOW, &response)
            .expect("ours");
    }

    pub fn register_there(&self) {
        let (response, state) = &self.register;
        self.core
            .register_credential(response, state, self.roots.as_ref())
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
        let verified = verify_assertion(
            &self.rp,
            &signed.challenge,
            &policy,
            &self.record,
            &response,
        );
        assert!(verified.expect("ours").user_verified);
    }

    pub fn assert_there(&self) {
        let (response, state) = &self.assert;
        self.core
            .authenticate_credential(response, state)
            .expect("theirs");
    }

    /// The bare check of the assertion's signature.
    pub fn bare_check(&self) {
        self.bare.verify();
    }
}
