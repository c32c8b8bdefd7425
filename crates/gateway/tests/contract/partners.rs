//! Partners: other realms that are joined with this one.

use hallway_door_hall::store::{
    BundleState, EndedBy, GuestId, Hall, HallGuest, HallTables, Learned, MAX_PARTNERS, Partner,
    PartnerState, PartnerWitness, VisitorId,
};
use hallway_evidence::Timestamp;
use hallway_evidence::log::VerifierKey;
use hallway_evidence::statement::hall::Needs;
use hallway_spine::store::{EvidenceHash, Person, Role, Store, StoreError};

use crate::database::Database;
use crate::sample::{at, hash32, person, token};

pub(crate) fn partner(realm: &str, by: &Person) -> Partner {
    Partner {
        realm: realm.parse().unwrap(),
        origin: format!("https://gate.{realm}").parse().unwrap(),
        state: PartnerState::Invited,
        log: VerifierKey::new(&format!("{realm}/log"), hash32()).unwrap(),
        pins: vec![hash32(), hash32()],
        pact: token(),
        sealed_token: Some(vec![7; 80]),
        expires: at(9_000),
        invited: None,
        hall: None,
        witness: None,
        bundle: None,
        checked: None,
        problem: None,
        next_attempt: at(1_000),
        made_by: by.id,
        made: at(1_000),
        joined: None,
        ended: None,
        told: None,
        evidence: EvidenceHash(hash32()),
    }
}

fn learned(sequence: Option<u64>, fetched: Timestamp) -> Learned {
    let state = BundleState {
        sha256: hash32(),
        sequence,
        refresh_s: Some(300),
        fetched,
    };
    Learned {
        bundle: (state, b"{}".to_vec()),
        hall: Some("gate.b.example:8443".parse().unwrap()),
        witness: Some(PartnerWitness {
            key: "b.example/witness+1+x".to_owned(),
            url: "https://gate.b.example/witness".to_owned(),
        }),
    }
}

async fn with_owner(database: &Database) -> (Store, Person) {
    let store = database.store().await;
    let emily = person(Role::Owner);
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.save().await.unwrap();
    (store, emily)
}

pub(crate) async fn invitations_that_cross_are_one_pact(database: &Database) {
    let (store, emily) = with_owner(database).await;
    let ours = partner("b.example", &emily);
    let theirs = Partner {
        state: PartnerState::Joining,
        ..partner("b.example", &emily)
    };
    let (realm, token) = (&ours.realm, &ours.pact);
    let unit = store.begin().await.unwrap();
    let partners = unit.partners();
    partners.begin(&ours).await.unwrap();
    let cross = |token| partners.join_crossed(realm, token, at(2_000), at(9_000));
    assert!(!cross(token).await.unwrap(), "nothing was accepted yet");
    // Theirs is accepted, and once more by another link of theirs.
    for _ in 0..2 {
        partners.begin(&theirs).await.unwrap();
    }
    let waits = partners.get(realm).await.unwrap().unwrap();
    assert_eq!(waits.pact, theirs.pact);
    assert_eq!(waits.invited, Some((*token, ours.expires)));
    assert!(!cross(&theirs.pact).await.unwrap());
    assert!(cross(token).await.unwrap());
    let joined = partners.get(realm).await.unwrap().unwrap();
    assert_eq!((joined.state, joined.pact), (PartnerState::Active, *token));
    assert_eq!((joined.invited, joined.sealed_token), (None, None));
    // What was under way for the other one changes nothing.
    assert!(
        !partners
            .join(realm, &theirs.pact, at(3_000), at(9_000))
            .await
            .unwrap()
    );
    assert!(
        !partners
            .end(realm, &theirs.pact, EndedBy::Them, at(3_000))
            .await
            .unwrap()
    );
}

