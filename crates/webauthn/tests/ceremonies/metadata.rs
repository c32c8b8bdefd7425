//! Metadata BLOBs, right and wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_webauthn::metadata::{
    BlobError, BlobTrust, CertificationLevel, Metadata, SignerName, Staleness,
};
use hallway_webauthn::{JwsError, TrustAnchor, UnixSeconds};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};

use crate::maker::{Authority, MODEL, NOW, authority_params, jws, valid_params};

const HOST: &str = "mds.fidoalliance.org";

/// A metadata service with a root, an intermediate and a signing certificate.
struct Service {
    root: Authority,
    middle: Authority,
    leaf: Vec<u8>,
    key: KeyPair,
}

impl Service {
    fn new() -> Self {
        Self::signing_as(HOST)
    }

    fn signing_as(host: &str) -> Self {
        let mut params = authority_params("Metadata Root");
        params.key_usages.push(KeyUsagePurpose::CrlSign);
        let root = Authority::root_with(params);
        let mut params = authority_params("Metadata Issuer");
        params.key_usages.push(KeyUsagePurpose::CrlSign);
        let middle = root.authority(params);
        let key = KeyPair::generate().unwrap();
        let mut params = valid_params();
        params.serial_number = Some(SerialNumber::from_slice(&[0x12, 0x34]));
        params.subject_alt_names = vec![SanType::DnsName(host.try_into().unwrap())];
        let leaf = middle.issue(&params, &key);
        Self {
            root,
            middle,
            leaf,
            key,
        }
    }

    fn blob(&self, payload: &Value) -> String {
        let chain = [&self.leaf, &self.middle.der].map(|der| STANDARD.encode(der));
        jws(&json!({"alg": "ES256", "x5c": chain}), payload, &self.key)
    }

    fn trust(&self) -> BlobTrust {
        BlobTrust {
            anchors: self.root.anchors(),
            ..BlobTrust::default()
        }
    }

