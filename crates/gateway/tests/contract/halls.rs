//! Halls, their guests and agents, and what opened in them.

use std::collections::BTreeSet;

use hallway_door_hall::store::{
    APPROVAL_TIMEOUT, Approval, End, EndCause, Given, Grant, GrantFilter, GrantHolder, GrantKind,
    GrantState, GrantsOf, GuestId, Hall, HallAgent, HallGuest, HallTables, MAX_AGENTS, MAX_GUESTS,
};
use hallway_evidence::statement::hall::{HallName, KeyNeed, Names, Needs, Rights};
use hallway_evidence::{CredentialId, GrantId, Timestamp};
use hallway_spine::store::{EvidenceHash, Limit, PageRequest, Person, Role, Store, StoreError};

use crate::database::Database;
use crate::sample::{at, hash32, person, token};

fn name(text: &str) -> HallName {
    text.parse().unwrap()
}

pub(crate) fn hall(text: &str, by: &Person) -> Hall {
    Hall {
        name: name(text),
        title: format!("The hall {text}"),
        created_by: by.id,
        created: at(1_000),
        evidence: EvidenceHash(hash32()),
    }
}

fn guest(hall: &HallName, guest: GuestId, allowed: &[&str]) -> HallGuest {
    HallGuest {
        hall: hall.clone(),
        guest,
        rights: Rights::parse(allowed.iter().copied()).unwrap(),
        needs: Needs::default(),
        admitted: at(2_000),
        evidence: EvidenceHash(hash32()),
    }
}

fn names<N: Ord + std::str::FromStr<Err: std::fmt::Debug>>(names: &[&str]) -> Names<N> {
    let names = names.iter().map(|name| name.parse().unwrap());
    names.collect::<BTreeSet<N>>().try_into().unwrap()
}

pub(crate) fn agent(hall: &HallName, text: &str, expires: Timestamp) -> HallAgent {
    HallAgent {
        hall: hall.clone(),
        name: text.parse().unwrap(),
        beside: None,
        stores: names(&[text]),
        services: names(&["db"]),
        token: token(),
        expires,
        joined: None,
        invited: at(1_000),
        evidence: EvidenceHash(hash32()),
    }
}

fn grant(hall: &HallName, person: &Person, holder: GrantHolder, ends: Timestamp) -> Grant {
    Grant {
        id: GrantId::generate(),
        kind: GrantKind::Own,
        hall: hall.clone(),
        person: person.id,
        credential: CredentialId::new(hash32()).unwrap(),
        rights: Rights::parse(["read:data"]).unwrap(),
        holder,
        opened: at(1_000),
        ends,
        ended: None,
        evidence: EvidenceHash(hash32()),
        address: "192.0.2.1".to_owned(),
        approval: None,
    }
}

/// A store with a hall that its owner made.
async fn furnished(database: &Database) -> (Store, Person, Hall) {
    let store = database.store().await;
    let emily = person(Role::Owner);
    let backups = hall("backups", &emily);
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.halls().add(&backups).await.unwrap();
    unit.save().await.unwrap();
    (store, emily, backups)
}

pub(crate) async fn a_hall_goes_with_its_guests_and_agents(database: &Database) {
    let (store, emily, backups) = furnished(database).await;
    let unit = store.begin().await.unwrap();
    let everybody = guest(&backups.name, GuestId::Role(Role::Member), &["read:data"]);
    unit.halls().admit(&everybody).await.unwrap();
    let lab = agent(&backups.name, "lab", at(5_000));
    unit.hall_agents().invite(&lab).await.unwrap();
    unit.save().await.unwrap();

    let reader = store.read();
    assert_eq!(
        reader.halls().all().await.unwrap(),
        std::slice::from_ref(&backups)
    );
    assert_eq!(
        reader.halls().get(&backups.name).await.unwrap(),
        Some(backups.clone())
    );
    let agents = reader.hall_agents().of_hall(&backups.name).await.unwrap();
    assert_eq!(agents, [lab]);

    let unit = store.begin().await.unwrap();
    unit.halls().remove(&backups.name).await.unwrap();
    unit.save().await.unwrap();
    assert!(reader.halls().all().await.unwrap().is_empty());
    assert!(
        reader
            .halls()
            .guests(&backups.name)
            .await
            .unwrap()
            .is_empty()
    );
    let agents = reader.hall_agents().of_hall(&backups.name).await.unwrap();
    assert!(agents.is_empty());

    // Its name is free again, and nothing of the old one comes back.
    let unit = store.begin().await.unwrap();
    unit.halls().add(&hall("backups", &emily)).await.unwrap();
    unit.save().await.unwrap();
    let unit = store.begin().await.unwrap();
    let again = unit.halls().add(&hall("backups", &emily)).await;
    assert!(matches!(
        again,
        Err(StoreError::Exists { what: "hall", .. })
    ));
    unit.cancel().await.unwrap();
    let halls = reader.halls();
    let admissions = halls.admissions(emily.id, Role::Owner).await.unwrap();
    assert!(admissions.is_empty());
    let unit = store.begin().await.unwrap();
    let missing = unit.halls().remove(&name("elsewhere")).await;
    assert!(matches!(missing, Err(StoreError::Missing("hall"))));
    unit.cancel().await.unwrap();
}

