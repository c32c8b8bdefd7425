//! Certificate chains, 7.1, steps 23 and 24.

use hallway_webauthn::{
    CertificateError, Registration, RegistrationError, RegistrationPolicy, TrustAnchors,
};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyPair, date_time_ymd};

use crate::maker::{Authority, Ceremony, anchors, authority_params, packed_params};

fn register(
    key: &KeyPair,
    chain: &[&[u8]],
    anchors: TrustAnchors,
) -> Result<Registration, CertificateError> {
    let ceremony = Ceremony::new();
    let object = ceremony.packed(key, chain);
    ceremony
        .register(&object, &RegistrationPolicy::attested(anchors))
        .map_err(|error| match error {
            RegistrationError::Untrusted(why) => why,
            other => panic!("{other}"),
        })
}

struct Tower {
    root: Authority,
    middle: Authority,
    leaf: Vec<u8>,
    key: KeyPair,
}

fn tower_of(middle: CertificateParams, leaf: &CertificateParams) -> Tower {
    let root = Authority::root("Root");
    let middle = root.authority(middle);
    let key = KeyPair::generate().unwrap();
    let leaf = middle.issue(leaf, &key);
    Tower {
        root,
        middle,
        leaf,
        key,
    }
}

fn tower() -> Tower {
    tower_of(authority_params("Middle"), &packed_params())
}

#[test]
fn chains_with_and_without_their_root_are_accepted() {
    let t = tower();
    let with: [&[u8]; 3] = [&t.leaf, &t.middle.der, &t.root.der];
    assert!(register(&t.key, &with, t.root.anchors()).is_ok());
    assert!(register(&t.key, &with[..2], t.root.anchors()).is_ok());
}

#[test]
fn an_intermediate_or_the_leaf_itself_may_be_the_anchor() {
    let t = tower();
    let chain: [&[u8]; 2] = [&t.leaf, &t.middle.der];
    assert!(register(&t.key, &chain, t.middle.anchors()).is_ok());
    assert!(register(&t.key, &chain[..1], t.middle.anchors()).is_ok());
    assert!(register(&t.key, &chain[..1], anchors(&t.leaf)).is_ok());
}

#[test]
fn a_root_smuggled_into_the_chain_proves_nothing() {
    let t = tower();
    let chain: [&[u8]; 3] = [&t.leaf, &t.middle.der, &t.root.der];
    let trusted = Authority::root("Root");
    // Same name as the trusted root, other key.
    assert!(matches!(
        register(&t.key, &chain, trusted.anchors()),
        Err(CertificateError::Signature(_))
    ));
    let other = Authority::root("Another Root");
    assert!(matches!(
        register(&t.key, &chain, other.anchors()),
        Err(CertificateError::NotAnchored(_))
    ));
    assert!(matches!(
        register(&t.key, &chain, TrustAnchors::new()),
        Err(CertificateError::NotAnchored(_))
    ));
}

#[test]
fn a_gap_or_a_wrong_order_is_refused() {
    let t = tower();
    assert!(matches!(
        register(&t.key, &[&t.leaf], t.root.anchors()),
        Err(CertificateError::NotAnchored(_))
    ));
    assert!(matches!(
        register(
            &t.key,
            &[&t.leaf, &t.root.der, &t.middle.der],
            t.root.anchors()
        ),
        Err(CertificateError::WrongIssuer { .. })
    ));
}

#[test]
fn dates_are_judged_at_every_level_below_the_anchor() {
    let late = |mut params: CertificateParams| {
        params.not_before = date_time_ymd(2026, 6, 1);
        params
    };
    let old = |mut params: CertificateParams| {
        params.not_after = date_time_ymd(2025, 12, 31);
        params
    };
    for (middle, leaf) in [
        (authority_params("Middle"), late(packed_params())),
        (late(authority_params("Middle")), packed_params()),
    ] {
        let t = tower_of(middle, &leaf);
        assert!(matches!(
            register(&t.key, &[&t.leaf, &t.middle.der], t.root.anchors()),
            Err(CertificateError::NotYetValid { .. })
        ));
    }
    for (middle, leaf) in [
        (authority_params("Middle"), old(packed_params())),
        (old(authority_params("Middle")), packed_params()),
    ] {
        let t = tower_of(middle, &leaf);
        assert!(matches!(
            register(&t.key, &[&t.leaf, &t.middle.der], t.root.anchors()),
            Err(CertificateError::Expired { .. })
        ));
    }
    // A leaf that is an anchor itself still has to be in date.
    let t = tower_of(authority_params("Middle"), &old(packed_params()));
    assert!(matches!(
        register(&t.key, &[&t.leaf], anchors(&t.leaf)),
        Err(CertificateError::Expired { .. })
    ));
}

