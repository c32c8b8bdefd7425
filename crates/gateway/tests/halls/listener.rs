//! Who is refused at the hall listener, and how.

use std::time::Duration;

use hallway_door_hall::HallsOf;
use hallway_hall::{Authority, ClientError, HallKey, Leaf, Party, Usage};
use hallway_spine::realm_authority::RealmAuthority;
use hallway_spine::store::Role;
use rustls_pki_types::CertificateDer;
use serde_json::json;

use crate::realm::{House, client, spki};

pub(crate) fn leaf(
    authority: &Authority,
    party: Party,
    key: &HallKey,
    from: i64,
    to: i64,
) -> Vec<u8> {
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis(),
    )
    .unwrap();
    let der = authority.issue(&Leaf {
        party,
        public_key: key.public(),
        not_before_ms: u64::try_from(now + from).unwrap(),
        not_after_ms: u64::try_from(now + to).unwrap(),
        usage: Usage::Client,
        provenance: None,
    });
    der.unwrap().to_vec()
}

/// What the gateway would have given, with another certificate.
pub(crate) fn given(house: &House, der: &[u8]) -> serde_json::Value {
    use base64::Engine as _;
    let encode = |der: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(der);
    let own = house.gateway.halls().authorities.in_use();
    let authority: &CertificateDer<'_> = own.signing.certificate();
    json!({
        "certificates": [encode(der)],
        "bundle": [encode(authority)],
        "address": house.gateway.halls().address,
        "gateway": "spiffe://localhost/gateway",
    })
}

pub(crate) const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn certificates_that_are_not_this_realms_or_not_of_now_are_refused_by_tls() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let party = || Party::Person(owner.id.to_string());
    // Made by somebody who says that they are the same realm.
    let now = house.gateway.now();
    let forged = RealmAuthority::generate("localhost", now).unwrap();
    let forged = Authority::new(&forged.certificate, &forged.key).unwrap();
    let foreign = RealmAuthority::generate("other.example", now).unwrap();
    let foreign = Authority::new(&foreign.certificate, &foreign.key).unwrap();
    let own = house.gateway.halls().authorities.in_use();
    let own = &own.signing;
    for (what, authority, from, to) in [
        ("self-made", &forged, 0, MINUTE_MS),
        ("foreign", &foreign, 0, MINUTE_MS),
        ("expired", own, -10 * MINUTE_MS, -MINUTE_MS),
        ("of tomorrow", own, 24 * 60 * MINUTE_MS, 25 * 60 * MINUTE_MS),
    ] {
        let key = HallKey::generate().unwrap();
        let der = leaf(authority, party(), &key, from, to);
        let answer = client(&given(&house, &der), key).grant().await;
        let refused = answer.err();
        assert!(
            matches!(
                refused,
                Some(ClientError::Refused { .. } | ClientError::Broken(_))
            ),
            "{what}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_without_a_grant_opens_nothing() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let other = house.person(Role::Member).await;
    house.furnish(&owner).await;
    let own = house.gateway.halls().authorities.in_use();
    let own = &own.signing;
    let refusal = async |der: Vec<u8>, key: HallKey| match client(&given(&house, &der), key)
        .grant()
        .await
        .unwrap_err()
    {
        ClientError::Problem(problem) => (problem.status, problem.code),
        error => panic!("{error}"),
    };
    let unknown = (403, "unknown-grant".to_owned());
    let key = HallKey::generate().unwrap();
    let der = leaf(own, Party::Person(owner.id.to_string()), &key, 0, MINUTE_MS);
    assert_eq!(refusal(der, key).await, unknown, "a key without a grant");

    // A grant is its holder's, whatever another certificate for the same key says.
    let key = HallKey::generate().unwrap();
    let pkcs8 = key.as_pkcs8().to_vec();
    let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
    house.act(&owner, act).await.unwrap();
    let der = leaf(own, Party::Person(other.id.to_string()), &key, 0, MINUTE_MS);
    assert_eq!(refusal(der, key).await, unknown, "another person's name");

    let key = HallKey::from_pkcs8(&pkcs8).unwrap();
    let der = leaf(own, Party::Gateway, &key, 0, MINUTE_MS);
    assert_eq!(refusal(der, key).await, unknown, "a gateway's name");

    let key = HallKey::from_pkcs8(&pkcs8).unwrap();
    let agent = Party::Agent {
        hall: "one".parse().unwrap(),
        agent: "lab".parse().unwrap(),
    };
    let der = leaf(own, agent, &key, 0, MINUTE_MS);
    let dismissed = (403, "agent-dismissed".to_owned());
    assert_eq!(refusal(der, key).await, dismissed, "an agent's name");
}

#[tokio::test]
async fn only_what_was_granted_is_reached() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let entered = house.enter(&owner).await;
    for service in ["other", "hidden", "none"] {
        let refused = entered.client.stream(&service.parse().unwrap()).await;
        match refused.err().unwrap() {
            ClientError::Problem(problem) => assert_eq!(problem.code, "not-granted", "{service}"),
            error => panic!("{service}: {error}"),
        }
    }
    // Provided in another hall only: nobody is admitted to it here.
    let act = json!({"act": "hall.admit", "hall": "one", "guest": {"person": owner.id},
                     "rights": ["connect:hidden"]});
    let refused = house.act(&owner, act.clone()).await.unwrap_err();
    assert_eq!(refused, (409, "no-provider".to_owned()));
    // Granted, and to be provided here by an agent that is not there yet.
    let agent =
        json!({"act": "hall.invite_agent", "hall": "one", "agent": "far", "services": ["hidden"]});
    house.act(&owner, agent).await.unwrap();
    house.act(&owner, act).await.unwrap();
    let wider = house.enter(&owner).await;
    match wider
        .client
        .stream(&"hidden".parse().unwrap())
        .await
        .err()
        .unwrap()
    {
        ClientError::Problem(problem) => assert_eq!(problem.code, "not-provided"),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time_or_not_at_all() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let entered = house.enter(&owner).await;
    drop(entered.stream().await);
    // The gateway's clock is an hour on: the grant is good, the certificate is not.
    house.later(Duration::from_secs(3600));
    assert!(
        entered
            .client
            .stream(&"echo".parse().unwrap())
            .await
            .is_err()
    );
    match entered.client.grant().await.unwrap_err() {
        ClientError::Problem(problem) => assert_eq!(problem.code, "certificate-expired"),
        ClientError::Broken(_) | ClientError::Refused { .. } => {}
        error => panic!("{error}"),
    }
}
