//! Compound attestation, 8.9.

use hallway_ctap::cose::Algorithm;
use hallway_webauthn::{
    AttestationKind, CompoundStatements, Format, RegistrationError, RegistrationPolicy,
};
use minicbor::Encoder;
use rcgen::{KeyPair, SigningKey};

use crate::maker::{Authority, Ceremony, packed_params, packed_statement};

fn compound(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.array(parts.len() as u64).unwrap();
    for (format, statement) in parts {
        e.map(2).unwrap().str("fmt").unwrap().str(format).unwrap();
        e.str("attStmt").unwrap();
        e.writer_mut().extend_from_slice(statement);
    }
    out
}

#[test]
fn the_part_that_the_policy_accepts_counts() {
    let root = Authority::root("Maker Root");
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(&packed_params(), &key);
    let ceremony = Ceremony::new();
    let sign = |key: &KeyPair| key.sign(&ceremony.message()).unwrap();
    let own = packed_statement(Algorithm::Es256, &sign(&ceremony.credential.key), &[]);
    let certified = packed_statement(Algorithm::Es256, &sign(&key), &[&leaf]);
    let broken = packed_statement(Algorithm::Es256, &sign(&key), &[]);
    let strict = RegistrationPolicy::attested(root.anchors());

    let both = compound(&[("packed", &own), ("packed", &certified)]);
    let object = ceremony.object("compound", &both);
    let registration = ceremony.register(&object, &strict).unwrap();
    assert_eq!(
        registration.attestation.parts,
        [Format::Packed, Format::Packed]
    );
    assert!(matches!(
        registration.attestation.kind,
        AttestationKind::Certified(_)
    ));

    let neither = compound(&[("packed", &own), ("none", &[0xa0])]);
    let object = ceremony.object("compound", &neither);
    let refused = ceremony.register(&object, &strict);
    assert!(matches!(refused, Err(RegistrationError::Trust { .. })));

    let one_broken = compound(&[("packed", &broken), ("packed", &certified)]);
    let object = ceremony.object("compound", &one_broken);
    assert!(ceremony.register(&object, &strict).is_err());
    let lenient = RegistrationPolicy {
        compound: CompoundStatements::AtLeastOne,
        ..strict.clone()
    };
    assert!(ceremony.register(&object, &lenient).is_ok());
    let all_broken = compound(&[("packed", &broken), ("packed", &broken)]);
    let object = ceremony.object("compound", &all_broken);
    assert!(ceremony.register(&object, &lenient).is_err());
}

#[test]
fn one_statement_nested_ones_and_floods_are_refused() {
    let ceremony = Ceremony::new();
    let person = RegistrationPolicy::person();
    let none: (&str, &[u8]) = ("none", &[0xa0]);
    let inner = compound(&[none, none]);
    for parts in [
        vec![],
        vec![none],
        vec![none; 9],
        vec![none, ("compound", &inner)],
        vec![none, ("unknown", &[0xa0])],
    ] {
        let object = ceremony.object("compound", &compound(&parts));
        assert!(ceremony.register(&object, &person).is_err());
    }
    let two = ceremony.object("compound", &compound(&[none, none]));
    assert!(ceremony.register(&two, &person).is_ok());
}