pub(crate) async fn a_partnership_has_one_life(database: &Database) {
    let (store, emily) = with_owner(database).await;
    let first = partner("b.example", &emily);
    let (realm, pact) = (&first.realm, &first.pact);
    let unit = store.begin().await.unwrap();
    let partners = unit.partners();
    partners.begin(&first).await.unwrap();
    assert_eq!(partners.get(realm).await.unwrap(), Some(first.clone()));
    assert!(
        !partners
            .join(realm, &token(), at(2_000), at(9_000))
            .await
            .unwrap()
    );
    assert!(
        partners
            .join(realm, pact, at(2_000), at(9_000))
            .await
            .unwrap()
    );
    // The answer was lost, so it is asked again: nothing changes.
    assert!(
        partners
            .join(realm, pact, at(3_000), at(9_000))
            .await
            .unwrap()
    );
    let joined = partners.get(realm).await.unwrap().unwrap();
    assert_eq!(joined.state, PartnerState::Active);
    assert_eq!(
        (joined.joined, joined.sealed_token),
        (Some(at(2_000)), None)
    );

    let again = partner("b.example", &emily);
    let begun = partners.begin(&again).await;
    assert!(matches!(begun, Err(StoreError::Exists { .. })), "{begun:?}");

    let end = |pact| partners.end(realm, pact, EndedBy::Us, at(4_000));
    assert!(!end(&again.pact).await.unwrap());
    assert!(end(pact).await.unwrap());
    assert!(!end(pact).await.unwrap());
    assert!(
        !partners
            .join(realm, pact, at(5_000), at(9_000))
            .await
            .unwrap()
    );
    let ended = partners.get(realm).await.unwrap().unwrap();
    assert_eq!(ended.ended, Some((at(4_000), EndedBy::Us)));
    assert_eq!(ended.told, None);
    assert!(partners.told(realm, pact, at(5_000)).await.unwrap());

    // A later partnership takes its place, and what was begun for the earlier one changes nothing.
    partners.begin(&again).await.unwrap();
    assert!(!partners.told(realm, pact, at(6_000)).await.unwrap());
    assert!(!end(pact).await.unwrap());
    assert_eq!(partners.all().await.unwrap(), [again]);
    unit.cancel().await.unwrap();
}

pub(crate) async fn a_bundle_never_goes_back(database: &Database) {
    let (store, emily) = with_owner(database).await;
    let beta = partner("b.example", &emily);
    let (realm, pact) = (&beta.realm, &beta.pact);
    let unit = store.begin().await.unwrap();
    let partners = unit.partners();
    partners.begin(&beta).await.unwrap();
    assert_eq!(partners.bundle(realm).await.unwrap(), None);
    let second = learned(Some(2), at(2_000));
    assert!(!partners.learn(realm, &token(), &second).await.unwrap());
    assert!(partners.learn(realm, pact, &second).await.unwrap());
    for older in [Some(1), None] {
        let refused = partners
            .learn(realm, pact, &learned(older, at(3_000)))
            .await;
        assert!(
            matches!(refused, Err(StoreError::OlderBundle { .. })),
            "{refused:?}"
        );
    }
    let known = partners.get(realm).await.unwrap().unwrap();
    assert_eq!(known.bundle, Some(second.bundle.0.clone()));
    assert_eq!(known.hall, second.hall);

    // What is known as the witness stays, whatever is said later.
    let mut third = learned(Some(3), at(4_000));
    third.witness.as_mut().unwrap().key = "b.example/witness+2+y".to_owned();
    assert!(partners.learn(realm, pact, &third).await.unwrap());
    let known = partners.get(realm).await.unwrap().unwrap();
    assert_eq!(known.witness, second.witness);
    assert_eq!(partners.bundle(realm).await.unwrap(), Some(b"{}".to_vec()));

    // A new partnership begins without what the old one knew.
    partners.begin(&partner("b.example", &emily)).await.unwrap();
    assert_eq!(partners.bundle(realm).await.unwrap(), None);
    unit.cancel().await.unwrap();
}

