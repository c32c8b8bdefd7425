//! WebAuthn options for browsers and programs (WebAuthn Level 3, 5.4 and 5.5).

use hallway_ctap::cose::Algorithm;
use hallway_evidence::Statement;
use hallway_evidence::statement::web::RegisterKey;
use hallway_webauthn::wire::{
    AuthenticatorSelection, CreationOptions, CredentialDescriptor, Entity, RequestOptions,
    Requirement, UserEntity,
};
use serde_json::{Map, Value};

use crate::Gateway;
use crate::seal::LIFETIME_MS;
use crate::store::Credential;

/// The algorithms that a person's key may use, in our order of preference.
pub const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Es384,
    Algorithm::Rs256,
];

/// Options to sign `statement`. If `allow` is empty, any discoverable credential may sign.
pub fn request(gateway: &Gateway, statement: &Statement, allow: &[Credential]) -> RequestOptions {
    RequestOptions {
        challenge: statement.hash().to_vec().into(),
        timeout: Some(LIFETIME_MS as u32),
        rp_id: Some(gateway.rp.id.clone()),
        allow_credentials: descriptors(allow),
        user_verification: Some(Requirement::Required),
        hints: Vec::new(),
        extensions: Map::new(),
    }
}

/// Options to make a discoverable key for the person of `act`; the key signs `statement`.
pub fn creation(
    gateway: &Gateway,
    statement: &Statement,
    act: &RegisterKey,
    exclude: &[Credential],
) -> CreationOptions {
    let name = act.name.as_str();
    let attestation = if gateway.models.asks_attestation(act.role) {
        "direct"
    } else {
        "none"
    };
    CreationOptions {
        rp: Entity {
            id: Some(gateway.rp.id.clone()),
            name: format!("Hallway {}", gateway.rp.id),
        },
        user: UserEntity {
            id: act.person.as_bytes().to_vec().into(),
            name: name.to_owned(),
            display_name: name.to_owned(),
        },
        challenge: statement.hash().to_vec().into(),
        pub_key_cred_params: ALGORITHMS.map(Into::into).to_vec(),
        timeout: Some(LIFETIME_MS as u32),
        exclude_credentials: descriptors(exclude),
        authenticator_selection: Some(AuthenticatorSelection {
            authenticator_attachment: None,
            resident_key: Some(Requirement::Required),
            require_resident_key: true,
            user_verification: Some(Requirement::Required),
        }),
        attestation: Some(attestation.to_owned()),
        hints: Vec::new(),
        extensions: Map::from_iter([("credProps".to_owned(), Value::Bool(true))]),
    }
}

fn descriptors(credentials: &[Credential]) -> Vec<CredentialDescriptor> {
    credentials
        .iter()
        .map(|key| CredentialDescriptor::new(key.id.as_bytes(), &key.transports))
        .collect()
}
