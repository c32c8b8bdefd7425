//! A person's key, as a program: it registers and signs what a gateway asks it to.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_evidence::CredentialId;
use hallway_gateway::Gateway;
use serde_json::{Value, json};

use crate::realm::sha256;

/// A key with one credential.
pub(crate) struct Key {
    pub(crate) credential: CredentialId,
    pair: EcdsaKeyPair,
}

/// What the browser or command says that it signed for (WebAuthn Level 3, 5.8.1).
fn client_data(kind: &str, challenge: &str, origin: &str) -> Vec<u8> {
    format!(
        r#"{{"type":"webauthn.{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
    )
    .into_bytes()
}

impl Key {
    /// One whose credential has this id.
    pub(crate) fn new(credential: CredentialId) -> Self {
        Self {
            credential,
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
        }
    }

    /// One with a new id.
    pub(crate) fn generate() -> Self {
        let id = hallway_evidence::PersonId::generate();
        Self::new(CredentialId::new(id.as_bytes().to_vec()).unwrap())
    }

    /// The public part, COSE_Key.
    pub(crate) fn public(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &point[33..],
        }
        .encode()
        .to_vec()
    }

    /// What registering it under this challenge leaves: client data and attestation object.
    pub(crate) fn registration(&self, gateway: &Gateway, challenge: &str) -> (Vec<u8>, Vec<u8>) {
        let public_key = self.public();
        let authenticator_data = AuthenticatorData {
            rp_id_hash: &sha256(gateway.rp.id.as_bytes()),
            flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
            sign_count: 0,
            attested_credential: Some(AttestedCredential {
                aaguid: Aaguid::ZERO,
                credential_id: self.credential.as_bytes(),
                public_key: &public_key,
            }),
            extensions: None,
        }
        .encode()
        .unwrap();
        // {"fmt": "none", "attStmt": {}, "authData": h'…'} (WebAuthn Level 3, 6.5.4)
        let head = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59";
        let length = u16::try_from(authenticator_data.len()).unwrap();
        let attestation_object = [&head[..], &length.to_be_bytes(), &authenticator_data].concat();
        let client_data = client_data("create", challenge, &gateway.origin);
        (client_data, attestation_object)
    }

    /// The answer to a ceremony that registers it by a link.
    pub(crate) fn register(&self, gateway: &Gateway, ceremony: &Value, token: &str) -> Value {
        let challenge = ceremony["public_key"]["challenge"].as_str().unwrap();
        let (client_data, attestation_object) = self.registration(gateway, challenge);
        let response = json!({
            "clientDataJSON": BASE64.encode(client_data),
            "attestationObject": BASE64.encode(attestation_object),
            "transports": ["usb"],
        });
        let mut answer = self.answer(ceremony, response);
        answer["token"] = token.into();
        answer
    }

    /// The answer to a ceremony that it signs.
    pub(crate) fn sign(&self, gateway: &Gateway, ceremony: &Value) -> Value {
        let challenge = ceremony["public_key"]["challenge"].as_str().unwrap();
        let client_data = client_data("get", challenge, &gateway.origin);
        let authenticator_data = AuthenticatorData {
            rp_id_hash: &sha256(gateway.rp.id.as_bytes()),
            flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
            sign_count: 0,
            attested_credential: None,
            extensions: None,
        }
        .encode()
        .unwrap();
        let message = [&authenticator_data[..], &sha256(&client_data)].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        let response = json!({
            "clientDataJSON": BASE64.encode(client_data),
            "authenticatorData": BASE64.encode(authenticator_data),
            "signature": BASE64.encode(signature),
        });
        self.answer(ceremony, response)
    }

    fn answer(&self, ceremony: &Value, response: Value) -> Value {
        let id = BASE64.encode(self.credential.as_bytes());
        json!({
            "statement": ceremony["statement"],
            "seal": ceremony["seal"],
            "credential": {
                "id": id,
                "rawId": id,
                "type": "public-key",
                "clientExtensionResults": {},
                "response": response,
            },
        })
    }
}
