//! What a page tells a credential manager about the relying party's records, so that it can drop or
//! rename credentials (WebAuthn Level 3, 5.1.10, the signal methods).

use serde::Serialize;

use super::Base64Url;
use crate::relying_party::{CredentialRecord, RelyingParty};

/// For `PublicKeyCredential.signalUnknownCredential()`: this credential is not registered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownCredential {
    /// The RP ID.
    pub rp_id: String,
    /// The credential that somebody tried to use.
    pub credential_id: Base64Url,
}

/// For `PublicKeyCredential.signalAllAcceptedCredentials()`: the user has these and no others.
///
/// Send it only to a page whose user has signed in as this user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllAcceptedCredentials {
    /// The RP ID.
    pub rp_id: String,
    /// The user handle.
    pub user_id: Base64Url,
    /// Every credential of the user.
    pub all_accepted_credential_ids: Vec<Base64Url>,
}

/// For `PublicKeyCredential.signalCurrentUserDetails()`: the user's names now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentUserDetails {
    /// The RP ID.
    pub rp_id: String,
    /// The user handle.
    pub user_id: Base64Url,
    /// The name that tells accounts apart.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
}

impl AllAcceptedCredentials {
    /// Makes the signal from a user handle and all of that user's records.
    pub fn new<'r>(
        rp: &RelyingParty,
        user_handle: &[u8],
        records: impl IntoIterator<Item = &'r CredentialRecord>,
    ) -> Self {
        Self {
            rp_id: rp.id.clone(),
            user_id: user_handle.into(),
            all_accepted_credential_ids: records
                .into_iter()
                .map(|record| record.id.as_slice().into())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_print_as_the_specification_says() {
        let rp = RelyingParty::new("gate.example", "https://gate.example");
        let all = AllAcceptedCredentials::new(&rp, b"u", []);
        assert_eq!(
            serde_json::to_string(&all).unwrap(),
            r#"{"rpId":"gate.example","userId":"dQ","allAcceptedCredentialIds":[]}"#
        );
        let unknown = UnknownCredential {
            rp_id: rp.id.clone(),
            credential_id: vec![1].into(),
        };
        assert_eq!(
            serde_json::to_string(&unknown).unwrap(),
            r#"{"rpId":"gate.example","credentialId":"AQ"}"#
        );
        let details = CurrentUserDetails {
            rp_id: rp.id,
            user_id: vec![2].into(),
            name: "ada".into(),
            display_name: "Ada".into(),
        };
        assert_eq!(
            serde_json::to_string(&details).unwrap(),
            r#"{"rpId":"gate.example","userId":"Ag","name":"ada","displayName":"Ada"}"#
        );
    }
}