    fn revocation_list(&self, serial: &[u8], until: i32) -> Vec<u8> {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 6, 1),
            next_update: date_time_ymd(until, 6, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: date_time_ymd(2025, 6, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params
            .signed_by(&self.middle.issuer)
            .unwrap()
            .der()
            .to_vec()
    }
}

fn payload() -> Value {
    json!({
        "legalHeader": "…",
        "no": 42,
        "nextUpdate": "2026-01-15",
        "entries": [
            {
                "aaguid": MODEL.to_string(),
                "metadataStatement": {
                    "description": "Maker Key",
                    "keyProtection": ["hardware", "secure_element"],
                    "icon": "data:image/png;base64,AAAA",
                    "attestationRootCertificates": []
                },
                "statusReports": [
                    {"status": "FIDO_CERTIFIED_L2", "effectiveDate": "2025-02-01"},
                    {"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"},
                    {"status": "REVOKED", "effectiveDate": "2026-02-01"}
                ],
                "timeOfLastStatusChange": "2025-02-01"
            },
            {"aaguid": "no model", "statusReports": []},
            {
                "attestationCertificateKeyIdentifiers":
                    ["7c0903708b87115b0b422def3138c3c864e44573"],
                "statusReports": [{"status": "FIDO_CERTIFIED"}]
            }
        ]
    })
}

fn read(trust: &BlobTrust, blob: &str) -> Result<Metadata, BlobError> {
    Metadata::from_blob(blob.as_bytes(), trust, NOW)
}

#[test]
fn a_signed_blob_is_read() {
    let service = Service::new();
    let metadata = read(&service.trust(), &service.blob(&payload())).unwrap();
    assert_eq!(metadata.number(), Some(42));
    assert_eq!(metadata.models().len(), 2);
    let [unreadable] = metadata.unreadable() else {
        panic!("{:?}", metadata.unreadable());
    };
    assert!(unreadable.models.is_empty());
    assert_eq!(unreadable.reason, "its aaguid is not an AAGUID");
    let model = metadata.by_aaguid(MODEL).unwrap();
    assert_eq!(model.description, "Maker Key");
    assert!(model.is_hardware());
    assert_eq!(model.certification(NOW), CertificationLevel::L2);
    assert_eq!(
        model.certification(UnixSeconds(0)),
        CertificationLevel::NotCertified
    );
    let key = hex::decode("7c0903708b87115b0b422def3138c3c864e44573").unwrap();
    let u2f = metadata.by_key(&key.try_into().unwrap()).unwrap();
    assert_eq!(u2f.certification(NOW), CertificationLevel::L1);
}

/// As the service lists them: the level and the functional certification, newest first.
#[test]
fn a_functional_certification_lowers_no_level() {
    use CertificationLevel::{L1, L2, NotCertified};
    let service = Service::new();
    for (reports, expected) in [
        (
            vec![
                ("FIDO_CERTIFIED_L2", "2024-12-22"),
                ("FIDO_CERTIFIED", "2024-12-22"),
            ],
            L2,
        ),
        (
            vec![
                ("FIDO_CERTIFIED", "2024-12-22"),
                ("FIDO_CERTIFIED_L2", "2024-12-22"),
            ],
            L2,
        ),
        (
            vec![
                ("FIDO_CERTIFIED", "2025-01-01"),
                ("FIDO_CERTIFIED_L2", "2024-12-22"),
            ],
            L2,
        ),
        (
            vec![
                ("FIDO_CERTIFIED_L2", "2025-01-01"),
                ("FIDO_CERTIFIED_L1", "2024-01-01"),
            ],
            L2,
        ),
        (
            vec![
                ("FIDO_CERTIFIED_L1", "2025-01-01"),
                ("FIDO_CERTIFIED_L2", "2024-01-01"),
            ],
            L1,
        ),
        (vec![("FIDO_CERTIFIED", "2024-01-01")], L1),
        (
            vec![
                ("NOT_FIDO_CERTIFIED", "2025-01-01"),
                ("FIDO_CERTIFIED", "2024-01-01"),
            ],
            NotCertified,
        ),
        (
            vec![
                ("FIDO_CERTIFIED", "2025-01-01"),
                ("NOT_FIDO_CERTIFIED", "2024-01-01"),
            ],
            L1,
        ),
        (
            vec![
                ("FIDO_CERTIFIED_L2", "2027-01-01"),
                ("FIDO_CERTIFIED", "2024-01-01"),
            ],
            L1,
        ),
        (
            vec![
                ("UPDATE_AVAILABLE", "2025-01-01"),
                ("FIDO_CERTIFIED_L2", "2024-01-01"),
            ],
            L2,
        ),
    ] {
        let listed: Vec<Value> = reports
            .iter()
            .map(|(status, since)| json!({"status": status, "effectiveDate": since}))
            .collect();
        let mut payload = payload();
        payload["entries"][0]["statusReports"] = listed.into();
        let metadata = read(&service.trust(), &service.blob(&payload)).unwrap();
        let found = metadata.by_aaguid(MODEL).unwrap().certification(NOW);
        assert_eq!(found, expected, "{reports:?}");
    }
}

/// FIDO Metadata Service 3.1, 3.2: without `x5u` and `x5c` the trust anchor is the signer.
#[test]
fn a_blob_without_certificates_is_the_anchor_s() {
    let key = KeyPair::generate().unwrap();
    let mut params = valid_params();
    params.subject_alt_names = vec![SanType::DnsName(HOST.try_into().unwrap())];
    let certificate = params.self_signed(&key).unwrap();
    let anchor = TrustAnchor::new("Signer", certificate.der().to_vec()).unwrap();
    let service = Service::new();
    let mut trust = service.trust();
    let blob = jws(&json!({"alg": "ES256"}), &payload(), &key);
    assert!(read(&trust, &blob).is_err());
    trust.anchors.add(anchor);
    assert_eq!(read(&trust, &blob).unwrap().number(), Some(42));
    let other = KeyPair::generate().unwrap();
    assert!(read(&trust, &jws(&json!({"alg": "ES256"}), &payload(), &other)).is_err());
    let elsewhere = json!({"alg": "ES256", "x5u": "https://mds.fidoalliance.org/chain"});
    assert_eq!(
        read(&trust, &jws(&elsewhere, &payload(), &key)),
        Err(BlobError::Jws(JwsError::Elsewhere))
    );
}

#[test]
fn changed_unsigned_and_foreign_blobs_are_refused() {
    let service = Service::new();
    let trust = service.trust();
    let blob = service.blob(&payload());
    for at in (0..blob.len()).step_by(97) {
        let mut changed = blob.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(
            Metadata::from_blob(&changed, &trust, NOW).is_err(),
            "byte {at}"
        );
    }
    let payload_changed = {
        let mut parts: Vec<&str> = blob.split('.').collect();
        let other = service.blob(&json!({"no": 43, "nextUpdate": "2026-01-15", "entries": []}));
        let other: Vec<&str> = other.split('.').collect();
        parts[1] = other[1];
        parts.join(".")
    };
    assert!(matches!(
        read(&trust, &payload_changed),
        Err(BlobError::Jws(_))
    ));
    assert!(matches!(
        read(&BlobTrust::default(), &blob),
        Err(BlobError::Untrusted(_))
    ));
    assert!(matches!(
        read(&Service::new().trust(), &blob),
        Err(BlobError::Untrusted(_))
    ));
    assert!(read(&trust, "").is_err());
    assert!(read(&trust, "a.b.c").is_err());
}

#[test]
fn the_signer_must_be_the_service() {
    let service = Service::signing_as("shop.example");
    let blob = service.blob(&payload());
    let mut trust = service.trust();
    assert!(matches!(read(&trust, &blob), Err(BlobError::Signer { .. })));
    trust.signer = SignerName::Any;
    assert!(read(&trust, &blob).is_ok());
}

#[test]
fn numbers_never_go_back() {
    let service = Service::new();
    let blob = service.blob(&payload());
    for (in_use, accepted) in [(41, true), (42, true), (43, false)] {
        let trust = BlobTrust {
            in_use: Some(in_use),
            ..service.trust()
        };
        assert_eq!(read(&trust, &blob).is_ok(), accepted, "{in_use}");
    }
}

#[test]
fn a_blob_whose_successor_is_due_is_refused_unless_asked_for() {
    let service = Service::new();
    let blob = service.blob(&payload());
    let due = UnixSeconds(NOW.0 + 15 * 86_400);
    let mut trust = service.trust();
    assert!(Metadata::from_blob(blob.as_bytes(), &trust, due).is_ok());
    let later = UnixSeconds(due.0 + 1);
    assert!(matches!(
        Metadata::from_blob(blob.as_bytes(), &trust, later),
        Err(BlobError::Stale(_))
    ));
    trust.stale = Staleness::Accept;
    assert!(Metadata::from_blob(blob.as_bytes(), &trust, later).is_ok());
}

#[test]
fn revocation_lists_count_where_they_are_given() {
    let service = Service::new();
    let blob = service.blob(&payload());
    let with = |list| BlobTrust {
        revocation_lists: vec![list],
        ..service.trust()
    };
    let other = with(service.revocation_list(&[0x55], 2027));
    assert!(read(&other, &blob).is_ok());
    let revoked = with(service.revocation_list(&[0x12, 0x34], 2027));
    assert!(matches!(read(&revoked, &blob), Err(BlobError::Revoked(_))));
    let old = with(service.revocation_list(&[0x55], 2025));
    assert!(matches!(
        read(&old, &blob),
        Err(BlobError::RevocationList(_))
    ));
    // Same issuer name, another key.
    let forged = with(Service::new().revocation_list(&[0x55], 2027));
    assert!(matches!(
        read(&forged, &blob),
        Err(BlobError::RevocationList(_))
    ));
    assert!(read(&with(vec![0x30]), &blob).is_err());
}

#[test]
fn payloads_that_lack_their_members_are_refused() {
    let service = Service::new();
    for change in ["no", "nextUpdate", "entries"] {
        let mut payload = payload();
        payload.as_object_mut().unwrap().remove(change);
        let result = read(&service.trust(), &service.blob(&payload));
        assert!(matches!(result, Err(BlobError::Payload(_))), "{change}");
    }
}

#[test]
fn local_statements_stand_beside_the_blob_and_undo_no_revocation() {
    let service = Service::new();
    let mut metadata = read(&service.trust(), &service.blob(&payload())).unwrap();
    let local = json!({"aaguid": MODEL.to_string(), "description": "Ours"});
    metadata
        .add_statement(local.to_string().as_bytes())
        .unwrap();
    let model = metadata.by_aaguid(MODEL).unwrap();
    assert_eq!(model.description, "Ours");
    assert_eq!(model.status_reports.len(), 3);
    assert!(
        metadata
            .add_statement(b"{\"description\": \"nameless\"}")
            .is_err()
    );
    assert!(metadata.add_statement(b"[]").is_err());
}
