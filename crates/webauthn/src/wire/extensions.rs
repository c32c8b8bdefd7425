//! Client extension outputs: what the browser says the extensions did
//! (WebAuthn Level 3, 9 and 10). They are not signed: hints, never proof.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Base64Url;

/// `AuthenticationExtensionsClientOutputs`, of a registration or of an assertion. Outputs that are
/// not known are kept.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientExtensions {
    /// `appid`: whether the AppID stood in for the RP ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub appid: Option<bool>,
    /// `appidExclude`: whether the browser acted on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub appid_exclude: Option<bool>,
    /// `credProps`: properties of a new credential.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cred_props: Option<CredentialProperties>,
    /// `prf`: secrets made from inputs by the credential.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prf: Option<Prf>,
    /// `largeBlob`: a blob stored with the credential.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub large_blob: Option<LargeBlob>,
    /// `uvm`: for each factor the method, the key's and the matcher's protection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uvm: Option<Vec<[u32; 3]>>,
    /// Every other output.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// `CredentialPropertiesOutput` (10.1.3).
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CredentialProperties {
    /// Whether the credential is discoverable, where the browser knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rk: Option<bool>,
    /// Every other property.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// `AuthenticationExtensionsPRFOutputs` (10.1.4).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Prf {
    /// At registration: whether the credential supports `prf`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enabled: Option<bool>,
    /// The results, 32 bytes each. Secrets of the user: a relying party that does not need them
    /// should not have its page send them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub results: Option<PrfValues>,
}

/// `AuthenticationExtensionsPRFValues` (10.1.4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrfValues {
    /// The result for the first input.
    pub first: Base64Url,
    /// The result for the second input.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub second: Option<Base64Url>,
}

impl std::fmt::Debug for PrfValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrfValues(secret)")
    }
}

/// `AuthenticationExtensionsLargeBlobOutputs` (10.1.5).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LargeBlob {
    /// At registration: whether the credential can have a blob.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub supported: Option<bool>,
    /// The blob that was read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blob: Option<Base64Url>,
    /// Whether the blob was written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub written: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_outputs_are_read_and_unknown_ones_kept() {
        let text = r#"{"credProps":{"rk":true},"prf":{"enabled":true,"results":{"first":"AQ"}},
            "largeBlob":{"supported":true},"appidExclude":true,"uvm":[[2,4,2]],"new":{"a":1}}"#;
        let outputs: ClientExtensions = serde_json::from_str(text).unwrap();
        assert_eq!(outputs.cred_props.as_ref().unwrap().rk, Some(true));
        assert_eq!(outputs.uvm, Some(vec![[2, 4, 2]]));
        assert_eq!(outputs.unknown["new"]["a"], 1);
        let printed = serde_json::to_value(&outputs).unwrap();
        let given: Value = serde_json::from_str(text).unwrap();
        assert_eq!(printed, given);
    }

    #[test]
    fn secrets_do_not_get_into_logs() {
        let values = PrfValues {
            first: vec![0xaa; 32].into(),
            second: None,
        };
        assert_eq!(format!("{values:?}"), "PrfValues(secret)");
    }
}
