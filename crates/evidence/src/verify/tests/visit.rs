//! Evidence that a visitor shows to the host of a hall.

use core::time::Duration;

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::Flags;

use super::PAYLOAD;
use super::realm::{Key, OWNER, Story, line, log, log_key, play, statement};
use crate::bundle::Bundle;
use crate::id::PersonId;
use crate::log::{Checkpoint, CosigningKey, SigningKey, TlogProof};
use crate::receipt::Receipt;
use crate::statement::hall::{Open, P256PublicKey, Right, Rights};
use crate::statement::people::Role;
use crate::statement::web::{Reason, RegisterKey};
use crate::timestamp::Timestamp;
use crate::trust::TrustFile;
use crate::verify::{Door, UncheckedVisit, Visit, visit};

const HOME: &str = "gate.example";
const STRANGER: PersonId = PersonId::from_bytes([2; 16]);
const HOUR: Duration = Duration::from_secs(3600);

fn allowed() -> Vec<Right> {
    ["read:data", "connect:db"]
        .map(|right| right.parse().unwrap())
        .to_vec()
}

fn ephemeral() -> P256PublicKey {
    let pair = rcgen::KeyPair::generate().unwrap();
    P256PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&pair)).unwrap()
}

fn key(id: &[u8]) -> Key {
    let flags = Flags::USER_PRESENT | Flags::USER_VERIFIED;
    Key::new(id, flags, Aaguid::ZERO)
}

/// Somebody's visit, as it ought to be.
struct Visitor {
    bundle: Bundle,
    key: P256PublicKey,
    trust: TrustFile,
}

fn opening(key: P256PublicKey) -> Open {
    Open {
        host: "alpha.example".parse().unwrap(),
        hall: "lab".parse().unwrap(),
        person: OWNER,
        name: line("Emily"),
        role: Some(Role::Member),
        rights: Rights::parse(["read:data"]).unwrap(),
        duration_ms: 3_600_000,
        public_key: Some(key),
    }
}

/// Logs the registration of `registered`'s key and the opening that `signer` signed.
fn logged(registered: (&Key, PersonId), signer: &Key, open: Open, realm: &str) -> [Receipt; 2] {
    let register = statement(
        HOME,
        RegisterKey {
            person: registered.1,
            name: line("Emily"),
            role: Role::Member,
            label: line("Desk"),
            reason: Reason::Setup,
            link: [10; 32],
            authorised_by: None,
        },
    );
    let open = statement(realm, open);
    let receipts = log(vec![
        registered.0.register(&register, None),
        signer.assert(&open),
    ]);
    [receipts[1].clone(), receipts[0].clone()]
}

fn witness() -> CosigningKey {
    CosigningKey::from_seed("alpha.example/witness", &[8; 32]).unwrap()
}

/// The receipt on a checkpoint that the host cosigned.
fn witnessed(receipt: Receipt) -> Receipt {
    let head = Checkpoint::open(receipt.proof.checkpoint(), &log_key().verifier()).unwrap();
    let line = witness().cosign(&head, Timestamp::from_ms(1_795_000_000_000));
    let proof = TlogProof::parse(&format!("{}{line}", receipt.proof)).unwrap();
    Receipt { proof, ..receipt }
}

impl Visitor {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// With an opening that `change` altered.
    fn with(change: impl FnOnce(&mut Open)) -> Self {
        let (emily, ephemeral) = (key(b"emily's key"), ephemeral());
        let mut open = opening(ephemeral);
        change(&mut open);
        Self::of(logged((&emily, OWNER), &emily, open, HOME), ephemeral)
    }

    fn of(receipts: [Receipt; 2], key: P256PublicKey) -> Self {
        let (_, mut trust) = play(&Story::default(), PAYLOAD);
        trust.witnesses = vec![witness().cosigner().clone()];
        Self {
            bundle: Bundle::as_they_stand(receipts.map(witnessed)),
            key,
            trust,
        }
    }

