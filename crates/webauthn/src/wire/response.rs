//! What a credential's `toJSON()` gives.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Base64Url, ClientExtensions, CredentialType};
use crate::relying_party::{AssertionResponse, RegistrationResponse};

/// `RegistrationResponseJSON` (WebAuthn Level 3, 5.1).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationResponseJson {
    /// The credential id, the same as `raw_id`.
    pub id: Base64Url,
    /// The credential id.
    pub raw_id: Base64Url,
    /// The authenticator's response.
    pub response: AttestationFields,
    /// `platform` or `cross-platform`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authenticator_attachment: Option<String>,
    /// Client extension outputs by identifier.
    #[serde(default)]
    pub client_extension_results: Map<String, Value>,
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: CredentialType,
}

/// `AuthenticatorAttestationResponseJSON`. The copies of single fields that browsers add
/// (`authenticatorData`, `publicKey`, `publicKeyAlgorithm`) are passed over: the attestation
/// object says the same, and is verified.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationFields {
    /// The client data as they were hashed.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    /// The CBOR attestation object.
    pub attestation_object: Base64Url,
    /// How the authenticator can be reached.
    #[serde(default)]
    pub transports: Vec<String>,
}

/// `AuthenticationResponseJSON` (WebAuthn Level 3, 5.1).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationResponseJson {
    /// The credential id, the same as `raw_id`.
    pub id: Base64Url,
    /// The credential id.
    pub raw_id: Base64Url,
    /// The authenticator's response.
    pub response: AssertionFields,
    /// `platform` or `cross-platform`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authenticator_attachment: Option<String>,
    /// Client extension outputs by identifier.
    #[serde(default)]
    pub client_extension_results: Map<String, Value>,
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: CredentialType,
}

/// `AuthenticatorAssertionResponseJSON`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssertionFields {
    /// The client data as they were hashed.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    /// The authenticator data as they were signed.
    pub authenticator_data: Base64Url,
    /// The signature.
    pub signature: Base64Url,
    /// The user handle, which discoverable credentials return.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_handle: Option<Base64Url>,
}

/// Why a response in JSON cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// `id` and `rawId` must be the same credential id.
    #[error("the credential's id and rawId differ")]
    IdsDiffer,
    /// A known client extension output has the wrong type.
    #[error("a client extension output has the wrong type")]
    Extensions,
}

impl RegistrationResponseJson {
    /// The response to verify.
    ///
    /// # Errors
    /// [`WireError::IdsDiffer`].
    pub fn as_response(&self) -> Result<RegistrationResponse<'_>, WireError> {
        same(&self.id, &self.raw_id)?;
        Ok(RegistrationResponse {
            client_data_json: &self.response.client_data_json.0,
            attestation_object: &self.response.attestation_object.0,
            credential_id: Some(&self.raw_id.0),
            transports: &self.response.transports,
        })
    }

    /// What the browser says that extensions did.
    ///
    /// # Errors
    /// [`WireError::Extensions`].
    pub fn extensions(&self) -> Result<ClientExtensions, WireError> {
        typed(&self.client_extension_results)
    }
}

impl AuthenticationResponseJson {
    /// The response to verify.
    ///
    /// # Errors
    /// [`WireError::IdsDiffer`].
    pub fn as_response(&self) -> Result<AssertionResponse<'_>, WireError> {
        same(&self.id, &self.raw_id)?;
        Ok(AssertionResponse {
            credential_id: &self.raw_id.0,
            client_data_json: &self.response.client_data_json.0,
            authenticator_data: &self.response.authenticator_data.0,
            signature: &self.response.signature.0,
            user_handle: self
                .response
                .user_handle
                .as_ref()
                .map(|handle| handle.0.as_slice()),
        })
    }

    /// What the browser says that extensions did.
    ///
    /// # Errors
    /// [`WireError::Extensions`].
    pub fn extensions(&self) -> Result<ClientExtensions, WireError> {
        typed(&self.client_extension_results)
    }
}

fn typed(outputs: &Map<String, Value>) -> Result<ClientExtensions, WireError> {
    ClientExtensions::deserialize(outputs).map_err(|_| WireError::Extensions)
}

fn same(id: &Base64Url, raw_id: &Base64Url) -> Result<(), WireError> {
    if id == raw_id {
        Ok(())
    } else {
        Err(WireError::IdsDiffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_s_assertion_is_read() {
        let text = r#"{
            "id": "AQI", "rawId": "AQI", "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "response": {
                "clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AQ",
                "userHandle": "BA"
            },
            "clientExtensionResults": {"appid": false}
        }"#;
        let json: AuthenticationResponseJson = serde_json::from_str(text).unwrap();
        let response = json.as_response().unwrap();
        assert_eq!(response.credential_id, [1, 2]);
        assert_eq!(response.client_data_json, b"{}");
        assert_eq!(response.user_handle, Some(&[4u8][..]));
        assert_eq!(json.extensions().unwrap().appid, Some(false));
        let odd = text.replace("false", "3");
        let odd: AuthenticationResponseJson = serde_json::from_str(&odd).unwrap();
        assert_eq!(odd.extensions(), Err(WireError::Extensions));
        let other = text.replace(r#""id": "AQI""#, r#""id": "AQM""#);
        let json: AuthenticationResponseJson = serde_json::from_str(&other).unwrap();
        assert_eq!(json.as_response().unwrap_err(), WireError::IdsDiffer);
    }

    #[test]
    fn a_browser_s_registration_is_read() {
        let text = r#"{
            "id": "AQI", "rawId": "AQI", "type": "public-key",
            "response": {
                "clientDataJSON": "e30", "attestationObject": "oA", "transports": ["usb", "nfc"],
                "authenticatorData": "AA", "publicKey": "AA", "publicKeyAlgorithm": -7
            },
            "clientExtensionResults": {}
        }"#;
        let json: RegistrationResponseJson = serde_json::from_str(text).unwrap();
        let response = json.as_response().unwrap();
        assert_eq!(response.credential_id, Some(&[1u8, 2][..]));
        assert_eq!(response.transports, ["usb", "nfc"]);
        let wrong = text.replace("public-key", "password");
        assert!(serde_json::from_str::<RegistrationResponseJson>(&wrong).is_err());
    }
}
