//! People and their keys.

use std::collections::HashMap;

use hallway_evidence::PersonId;
use hallway_spine::store::{
    Holder, Limit, MAX_KEYS, PageRequest, PersonState, Role, Session, StoreError, Use,
};

use crate::database::Database;
use crate::sample::{at, credential, person, token};

pub(crate) async fn the_last_owner_stays(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let (emily, gaston) = (person(Role::Owner), person(Role::Owner));
    let people = unit.people();
    people.add(&emily).await.unwrap();
    people.add(&gaston).await.unwrap();
    people.add(&person(Role::Operator)).await.unwrap();
    assert_eq!(people.count_active(Role::Owner).await.unwrap(), 2);
    people
        .set_state(gaston.id, PersonState::Suspended)
        .await
        .unwrap();
    let owners = people.active(&[Role::Owner], Limit::default());
    assert_eq!(owners.await.unwrap(), std::slice::from_ref(&emily));
    for refused in [
        people.set_state(emily.id, PersonState::Suspended).await,
        people.set_role(emily.id, Role::Operator).await,
    ] {
        assert!(matches!(refused, Err(StoreError::LastOwner)), "{refused:?}");
    }
    people
        .set_state(gaston.id, PersonState::Active)
        .await
        .unwrap();
    let both = [Role::Owner, Role::Operator];
    let all = people.active(&both, Limit::default()).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by_key(|person| person.name.clone()));
    let some = people.active(&both, Limit::nearest(2)).await.unwrap();
    assert_eq!(some, all[..2]);
    people.set_role(emily.id, Role::Member).await.unwrap();
    people.rename(emily.id, "Émilie").await.unwrap();
    let kept = people.get(emily.id).await.unwrap().unwrap();
    assert_eq!((kept.role, kept.name.as_str()), (Role::Member, "Émilie"));
    let nobody = people.rename(person(Role::Member).id, "nobody").await;
    assert!(matches!(nobody, Err(StoreError::Missing("person"))));
}

pub(crate) async fn the_last_key_stays(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let emily = person(Role::Owner);
    let holder = Holder::Person(emily.id);
    let (first, second) = (credential(holder), credential(holder));
    unit.people().add(&emily).await.unwrap();
    let keys = unit.credentials();
    keys.add(&first).await.unwrap();
    keys.add(&second).await.unwrap();
    assert_eq!(
        keys.held_by(holder).await.unwrap(),
        [second.clone(), first.clone()]
    );
    let keyless = person(Role::Member);
    unit.people().add(&keyless).await.unwrap();
    let counted = keys.count_of_people(&[emily.id, keyless.id]).await.unwrap();
    assert_eq!(counted.into_iter().collect::<Vec<_>>(), [(emily.id, 2)]);
    keys.remove(&first.id).await.unwrap();
    let refused = keys.remove(&second.id).await;
    assert!(
        matches!(refused, Err(StoreError::LastKey(id)) if id == emily.id),
        "{refused:?}"
    );
    assert_eq!(keys.get(&second.id).await.unwrap(), Some(second.clone()));
    keys.remove_even_the_last(&second.id).await.unwrap();
    assert_eq!(keys.held_by(holder).await.unwrap(), []);
    let gone = keys.remove(&second.id).await;
    assert!(matches!(gone, Err(StoreError::Missing("credential"))));
}

