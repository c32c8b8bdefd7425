//! A metadata BLOB of the size of the real one: 300 models, each with a picture and two roots.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallway_ctap::aaguid::Aaguid;
use hallway_webauthn::metadata::{BlobTrust, Metadata, SignerName, Staleness};
use hallway_webauthn::{TrustAnchor, UnixSeconds};
use serde_json::{Value, json};

use crate::signer::Attester;

const MODELS: usize = 300;
/// The size of a picture in base64.
const PICTURE_BYTES: usize = 20_000;
const NOW: UnixSeconds = UnixSeconds(1_767_225_600);

pub struct Blob {
    text: String,
    trust: BlobTrust,
    pub metadata: Metadata,
}

/// The AAGUID of the model in the middle.
pub const SOMEBODY: Aaguid = aaguid(MODELS / 2);

const fn aaguid(number: usize) -> Aaguid {
    Aaguid((number as u128 + 1).to_be_bytes())
}

impl Blob {
    pub fn new() -> Self {
        let signer = Attester::new();
        let root = STANDARD.encode(&signer.root);
        let entries: Vec<Value> = (0..MODELS)
            .map(|number| {
                json!({
                    "aaguid": aaguid(number).to_string(),
                    "metadataStatement": {
                        "aaguid": aaguid(number).to_string(),
                        "description": format!("Model {number}"),
                        "keyProtection": ["hardware", "secure_element"],
                        "matcherProtection": ["on_chip"],
                        "attestationRootCertificates": [root, root],
                        "icon": format!("data:image/png;base64,{}", "A".repeat(PICTURE_BYTES)),
                    },
                    "statusReports": [
                        { "status": "FIDO_CERTIFIED_L1", "effectiveDate": "2024-01-01" },
                    ],
                })
            })
            .collect();
        let payload = json!({ "no": 1, "nextUpdate": "2030-01-01", "entries": entries });
        let header = json!({ "alg": "ES256", "x5c": [STANDARD.encode(&signer.leaf)] });
        let [header, payload] =
            [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(raw(&signer.sign(signed.as_bytes())));
        let text = format!("{signed}.{signature}");
        let trust = BlobTrust {
            anchors: TrustAnchor::new("root", signer.root).into_iter().collect(),
            signer: SignerName::Any,
            stale: Staleness::Accept,
            ..BlobTrust::default()
        };
        let metadata = Metadata::from_blob(text.as_bytes(), &trust, NOW).expect("a BLOB");
        assert_eq!(metadata.models().len(), MODELS);
        Self {
            text,
            trust,
            metadata,
        }
    }

    /// In bytes.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    pub fn read(&self) -> Metadata {
        Metadata::from_blob(self.text.as_bytes(), &self.trust, NOW).expect("a BLOB")
    }

    /// Reads the payload as JSON, without checks.
    pub fn payload(&self) -> Value {
        let payload = self.text.split('.').nth(1).expect("a payload");
        let json = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
        serde_json::from_slice(&json).expect("JSON")
    }
}

/// An ECDSA signature in the form of JWS: both numbers in 32 bytes (RFC 7518, 3.4), from DER.
fn raw(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    while let [2, length, more @ ..] = rest {
        let (number, after) = more.split_at(usize::from(*length));
        rest = after;
        let number = &number[number.len().saturating_sub(32)..];
        out.extend(std::iter::repeat_n(0, 32 - number.len()));
        out.extend_from_slice(number);
    }
    out
}