pub(crate) async fn one_gateway_looks_at_a_partner_at_a_time(database: &Database) {
    let (store, emily) = with_owner(database).await;
    let other = database.store().await;
    let beta = partner("b.example", &emily);
    let unit = store.begin().await.unwrap();
    unit.partners().begin(&beta).await.unwrap();
    unit.save().await.unwrap();

    let take = async |store: &Store, now, until| {
        let unit = store.begin().await.unwrap();
        let taken = unit.partners().take_turn(&beta.realm, now, until).await;
        unit.save().await.unwrap();
        taken.unwrap()
    };
    assert!(!take(&store, at(999), at(2_000)).await);
    assert!(take(&store, at(1_000), at(2_000)).await);
    assert!(!take(&other, at(1_500), at(2_500)).await);
    assert!(take(&other, at(2_000), at(3_000)).await);

    let unit = store.begin().await.unwrap();
    let partners = unit.partners();
    let other_pact = token();
    let note = |pact| partners.note_attempt(&beta.realm, pact, at(2_500), Some("away"), at(9_000));
    assert!(!note(&other_pact).await.unwrap());
    assert!(note(&beta.pact).await.unwrap());
    let known = partners.get(&beta.realm).await.unwrap().unwrap();
    assert_eq!(known.problem.as_deref(), Some("away"));
    assert_eq!(known.next_attempt, at(9_000));
    unit.cancel().await.unwrap();
}

pub(crate) async fn partners_are_bounded(database: &Database) {
    let (store, emily) = with_owner(database).await;
    let unit = store.begin().await.unwrap();
    let partners = unit.partners();
    for number in 0..MAX_PARTNERS {
        let next = partner(&format!("b{number}.example"), &emily);
        partners.begin(&next).await.unwrap();
    }
    let more = partner("more.example", &emily);
    let refused = partners.begin(&more).await;
    assert!(matches!(refused, Err(StoreError::TooMany { .. })));
    let first = partners.all().await.unwrap().remove(0);
    partners
        .end(&first.realm, &first.pact, EndedBy::Us, at(2_000))
        .await
        .unwrap();
    partners.begin(&more).await.unwrap();
    unit.cancel().await.unwrap();
}

pub(crate) async fn an_admission_counts_for_one_realm_alone(database: &Database) {
    let (store, emily) = with_owner(database).await;
    let lab = Hall {
        name: "lab".parse().unwrap(),
        title: "The laboratory".to_owned(),
        created_by: emily.id,
        created: at(1_000),
        evidence: EvidenceHash(hash32()),
    };
    // In SQL's LIKE the underscore stands for any character.
    let (beta, other) = (
        "b_a.example".parse().unwrap(),
        "bxa.example".parse().unwrap(),
    );
    let admit = |guest| HallGuest {
        hall: lab.name.clone(),
        guest,
        rights: vec!["read:data".parse().unwrap()].try_into().unwrap(),
        needs: Needs::default(),
        admitted: at(2_000),
        evidence: EvidenceHash(hash32()),
    };
    let person = hallway_evidence::PersonId::generate();
    let operators = admit(GuestId::Visitor(beta, VisitorId::Role(Role::Operator)));
    let one = admit(GuestId::Visitor(other, VisitorId::Person(person)));
    let own = admit(GuestId::Role(Role::Member));
    let unit = store.begin().await.unwrap();
    unit.halls().add(&lab).await.unwrap();
    for guest in [&operators, &one, &own] {
        unit.halls().admit(guest).await.unwrap();
    }
    let (beta, other) = (
        "b_a.example".parse().unwrap(),
        "bxa.example".parse().unwrap(),
    );
    let halls = unit.halls();
    let of = |realm, role| halls.admissions_of_visitor(realm, person, role);
    let found = of(&beta, Role::Owner).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&operators));
    assert!(of(&beta, Role::Member).await.unwrap().is_empty());
    let found = of(&other, Role::Member).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&one));
    // A person of the realm itself has what the realm gives, whatever a partner calls theirs.
    let own_rights = halls.admissions(person, Role::Owner).await.unwrap();
    assert_eq!(own_rights, [own]);
    assert_eq!(halls.shared_with(&beta).await.unwrap(), [operators]);
    assert_eq!(halls.dismiss_realm(&beta).await.unwrap(), 1);
    assert!(halls.shared_with(&beta).await.unwrap().is_empty());
    assert_eq!(halls.shared_with(&other).await.unwrap(), [one]);
    unit.cancel().await.unwrap();
}