pub(crate) async fn an_admission_counts_for_a_person_or_a_role(database: &Database) {
    let (store, emily, backups) = furnished(database).await;
    let gaston = person(Role::Member);
    let unit = store.begin().await.unwrap();
    let halls = unit.halls();
    let everybody = guest(&backups.name, GuestId::Role(Role::Member), &["read:data"]);
    let operators = guest(
        &backups.name,
        GuestId::Role(Role::Operator),
        &["write:data"],
    );
    let needs = Needs {
        key: Some(KeyNeed::L2),
        approval: Some(Role::Operator),
        hours: Some("mon-fri 08:00-18:00 Europe/Berlin".parse().unwrap()),
    };
    let her = HallGuest {
        needs: needs.clone(),
        ..guest(&backups.name, GuestId::Person(emily.id), &["connect:db"])
    };
    for admitted in [&everybody, &operators, &her] {
        halls.admit(admitted).await.unwrap();
    }
    assert_eq!(
        halls.admissions(gaston.id, Role::Member).await.unwrap(),
        std::slice::from_ref(&everybody)
    );
    let hers = halls.admissions(emily.id, Role::Owner).await.unwrap();
    assert_eq!(hers.len(), 3);
    assert!(hers.contains(&her) && her.needs.hours.is_some());

    // What is said later replaces what was said before.
    let more = HallGuest {
        needs,
        rights: Rights::parse(["read:data", "delete:data"]).unwrap(),
        ..everybody
    };
    halls.admit(&more).await.unwrap();
    assert_eq!(
        halls.admissions(gaston.id, Role::Member).await.unwrap(),
        [more]
    );
    assert_eq!(halls.guests(&backups.name).await.unwrap().len(), 3);
    let undemanding = HallGuest {
        needs: Needs::default(),
        ..her
    };
    halls.admit(&undemanding).await.unwrap();
    let guests = halls.guests(&backups.name).await.unwrap();
    assert!(guests.contains(&undemanding), "what was demanded is gone");

    halls
        .dismiss(&backups.name, &GuestId::Role(Role::Member))
        .await
        .unwrap();
    let nothing = halls.admissions(gaston.id, Role::Member).await.unwrap();
    assert!(nothing.is_empty());
    let twice = halls
        .dismiss(&backups.name, &GuestId::Role(Role::Member))
        .await;
    assert!(matches!(twice, Err(StoreError::Missing("guest"))));
    unit.cancel().await.unwrap();
}