#[test]
fn path_length_is_kept() {
    let limited = |limit| {
        let mut params = authority_params("Limited");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(limit));
        params
    };
    for (limit, fits) in [(0, false), (1, true)] {
        let root = Authority::root("Root");
        let upper = root.authority(limited(limit));
        let lower = upper.authority(authority_params("Lower"));
        let key = KeyPair::generate().unwrap();
        let leaf = lower.issue(&packed_params(), &key);
        let chain: [&[u8]; 3] = [&leaf, &lower.der, &upper.der];
        let result = register(&key, &chain, root.anchors());
        if fits {
            assert!(result.is_ok());
        } else {
            assert!(matches!(result, Err(CertificateError::PathLength(_))));
        }
    }
    // The anchor's own limit counts too.
    let root = Authority::root_with(limited(0));
    let lower = root.authority(authority_params("Lower"));
    let key = KeyPair::generate().unwrap();
    let leaf = lower.issue(&packed_params(), &key);
    assert!(matches!(
        register(&key, &[&leaf, &lower.der], root.anchors()),
        Err(CertificateError::PathLength(_))
    ));
}

#[test]
fn only_authorities_issue() {
    let mut no_authority = authority_params("Middle");
    no_authority.is_ca = IsCa::ExplicitNoCa;
    let mut no_signing = authority_params("Middle");
    no_signing.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    for middle in [no_authority, no_signing] {
        let t = tower_of(middle, &packed_params());
        let chain: [&[u8]; 2] = [&t.leaf, &t.middle.der];
        assert!(matches!(
            register(&t.key, &chain, t.root.anchors()),
            Err(CertificateError::NotAuthority(_))
        ));
    }
}

#[test]
fn an_unknown_critical_extension_is_refused_anywhere() {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    let mut leaf = packed_params();
    leaf.custom_extensions.push(extension.clone());
    let t = tower_of(authority_params("Middle"), &leaf);
    assert!(register(&t.key, &[&t.leaf, &t.middle.der], t.root.anchors()).is_ok());
    extension.set_criticality(true);
    leaf.custom_extensions.push(extension.clone());
    leaf.custom_extensions.remove(1);
    let mut middle = authority_params("Middle");
    middle.custom_extensions = vec![extension];
    for (middle, leaf) in [
        (authority_params("Middle"), leaf),
        (middle, packed_params()),
    ] {
        let t = tower_of(middle, &leaf);
        assert!(matches!(
            register(&t.key, &[&t.leaf, &t.middle.der], t.root.anchors()),
            Err(CertificateError::CriticalExtension { .. })
        ));
    }
}

#[test]
fn an_extension_that_occurs_twice_is_refused() {
    let t = tower();
    let mut params = packed_params();
    let twice = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    params.custom_extensions.extend([twice.clone(), twice]);
    let leaf = t.middle.issue(&params, &t.key);
    let ceremony = Ceremony::new();
    let object = ceremony.packed(&t.key, &[&leaf, &t.middle.der]);
    let policy = RegistrationPolicy::attested(t.root.anchors());
    let error = ceremony.register(&object, &policy).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

#[test]
fn long_chains_are_refused_unread() {
    let t = tower();
    let chain: Vec<&[u8]> = std::iter::repeat_n(&t.leaf[..], 9).collect();
    let ceremony = Ceremony::new();
    let object = ceremony.packed(&t.key, &chain);
    let policy = RegistrationPolicy::attested(t.root.anchors());
    let error = ceremony.register(&object, &policy).unwrap_err();
    assert!(error.to_string().contains("1 to 8"), "{error}");
}
