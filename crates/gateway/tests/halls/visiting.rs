//! A partner's person in a hall of ours: what lets them in, what does not, and what puts them out.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hallway_door_hall::HallsOf;
use hallway_door_hall::partners::{description, trust};
use hallway_door_hall::store::{
    BundleState, EndedBy, GuestId, HallGuest, HallTables, Learned, Partner, PartnerState,
    PartnerWitness, VisitorId,
};
use hallway_evidence::statement::hall::{Needs, Rights};
use hallway_evidence::{Origin, PersonId, RealmName, Timestamp};
use hallway_hall::stream::BoxStream;
use hallway_hall::{ClientError, Grant, HallKey};
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{EvidenceHash, Role, TokenHash};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::realm::{Entered, Guest, House, sha256, spki};

/// Far more than the two seconds between looks; nobody waits for it unless it fails.
const TIMEOUT: Duration = Duration::from_secs(30);
const PACT: TokenHash = TokenHash([4; 32]);

/// Two realms that are joined, and whoever acts in them.
pub(crate) struct Two {
    pub(crate) host: House,
    pub(crate) home: House,
    pub(crate) owner: Guest,
    pub(crate) visitor: Guest,
}

/// Writes into `here` what joining `there` leaves.
async fn know(here: &House, there: &House, owner: PersonId) {
    let now = here.gateway.now();
    let bundle = description::own_bundle_json(&there.gateway)
        .unwrap()
        .into_bytes();
    let address = there.gateway.halls().address.clone().unwrap();
    // By its number: not every system finds names below localhost.
    let port = there.gateway.origin.rsplit(':').next().unwrap();
    let witness = PartnerWitness {
        key: there.gateway.witness.key().to_string(),
        url: format!("http://127.0.0.1:{port}/witness"),
    };
    let partner = Partner {
        realm: realm(there),
        origin: there.gateway.origin.parse::<Origin>().unwrap(),
        state: PartnerState::Invited,
        log: there.gateway.ledger.verifier(),
        pins: description::authorities(&there.gateway.halls().authorities.in_use().bundle),
        pact: PACT,
        sealed_token: None,
        expires: Timestamp::MAX,
        invited: None,
        hall: Some(address.parse().unwrap()),
        witness: Some(witness),
        bundle: None,
        checked: None,
        problem: None,
        next_attempt: Timestamp::MAX,
        made_by: owner,
        made: now,
        joined: None,
        ended: None,
        told: None,
        evidence: EvidenceHash([2; 32]),
    };
    let learned = Learned {
        bundle: (
            BundleState {
                sha256: sha256(&bundle),
                sequence: Some(1),
                refresh_s: Some(86_400),
                fetched: now,
            },
            bundle,
        ),
        hall: partner.hall.clone(),
        witness: partner.witness.clone(),
    };
    let (partner, learned) = (&partner, &learned);
    here.gateway
        .transact(|unit| {
            Box::pin(async move {
                let partners = unit.partners();
                partners.begin(partner).await?;
                assert!(partners.learn(&partner.realm, &PACT, learned).await?);
                assert!(
                    partners
                        .join(&partner.realm, &PACT, now, hallway_evidence::Timestamp::MAX)
                        .await?
                );
                Ok::<_, Problem>(())
            })
        })
        .await
        .unwrap();
    trust::follow(&here.gateway).await.unwrap();
}

fn realm(house: &House) -> RealmName {
    house.gateway.rp.id.parse().unwrap()
}

impl Two {
    pub(crate) async fn open() -> Self {
        Self::with(House::called("beta.localhost").await).await
    }

    /// With this house as the visitor's home.
    pub(crate) async fn with(home: House) -> Self {
        let host = House::called("alpha.localhost").await;
        let owner = host.person(Role::Owner).await;
        let chief = home.person(Role::Owner).await;
        host.furnish(&owner).await;
        home.furnish(&chief).await;
        know(&host, &home, owner.id).await;
        know(&home, &host, chief.id).await;
        let visitor = home.person(Role::Member).await;
        let two = Self {
            host,
            home,
            owner,
            visitor,
        };
        two.admit(&["connect:echo", "read:data"]).await;
        two
    }

