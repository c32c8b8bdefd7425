//! Metadata: as a BLOB, as a local statement, as a revocation list, and as the payload of a BLOB with a
//! valid signature, because no fuzzer finds one.
#![no_main]

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallway_webauthn::metadata::{BlobTrust, Metadata, SignerName, Staleness};
use hallway_webauthn::{TrustAnchor, UnixSeconds};
use libfuzzer_sys::fuzz_target;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SigningKey, date_time_ymd};

struct Service {
    key: KeyPair,
    header: String,
    trust: BlobTrust,
}

impl Service {
    fn blob(&self, payload: &[u8]) -> String {
        let signed = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(payload));
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2035, 1, 1);
        let leaf = params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .to_vec();
        let certificate = STANDARD.encode(&leaf);
        let header = format!(r#"{{"alg":"EdDSA","x5c":["{certificate}"]}}"#);
        Service {
            key,
            header: URL_SAFE_NO_PAD.encode(header),
            trust: BlobTrust {
                anchors: TrustAnchor::new("service", leaf).into_iter().collect(),
                signer: SignerName::Any,
                stale: Staleness::Accept,
                ..BlobTrust::default()
            },
        }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let service = service();
    let now = UnixSeconds(1_767_225_600);
    let _ = Metadata::from_blob(bytes, &service.trust, now);
    let _ = Metadata::new().add_statement(bytes);
    let revoking = BlobTrust {
        revocation_lists: vec![bytes.to_vec()],
        ..service.trust.clone()
    };
    let empty = br#"{"no":1,"nextUpdate":"2030-01-01","entries":[]}"#;
    let _ = Metadata::from_blob(service.blob(empty).as_bytes(), &revoking, now);
    let blob = service.blob(bytes);
    if let Ok(metadata) = Metadata::from_blob(blob.as_bytes(), &service.trust, now) {
        for model in metadata.models() {
            let _ = (model.certification(now), model.is_hardware());
        }
    }
});
