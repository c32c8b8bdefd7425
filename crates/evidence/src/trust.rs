//! The trust file: all that somebody needs to check a realm's evidence offline.

use hallway_webauthn::{RelyingParty, TrustAnchor, TrustAnchors};
use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::line::Line;
use crate::log::{CosignerKey, VerifierKey};

/// The longest trust file that is read, in bytes.
pub const MAX_TRUST_FILE_BYTES: usize = 1024 * 1024;

const FORMAT: &str = "hallway-trust-1";

/// The keys and makers that one realm trusts. JSON; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// The format of this file, with its version.
    format: Format,
    /// The realm.
    pub realm: Line,
    /// Its relying party id.
    pub rp_id: String,
    /// The origins at which its keys sign.
    pub origins: Vec<String>,
    /// The key that signs the log's checkpoints. Its name is the log's origin.
    pub log: VerifierKey,
    /// The keys of the witnesses that watch the log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<CosignerKey>,
    /// The keys of witnesses that watched it once. Their cosignatures may stand in receipts of
    /// that time, and count for nothing now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_witnesses: Vec<CosignerKey>,
    /// The hash of the evidence by which the realm was set up, hexadecimal in JSON: the
    /// registration of its first owner's first key, from which everybody's right to anything comes.
    /// Without it, the set-up is the first entry of the log.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hash_text")]
    pub set_up: Option<Hash>,
    /// The makers whose devices may enrol.
    pub makers: Vec<TrustedMaker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "hallway-trust-1")]
    One,
}

/// A maker of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedMaker {
    /// The name that the realm gives the maker.
    pub name: Line,
    /// The certificate of its attestation authority, DER; base64 in JSON.
    #[serde(with = "base64_text")]
    pub certificate: Vec<u8>,
}

/// Why a trust file is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Longer than [`MAX_TRUST_FILE_BYTES`].
    #[error("the trust file has {0} bytes; at most 1048576 are allowed")]
    TooLarge(usize),
    /// Not the JSON of a trust file.
    #[error("not a trust file (format {FORMAT}): {0}")]
    Json(#[from] serde_json::Error),
    /// A certificate that cannot be read.
    #[error("the certificate of the maker {name} in the trust file: {why}")]
    Certificate {
        /// The realm's name for the maker.
        name: Line,
        /// The fault in the certificate.
        why: hallway_webauthn::CertificateError,
    },
}

impl TrustFile {
    /// A trust file of these parts, without witnesses, in which the set-up is the first entry of
    /// the log.
    #[must_use]
    pub fn new(
        realm: Line,
        relying_party: RelyingParty,
        log: VerifierKey,
        makers: Vec<TrustedMaker>,
    ) -> Self {
        Self {
            format: Format::One,
            realm,
            rp_id: relying_party.id,
            origins: relying_party.origins,
            log,
            witnesses: Vec::new(),
            former_witnesses: Vec::new(),
            set_up: None,
            makers,
        }
    }

    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustError`] says what is wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, TrustError> {
        if json.len() > MAX_TRUST_FILE_BYTES {
            return Err(TrustError::TooLarge(json.len()));
        }
        let trust: Self = serde_json::from_slice(json)?;
        trust.anchors()?;
        Ok(trust)
    }

    /// The file's text, ending in a newline.
    ///
    /// # Errors
    /// [`TrustError::Json`]; never for a file that was read.
    pub fn to_json(&self) -> Result<String, TrustError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The relying party that the realm is.
    #[must_use]
    pub fn relying_party(&self) -> RelyingParty {
        RelyingParty {
            id: self.rp_id.clone(),
            origins: self.origins.clone(),
        }
    }

    /// The makers' certificates as trust anchors.
    ///
    /// # Errors
    /// [`TrustError::Certificate`].
    pub fn anchors(&self) -> Result<TrustAnchors, TrustError> {
        self.makers
            .iter()
            .map(|maker| {
                TrustAnchor::new(maker.name.as_str(), maker.certificate.clone()).map_err(|why| {
                    TrustError::Certificate {
                        name: maker.name.clone(),
                        why,
                    }
                })
            })
            .collect()
    }
}

mod hash_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::hash::Hash;

    pub(super) fn serialize<S: Serializer>(
        hash: &Option<Hash>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => serializer.serialize_str(&hex::encode(hash)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Hash>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(D::Error::custom)?;
        Ok(Some(hash))
    }
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SigningKey;

    fn example() -> TrustFile {
        TrustFile::new(
            Line::new("gate.example").unwrap(),
            RelyingParty::new("gate.example", "https://gate.example"),
            SigningKey::from_seed("gate.example/log", &[1; 32])
                .unwrap()
                .verifier(),
            Vec::new(),
        )
    }

    #[test]
    fn is_read_back() {
        let json = example().to_json().unwrap();
        assert_eq!(TrustFile::from_json(json.as_bytes()).unwrap(), example());
        let named = TrustFile {
            set_up: Some([0xa5; 32]),
            ..example()
        };
        let text = named.to_json().unwrap();
        assert!(text.contains(&"a5".repeat(32)));
        assert_eq!(TrustFile::from_json(text.as_bytes()).unwrap(), named);
        assert!(json.contains("\"format\": \"hallway-trust-1\""));
    }

    #[test]
    fn other_formats_extra_members_and_bad_certificates_are_refused() {
        let json = example().to_json().unwrap();
        for (from, to) in [
            ("trust-1", "trust-2"),
            ("\"rp_id\"", "\"extra\": 1, \"rp_id\""),
            ("\"rp_id\"", "\"set_up\": \"0a\", \"rp_id\""),
            ("[]", "[{\"name\": \"x\", \"certificate\": \"!\"}]"),
            ("[]", "[{\"name\": \"x\", \"certificate\": \"AAAA\"}]"),
        ] {
            let changed = json.replacen(from, to, 1);
            assert_ne!(changed, json);
            assert!(TrustFile::from_json(changed.as_bytes()).is_err(), "{to}");
        }
        let long = vec![b' '; MAX_TRUST_FILE_BYTES + 1];
        assert!(matches!(
            TrustFile::from_json(&long),
            Err(TrustError::TooLarge(_))
        ));
    }
}
