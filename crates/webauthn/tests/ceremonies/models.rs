//! Which models a policy accepts, 7.1, steps 23 and 24.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_ctap::aaguid::Aaguid;
use hallway_webauthn::metadata::{BlobTrust, CertificationLevel, Metadata};
use hallway_webauthn::{
    BackupEligibility, KeyProtection, ModelError, ModelId, ModelList, ModelPolicy, Registration,
    RegistrationError, RegistrationPolicy, RequiredTrust, SerialNumbers, Standing, StoredProof,
    TrustAnchors,
};
use rcgen::{DnType, KeyPair, SanType};
use serde_json::{Value, json};

use crate::maker::{
    Authority, Ceremony, MODEL, NOW, authority_params, jws, packed_params, valid_params,
};

/// Metadata with one entry for [`MODEL`], from a BLOB.
fn metadata(statement: &Value, reports: &Value) -> Metadata {
    blob(&json!([{
        "aaguid": MODEL.to_string(),
        "metadataStatement": statement,
        "statusReports": reports,
    }]))
}

/// Metadata with these entries, from a BLOB.
fn blob(entries: &Value) -> Metadata {
    let root = Authority::root_with(authority_params("Metadata Root"));
    let key = KeyPair::generate().unwrap();
    let mut params = valid_params();
    let host = "mds.fidoalliance.org".try_into().unwrap();
    params.subject_alt_names = vec![SanType::DnsName(host)];
    let leaf = root.issue(&params, &key);
    let payload = json!({
        "no": 1,
        "nextUpdate": "2026-02-01",
        "entries": entries,
    });
    let header = json!({"alg": "ES256", "x5c": [STANDARD.encode(leaf)]});
    let trust = BlobTrust {
        anchors: root.anchors(),
        ..BlobTrust::default()
    };
    Metadata::from_blob(jws(&header, &payload, &key).as_bytes(), &trust, NOW).unwrap()
}

struct Maker {
    root: Authority,
    key: KeyPair,
    leaf: Vec<u8>,
}

impl Maker {
    fn new() -> Self {
        let root = Authority::root("Maker Root");
        let key = KeyPair::generate().unwrap();
        let mut params = packed_params();
        let serial = DnType::CustomDnType(vec![2, 5, 4, 5]);
        params.distinguished_name.push(serial, "CAM-0042");
        let leaf = root.issue(&params, &key);
        Self { root, key, leaf }
    }

    fn statement(&self) -> Value {
        json!({
            "description": "Maker Key",
            "keyProtection": ["hardware"],
            "attestationRootCertificates": [STANDARD.encode(&self.root.der)],
        })
    }

    fn register(&self, models: ModelPolicy) -> Result<Registration, RegistrationError> {
        let ceremony = Ceremony::new();
        let policy = RegistrationPolicy {
            models,
            ..RegistrationPolicy::attested(TrustAnchors::new())
        };
        ceremony.register(&ceremony.packed(&self.key, &[&self.leaf]), &policy)
    }