    /// Arrives at the door of alpha.example; `change` alters what the host knows of it.
    fn arrive(&self, change: impl FnOnce(&mut Door<'_>)) -> Result<Visit, (String, String)> {
        let (host, allowed) = ("alpha.example".parse().unwrap(), allowed());
        let mut door = Door {
            host: &host,
            person: OWNER,
            public_key: &self.key,
            evidence: self.bundle.subject().evidence.hash(),
            allowed: &allowed,
            longest: HOUR,
            now: Timestamp::from(std::time::SystemTime::now()),
        };
        change(&mut door);
        visit(&self.bundle, &self.trust, &door).map_err(|report| {
            let failure = report.failure.unwrap();
            (failure.step, failure.what)
        })
    }

    fn refused(&self, step: &str, words: &str) {
        let (failed, what) = self.arrive(|_| {}).unwrap_err();
        assert_eq!(failed, step, "{what}");
        assert!(what.contains(words), "{what}");
    }
}

#[test]
fn a_visitor_is_let_in_by_the_evidence_alone() {
    let visitor = Visitor::new();
    let visit = visitor.arrive(|_| {}).unwrap();
    assert_eq!(visit.open.person, OWNER);
    assert_eq!(visit.role, Role::Member);
    assert_eq!(visit.evidence, visitor.bundle.subject().evidence);
    let latest = visit.evidence.accepted.plus(HOUR);
    assert!(visit.ends <= latest);
    let registered = &visitor.bundle.to_vec()[1].evidence.signed.credential_id;
    assert_eq!(visit.registration.credential.id, registered.as_bytes());
    let said = UncheckedVisit::read(&visitor.bundle).unwrap();
    assert_eq!((said.person, said.role), (OWNER, Role::Member));
    assert_eq!(said.hall.as_str(), "lab");
}

#[test]
fn a_visit_never_lasts_longer_than_signed_by_either_clock() {
    let visitor = Visitor::new();
    let accepted = visitor.bundle.subject().evidence.accepted;
    let at = |now: Timestamp| visitor.arrive(|door| door.now = now).unwrap().ends;
    let minute = Duration::from_secs(60);
    assert_eq!(at(accepted.plus(minute)), accepted.plus(HOUR));
    let behind = Timestamp::from_ms(accepted.as_ms() - 60_000);
    assert_eq!(at(behind), behind.plus(HOUR));
}

#[test]
fn an_opening_for_another_door_is_refused() {
    for (visitor, step, words) in [
        (
            Visitor::with(|open| open.host = "other.example".parse().unwrap()),
            "visit.2",
            "other.example",
        ),
        (
            Visitor::with(|open| open.rights = Rights::parse(["read:data", "write:data"]).unwrap()),
            "visit.6",
            "write:data is not allowed",
        ),
        (
            Visitor::with(|open| open.duration_ms += 1),
            "visit.7",
            "3600001",
        ),
        (
            Visitor::with(|open| open.duration_ms = 0),
            "visit.7",
            "for 0",
        ),
        (
            Visitor::with(|open| open.public_key = None),
            "visit.4",
            "browser",
        ),
        (
            Visitor::with(|open| open.public_key = Some(ephemeral())),
            "visit.4",
            "another key",
        ),
        (Visitor::with(|open| open.role = None), "chain.4", "role"),
        (
            Visitor::with(|open| {
                open.host = HOME.parse().unwrap();
                open.role = None;
            }),
            "visit.1",
            "role",
        ),
    ] {
        visitor.refused(step, words);
    }
}

#[test]
fn the_person_at_the_door_has_to_be_the_signer() {
    let mut visitor = Visitor::new();
    let refused = |change: &dyn Fn(&mut Door<'_>)| {
        let (step, _) = visitor.arrive(|door| change(door)).unwrap_err();
        step
    };
    assert_eq!(refused(&|door| door.person = STRANGER), "visit.3");
    assert_eq!(refused(&|door| door.evidence = [0; 32]), "visit.5");
    assert_eq!(refused(&|door| door.allowed = &[]), "visit.6");
    visitor.key = ephemeral();
    visitor.refused("visit.4", "another key");
}

#[test]
fn a_stale_or_future_opening_opens_nothing() {
    let visitor = Visitor::new();
    let at = |change: &dyn Fn(Timestamp) -> Timestamp| {
        visitor.arrive(|door| door.now = change(door.now))
    };
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert!(at(&|now| now.plus(minutes(9))).is_ok());
    let (step, what) = at(&|now| now.plus(minutes(11))).unwrap_err();
    assert_eq!(step, "visit.8", "{what}");
    let (step, what) = at(&|now| Timestamp::from_ms(now.as_ms() - 180_000)).unwrap_err();
    assert_eq!(step, "visit.8", "{what}");
    assert!(what.contains("clocks"), "{what}");
}

#[test]
fn only_the_partners_own_log_and_realm_count() {
    let mut visitor = Visitor::new();
    // The same name, another key.
    visitor.trust.log = SigningKey::from_seed(log_key().name(), &[6; 32])
        .unwrap()
        .verifier();
    visitor.refused("log.1", "no signature by gate.example/log");

    let mut visitor = Visitor::new();
    visitor.trust.realm = line("beta.example");
    visitor.refused("statement.2", "beta.example");
    let mut visitor = Visitor::new();
    visitor.trust.origins = vec!["https://evil.example".into()];
    assert!(visitor.arrive(|_| {}).is_err());

    // A statement for another realm that this realm's log holds.
    let (emily, ephemeral) = (key(b"emily's key"), ephemeral());
    let elsewhere = logged((&emily, OWNER), &emily, opening(ephemeral), "other.example");
    Visitor::of(elsewhere, ephemeral).refused("statement.2", "other.example");
}

#[test]
fn the_key_that_signed_has_to_be_the_visitors() {
    let (emily, ephemeral) = (key(b"emily's key"), ephemeral());
    // Registered for somebody else.
    let others = logged((&emily, STRANGER), &emily, opening(ephemeral), HOME);
    Visitor::of(others, ephemeral).refused("chain.3", "the key that signed is Emily’s");
    // Another credential signed.
    let other = logged((&emily, OWNER), &key(b"another"), opening(ephemeral), HOME);
    Visitor::of(other, ephemeral).refused("bundle.1", "does not rest on receipt 2");
    // The same credential id, another private key: the signature does not verify.
    let forged = logged(
        (&emily, OWNER),
        &key(b"emily's key"),
        opening(ephemeral),
        HOME,
    );
    Visitor::of(forged, ephemeral).refused("7.2.21", "");
}

#[test]
fn receipts_can_neither_be_altered_nor_left_out_nor_added() {
    let changed = |change: fn(&mut Vec<Receipt>)| {
        let mut visitor = Visitor::new();
        let mut receipts = visitor.bundle.to_vec();
        change(&mut receipts);
        visitor.bundle = Bundle::as_they_stand(receipts);
        visitor
    };
    changed(|receipts| receipts[1].evidence.accepted = Timestamp::from_ms(1))
        .refused("log.2", "changed");
    changed(|receipts| receipts.truncate(1)).refused("visit.1", "1 receipts");
    changed(|receipts| receipts.push(receipts[1].clone())).refused("visit.1", "3 receipts");
    // The registration of another visit to the same realm.
    let mixed = changed(|receipts| receipts[1] = Visitor::new().bundle.to_vec()[1].clone());
    assert!(mixed.arrive(|_| {}).is_err());
    let visitor = changed(|receipts| receipts.swap(0, 1));
    assert!(UncheckedVisit::read(&visitor.bundle).is_err());
    visitor.refused("bundle.1", "does not rest on receipt 2");
}

#[test]
fn a_log_that_the_host_did_not_see_lets_nobody_in() {
    let visitor = Visitor::new();
    for at in [0, 1] {
        let mut unseen = Visitor::new();
        unseen.key = visitor.key;
        let mut receipts = visitor.bundle.to_vec();
        let proof = receipts[at].proof.to_string();
        let (unsigned, _) = proof.split_at(proof.rfind("— alpha.example/witness").unwrap());
        receipts[at].proof = TlogProof::parse(unsigned).unwrap();
        unseen.bundle = Bundle::as_they_stand(receipts);
        let (step, what) = unseen.arrive(|_| {}).unwrap_err();
        assert_eq!(step, "visit.9");
        assert!(what.contains(&format!("receipt {}", at + 1)), "{what}");
    }
    // Another witness's word is not the host's.
    let mut elsewhere = visitor;
    elsewhere.trust.former_witnesses = core::mem::take(&mut elsewhere.trust.witnesses);
    assert_eq!(elsewhere.arrive(|_| {}).unwrap_err().0, "visit.9");
}