    pub(crate) async fn admit(&self, rights: &[&str]) {
        self.admit_if(rights, Needs::default()).await;
    }

    pub(crate) async fn admit_if(&self, rights: &[&str], needs: Needs) {
        let admission = HallGuest {
            hall: "one".parse().unwrap(),
            guest: GuestId::Visitor(realm(&self.home), VisitorId::Role(Role::Member)),
            rights: Rights::parse(rights.iter().copied()).unwrap(),
            needs,
            admitted: self.host.gateway.now(),
            evidence: EvidenceHash([3; 32]),
        };
        let admission = &admission;
        self.host
            .gateway
            .transact(|unit| {
                Box::pin(async move { Ok::<_, Problem>(unit.halls().admit(admission).await?) })
            })
            .await
            .unwrap();
    }

    /// Signs at home; gives what opened there, and the evidence for the host.
    async fn sign(&self, who: &Guest, more: Value) -> (Entered, Vec<u8>) {
        let key = HallKey::generate().unwrap();
        let mut act = json!({"act": "hall.open", "host": "alpha.localhost", "hall": "one",
                             "public_key": spki(&key)});
        let more = more.as_object().unwrap().clone();
        act.as_object_mut().unwrap().extend(more);
        let done = self.home.act(who, act).await.unwrap();
        let entered = Entered::new(&done["grant"], key);
        let path = format!("/api/grants/{}/visit", entered.id);
        let visit = self.home.ask("GET", &path, &who.token, Value::Null).await;
        let bundle = visit.unwrap()["bundle"].as_str().unwrap().to_owned();
        (entered, BASE64.decode(bundle).unwrap())
    }

    /// The visitor, inside, with a stream over which something came back.
    async fn enter(&self) -> (Entered, BoxStream) {
        let (entered, evidence) = self.sign(&self.visitor, json!({})).await;
        let _: Grant = entered.client.visit(evidence).await.unwrap();
        let stream = entered.stream().await;
        (entered, stream)
    }
}

fn code(refused: Result<Grant, ClientError>) -> String {
    match refused {
        Err(ClientError::Problem(problem)) => problem.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn evidence_alone_lets_a_visitor_in() {
    let two = Two::open().await;
    let (entered, evidence) = two.sign(&two.visitor, json!({})).await;
    // Before it is shown, nothing is open, at either side.
    let early = entered.client.stream(&"echo".parse().unwrap()).await;
    assert!(early.err().unwrap().to_string().contains("newcomer"));
    let grant: Grant = entered.client.visit(evidence.clone()).await.unwrap();
    assert_eq!(grant.hall.as_str(), "one");
    assert_eq!(grant.person.id, two.visitor.id.to_string());
    let mut stream = entered.stream().await;
    // It is renewed at home, and streams go on.
    entered.client.renew().await.unwrap();
    entered.stream().await;
    // Once is enough.
    assert_eq!(
        code(entered.client.visit(evidence.clone()).await),
        "visitor"
    );
    entered.client.end().await.unwrap();
    is_cut(&mut stream, "its end").await;

    // Both logs hold the very same evidence, and each side shows the grant as what it is.
    let bundle = hallway_evidence::Bundle::decode(&evidence).unwrap();
    let hash = EvidenceHash(bundle.subject().evidence.hash()).to_string();
    let path = format!("/api/evidence/{hash}");
    let at_host = two
        .host
        .ask("GET", &path, &two.owner.token, Value::Null)
        .await;
    let at_home = two
        .home
        .ask("GET", &path, &two.visitor.token, Value::Null)
        .await;
    assert_eq!(at_host.unwrap()["bytes"], at_home.unwrap()["bytes"]);
    let path = "/api/grants?hall=one";
    let shown = two
        .host
        .ask("GET", path, &two.owner.token, Value::Null)
        .await
        .unwrap();
    assert_eq!(shown["items"][0]["home"], "beta.localhost");
    let path = "/api/grants";
    let shown = two
        .home
        .ask("GET", path, &two.visitor.token, Value::Null)
        .await
        .unwrap();
    assert_eq!(shown["items"][0]["host"], "alpha.localhost");
}

#[tokio::test]
async fn a_grant_elsewhere_opens_nothing_at_home() {
    let two = Two::open().await;
    let (entered, _) = two.sign(&two.visitor, json!({})).await;
    // The same certificate at home, where a hall of the same name is.
    let key = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "host": "alpha.localhost", "hall": "one",
                     "public_key": spki(&key)});
    let done = two.home.act(&two.visitor, act).await.unwrap();
    let mut given = done["grant"].clone();
    for name in ["address", "gateway", "bundle"] {
        given[name] = given["home"][name].clone();
    }
    given.as_object_mut().unwrap().remove("home");
    let at_home = Entered::new(&given, key);
    let refused = at_home.client.stream(&"echo".parse().unwrap()).await;
    assert!(refused.err().unwrap().to_string().contains("away"));
    at_home.client.renew().await.unwrap();
    drop(entered);
}