pub(crate) async fn a_full_hall_can_still_be_narrowed(database: &Database) {
    let (store, _, backups) = furnished(database).await;
    let unit = store.begin().await.unwrap();
    let (halls, agents) = (unit.halls(), unit.hall_agents());
    let somebody = || GuestId::Person(person(Role::Member).id);
    let first = guest(&backups.name, somebody(), &["read:data", "write:data"]);
    halls.admit(&first).await.unwrap();
    for _ in 1..MAX_GUESTS {
        let next = guest(&backups.name, somebody(), &["read:data"]);
        halls.admit(&next).await.unwrap();
    }
    let more = guest(&backups.name, somebody(), &["read:data"]);
    let refused = halls.admit(&more).await;
    assert!(matches!(refused, Err(StoreError::TooMany { .. })));
    let narrower = guest(&backups.name, first.guest.clone(), &["read:data"]);
    halls.admit(&narrower).await.unwrap();
    assert!(
        halls
            .guests(&backups.name)
            .await
            .unwrap()
            .contains(&narrower)
    );

    let numbered = |number: u64| HallAgent {
        services: names(&[]),
        ..agent(&backups.name, &format!("a{number}"), at(5_000))
    };
    for number in 0..MAX_AGENTS {
        agents.invite(&numbered(number)).await.unwrap();
    }
    let refused = agents.invite(&numbered(MAX_AGENTS)).await;
    assert!(matches!(refused, Err(StoreError::TooMany { .. })));
    agents.invite(&numbered(0)).await.unwrap();
    unit.cancel().await.unwrap();
}

pub(crate) async fn an_agents_token_is_used_once(database: &Database) {
    let (one, _, backups) = furnished(database).await;
    let other = database.store().await;
    let lab = agent(&backups.name, "lab", at(100));
    let unit = one.begin().await.unwrap();
    unit.hall_agents().invite(&lab).await.unwrap();
    unit.save().await.unwrap();
    let mut trying = tokio::task::JoinSet::new();
    for n in 0..8u64 {
        let store = if n % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        let (token, key) = (lab.token, hash32());
        trying.spawn(async move {
            let joined: Result<Option<HallAgent>, StoreError> = store
                .transact(|unit| {
                    Box::pin(async move { unit.hall_agents().join(&token, &key, at(50 + n)).await })
                })
                .await;
            joined.unwrap()
        });
    }
    let joined: Vec<HallAgent> = trying.join_all().await.into_iter().flatten().collect();
    assert_eq!(joined.len(), 1);
    let stored = one.read().hall_agents().get(&lab.hall, &lab.name).await;
    assert_eq!(stored.unwrap().as_ref(), joined.first());
    assert!(joined[0].joined.is_some());

    // A new invitation puts the machine that had the name out.
    let unit = one.begin().await.unwrap();
    let agents = unit.hall_agents();
    let again = agent(&backups.name, "lab", at(100));
    agents.invite(&again).await.unwrap();
    assert_eq!(
        agents.join(&lab.token, &hash32(), at(50)).await.unwrap(),
        None
    );
    // Too late is too late.
    assert_eq!(
        agents.join(&again.token, &hash32(), at(100)).await.unwrap(),
        None
    );
    assert!(
        agents
            .join(&again.token, &hash32(), at(99))
            .await
            .unwrap()
            .is_some()
    );
    agents.dismiss(&lab.hall, &lab.name).await.unwrap();
    let twice = agents.dismiss(&lab.hall, &lab.name).await;
    assert!(matches!(twice, Err(StoreError::Missing("agent"))));
    unit.cancel().await.unwrap();
}

pub(crate) async fn one_of_two_agents_gets_a_name(database: &Database) {
    let (one, _, backups) = furnished(database).await;
    let other = database.store().await;
    let mut inviting = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = if n % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        // Each has a store of its own; all want the service.
        let agent = agent(&backups.name, &format!("a{n}"), at(100));
        inviting.spawn(async move {
            let agent = &agent;
            store
                .transact(|unit| Box::pin(async move { unit.hall_agents().invite(agent).await }))
                .await
        });
    }
    let outcomes: Vec<Result<(), StoreError>> = inviting.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
    }
    let agents = one
        .read()
        .hall_agents()
        .of_hall(&backups.name)
        .await
        .unwrap();
    assert_eq!(agents.len(), 1, "who was refused left nothing");
    let first = agents[0].clone();
    assert_eq!(first.stores, names(&[first.name.as_str()]));
    assert_eq!(first.services, names(&["db"]));

    // Invited anew for something else, or dismissed, it leaves its names to others.
    let unit = one.begin().await.unwrap();
    let anew = HallAgent {
        services: names(&["ssh"]),
        token: token(),
        ..first.clone()
    };
    unit.hall_agents().invite(&anew).await.unwrap();
    let second = agent(&backups.name, "second", at(100));
    unit.hall_agents().invite(&second).await.unwrap();
    unit.hall_agents()
        .dismiss(&second.hall, &second.name)
        .await
        .unwrap();
    let third = agent(&backups.name, "third", at(100));
    unit.hall_agents().invite(&third).await.unwrap();
    unit.save().await.unwrap();
    let agents = one
        .read()
        .hall_agents()
        .of_hall(&backups.name)
        .await
        .unwrap();
    assert_eq!(agents, [anew, third]);

    // In another hall the same names are other things.
    let unit = one.begin().await.unwrap();
    let emily = person(Role::Owner);
    unit.people().add(&emily).await.unwrap();
    let vault = hall("vault", &emily);
    unit.halls().add(&vault).await.unwrap();
    let there = agent(&vault.name, "third", at(100));
    unit.hall_agents().invite(&there).await.unwrap();
    unit.save().await.unwrap();
    let found = one.read().hall_agents().get(&vault.name, &there.name).await;
    assert_eq!(found.unwrap(), Some(there));
}

