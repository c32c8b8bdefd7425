//! Evidence that opened a hall.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::Flags;

use super::realm::{Key, OWNER, Story, line, log, play, statement};
use super::{PAYLOAD, failure_of};
use crate::bundle::Bundle;
use crate::id::PersonId;
use crate::statement::hall::{Open, P256PublicKey};
use crate::statement::people::Role;
use crate::statement::web::{Reason, RegisterKey};
use crate::verify::{self, Chain};

/// The owner signs that `let_in` enters, with `certificate_key` if there is one.
fn opened(let_in: PersonId, certificate_key: Option<P256PublicKey>) -> Bundle {
    let key = Key::new(
        b"emily's key",
        Flags::USER_PRESENT | Flags::USER_VERIFIED,
        Aaguid::ZERO,
    );
    let register = statement(
        "gate.example",
        RegisterKey {
            person: OWNER,
            name: line("Emily"),
            role: Role::Owner,
            label: line("Desk"),
            reason: Reason::Setup,
            link: [10; 32],
            authorised_by: None,
        },
    );
    let open = statement(
        "gate.example",
        Open {
            host: "gate.example".parse().unwrap(),
            hall: "backups".parse().unwrap(),
            person: let_in,
            name: line(if let_in == OWNER { "Emily" } else { "Boris" }),
            role: None,
            rights: vec!["read:data".parse().unwrap()].try_into().unwrap(),
            duration_ms: 3_600_000,
            public_key: certificate_key,
        },
    );
    let logged = log(vec![key.register(&register, None), key.assert(&open)]);
    Bundle::of(logged[1].clone(), [logged[0].clone()]).unwrap()
}

fn trust() -> crate::trust::TrustFile {
    play(&Story::default(), PAYLOAD).1
}

#[test]
fn an_opening_can_be_checked_by_the_other_party_alone() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let der = rcgen::PublicKeyData::subject_public_key_info(&pair);
    let key = P256PublicKey::from_der(&der).unwrap();
    let report = verify::bundle(&opened(OWNER, Some(key)), None, &trust(), Chain::ToSetUp);
    assert_eq!(report.failure, None);
    let text = report.conclusion.unwrap().sentences.join("\n");
    let fingerprint = hex::encode(key.sha256());
    assert!(
        text.contains(&format!(
            "SHA-256 {fingerprint} is Emily for the hall “backups” of gate.example."
        )),
        "{text}"
    );

    let report = verify::bundle(&opened(OWNER, None), None, &trust(), Chain::ToSetUp);
    let text = report.conclusion.unwrap().sentences.join("\n");
    assert!(
        text.contains("No other party can check which browser that was"),
        "{text}"
    );
}

#[test]
fn nobody_lets_somebody_else_in() {
    let other = PersonId::from_bytes([2; 16]);
    let report = verify::bundle(&opened(other, None), None, &trust(), Chain::ToSetUp);
    let (_, step, what) = failure_of(&report);
    assert_eq!(step, "chain.3");
    assert_eq!(what, "it lets Boris in, but the key that signed is Emily’s");
}
