//! Grants across realms: of our people in partners' halls, and of partners' people in ours.

use hallway_door_hall::store::{
    Approval, End, EndCause, Given, Grant, GrantFilter, GrantHolder, GrantKind, GrantState,
    GrantsOf, HallTables, Visit, Visitor,
};
use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof};
use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_evidence::{
    Bundle, CredentialId, Evidence, GrantId, PersonId, RealmName, Receipt, Response,
    SignedStatement,
};
use hallway_spine::store::connect::{self, Address};
use hallway_spine::store::{EvidenceHash, PageRequest, Role, Store, StoreError, migration};
use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::Query;

use crate::database::Database;
use crate::sample::{at, hash32, person};

fn lab() -> HallName {
    "lab".parse().unwrap()
}

fn grant(kind: GrantKind, person: PersonId) -> Grant {
    Grant {
        id: GrantId::generate(),
        kind,
        hall: lab(),
        person,
        credential: CredentialId::new(hash32()).unwrap(),
        rights: Rights::parse(["read:data"]).unwrap(),
        holder: GrantHolder::Key(hash32()),
        opened: at(1_000),
        ends: at(10_000),
        ended: None,
        evidence: EvidenceHash(hash32()),
        address: "192.0.2.1".to_owned(),
        approval: None,
    }
}

fn away() -> GrantKind {
    GrantKind::Away {
        host: "alpha.example".parse().unwrap(),
        role: Role::Member,
        told: None,
    }
}

fn visitor(home: &str) -> GrantKind {
    GrantKind::Visitor(Visitor {
        home: home.parse().unwrap(),
        name: "Boris".to_owned(),
        role: Role::Operator,
        vouched: at(2_000),
    })
}

async fn keep(store: &Store, grants: &[&Grant]) {
    let unit = store.begin().await.unwrap();
    for grant in grants {
        unit.grants().add(grant).await.unwrap();
    }
    unit.save().await.unwrap();
}

