//! Authenticator data in words.

use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_ctap::cose::PublicKey;
use serde::Serialize;

use crate::observer::Hex;

/// Authenticator data, explained.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DataSummary {
    /// SHA-256 of the RP ID, hexadecimal.
    pub rp_id_hash: String,
    /// The flags, the most informative first.
    pub flags: Vec<FlagSummary>,
    /// The signature counter.
    pub sign_count: u32,
    /// The new credential.
    pub credential: Option<CredentialSummary>,
    /// The extension outputs, CBOR as hexadecimal.
    pub extensions: Option<String>,
}

/// One flag.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FlagSummary {
    /// The specification's short name.
    pub name: &'static str,
    /// Whether it is set.
    pub set: bool,
    /// What it means when it is set.
    pub meaning: &'static str,
}

/// A credential in authenticator data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CredentialSummary {
    /// The authenticator's model.
    pub aaguid: String,
    /// The credential id, hexadecimal.
    pub id: String,
    /// The algorithm of the key, or why the key cannot be read.
    pub algorithm: String,
    /// The COSE_Key, hexadecimal.
    pub public_key: String,
}

const FLAGS: [(&str, Flags, &str); 6] = [
    ("UP", Flags::USER_PRESENT, "somebody was present"),
    ("UV", Flags::USER_VERIFIED, "the owner was recognised"),
    ("BE", Flags::BACKUP_ELIGIBLE, "the credential may be copied"),
    ("BS", Flags::BACKED_UP, "the credential is copied now"),
    ("AT", Flags::ATTESTED_CREDENTIAL, "a credential follows"),
    ("ED", Flags::EXTENSIONS, "extension outputs follow"),
];

impl DataSummary {
    /// Explains authenticator data, of a registration or of an assertion.
    pub fn new(data: &AuthenticatorData<'_>) -> Self {
        Self {
            rp_id_hash: Hex(data.rp_id_hash).to_string(),
            flags: FLAGS
                .into_iter()
                .map(|(name, flag, meaning)| FlagSummary {
                    name,
                    set: data.flags.contains(flag),
                    meaning,
                })
                .collect(),
            sign_count: data.sign_count,
            credential: data.attested_credential.as_ref().map(credential),
            extensions: data.extensions.map(|bytes| Hex(bytes).to_string()),
        }
    }
}

fn credential(credential: &AttestedCredential<'_>) -> CredentialSummary {
    let algorithm = match PublicKey::decode(credential.public_key) {
        Ok(key) => key.algorithm().to_string(),
        Err(error) => error.to_string(),
    };
    CredentialSummary {
        aaguid: credential.aaguid.to_string(),
        id: Hex(credential.credential_id).to_string(),
        algorithm,
        public_key: Hex(credential.public_key).to_string(),
    }
}