#[tokio::test]
async fn what_does_not_fit_lets_nobody_in() {
    let two = Two::open().await;
    let other = two.home.person(Role::Member).await;
    let (entered, evidence) = two.sign(&two.visitor, json!({})).await;
    let (others, others_evidence) = two.sign(&other, json!({})).await;
    // Evidence of somebody else, and of another opening of one's own.
    assert_eq!(
        code(entered.client.visit(others_evidence).await),
        "evidence"
    );
    let (again, _) = two.sign(&two.visitor, json!({})).await;
    assert_eq!(code(again.client.visit(evidence.clone()).await), "evidence");
    // No evidence, cut evidence, changed evidence.
    for bytes in [Vec::new(), evidence[..100].to_vec()] {
        assert_eq!(code(others.client.visit(bytes).await), "malformed");
    }
    let whole = hallway_evidence::Bundle::decode(&evidence).unwrap();
    let fewer = hallway_evidence::Bundle::of(whole.subject().clone(), []).unwrap();
    assert_eq!(code(entered.client.visit(fewer.encode()).await), "evidence");
    // What is no longer allowed by the time it is shown.
    two.admit(&["read:data"]).await;
    assert_eq!(
        code(entered.client.visit(evidence.clone()).await),
        "evidence"
    );
    two.admit(&["connect:echo", "read:data"]).await;
    // Stale.
    two.host.later(Duration::from_secs(11 * 60));
    assert_eq!(code(entered.client.visit(evidence).await), "evidence");
    // Nothing of all this left a grant, and all of it is written down.
    let grants = two
        .host
        .ask("GET", "/api/grants", &two.owner.token, Value::Null)
        .await;
    assert!(grants.unwrap()["items"].as_array().unwrap().is_empty());
    let refusals = two
        .host
        .ask("GET", "/api/refusals", &two.owner.token, Value::Null)
        .await;
    let refusals = refusals.unwrap()["items"].clone();
    assert!(
        refusals[0]["detail"].as_str().unwrap().contains("visit.8"),
        "{refusals}"
    );
}

async fn is_cut(stream: &mut BoxStream, why: &str) {
    let mut rest = [0; 64];
    let read = timeout(TIMEOUT, stream.read(&mut rest)).await;
    let read = read.unwrap_or_else(|_| panic!("the stream is open after {why}"));
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?} after {why}");
}

/// Something on which a visit rests.
#[derive(Clone, Copy, Debug)]
enum Ground {
    HostsEnd,
    Admission,
    Partnership,
    HomesEnd,
    OwnEnd,
    Person,
    Vouching,
}