pub(crate) async fn a_grant_ends_once(database: &Database) {
    let (store, emily, backups) = furnished(database).await;
    let key = hash32();
    let session = token();
    let by_key = grant(&backups.name, &emily, GrantHolder::Key(key), at(10_000));
    let by_session = grant(
        &backups.name,
        &emily,
        GrantHolder::Session(session),
        at(5_000),
    );
    let unit = store.begin().await.unwrap();
    let grants = unit.grants();
    grants.add(&by_key).await.unwrap();
    grants.add(&by_session).await.unwrap();
    assert_eq!(grants.get(by_key.id).await.unwrap(), Some(by_key.clone()));
    assert_eq!(grants.by_key(&key).await.unwrap(), Some(by_key.clone()));
    assert_eq!(grants.by_key(&hash32()).await.unwrap(), None);
    assert_eq!(
        grants
            .of_session(&session, None, &backups.name, at(4_999))
            .await
            .unwrap(),
        std::slice::from_ref(&by_session)
    );
    assert!(
        grants
            .of_session(&session, None, &backups.name, at(5_000))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        grants
            .of_session(&session, None, &name("other"), at(1))
            .await
            .unwrap()
            .is_empty()
    );

    // A partner's hall of the same name is another one.
    let partner = "alpha.example".parse().unwrap();
    let there = grants.of_session(&session, Some(&partner), &backups.name, at(1));
    assert!(there.await.unwrap().is_empty());

    let all = GrantFilter::Hall(backups.name.clone());
    let active = |now| grants.active(&all, now, Limit::default());
    assert_eq!(active(at(4_000)).await.unwrap().len(), 2);
    assert_eq!(
        active(at(6_000)).await.unwrap(),
        std::slice::from_ref(&by_key)
    );
    assert!(active(at(10_000)).await.unwrap().is_empty());

    let end = |ms| End {
        at: at(ms),
        by: Some(emily.id),
        cause: EndCause::Suspended,
    };
    assert!(grants.end(by_key.id, &end(7_000)).await.unwrap());
    assert!(!grants.end(by_key.id, &end(7_001)).await.unwrap());
    let ended = grants.by_key(&key).await.unwrap().unwrap();
    assert_eq!(ended.ended, Some(end(7_000)));
    assert_eq!(by_key.state(at(6_999)), GrantState::Open);
    assert_eq!(by_key.state(at(10_000)), GrantState::RunOut);
    assert_eq!(ended.state(at(1_000)), GrantState::Ended);
    // What ran out is not ended afterwards.
    assert!(!grants.end(by_session.id, &end(5_000)).await.unwrap());
    unit.save().await.unwrap();

    let unit = store.begin().await.unwrap();
    let third = grant(&backups.name, &emily, GrantHolder::Key(hash32()), at(9_000));
    unit.grants().add(&third).await.unwrap();
    let grants = unit.grants();
    let of_hall = GrantsOf::Hall(backups.name.clone());
    let ended = grants.end_of(&of_hall, &end(8_000)).await;
    assert_eq!(ended.unwrap(), 1);
    unit.save().await.unwrap();
    let request = PageRequest {
        after: None,
        limit: Limit::nearest(2),
    };
    let mine = GrantFilter::PersonInHall(emily.id, backups.name.clone());
    let first = store.read().grants().page(&mine, &request).await.unwrap();
    assert_eq!(first.items.len(), 2);
    assert_eq!(first.items[0].id, third.id);
    let rest = PageRequest {
        after: first.next,
        limit: Limit::nearest(2),
    };
    let rest = store.read().grants().page(&mine, &rest).await.unwrap();
    assert_eq!(
        rest.items,
        [Grant {
            ended: Some(End {
                at: at(7_000),
                by: Some(emily.id),
                cause: EndCause::Suspended,
            }),
            ..by_key
        }]
    );
}