    fn refused(&self, models: ModelPolicy) -> ModelError {
        match self.register(models) {
            Err(RegistrationError::Model(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

fn certified() -> Value {
    json!([{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"}])
}

fn knowing(metadata: Metadata) -> ModelPolicy {
    ModelPolicy {
        metadata: Some(Arc::new(metadata)),
        ..ModelPolicy::default()
    }
}

#[test]
fn a_certified_hardware_model_satisfies_the_strictest_policy() {
    let maker = Maker::new();
    let models = knowing(metadata(&maker.statement(), &certified()));
    let registration = maker.register(models).unwrap();
    assert_eq!(registration.aaguid, MODEL);
}

#[test]
fn the_strictest_policy_refuses_what_is_unknown() {
    let maker = Maker::new();
    let ceremony = Ceremony::new();
    let object = ceremony.packed(&maker.key, &[&maker.leaf]);
    let policy = RegistrationPolicy {
        anchors: maker.root.anchors(),
        ..RegistrationPolicy::default()
    };
    let unknown = RegistrationError::Model(ModelError::Unknown(MODEL));
    assert_eq!(ceremony.register(&object, &policy), Err(unknown));
}

#[test]
fn an_anchor_in_the_metadata_vouches_for_its_own_model_only() {
    let maker = Maker::new();
    let mut other = metadata(&maker.statement(), &certified());
    let elsewhere = Authority::root("Another Root");
    let statement = json!({
        "aaguid": MODEL.to_string(),
        "description": "Ours",
        "keyProtection": ["hardware"],
        "attestationRootCertificates": [STANDARD.encode(&elsewhere.der)],
    });
    other
        .add_statement(statement.to_string().as_bytes())
        .unwrap();
    let statement = json!({
        "aaguid": Aaguid([1; 16]).to_string(),
        "description": "Maker's other model",
        "attestationRootCertificates": [STANDARD.encode(&maker.root.der)],
    });
    other
        .add_statement(statement.to_string().as_bytes())
        .unwrap();
    assert!(matches!(
        maker.register(knowing(other)),
        Err(RegistrationError::Untrusted(_))
    ));
}

#[test]
fn revoked_and_compromised_models_are_refused_by_every_policy() {
    let maker = Maker::new();
    for status in [
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    ] {
        let reports = json!([
            {"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"},
            {"status": status, "effectiveDate": "2025-12-01"},
        ]);
        let models = ModelPolicy {
            metadata: Some(Arc::new(metadata(&maker.statement(), &reports))),
            ..ModelPolicy::any()
        };
        let refused = maker.refused(models.clone());
        assert!(
            matches!(refused, ModelError::Compromised { .. }),
            "{status}"
        );
        // Also where the policy requires no attestation.
        let ceremony = Ceremony::new();
        let person = RegistrationPolicy {
            models,
            ..RegistrationPolicy::person()
        };
        let object = ceremony.object("none", &[0xa0]);
        assert!(matches!(
            ceremony.register(&object, &person),
            Err(RegistrationError::Model(ModelError::Compromised { .. }))
        ));
    }
    let tomorrow = json!([
        {"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"},
        {"status": "REVOKED", "effectiveDate": "2026-01-02"},
    ]);
    let models = knowing(metadata(&maker.statement(), &tomorrow));
    assert!(maker.register(models).is_ok());
}

#[test]
fn the_compromise_of_a_batch_refuses_that_batch() {
    let maker = Maker::new();
    let other = Maker::new();
    for (batch, name, accepted) in [
        (&other.leaf, "batchCertificate", true),
        (&maker.leaf, "batchCertificate", false),
        (&maker.leaf, "certificate", false),
    ] {
        let reports = json!([
            {"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"},
            {"status": "ATTESTATION_KEY_COMPROMISE", "effectiveDate": "2025-06-01",
             name: STANDARD.encode(batch)},
        ]);
        let models = knowing(metadata(&maker.statement(), &reports));
        assert_eq!(maker.register(models).is_ok(), accepted, "{name}");
    }
}

#[test]
fn certification_and_key_protection() {
    let maker = Maker::new();
    let high = ModelPolicy {
        certification: CertificationLevel::L2,
        ..knowing(metadata(&maker.statement(), &certified()))
    };
    assert!(matches!(
        maker.refused(high),
        ModelError::Certification { .. }
    ));
    let withdrawn = json!([
        {"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"},
        {"status": "NOT_FIDO_CERTIFIED", "effectiveDate": "2025-06-01"},
    ]);
    let withdrawn = knowing(metadata(&maker.statement(), &withdrawn));
    assert!(matches!(
        maker.refused(withdrawn),
        ModelError::Certification { .. }
    ));
    for protection in [
        json!(["software"]),
        json!(["hardware", "software"]),
        json!([]),
    ] {
        let mut statement = maker.statement();
        statement["keyProtection"] = protection;
        let soft = knowing(metadata(&statement, &certified()));
        assert!(matches!(
            maker.refused(soft.clone()),
            ModelError::KeyProtection(_)
        ));
        let any = ModelPolicy {
            key_protection: KeyProtection::Any,
            ..soft
        };
        assert!(maker.register(any).is_ok());
    }
}

#[test]
fn lists_of_models_and_serial_numbers() {
    let maker = Maker::new();
    let known = || Some(Arc::new(metadata(&maker.statement(), &certified())));
    let listed = |models| ModelPolicy {
        models,
        metadata: known(),
        ..ModelPolicy::any()
    };
    let this = vec![ModelId::Aaguid(MODEL)];
    let other = vec![ModelId::Aaguid(Aaguid([1; 16])), ModelId::Key([0; 20])];
    assert!(
        maker
            .register(listed(ModelList::Only(this.clone())))
            .is_ok()
    );
    assert!(
        maker
            .register(listed(ModelList::AllBut(other.clone())))
            .is_ok()
    );
    for refused in [
        ModelList::Only(other),
        ModelList::Only(vec![]),
        ModelList::AllBut(this),
    ] {
        let error = maker.refused(listed(refused));
        assert_eq!(error, ModelError::NotAccepted(MODEL));
    }
    let serial = |start: &str| ModelPolicy {
        serial_numbers: SerialNumbers::StartingWith(vec![start.into()]),
        ..listed(ModelList::All)
    };
    assert!(maker.register(serial("CAM-")).is_ok());
    assert!(matches!(
        maker.refused(serial("TEL-")),
        ModelError::SerialNumber(Some(_))
    ));
}

#[test]
fn a_claim_without_proof_satisfies_no_demand() {
    let maker = Maker::new();
    let ceremony = Ceremony::new();
    let bare = ceremony.object("none", &[0xa0]);
    let policy = |models| RegistrationPolicy {
        trust: RequiredTrust::Any,
        backup: BackupEligibility::Any,
        models,
        ..RegistrationPolicy::default()
    };
    let strict = policy(knowing(metadata(&maker.statement(), &certified())));
    let only = policy(ModelPolicy {
        models: ModelList::Only(vec![ModelId::Aaguid(MODEL)]),
        ..ModelPolicy::any()
    });
    for policy in [strict, only] {
        let unproven = Err(RegistrationError::Model(ModelError::Unproven));
        assert_eq!(ceremony.register(&bare, &policy), unproven);
    }
    let denied = policy(ModelPolicy {
        models: ModelList::AllBut(vec![ModelId::Aaguid(MODEL)]),
        ..ModelPolicy::any()
    });
    assert!(ceremony.register(&bare, &denied).is_err());
}

/// What cannot be read might be a revocation.
#[test]
fn a_model_whose_entry_cannot_be_read_is_refused_by_every_policy() {
    let maker = Maker::new();
    let other = Aaguid([3; 16]);
    let entry = |aaguid: &str, statement: &Value, reports: &Value| json!({"aaguid": aaguid, "metadataStatement": statement, "statusReports": reports});
    let unreadable = [
        entry(
            &MODEL.to_string(),
            &maker.statement(),
            &json!([{"status": "REVOKED", "effectiveDate": "soon"}]),
        ),
        entry(
            &MODEL.to_string(),
            &maker.statement(),
            &json!([{"effectiveDate": "2025-01-01"}]),
        ),
        entry(
            &MODEL.to_string(),
            &json!({"keyProtection": 7}),
            &certified(),
        ),
        // The statement names the model where the entry does not.
        json!({
            "metadataStatement": {"aaguid": MODEL.to_string(), "description": 1},
            "statusReports": [],
        }),
    ];
    for unreadable in unreadable {
        let readable = entry(&other.to_string(), &maker.statement(), &certified());
        let known = blob(&json!([unreadable, readable]));
        assert_eq!(known.unreadable().len(), 1);
        assert!(known.by_aaguid(other).is_some(), "the rest counts");
        let any = ModelPolicy {
            metadata: Some(Arc::new(known.clone())),
            ..ModelPolicy::any()
        };
        for models in [any.clone(), knowing(known.clone())] {
            let policy = RegistrationPolicy {
                anchors: maker.root.anchors(),
                models,
                ..RegistrationPolicy::default()
            };
            let ceremony = Ceremony::new();
            let object = ceremony.packed(&maker.key, &[&maker.leaf]);
            let Err(RegistrationError::Model(ModelError::Unreadable { model, .. })) =
                ceremony.register(&object, &policy)
            else {
                panic!("{unreadable}");
            };
            assert_eq!(model, ModelId::Aaguid(MODEL));
        }
        // Also where the policy requires no attestation, and in spite of a local statement.
        let mut patched = known;
        let mut statement = maker.statement();
        statement["aaguid"] = MODEL.to_string().into();
        patched
            .add_statement(statement.to_string().as_bytes())
            .unwrap();
        let policy = RegistrationPolicy {
            models: ModelPolicy {
                metadata: Some(Arc::new(patched)),
                ..ModelPolicy::any()
            },
            ..RegistrationPolicy::person()
        };
        let ceremony = Ceremony::new();
        assert!(matches!(
            ceremony.register(&ceremony.packed(&maker.key, &[&maker.leaf]), &policy),
            Err(RegistrationError::Model(ModelError::Unreadable { .. }))
        ));
        // Another model is not concerned.
        let stored = StoredProof {
            aaguid: other,
            chain: &[],
            standing: Standing::Claimed,
            serial_number: None,
        };
        assert_eq!(any.judge_again(&stored, NOW), Ok(()));
    }
}

fn key_identifier(key: &KeyPair) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.public_key_raw());
    hex::encode(hash)
}

/// A U2F model is named by its attestation certificate's key.
#[test]
fn a_u2f_model_whose_entry_cannot_be_read_is_refused() {
    let maker = Maker::new();
    let [broken, certificate] = [[8u8; 20], [9; 20]].map(hex::encode);
    let known = blob(&json!([{
        "attestationCertificateKeyIdentifiers": [broken, certificate, "short"],
        "statusReports": [],
    }]));
    let [entry] = known.unreadable() else {
        panic!("{:?}", known.unreadable());
    };
    assert_eq!(entry.models, [ModelId::Key([8; 20]), ModelId::Key([9; 20])]);
    let models = ModelPolicy {
        metadata: Some(Arc::new(known)),
        ..ModelPolicy::any()
    };
    let chain = [maker.leaf.clone()];
    let stored = StoredProof {
        aaguid: Aaguid::ZERO,
        chain: &chain,
        standing: Standing::Anchored,
        serial_number: None,
    };
    assert_eq!(models.judge_again(&stored, NOW), Ok(()), "another key");
    let own = ModelPolicy {
        metadata: Some(Arc::new(blob(&json!([{
            "attestationCertificateKeyIdentifiers": [key_identifier(&maker.key), "short"],
        }])))),
        ..ModelPolicy::any()
    };
    assert!(matches!(
        own.judge_again(&stored, NOW),
        Err(ModelError::Unreadable { .. })
    ));
}