pub(crate) async fn a_grant_elsewhere_is_none_of_a_hall_here(database: &Database) {
    let store = database.store().await;
    let emily = person(Role::Member);
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.save().await.unwrap();
    let (own, abroad) = (grant(GrantKind::Own, emily.id), grant(away(), emily.id));
    keep(&store, &[&own, &abroad]).await;

    let grants = store.read().grants();
    assert_eq!(grants.get(abroad.id).await.unwrap(), Some(abroad.clone()));
    let all = PageRequest::default();
    let of_hall = grants.page(&GrantFilter::Hall(lab()), &all).await.unwrap();
    assert_eq!(of_hall.items, std::slice::from_ref(&own));
    let hers = grants.page(&GrantFilter::Person(emily.id), &all).await;
    assert_eq!(hers.unwrap().items.len(), 2);

    // The host is told once.
    let untold = grants.away(at(5_000), &all).await.unwrap().items;
    assert_eq!(untold, std::slice::from_ref(&abroad));
    assert!(
        grants
            .away(at(10_000), &all)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let unit = store.begin().await.unwrap();
    unit.grants().note_told(abroad.id, at(6_000)).await.unwrap();
    unit.save().await.unwrap();
    assert!(grants.away(at(5_000), &all).await.unwrap().items.is_empty());
    let told = grants.get(abroad.id).await.unwrap().unwrap();
    assert!(matches!(told.kind, GrantKind::Away { told: Some(when), .. } if when == at(6_000)));
}

pub(crate) async fn a_visitors_grant_ends_when_home_says_so(database: &Database) {
    let store = database.store().await;
    // Nobody of this realm, and the same id in two others.
    let id = PersonId::generate();
    let of_beta = grant(visitor("beta.example"), id);
    let same_evidence = Grant {
        evidence: of_beta.evidence,
        ..grant(visitor("gamma.example"), id)
    };
    keep(&store, &[&of_beta, &same_evidence]).await;
    let grants = store.read().grants();
    assert_eq!(grants.get(of_beta.id).await.unwrap(), Some(of_beta.clone()));
    let all = PageRequest::default();
    let none = grants.page(&GrantFilter::Person(id), &all).await;
    assert!(
        none.unwrap().items.is_empty(),
        "a visitor is nobody's person here"
    );
    let here = grants.page(&GrantFilter::Hall(lab()), &all).await;
    assert_eq!(here.unwrap().items.len(), 2);

    let unit = store.begin().await.unwrap();
    unit.grants().vouch(of_beta.id, at(3_000)).await.unwrap();
    unit.grants().vouch(of_beta.id, at(2_500)).await.unwrap();
    unit.save().await.unwrap();
    let vouched = |grant: Grant| match grant.kind {
        GrantKind::Visitor(visitor) => visitor.vouched,
        other => panic!("{other:?}"),
    };
    let kept = grants.get(of_beta.id).await.unwrap().unwrap();
    assert_eq!(vouched(kept), at(3_000), "it never goes back");

    let beta = "beta.example".parse().unwrap();
    let unit = store.begin().await.unwrap();
    let ended = async |hash: EvidenceHash| {
        unit.grants()
            .end_visits(&beta, &[hash], at(4_000))
            .await
            .unwrap()
    };
    assert_eq!(ended(EvidenceHash(hash32())).await, 0);
    assert_eq!(ended(of_beta.evidence).await, 1);
    assert_eq!(ended(of_beta.evidence).await, 0);
    unit.save().await.unwrap();
    let ended = grants.get(of_beta.id).await.unwrap().unwrap();
    let end = |by, cause, ms| End {
        at: at(ms),
        by,
        cause,
    };
    assert_eq!(
        ended.ended,
        Some(end(Some(id), EndCause::EndedAtHome, 4_000))
    );
    let other = grants.get(same_evidence.id).await.unwrap().unwrap();
    assert_eq!(other.ended, None, "another realm's visitor stays");

    // Who leaves takes all its visitors along, and nobody else's.
    let (one, two) = (
        grant(visitor("gamma.example"), id),
        grant(visitor("beta.example"), id),
    );
    keep(&store, &[&one, &two]).await;
    let unit = store.begin().await.unwrap();
    let grants = unit.grants();
    let of_beta = GrantsOf::Partner(beta.clone());
    let end = end(None, EndCause::PartnerLeft, 5_000);
    assert_eq!(grants.end_of(&of_beta, &end).await.unwrap(), 1);
    assert_eq!(grants.end_of(&of_beta, &end).await.unwrap(), 0);
    for (id, expected) in [(two.id, GrantState::Ended), (one.id, GrantState::Open)] {
        let grant = grants.get(id).await.unwrap().unwrap();
        assert_eq!(grant.state(at(5_000)), expected);
    }
    unit.cancel().await.unwrap();
}

/// A receipt of nothing in particular.
fn receipt() -> Receipt {
    let key = SigningKey::from_seed("beta.example/log", &[1; 32]).unwrap();
    let evidence = Evidence {
        signed: SignedStatement {
            statement: b"statement".to_vec(),
            credential_id: CredentialId::new(hash32()).unwrap(),
            response: Response::Registration {
                client_data_json: b"{}".to_vec(),
                attestation_object: vec![3; 300],
            },
        },
        accepted: at(5),
    };
    let appended = Appender::new().append(&[evidence.hash()]);
    let head = Checkpoint::new(key.name(), appended.size, appended.root).unwrap();
    Receipt {
        proof: TlogProof::new(&appended.proofs[0], head.sign(&key)),
        evidence,
    }
}

pub(crate) async fn what_a_visitor_brought_is_kept_once(database: &Database) {
    let store = database.store().await;
    let visit = Visit {
        evidence: EvidenceHash(hash32()),
        home: "beta.example".parse().unwrap(),
        bundle: Bundle::of(receipt(), []).unwrap(),
    };
    let unit = store.begin().await.unwrap();
    unit.visits().add(&visit).await.unwrap();
    unit.save().await.unwrap();
    let read = store.read().visits().get(&visit.evidence).await.unwrap();
    assert_eq!(read, Some(visit.clone()));
    let unit = store.begin().await.unwrap();
    let again = unit.visits().add(&visit).await;
    assert!(matches!(
        again,
        Err(StoreError::Exists { what: "visit", .. })
    ));
    unit.cancel().await.unwrap();
}

pub(crate) async fn grants_are_found_by_what_they_hang_on(database: &Database) {
    let store = database.store().await;
    let (emily, gaston) = (person(Role::Owner), person(Role::Member));
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.people().add(&gaston).await.unwrap();
    unit.save().await.unwrap();
    let session = hash32().into();
    // In LIKE this name would be a pattern for the other one's.
    let (pattern, other) = ("a_b.example", "axb.example");
    let there = |host: &str| GrantKind::Away {
        host: host.parse().unwrap(),
        role: Role::Member,
        told: None,
    };
    let own = Grant {
        holder: GrantHolder::Session(session),
        approval: Some(Approval::asked(Role::Operator)),
        ..grant(GrantKind::Own, gaston.id)
    };
    let (at_pattern, at_other) = (
        grant(there(pattern), gaston.id),
        grant(there(other), gaston.id),
    );
    // A key of another realm may have the id of one of ours.
    let from_pattern = Grant {
        credential: own.credential.clone(),
        ..grant(visitor(pattern), PersonId::generate())
    };
    let over = Grant {
        ended: Some(End {
            at: at(2_000),
            by: None,
            cause: EndCause::KeyRemoved,
        }),
        ..grant(GrantKind::Own, gaston.id)
    };
    keep(
        &store,
        &[&own, &at_pattern, &at_other, &from_pattern, &over],
    )
    .await;
    let unit = store.begin().await.unwrap();
    let given = Given {
        at: at(2_000),
        by: emily.id,
        evidence: EvidenceHash(hash32()),
    };
    let grants = unit.grants();
    assert!(grants.approve(own.id, &given).await.unwrap());
    let pattern: RealmName = pattern.parse().unwrap();
    for (which, expected) in [
        (GrantsOf::Session(session), vec![own.id]),
        (GrantsOf::Credential(own.credential.clone()), vec![own.id]),
        (GrantsOf::Approver(emily.id), vec![own.id]),
        (GrantsOf::Hall(lab()), vec![from_pattern.id, own.id]),
        (
            GrantsOf::Partner(pattern),
            vec![from_pattern.id, at_pattern.id],
        ),
        (
            GrantsOf::Person(gaston.id),
            vec![at_other.id, at_pattern.id, own.id],
        ),
        (GrantsOf::Person(emily.id), vec![]),
    ] {
        let found = grants.hanging_on(&which, at(3_000)).await.unwrap();
        let found: Vec<GrantId> = found.iter().map(|grant| grant.id).collect();
        assert_eq!(found, expected, "{which:?}");
        assert!(
            grants
                .hanging_on(&which, at(10_000))
                .await
                .unwrap()
                .is_empty()
        );
    }
    let fewer = Rights::parse(["read:other"]).unwrap();
    grants.narrow(own.id, &fewer).await.unwrap();
    assert_eq!(grants.get(own.id).await.unwrap().unwrap().rights, fewer);
    let kept = grants.get(over.id).await.unwrap().unwrap();
    assert_eq!(kept.ended, over.ended);
}

/// A grant of each kind, as rows were before they had a column for it.
pub(crate) async fn grants_of_before_get_their_kind(database: &Database) {
    let address = Address::parse(database.address()).unwrap();
    let connections = connect::open(&address).await.unwrap();
    let writer = &connections.writer;
    let schema = hallway_gateway::doors::ALL.schema();
    let steps = schema.steps();
    let before = steps
        .iter()
        .position(|step| step.name() == "0022_grant_kinds")
        .unwrap();
    migration::run(writer, &steps[..before]).await.unwrap();
    let ada = person(Role::Member);
    let columns = ["id", "name", "role", "state", "created_ms"];
    let row = Query::insert()
        .into_table("person")
        .columns(columns)
        .values_panic([
            ada.id.as_uuid().into(),
            "Ada".into(),
            "member".into(),
            "active".into(),
            1.into(),
        ])
        .to_owned();
    writer.execute(&row).await.unwrap();
    let columns = [
        "id",
        "hall",
        "person_id",
        "visitor_id",
        "home",
        "visitor_name",
        "visitor_role",
        "vouched_ms",
        "credential_id",
        "rights",
        "key_sha256",
        "opened_ms",
        "ends_ms",
        "evidence",
        "address",
    ];
    let grants = [
        grant(GrantKind::Own, ada.id),
        grant(away(), ada.id),
        grant(visitor("beta.example"), PersonId::generate()),
    ];
    for grant in &grants {
        let (hall, role, visitor) = match &grant.kind {
            GrantKind::Own => ("lab".to_owned(), None, None),
            GrantKind::Away { host, role, .. } => (format!("{host}/lab"), Some(*role), None),
            GrantKind::Visitor(visitor) => ("lab".to_owned(), Some(visitor.role), Some(visitor)),
        };
        let GrantHolder::Key(key) = grant.holder else {
            panic!("a grant for a key");
        };
        let person = grant.person.as_uuid();
        let row = Query::insert()
            .into_table("hall_grant")
            .columns(columns)
            .values_panic([
                grant.id.as_uuid().into(),
                hall.into(),
                visitor.is_none().then_some(person).into(),
                visitor.map(|_| person).into(),
                visitor.map(|visitor| visitor.home.to_string()).into(),
                visitor.map(|visitor| visitor.name.clone()).into(),
                role.map(|role| role.to_string()).into(),
                visitor.map(|_| 2_000_i64).into(),
                grant.credential.as_bytes().to_vec().into(),
                "read:data".into(),
                key.to_vec().into(),
                1_000.into(),
                10_000.into(),
                grant.evidence.0.to_vec().into(),
                grant.address.clone().into(),
            ])
            .to_owned();
        writer.execute(&row).await.unwrap();
    }
    migration::run(writer, steps).await.unwrap();

    let store = database.store().await;
    for grant in &grants {
        let kept = store.read().grants().get(grant.id).await.unwrap();
        assert_eq!(kept.as_ref(), Some(grant));
    }
    // There is no other kind.
    let other = writer.execute_unprepared("UPDATE hall_grant SET kind = 'other'");
    assert!(other.await.is_err());
}
