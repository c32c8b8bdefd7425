//! FIDO U2F attestation, 8.6.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::Flags;
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::{
    ModelError, ModelId, ModelList, ModelPolicy, RegistrationError, RegistrationPolicy,
    UserVerification,
};
use minicbor::Encoder;
use rcgen::{KeyPair, SigningKey};

use crate::maker::{
    Authority, Ceremony, Credential, MODEL, RP_ID, packed_params, sha256, write_chain,
};

fn statement(signature: &[u8], chain: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.map(2)
        .unwrap()
        .str("sig")
        .unwrap()
        .bytes(signature)
        .unwrap();
    write_chain(&mut e, chain);
    out
}

fn signed(ceremony: &Ceremony) -> Vec<u8> {
    [
        &[0][..],
        &sha256(RP_ID.as_bytes()),
        &ceremony.client_data_hash(),
        &ceremony.credential.id,
        ceremony.credential.key.public_key_raw(),
    ]
    .concat()
}

#[test]
fn a_u2f_key_registers_with_one_certificate_on_p256() {
    let root = Authority::root("Maker Root");
    let policy = RegistrationPolicy {
        user_verification: UserVerification::NotRequired,
        ..RegistrationPolicy::attested(root.anchors())
    };
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(&packed_params(), &key);
    let ceremony = Ceremony::with_flags(Flags::USER_PRESENT);
    let signature = key.sign(&signed(&ceremony)).unwrap();
    let right = ceremony.object("fido-u2f", &statement(&signature, &[&leaf]));
    // The AAGUID in the authenticator data is not signed, and so it names no model.
    let registered = ceremony.register(&right, &policy).unwrap();
    assert_eq!(registered.aaguid, Aaguid::ZERO);
    assert_eq!(registered.credential.aaguid, Aaguid::ZERO);
    let only = |models| RegistrationPolicy {
        models: ModelPolicy {
            models,
            ..ModelPolicy::any()
        },
        ..policy.clone()
    };
    let claimed = ModelList::Only(vec![ModelId::Aaguid(MODEL)]);
    assert!(matches!(
        ceremony.register(&right, &only(claimed)),
        Err(RegistrationError::Model(ModelError::NotAccepted(_)))
    ));

    let two = ceremony.object("fido-u2f", &statement(&signature, &[&leaf, &root.der]));
    assert_eq!(ceremony.register_observed(&two, &policy).1, Some("8.6/2"));

    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let other = root.issue(&packed_params(), &p384);
    let object = ceremony.object("fido-u2f", &statement(&signature, &[&other]));
    assert_eq!(
        ceremony.register_observed(&object, &policy).1,
        Some("8.6/2")
    );

    let signature = key.sign(&ceremony.message()).unwrap();
    let object = ceremony.object("fido-u2f", &statement(&signature, &[&leaf]));
    assert_eq!(
        ceremony.register_observed(&object, &policy).1,
        Some("8.6/6")
    );
}

#[test]
fn a_credential_on_another_curve_is_refused() {
    let root = Authority::root("Maker Root");
    let policy = RegistrationPolicy {
        user_verification: UserVerification::NotRequired,
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es384],
        ..RegistrationPolicy::attested(root.anchors())
    };
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(&packed_params(), &key);
    let ed25519 = PublicKey::Okp {
        algorithm: Algorithm::EdDsa,
        x: &[3; 32],
    };
    let longer = Credential {
        key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        ..Credential::new()
    };
    let point = longer.key.public_key_raw().to_vec();
    let (x, y) = point[1..].split_at(48);
    let algorithm = Algorithm::Es384;
    let p384 = PublicKey::Ec2 { algorithm, x, y };
    for (credential, cose) in [(Credential::new(), ed25519), (longer, p384)] {
        let ceremony = Ceremony::with_key(credential, &cose.encode(), Flags::USER_PRESENT);
        let signature = key.sign(&signed(&ceremony)).unwrap();
        let object = ceremony.object("fido-u2f", &statement(&signature, &[&leaf]));
        assert_eq!(
            ceremony.register_observed(&object, &policy).1,
            Some("8.6/4")
        );
    }
}