pub(crate) async fn a_removed_key_ends_its_sessions(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let emily = person(Role::Owner);
    let holder = Holder::Person(emily.id);
    let (first, second) = (credential(holder), credential(holder));
    unit.people().add(&emily).await.unwrap();
    unit.credentials().add(&first).await.unwrap();
    unit.credentials().add(&second).await.unwrap();
    let session = |credential| Session {
        token: token(),
        person: emily.id,
        credential,
        evidence: first.registration,
        touched: at(1),
        created: at(1),
        last_seen: at(1),
        expires: at(100),
        address: "192.0.2.1".to_owned(),
        agent: "a browser".to_owned(),
    };
    let by_first = session(first.id.clone());
    let by_second = session(second.id.clone());
    for session in [&by_first, &by_second] {
        unit.sessions().add(session).await.unwrap();
    }
    unit.credentials().remove(&first.id).await.unwrap();
    let sessions = unit.sessions();
    assert_eq!(sessions.get(&by_first.token, at(2)).await.unwrap(), None);
    assert_eq!(
        sessions.get(&by_second.token, at(2)).await.unwrap(),
        Some(by_second)
    );
}

pub(crate) async fn keys_are_unique_and_bounded(database: &Database) {
    let store = database.store().await;
    let (emily, gaston) = (person(Role::Owner), person(Role::Member));
    let key = credential(Holder::Person(emily.id));
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.people().add(&gaston).await.unwrap();
    unit.credentials().add(&key).await.unwrap();
    let used = Use {
        sign_count: u32::MAX,
        backed_up: true,
        uv_initialized: true,
        at: at(9),
    };
    unit.credentials().note_use(&key.id, used).await.unwrap();
    unit.credentials().rename(&key.id, "blue").await.unwrap();
    let kept = unit.credentials().get(&key.id).await.unwrap().unwrap();
    assert_eq!(
        (kept.sign_count, kept.backed_up, kept.last_used),
        (u32::MAX, true, Some(at(9)))
    );
    assert_eq!(
        (kept.label.as_str(), kept.transports),
        ("blue", key.transports.clone())
    );
    for _ in 0..MAX_KEYS {
        unit.credentials()
            .add(&credential(Holder::Person(gaston.id)))
            .await
            .unwrap();
    }
    let full = unit
        .credentials()
        .add(&credential(Holder::Person(gaston.id)))
        .await;
    assert!(
        matches!(full, Err(StoreError::TooManyKeys(id)) if id == gaston.id),
        "{full:?}"
    );
    unit.save().await.unwrap();

    let unit = store.begin().await.unwrap();
    let mut stolen = key.clone();
    stolen.holder = Holder::Person(gaston.id);
    unit.credentials()
        .remove(&unit.credentials().held_by(stolen.holder).await.unwrap()[0].id)
        .await
        .unwrap();
    let taken = unit.credentials().add(&stolen).await;
    assert!(
        matches!(
            taken,
            Err(StoreError::Exists {
                what: "credential",
                ..
            })
        ),
        "{taken:?}"
    );
}

pub(crate) async fn lists_page_without_gaps(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let mut expected = Vec::new();
    for _ in 0..7 {
        let person = person(Role::Member);
        unit.people().add(&person).await.unwrap();
        expected.insert(0, person);
    }
    unit.save().await.unwrap();
    let (mut request, mut seen, mut pages) = (PageRequest::default(), Vec::new(), 0);
    request.limit = Limit::nearest(3);
    loop {
        let page = store.read().people().page(&request).await.unwrap();
        pages += 1;
        // Somebody who joins meanwhile does not shift the pages.
        let unit = store.begin().await.unwrap();
        unit.people().add(&person(Role::Member)).await.unwrap();
        unit.save().await.unwrap();
        seen.extend(page.items);
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    assert_eq!((pages, seen), (3, expected));
}

pub(crate) async fn names_are_read_together(database: &Database) {
    let store = database.store().await;
    let (emily, boris) = (person(Role::Owner), person(Role::Member));
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.people().add(&boris).await.unwrap();
    unit.save().await.unwrap();
    let asked = [emily.id, boris.id, emily.id, PersonId::generate()];
    let names = store.read().people().names(asked).await.unwrap();
    let expected = [&emily, &boris].map(|person| (person.id, person.name.clone()));
    assert_eq!(names, HashMap::from(expected));
    let nobody = store.read().people().names([]).await.unwrap();
    assert!(nobody.is_empty());
}
