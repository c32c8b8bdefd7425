//! Apple anonymous attestation, 8.8.

use hallway_webauthn::{AttestationError, RegistrationError, RegistrationPolicy};
use minicbor::Encoder;
use rcgen::{CustomExtension, KeyPair};

use crate::maker::{Authority, Ceremony, Credential, der, sha256, valid_params, write_chain};

fn statement(chain: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.map(1).unwrap();
    write_chain(&mut e, chain);
    out
}

fn leaf(root: &Authority, nonce: &[u8], key: &KeyPair) -> Vec<u8> {
    let content = der(0x30, &der(0xa1, &der(0x04, nonce)));
    let mut params = valid_params();
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 2, 840, 113635, 100, 8, 2],
        content,
    )];
    root.issue(&params, key)
}

#[test]
fn the_nonce_and_the_key_must_be_this_registration_s() {
    let root = Authority::root("Apple");
    let policy = RegistrationPolicy::attested(root.anchors());
    let ceremony = Ceremony::new();
    let nonce = sha256(&ceremony.message());
    let register = |leaf: &[u8]| {
        let object = ceremony.object("apple", &statement(&[leaf]));
        ceremony.register_observed(&object, &policy)
    };
    let right = leaf(&root, &nonce, &ceremony.credential.key);
    assert!(register(&right).0.is_ok());

    let wrong = leaf(&root, &sha256(b"another"), &ceremony.credential.key);
    let (result, failed) = register(&wrong);
    assert_eq!(
        result,
        Err(RegistrationError::Attestation(AttestationError::Nonce))
    );
    assert_eq!(failed, Some("8.8/4"));

    let empty = leaf(&root, b"", &ceremony.credential.key);
    assert_eq!(register(&empty).1, Some("8.8/4"));

    let without = root.issue(&valid_params(), &ceremony.credential.key);
    assert_eq!(register(&without).1, Some("8.8/4"));

    let other = leaf(&root, &nonce, &Credential::new().key);
    assert_eq!(register(&other).1, Some("8.8/5"));
}