pub(crate) async fn a_key_gets_one_grant(database: &Database) {
    let (store, emily, backups) = furnished(database).await;
    let key = GrantHolder::Key(hash32());
    let unit = store.begin().await.unwrap();
    let first = grant(&backups.name, &emily, key, at(2_000));
    unit.grants().add(&first).await.unwrap();
    unit.save().await.unwrap();
    let unit = store.begin().await.unwrap();
    let second = grant(&backups.name, &emily, key, at(2_000));
    let refused = unit.grants().add(&second).await;
    assert!(matches!(
        refused,
        Err(StoreError::Exists { what: "grant", .. })
    ));
    unit.cancel().await.unwrap();
}

pub(crate) async fn a_grant_waits_for_its_approval(database: &Database) {
    let (store, emily, backups) = furnished(database).await;
    let opened = at(1_000);
    let hour = opened.plus(APPROVAL_TIMEOUT);
    let asked = |ends| Grant {
        approval: Some(Approval::asked(Role::Operator)),
        ..grant(&backups.name, &emily, GrantHolder::Key(hash32()), ends)
    };
    let (long, short) = (asked(hour.plus(APPROVAL_TIMEOUT)), asked(at(5_000)));
    let plain = grant(&backups.name, &emily, GrantHolder::Key(hash32()), at(9_000));
    let unit = store.begin().await.unwrap();
    let grants = unit.grants();
    for added in [&long, &short, &plain] {
        grants.add(added).await.unwrap();
        assert_eq!(grants.get(added.id).await.unwrap().as_ref(), Some(added));
    }
    let just_before = Timestamp::from_ms(hour.as_ms() - 1);
    assert_eq!(long.waits_until(), hour);
    assert_eq!(short.waits_until(), at(5_000));
    assert_eq!(long.state(just_before), GrantState::Waiting);
    assert_eq!(long.state(hour), GrantState::Unapproved);
    let waiting = |now| grants.waiting(now, Limit::default());
    assert_eq!(waiting(at(4_999)).await.unwrap().len(), 2);
    assert_eq!(
        waiting(just_before).await.unwrap(),
        std::slice::from_ref(&long)
    );
    assert!(waiting(hour).await.unwrap().is_empty());

    let given = |when| Given {
        at: when,
        by: emily.id,
        evidence: EvidenceHash(hash32()),
    };
    // Too late, too late, and never asked for.
    assert!(!grants.approve(long.id, &given(hour)).await.unwrap());
    assert!(!grants.approve(short.id, &given(at(5_000))).await.unwrap());
    assert!(!grants.approve(plain.id, &given(at(2_000))).await.unwrap());
    // What is approved stays so, by whoever was first, and lasts beyond the hour.
    let first = given(at(2_000));
    assert!(grants.approve(long.id, &first).await.unwrap());
    assert!(!grants.approve(long.id, &given(at(2_001))).await.unwrap());
    let approved = grants.get(long.id).await.unwrap().unwrap();
    assert_eq!(approved.approved(), Some(Role::Operator));
    assert_eq!(approved.approval.unwrap().given, Some(first));
    assert_eq!(approved.state(hour), GrantState::Open);
    let all = GrantFilter::Hall(backups.name.clone());
    assert_eq!(
        grants.active(&all, hour, Limit::default()).await.unwrap(),
        std::slice::from_ref(&approved)
    );
    // What was ended is not approved afterwards.
    let ended = asked(hour);
    grants.add(&ended).await.unwrap();
    let end = End {
        at: at(3_000),
        by: None,
        cause: EndCause::Ended,
    };
    assert!(grants.end(ended.id, &end).await.unwrap());
    assert!(!grants.approve(ended.id, &given(at(3_001))).await.unwrap());
    unit.cancel().await.unwrap();
}
