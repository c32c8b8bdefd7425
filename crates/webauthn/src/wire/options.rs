//! What a page passes to `navigator.credentials.create()` and `get()`.

use hallway_ctap::cose::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Base64Url;

/// `PublicKeyCredentialCreationOptionsJSON` (WebAuthn Level 3, 5.1.8).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    /// The relying party.
    pub rp: Entity,
    /// The account that the credential is for.
    pub user: UserEntity,
    /// 16 bytes or more, used once.
    pub challenge: Base64Url,
    /// The algorithms that are accepted, best first.
    pub pub_key_cred_params: Vec<CredentialParameter>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u32>,
    /// Credentials that the user has already: their authenticators are not used again.
    #[serde(default)]
    pub exclude_credentials: Vec<CredentialDescriptor>,
    /// What is asked of the authenticator.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authenticator_selection: Option<AuthenticatorSelection>,
    /// `none`, `indirect`, `direct` or `enterprise`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attestation: Option<String>,
    /// `security-key`, `client-device`, `hybrid`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hints: Vec<String>,
    /// Client extension inputs by identifier.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub extensions: Map<String, Value>,
}

/// `PublicKeyCredentialRequestOptionsJSON` (WebAuthn Level 3, 5.1.9).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    /// 16 bytes or more, used once.
    pub challenge: Base64Url,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u32>,
    /// The RP ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rp_id: Option<String>,
    /// The credentials that may answer; empty lets the user choose a discoverable one.
    #[serde(default)]
    pub allow_credentials: Vec<CredentialDescriptor>,
    /// Whether the user must be verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_verification: Option<Requirement>,
    /// `security-key`, `client-device`, `hybrid`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hints: Vec<String>,
    /// Client extension inputs by identifier.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub extensions: Map<String, Value>,
}

/// `PublicKeyCredentialRpEntity` (5.4.2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entity {
    /// The RP ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The name that people see.
    pub name: String,
}

/// `PublicKeyCredentialUserEntityJSON` (5.1.8).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserEntity {
    /// The user handle, 1 to 64 bytes that say nothing about the person.
    pub id: Base64Url,
    /// The name that tells accounts apart, such as `ada@gate.example`.
    pub name: String,
    /// The name that people see, such as `Ada`.
    pub display_name: String,
}

/// `PublicKeyCredentialParameters` (5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CredentialParameter {
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// A COSEAlgorithmIdentifier.
    pub alg: i64,
}

impl From<Algorithm> for CredentialParameter {
    fn from(algorithm: Algorithm) -> Self {
        Self {
            kind: CredentialType::PublicKey,
            alg: algorithm.id(),
        }
    }
}

/// `PublicKeyCredentialType` (5.8.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum CredentialType {
    /// The only type.
    #[default]
    #[serde(rename = "public-key")]
    PublicKey,
}

/// `PublicKeyCredentialDescriptorJSON` (5.1.8).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CredentialDescriptor {
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// The credential id.
    pub id: Base64Url,
    /// How its authenticator can be reached.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub transports: Vec<String>,
}

impl CredentialDescriptor {
    /// The descriptor of a credential.
    pub fn new(id: &[u8], transports: &[String]) -> Self {
        Self {
            kind: CredentialType::PublicKey,
            id: id.into(),
            transports: transports.to_vec(),
        }
    }
}

/// `AuthenticatorSelectionCriteria` (5.4.4).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelection {
    /// `platform` or `cross-platform`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authenticator_attachment: Option<String>,
    /// Whether the credential must be discoverable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resident_key: Option<Requirement>,
    /// `resident_key` as Level 1 said it: true exactly where it is required.
    #[serde(default)]
    pub require_resident_key: bool,
    /// Whether the user must be verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_verification: Option<Requirement>,
}

/// How much something is wanted (5.4.6, 5.8.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Requirement {
    /// The ceremony fails without it.
    Required,
    /// Wanted where possible.
    Preferred,
    /// Avoided where possible.
    Discouraged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_options_print_as_the_specification_says() {
        let options = CreationOptions {
            rp: Entity {
                id: Some("gate.example".into()),
                name: "Gate".into(),
            },
            user: UserEntity {
                id: vec![1].into(),
                name: "ada".into(),
                display_name: "Ada".into(),
            },
            challenge: vec![0; 16].into(),
            pub_key_cred_params: vec![Algorithm::Es256.into()],
            timeout: Some(60_000),
            exclude_credentials: vec![CredentialDescriptor::new(&[2], &["usb".into()])],
            authenticator_selection: Some(AuthenticatorSelection {
                resident_key: Some(Requirement::Required),
                require_resident_key: true,
                ..AuthenticatorSelection::default()
            }),
            attestation: Some("direct".into()),
            hints: vec![],
            extensions: Map::new(),
        };
        assert_eq!(
            serde_json::to_value(&options).unwrap(),
            serde_json::json!({
                "rp": {"id": "gate.example", "name": "Gate"},
                "user": {"id": "AQ", "name": "ada", "displayName": "Ada"},
                "challenge": "AAAAAAAAAAAAAAAAAAAAAA",
                "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
                "timeout": 60000,
                "excludeCredentials": [{"type": "public-key", "id": "Ag", "transports": ["usb"]}],
                "authenticatorSelection": {"residentKey": "required", "requireResidentKey": true},
                "attestation": "direct",
            })
        );
    }

    #[test]
    fn request_options_read_back_what_they_print() {
        let options = RequestOptions {
            challenge: vec![7; 32].into(),
            timeout: None,
            rp_id: Some("gate.example".into()),
            allow_credentials: vec![],
            user_verification: Some(Requirement::Required),
            hints: vec!["security-key".into()],
            extensions: Map::new(),
        };
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(
            serde_json::from_str::<RequestOptions>(&text).unwrap(),
            options
        );
    }
}