async fn take_away(two: &Two, ground: Ground, entered: &Entered) {
    match ground {
        Ground::HostsEnd => {
            let path = "/api/grants?hall=one";
            let grants = two
                .host
                .ask("GET", path, &two.owner.token, Value::Null)
                .await;
            let id = grants.unwrap()["items"][0]["id"].clone();
            let act = json!({"act": "hall.end", "grant": id});
            two.host.act(&two.owner, act).await.unwrap();
        }
        Ground::Admission => two.admit(&["write:data"]).await,
        Ground::Partnership => {
            let beta = realm(&two.home);
            let (gateway, beta) = (&two.host.gateway, &beta);
            let ended = gateway.transact(|unit| {
                Box::pin(async move {
                    let now = gateway.now();
                    Ok::<_, Problem>(unit.partners().end(beta, &PACT, EndedBy::Us, now).await?)
                })
            });
            assert!(ended.await.unwrap());
        }
        Ground::HomesEnd => {
            let chief = two.home.person(Role::Operator).await;
            let act = json!({"act": "hall.end", "grant": entered.id});
            two.home.act(&chief, act).await.unwrap();
        }
        Ground::OwnEnd => {
            let path = format!("/api/grants/{}/end", entered.id);
            let ended = two.home.ask("POST", &path, &two.visitor.token, json!({}));
            ended.await.unwrap();
        }
        Ground::Person => {
            let chief = two.home.person(Role::Owner).await;
            let act = json!({"act": "people.suspend", "person": two.visitor.id});
            two.home.act(&chief, act).await.unwrap();
        }
        // Home certifies nobody, and can't say so either: the certificate runs out at the host.
        Ground::Vouching => two.host.later(Duration::from_secs(16 * 60)),
    }
}

#[tokio::test]
async fn everything_on_which_a_visit_rests_must_stay() {
    for ground in [
        Ground::HostsEnd,
        Ground::Admission,
        Ground::Partnership,
        Ground::HomesEnd,
        Ground::OwnEnd,
        Ground::Person,
        Ground::Vouching,
    ] {
        let two = Two::open().await;
        let (entered, mut stream) = two.enter().await;
        take_away(&two, ground, &entered).await;
        is_cut(&mut stream, &format!("{ground:?}")).await;
        let service = "echo".parse().unwrap();
        assert!(entered.client.stream(&service).await.is_err(), "{ground:?}");
    }
}

#[tokio::test]
async fn a_partners_hall_wants_a_partner_and_an_admission() {
    let two = Two::open().await;
    let key = HallKey::generate().unwrap();
    let open = |more: Value| {
        let mut act = json!({"act": "hall.open", "host": "alpha.localhost", "hall": "one",
                             "public_key": spki(&key)});
        act.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        act
    };
    for (more, expected) in [
        (json!({"host": "gamma.localhost"}), "not-partner"),
        (json!({"hall": "two"}), "not-admitted"),
        (json!({"rights": ["connect:other"]}), "not-granted"),
        (json!({"duration_ms": 8 * 3_600_000 + 1}), "duration"),
    ] {
        let refused = two.home.sign(&two.visitor, open(more.clone())).await;
        assert_eq!(refused.unwrap_err().1, expected, "{more}");
    }
}

#[tokio::test]
async fn a_host_demands_more_of_visitors_than_home_does() {
    let two = Two::open().await;
    let needs = Needs {
        approval: Some(Role::Operator),
        ..Needs::default()
    };
    two.admit_if(&["connect:echo"], needs).await;
    // Nobody but a second person of the host can let them in, and there has to be one.
    let operator = two.host.person(Role::Operator).await;
    let (entered, evidence) = two.sign(&two.visitor, json!({})).await;
    let welcome: Value = entered.client.visit(evidence).await.unwrap();
    assert_eq!(welcome["waits"]["role"], "operator", "{welcome}");
    assert_eq!(code(entered.client.grant().await), "waiting-for-approval");
    let waiting = two
        .host
        .ask("GET", "/api/approvals", &operator.token, Value::Null)
        .await;
    assert_eq!(waiting.unwrap()[0]["name"], "member of beta.localhost");
    let act = json!({"act": "hall.approve", "grant": welcome["id"]});
    two.host.act(&operator, act).await.unwrap();
    entered.stream().await;

    // What home takes for a key may be too little here.
    let needs = Needs {
        key: Some("hardware".parse().unwrap()),
        ..Needs::default()
    };
    two.admit_if(&["connect:echo"], needs).await;
    let (entered, evidence) = two.sign(&two.visitor, json!({})).await;
    assert_eq!(code(entered.client.visit(evidence).await), "needs-not-met");
}
