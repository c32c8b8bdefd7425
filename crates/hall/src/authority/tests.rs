use x509_parser::prelude::*;

use super::sample::{QUARTER_HOUR_MS, realm};
use super::*;
use crate::key::HallKey;
use crate::svid::Svid;

const NOW_MS: u64 = 1_800_000_000_000;

fn leaf(key: &HallKey) -> Leaf<'_> {
    Leaf {
        party: Party::Person("ada".to_owned()),
        public_key: key.public(),
        not_before_ms: NOW_MS,
        not_after_ms: NOW_MS + QUARTER_HOUR_MS,
        usage: Usage::Client,
        provenance: Some(Provenance {
            credential: "AQID".to_owned(),
            evidence: "ab".repeat(32),
        }),
    }
}

#[test]
fn a_leaf_says_what_an_svid_must_and_nothing_more() {
    let realm = realm("bank.example");
    let key = HallKey::generate().unwrap();
    let der = realm.authority.issue(&leaf(&key)).unwrap();

    let svid = Svid::read(&der).unwrap();
    assert_eq!(svid.id.to_string(), "spiffe://bank.example/person/ada");
    assert_eq!(svid.public_key, *key.public());
    assert_eq!(svid.not_before_ms, NOW_MS - SKEW_MS);
    assert_eq!(svid.not_after_ms, NOW_MS + QUARTER_HOUR_MS);
    assert_eq!(svid.provenance, leaf(&key).provenance);

    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value;
    assert_eq!(
        names.general_names,
        [GeneralName::URI("spiffe://bank.example/person/ada")]
    );
    assert!(!parsed.basic_constraints().unwrap().unwrap().value.ca);
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert!(parsed.raw_serial()[0] < 0x80);
    parsed
        .verify_signature(Some(
            X509Certificate::from_der(realm.authority.certificate())
                .unwrap()
                .1
                .public_key(),
        ))
        .unwrap();
}

#[test]
fn two_leaves_never_share_a_serial_number() {
    let realm = realm("bank.example");
    let key = HallKey::generate().unwrap();
    let serials = [(); 2].map(|()| {
        let der = realm.authority.issue(&leaf(&key)).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        parsed.raw_serial().to_vec()
    });
    assert_ne!(serials[0], serials[1]);
}

#[test]
fn the_gateway_can_be_checked_by_its_public_names_too() {
    let realm = realm("bank.example");
    let der = realm.gateway().chain.remove(0);
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value;
    assert_eq!(
        names.general_names,
        [
            GeneralName::URI("spiffe://bank.example/gateway"),
            GeneralName::DNSName("localhost"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
        ]
    );
    assert!(
        parsed
            .extended_key_usage()
            .unwrap()
            .unwrap()
            .value
            .server_auth
    );
}

#[test]
fn nothing_is_issued_for_no_time_or_for_nobody() {
    let realm = realm("bank.example");
    let key = HallKey::generate().unwrap();
    let never = Leaf {
        not_after_ms: NOW_MS,
        ..leaf(&key)
    };
    let refused = realm.authority.issue(&never);
    assert!(matches!(refused, Err(AuthorityError::Validity(..))));
    let nobody = Leaf {
        party: Party::Person("../gateway".to_owned()),
        ..leaf(&key)
    };
    let refused = realm.authority.issue(&nobody);
    assert!(matches!(refused, Err(AuthorityError::Identity(_))));
    let nowhere = Leaf {
        usage: Usage::Server {
            names: vec!["not a name".to_owned()],
        },
        ..leaf(&key)
    };
    let refused = realm.authority.issue(&nowhere);
    assert!(matches!(refused, Err(AuthorityError::Name(_))));
}

#[test]
fn an_authority_needs_its_own_key() {
    let (bank, shop) = (realm("bank.example"), realm("shop.example"));
    assert!(Authority::new(bank.authority.certificate(), &shop.key).is_err());
    assert!(Authority::new(bank.authority.certificate(), b"none").is_err());
    assert!(Authority::new(&bank.person("ada").chain[0], &bank.key).is_err());
}
