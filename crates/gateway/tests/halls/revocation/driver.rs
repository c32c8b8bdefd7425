//! Makes each event happen at a real gateway, sees that it is refused when the model says so, and
//! asks what everybody can still do.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use hallway_ctap::aaguid::Aaguid;
use hallway_door_device::DevicesOf;
use hallway_door_device::ingest::Submission;
use hallway_door_device::store::{
    Device as Row, DeviceState, DeviceTables, Maker, PayloadLocation,
};
use hallway_door_hall::channel::standing::Standing;
use hallway_door_hall::store::HallTables;
use hallway_evidence::statement::device::{Delivery, Payload, Transaction};
use hallway_evidence::{
    CredentialId, DeviceId, GrantId, Line, PersonId, Response, SignedStatement, Statement,
};
use hallway_gateway::routes;
use hallway_hall::HallKey;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{Credential, EvidenceHash, Holder, MakerId, Purpose, Role};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::model::{
    Device, Grant, Guest, HOUR_SECONDS, Link, Model, Over, Rights, Session, State, World,
};
use crate::key::Key;
use crate::realm::{House, Refused, spki};

const ROLES: [Role; 3] = [Role::Member, Role::Operator, Role::Owner];
const RIGHTS: [&str; 2] = ["read:data", "connect:echo"];
/// Odd seconds, so that no sum of them is the end of anything.
const PAUSES: [u64; 4] = [431, 3_013, 7_817, 30_019];

/// What happens. Numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Invite { by: u8, role: u8 },
    UseLink(u8),
    AddKey(u8),
    Recover { by: u8, whom: u8 },
    MakeSignInLink(u8),
    SignIn(u8),
    Suspend(u8),
    Reinstate(u8),
    ChangeRole { whom: u8, role: u8 },
    RemoveKey(u8),
    Admit { guest: u8, rights: u8, approval: u8 },
    Dismiss(u8),
    Open { key: u8, session: u8 },
    Approve { by: u8, grant: u8 },
    EndGrant(u8),
    Withdraw { by: u8, link: u8 },
    SignOut(u8),
    Leave(u8),
    Claim(u8),
    Change { by: u8, device: u8, change: u8 },
    Wait(u8),
}

/// A device of the gateway's.
struct Camera {
    id: DeviceId,
    credential: CredentialId,
    sequence: u64,
}

/// A gateway, and what its people hold in their hands.
pub(super) struct Driver {
    house: House,
    model: Model,
    keys: Vec<Key>,
    people: Vec<PersonId>,
    links: Vec<String>,
    sessions: Vec<String>,
    grants: Vec<GrantId>,
    cameras: Vec<Camera>,
    maker: MakerId,
}

/// One of `count` things.
fn pick(number: u8, count: usize) -> Option<usize> {
    (count > 0).then(|| usize::from(number) % count)
}

fn rights_of(list: &Value) -> Rights {
    let named: BTreeSet<&str> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    RIGHTS
        .into_iter()
        .filter(|right| named.contains(right))
        .collect()
}

impl Driver {
    /// A realm with an owner, whom nothing happens to, and a hall.
    pub(super) async fn new() -> Self {
        let house = House::open().await;
        let owner = house.person(Role::Owner).await;
        let act = json!({"act": "hall.create", "hall": "one", "title": "The hall"});
        house.act(&owner, act).await.unwrap();
        let maker = Maker {
            id: MakerId::generate(),
            name: "Cameras".to_owned(),
            certificate: Vec::new(),
            sha256: [1; 32],
            added: house.gateway.now(),
            removed: None,
            evidence: None,
            key: [2; 32],
            subject: None,
        };
        let added = &maker;
        house
            .gateway
            .transact(|unit| {
                Box::pin(async move { Ok::<_, Problem>(unit.makers().add(added).await?) })
            })
            .await
            .unwrap();
        let world = World {
            active: vec![true],
            role: vec![Role::Owner],
            outs: vec![0],
            keys: BTreeSet::from([0]),
            ..World::default()
        };
        Self {
            model: Model {
                worlds: vec![world],
                keys: vec![0],
                ..Model::default()
            },
            people: vec![owner.id],
            keys: vec![owner.key],
            house,
            links: Vec::new(),
            sessions: Vec::new(),
            grants: Vec::new(),
            cameras: Vec::new(),
            maker: maker.id,
        }
    }

    // At the gateway.

    async fn call(
        &self,
        path: &str,
        token: Option<&str>,
        body: Value,
    ) -> Result<(Value, Option<String>), Refused> {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = routes::router(&self.house.gateway)
            .oneshot(request)
            .await
            .unwrap();
        let cookie = answer.headers().get(header::SET_COOKIE).map(|cookie| {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            pair.split_once('=').unwrap().1.to_owned()
        });
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        if status.is_success() {
            Ok((body, cookie))
        } else {
            Err((status.as_u16(), body["code"].as_str().unwrap().to_owned()))
        }
    }

    /// Signs in with a key; gives the session's token.
    async fn sign_in(&self, key: usize) -> Result<String, Refused> {
        let path = "/api/sign-in/statement";
        let (ceremony, _) = self.call(path, None, json!({})).await?;
        let mut answer = self.keys[key].sign(&self.house.gateway, &ceremony);
        answer["grant"] = "bearer".into();
        let (done, _) = self.call("/api/sign-in", None, answer).await?;
        Ok(done["token"].as_str().unwrap().to_owned())
    }

    /// Does an act in a session, with a key.
    async fn act_in(&self, token: &str, key: usize, act: Value) -> Result<Value, Refused> {
        let wanted = act;
        let path = "/api/acts/statement";
        let (ceremony, _) = self.call(path, Some(token), wanted).await?;
        let answer = self.keys[key].sign(&self.house.gateway, &ceremony);
        let (done, _) = self.call("/api/acts", Some(token), answer).await?;
        Ok(done)
    }

    /// Does an act in a session of its own.
    async fn act(&self, key: usize, act: Value) -> Result<Value, Refused> {
        let token = self.sign_in(key).await?;
        self.act_in(&token, key, act).await
    }

    /// Does an act that the first owner may do at any time.
    async fn ordered(&self, act: Value) {
        self.act(0, act).await.unwrap();
    }

    /// Registers a new key by a link.
    async fn register(&mut self, link: usize) -> Result<(Value, String), Refused> {
        let token = self.links[link].clone();
        let wanted = json!({ "token": token, "label": "a key" });
        let (ceremony, _) = self.call("/api/keys/statement", None, wanted).await?;
        let key = Key::generate();
        let answer = key.register(&self.house.gateway, &ceremony, &token);
        let (done, cookie) = self.call("/api/keys", None, answer).await?;
        self.keys.push(key);
        Ok((done, cookie.unwrap()))
    }

    // In the model.

    /// The world goes on.
    fn change(&mut self, change: impl FnOnce(&mut World)) {
        let mut world = self.model.world().clone();
        change(&mut world);
        self.model.worlds.push(world);
    }

    /// Everybody but the first owner.
    fn whom(&self, number: u8) -> Option<usize> {
        pick(number, self.people.len() - 1).map(|person| person + 1)
    }

    fn key(&self, number: u8) -> usize {
        usize::from(number) % self.keys.len()
    }

    fn link_of(&mut self, purpose: Purpose, key: usize, person: Option<usize>, done: &Value) {
        let maker = self.model.keys[key];
        let ends = match purpose {
            Purpose::Invitation => 7 * 24 * HOUR_SECONDS,
            Purpose::Recovery => 24 * HOUR_SECONDS,
            _ => HOUR_SECONDS / 4,
        };
        let older: Vec<Over> = (self.model.links.iter().enumerate())
            .filter(|(_, link)| link.purpose == purpose && link.person == person)
            .filter(|(_, link)| link.person.is_some())
            .map(|(id, _)| Over::Link(id))
            .collect();
        self.change(|world| world.over.extend(older));
        let link = done["link"].as_str().unwrap().split_once('#').unwrap().1;
        self.links.push(link.to_owned());
        self.model.links.push(Link {
            purpose,
            role: Role::Member,
            person,
            maker,
            key,
            as_owner: self.model.world().is_owner(maker),
            world: self.model.worlds.len() - 1,
            made: self.model.now,
            ends: self.model.now + ends,
        });
    }

    fn session_of(&mut self, person: usize, key: usize, touched: u64, token: String) {
        self.sessions.push(token);
        self.model.sessions.push(Session {
            person,
            key,
            world: self.model.worlds.len() - 1,
            touched,
            seen: self.model.now,
        });
    }

    fn guest(&self, number: u8) -> Guest {
        match pick(number, self.people.len() + ROLES.len()).unwrap() {
            role if role < ROLES.len() => Guest::Role(ROLES[role]),
            person => Guest::Person(person - ROLES.len()),
        }
    }

    fn guest_json(&self, guest: Guest) -> Value {
        match guest {
            Guest::Person(person) => json!({ "person": self.people[person].to_string() }),
            Guest::Role(role) => json!({ "role": role.to_string() }),
        }
    }

    /// Makes it happen, here and there.
    pub(super) async fn happen(&mut self, event: Event) {
        match event {
            Event::Invite { by, role } => self.invite(self.key(by), usize::from(role) % 3).await,
            Event::UseLink(link) => {
                if let Some(link) = pick(link, self.links.len()) {
                    self.use_link(link).await;
                }
            }
            Event::AddKey(key) => {
                self.make_link(self.key(key), "web.add_key", Purpose::Additional)
                    .await;
            }
            Event::MakeSignInLink(key) => {
                self.make_link(self.key(key), "web.sign_in_link", Purpose::SignIn)
                    .await;
            }
            Event::Recover { by, whom } => {
                if let Some(whom) = self.whom(whom) {
                    self.recover(self.key(by), whom).await;
                }
            }
            Event::SignIn(key) => {
                let key = self.key(key);
                let token = self.sign_in(key).await;
                assert_eq!(token.is_ok(), self.model.signs(key), "{token:?}");
                if let Ok(token) = token {
                    self.session_of(self.model.keys[key], key, self.model.now, token);
                }
            }
            Event::Suspend(whom) => {
                if let Some(whom) = self.whom(whom) {
                    self.order("people.suspend", whom).await;
                    self.change(|world| world.active[whom] = false);
                }
            }
            Event::Reinstate(whom) => {
                if let Some(whom) = self.whom(whom) {
                    self.order("people.reinstate", whom).await;
                    self.change(|world| world.active[whom] = true);
                }
            }
            Event::SignOut(whom) => {
                if let Some(whom) = self.whom(whom) {
                    self.order("people.sign_out", whom).await;
                    self.change(|world| world.outs[whom] += 1);
                }
            }
            Event::ChangeRole { whom, role } => {
                if let Some(whom) = self.whom(whom) {
                    let role = ROLES[usize::from(role) % 3];
                    if self.model.world().role[whom] == role {
                        return;
                    }
                    let person = self.people[whom].to_string();
                    let act = json!({"act": "people.change_role", "person": person, "role": role.to_string()});
                    self.ordered(act).await;
                    self.change(|world| world.role[whom] = role);
                }
            }
            Event::RemoveKey(key) => self.remove_key(self.key(key)).await,
            Event::Admit {
                guest,
                rights,
                approval,
            } => {
                let guest = self.guest(guest);
                let rights: Rights = match rights % 3 {
                    0 => [RIGHTS[0]].into(),
                    1 => [RIGHTS[1]].into(),
                    _ => RIGHTS.into(),
                };
                let asked = approval % 3 == 0;
                let needs = if asked {
                    json!({"approval": "operator"})
                } else {
                    json!({})
                };
                let whom = self.guest_json(guest);
                self.ordered(json!({"act": "hall.admit", "hall": "one", "guest": whom,
                                    "rights": rights, "needs": needs}))
                    .await;
                self.change(|world| {
                    world.admissions.insert(guest, (rights, asked));
                });
            }
            Event::Dismiss(guest) => {
                let admitted: Vec<Guest> = self.model.world().admissions.keys().copied().collect();
                if let Some(guest) = pick(guest, admitted.len()) {
                    let guest = admitted[guest];
                    let whom = self.guest_json(guest);
                    self.ordered(json!({"act": "hall.dismiss", "hall": "one", "guest": whom}))
                        .await;
                    self.change(|world| {
                        world.admissions.remove(&guest);
                    });
                }
            }
            Event::Open { key, session } => self.open(self.key(key), session).await,
            Event::Approve { by, grant } => {
                if let Some(grant) = pick(grant, self.grants.len()) {
                    self.approve(self.key(by), grant).await;
                }
            }
            Event::EndGrant(grant) => {
                if let Some(grant) = pick(grant, self.grants.len()) {
                    let act = json!({"act": "hall.end", "grant": self.grants[grant].to_string()});
                    let done = self.act(0, act).await;
                    let expected = !self.model.left(grant).is_empty();
                    assert_eq!(done.is_ok(), expected, "{done:?}");
                    self.change(|world| {
                        world.over.insert(Over::Grant(grant));
                    });
                }
            }
            Event::Withdraw { by, link } => {
                if let Some(link) = pick(link, self.links.len()) {
                    self.withdraw(self.key(by), link).await;
                }
            }
            Event::Leave(session) => {
                if let Some(session) = pick(session, self.sessions.len()) {
                    let token = self.sessions[session].clone();
                    let done = self.call("/api/sign-out", Some(&token), json!({})).await;
                    let expected = self.model.is_signed_in(session);
                    assert_eq!(done.is_ok(), expected, "{done:?}");
                    self.change(|world| {
                        if expected {
                            world.over.insert(Over::Session(session));
                        }
                    });
                }
            }
            Event::Claim(person) => {
                let person = pick(person, self.people.len()).unwrap();
                if self.model.world().active[person] && self.cameras.len() < 4 {
                    self.claim(person).await;
                }
            }
            Event::Change { by, device, change } => {
                if let Some(device) = pick(device, self.cameras.len()) {
                    self.change_device(self.key(by), device, change).await;
                }
            }
            Event::Wait(pause) => {
                let pause = PAUSES[usize::from(pause) % PAUSES.len()];
                self.house.later(Duration::from_secs(pause));
                self.model.now += pause;
            }
        }
    }

    /// The first owner does this to somebody.
    async fn order(&self, act: &str, whom: usize) {
        let person = self.people[whom].to_string();
        self.ordered(json!({"act": act, "person": person})).await;
    }

    async fn invite(&mut self, key: usize, role: usize) {
        let role = ROLES[role];
        let act = json!({"act": "people.invite", "name": "Guest", "role": role.to_string()});
        let done = self.act(key, act).await;
        let expected = self.model.signs(key) && self.model.world().is_owner(self.model.keys[key]);
        assert_eq!(done.is_ok(), expected, "{done:?}");
        if let Ok(done) = done {
            self.link_of(Purpose::Invitation, key, None, &done);
            self.model.links.last_mut().unwrap().role = role;
        }
    }

    async fn make_link(&mut self, key: usize, act: &str, purpose: Purpose) {
        let done = self.act(key, json!({ "act": act })).await;
        assert_eq!(done.is_ok(), self.model.signs(key), "{done:?}");
        if let Ok(done) = done {
            let person = self.model.keys[key];
            self.link_of(purpose, key, Some(person), &done);
        }
    }

    async fn recover(&mut self, key: usize, whom: usize) {
        let person = self.people[whom].to_string();
        let done = self
            .act(key, json!({"act": "people.recover", "person": person}))
            .await;
        let world = self.model.world();
        let expected =
            self.model.signs(key) && world.is_owner(self.model.keys[key]) && world.active[whom];
        assert_eq!(done.is_ok(), expected, "{done:?}");
        if let Ok(done) = done {
            self.link_of(Purpose::Recovery, key, Some(whom), &done);
        }
    }

    async fn use_link(&mut self, id: usize) {
        let (expected, link) = (self.model.opens(id), self.model.links[id].clone());
        if link.purpose == Purpose::SignIn {
            let body = json!({ "token": self.links[id] });
            let done = self.call("/api/join/sign-in", None, body).await;
            assert_eq!(done.is_ok(), expected, "{done:?}");
            let Ok((_, token)) = done else { return };
            self.change(|world| {
                world.over.insert(Over::Link(id));
            });
            let person = link.person.unwrap();
            self.session_of(person, link.key, link.made, token.unwrap());
            return;
        }
        let done = self.register(id).await;
        assert_eq!(done.is_ok(), expected, "{done:?}");
        let Ok((done, token)) = done else { return };
        let key = self.keys.len() - 1;
        let person = match link.person {
            Some(person) => person,
            None => {
                let id = done["person"]["id"].as_str().unwrap();
                self.people.push(id.parse().unwrap());
                self.people.len() - 1
            }
        };
        let lost: Vec<usize> = match link.purpose {
            Purpose::Recovery => (0..key)
                .filter(|key| self.model.keys[*key] == person)
                .collect(),
            _ => Vec::new(),
        };
        self.model.keys.push(person);
        self.change(|world| {
            world.over.insert(Over::Link(id));
            world.keys.insert(key);
            if world.active.len() == person {
                world.active.push(true);
                world.role.push(link.role);
                world.outs.push(0);
            }
            if link.purpose == Purpose::Recovery {
                world.outs[person] += 1;
            }
            world.keys.retain(|key| !lost.contains(key));
        });
        self.session_of(person, key, self.model.now, token);
    }

    async fn remove_key(&mut self, key: usize) {
        let holder = self.model.keys[key];
        let mut others = self.model.world().keys.iter().copied();
        let other = others.find(|other| *other != key && self.model.keys[*other] == holder);
        // The first owner acts with the first key from beginning to end.
        let (Some(other), true) = (other, key != 0) else {
            return;
        };
        let id = key_id(&self.keys[key]);
        let act = json!({"act": "web.remove_key", "key": id});
        let done = self.act(other, act).await;
        let expected = self.model.signs(other) && self.model.world().keys.contains(&key);
        assert_eq!(done.is_ok(), expected, "{done:?}");
        if expected {
            self.change(|world| {
                world.keys.remove(&key);
            });
        }
    }

    /// Opens the hall: for a fresh key, or in a session.
    async fn open(&mut self, key: usize, session: u8) {
        let person = self.model.keys[key];
        if person == 0 {
            return;
        }
        let session = match session % 2 {
            0 => None,
            _ => pick(session / 2, self.sessions.len()),
        };
        let session = session.filter(|id| self.model.sessions[*id].person == person);
        let mut act = json!({"act": "hall.open", "hall": "one"});
        let done = match session {
            Some(id) => self.act_in(&self.sessions[id], key, act).await,
            None => {
                act["public_key"] = spki(&HallKey::generate().unwrap()).into();
                self.act(key, act).await
            }
        };
        let [free, approved] = self.model.world().admitted(person);
        let signs = self.model.signs(key) && session.is_none_or(|id| self.model.is_signed_in(id));
        let expected = signs && !(free.is_empty() && approved.is_empty());
        assert_eq!(done.is_ok(), expected, "{done:?}");
        let Ok(done) = done else { return };
        let (rights, asked) = match free.is_empty() {
            true => (approved, true),
            false => (free, false),
        };
        assert_eq!(rights_of(&done["grant"]["rights"]), rights);
        assert_eq!(!done["grant"]["waits"].is_null(), asked);
        let id = done["grant"]["id"].as_str().unwrap();
        self.grants.push(id.parse().unwrap());
        self.model.grants.push(Grant {
            person,
            key,
            session,
            rights,
            asked,
            given: None,
            world: self.model.worlds.len() - 1,
            opened: self.model.now,
        });
    }

    async fn approve(&mut self, key: usize, id: usize) {
        let act = json!({"act": "hall.approve", "grant": self.grants[id].to_string()});
        let done = self.act(key, act).await;
        let (grant, by) = (&self.model.grants[id], self.model.keys[key]);
        let expected = self.model.signs(key)
            && by != grant.person
            && self.model.world().is_operator(by)
            && grant.asked
            && grant.given.is_none()
            && self.model.now < grant.opened + HOUR_SECONDS
            && !self.model.left(id).is_empty();
        assert_eq!(done.is_ok(), expected, "{done:?}");
        if expected {
            let world = self.model.worlds.len() - 1;
            self.model.grants[id].given = Some((by, world));
        }
    }

    async fn withdraw(&mut self, key: usize, id: usize) {
        let hash = hallway_spine::http::session::token_hash(&self.links[id]).unwrap();
        let act = json!({"act": "web.withdraw_link", "link": hash.to_string()});
        let done = self.act(key, act).await;
        let (link, by) = (&self.model.links[id], self.model.keys[key]);
        let own = link.maker == by || link.person == Some(by);
        let expected = self.model.signs(key)
            && self.model.opens(id)
            && (own || self.model.world().is_owner(by));
        assert_eq!(done.is_ok(), expected, "{done:?}");
        if expected {
            self.change(|world| {
                world.over.insert(Over::Link(id));
            });
        }
    }

    // Devices.

    /// A registered device of somebody's. How devices enrol is another test's.
    async fn claim(&mut self, person: usize) {
        let id = DeviceId::generate();
        let credential = CredentialId::new(id.as_bytes().to_vec()).unwrap();
        let now = self.house.gateway.now();
        let device = Row {
            id,
            serial: id.to_string(),
            maker: self.maker,
            aaguid: Aaguid::ZERO,
            name: "a camera".to_owned(),
            owner: Some(self.people[person]),
            state: DeviceState::Registered,
            suspended_by: None,
            credential: Some(credential.clone()),
            era: 1,
            last_sequence: 0,
            last_taken: hallway_evidence::Timestamp::from_ms(0),
            last_seen: None,
            set_aside: 0,
            set_aside_since: None,
            created: now,
            enrolment: None,
            claim: None,
        };
        let key = Credential {
            id: credential.clone(),
            holder: Holder::Device(id),
            public_key: Vec::new(),
            sign_count: 0,
            aaguid: Aaguid::ZERO,
            label: String::new(),
            transports: Vec::new(),
            backup_eligible: false,
            backed_up: false,
            uv_initialized: false,
            user_handle: Vec::new(),
            created: now,
            last_used: None,
            registration: EvidenceHash([0; 32]),
        };
        let (device, key) = (&device, &key);
        self.house
            .gateway
            .transact(|unit| {
                Box::pin(async move {
                    unit.devices().add(device, &[]).await?;
                    Ok::<_, Problem>(unit.credentials().add(key).await?)
                })
            })
            .await
            .unwrap();
        self.cameras.push(Camera {
            id,
            credential,
            sequence: 0,
        });
        self.model.devices.push(Device {
            owner: person,
            state: State::Registered,
            held: false,
        });
    }

    async fn change_device(&mut self, key: usize, id: usize, change: u8) {
        let device = self.cameras[id].id.to_string();
        let kinds = [
            "suspend",
            "reinstate",
            "report_stolen",
            "release",
            "transfer",
        ];
        let kind = kinds[usize::from(change) % kinds.len()];
        let heir = usize::from(change) / kinds.len() % self.people.len();
        let act = match kind {
            "transfer" => json!({"act": "device.transfer", "device": device,
                                 "person": self.people[heir].to_string()}),
            change => json!({"act": format!("device.{change}"), "device": device}),
        };
        let done = self.act(key, act).await;
        let next = self.changed(key, id, kind, heir);
        assert_eq!(done.is_ok(), next.is_some(), "{kind}: {done:?}");
        if let Some(next) = next {
            self.model.devices[id] = next;
        }
    }

    /// What the change makes of the device, where it is allowed.
    fn changed(&self, key: usize, id: usize, kind: &str, heir: usize) -> Option<Device> {
        let (world, was) = (self.model.world(), self.model.devices[id].clone());
        let by = self.model.keys[key];
        let (owns, operates) = (was.owner == by, world.is_operator(by));
        let released = was.state == State::Released;
        if !self.model.signs(key) || released {
            return None;
        }
        let stolen = was.state == State::Stolen;
        let stops = matches!(kind, "suspend" | "reinstate") && operates && !stolen;
        let lifts = matches!(kind, "reinstate" | "release") && was.held && !stolen;
        if !(owns || stops) || lifts && !operates {
            return None;
        }
        let held = was.held || !owns;
        let state = match (kind, was.state) {
            ("suspend", State::Registered | State::Stolen) => State::Suspended,
            ("suspend", State::Suspended) if held != was.held => State::Suspended,
            ("reinstate", State::Suspended) => State::Registered,
            ("reinstate", State::Stolen) => State::Suspended,
            ("report_stolen", State::Registered | State::Suspended) => State::Stolen,
            ("release", State::Registered | State::Suspended) => State::Released,
            ("transfer", _) if world.active[heir] => {
                return Some(Device { owner: heir, ..was });
            }
            _ => return None,
        };
        let held = match state {
            State::Suspended => held,
            State::Stolen => was.held,
            State::Registered | State::Released => false,
        };
        Some(Device { state, held, ..was })
    }

    async fn send(&mut self, id: usize) -> bool {
        let gateway = self.house.gateway.clone();
        let camera = &mut self.cameras[id];
        let line = |text: &str| Line::new(text).unwrap();
        let described = Payload::of(b"bytes", line("image/jpeg"), line("1.jpg"));
        let (now, sequence) = (gateway.now(), camera.sequence + 1);
        let statement = Statement {
            realm: Line::new(gateway.rp.id.as_str()).unwrap(),
            issued: now,
            nonce: *PersonId::generate().as_bytes(),
            act: Transaction {
                sequence,
                taken: now,
                delivery: Delivery::Live,
                payload: described.clone(),
                challenge: None,
            }
            .into(),
        };
        let submission = Submission {
            device: camera.id,
            signed: SignedStatement {
                statement: statement.encode(),
                credential_id: camera.credential.clone(),
                response: Response::Assertion {
                    client_data_json: Vec::new(),
                    authenticator_data: Vec::new(),
                    signature: Vec::new(),
                },
            },
            sequence,
            taken: now,
            described,
            payload: PayloadLocation::Inline(b"bytes".to_vec()),
            sign_count: 0,
        };
        let sent = gateway.devices().ingest.submit(submission).await.is_ok();
        camera.sequence += u64::from(sent);
        sent
    }

    // Afterwards.

    /// Who can still do what is what the model says.
    pub(super) async fn check(&mut self, after: Event) {
        for key in 0..self.keys.len() {
            let signs = self.sign_in(key).await.is_ok();
            assert_eq!(signs, self.model.signs(key), "key {key} after {after:?}");
        }
        for id in 0..self.links.len() {
            let body = json!({ "token": self.links[id] });
            let opens = self.call("/api/join/look", None, body).await.is_ok();
            let (expected, link) = (self.model.opens(id), &self.model.links[id]);
            assert_eq!(opens, expected, "link {id}, {link:?}, after {after:?}");
        }
        for id in 0..self.sessions.len() {
            let asked = self
                .house
                .ask("GET", "/api/me", &self.sessions[id], Value::Null);
            let signed_in = asked.await.is_ok();
            let (expected, session) = (self.model.is_signed_in(id), &self.model.sessions[id]);
            assert_eq!(
                signed_in, expected,
                "session {id}, {session:?}, after {after:?}"
            );
            if signed_in {
                self.model.sessions[id].seen = self.model.now;
            }
        }
        for id in 0..self.grants.len() {
            let rights = self.rights(id).await;
            let (expected, grant) = (self.model.may(id), &self.model.grants[id]);
            assert_eq!(rights, expected, "grant {id}, {grant:?}, after {after:?}");
        }
        for id in 0..self.cameras.len() {
            let (expected, device) = (self.model.sends(id), self.model.devices[id].clone());
            let sent = self.send(id).await;
            assert_eq!(sent, expected, "device {id}, {device:?}, after {after:?}");
        }
    }

    /// What a grant opens now.
    async fn rights(&self, id: usize) -> Rights {
        let gateway = &self.house.gateway;
        let reader = gateway.store.read();
        let grant = reader.grants().get(self.grants[id]).await.unwrap().unwrap();
        match Standing::of(&gateway.models, reader, grant, gateway.now()).await {
            Ok(standing) => rights_of(&serde_json::to_value(&standing.rights).unwrap()),
            Err(_) => Rights::new(),
        }
    }
}

fn key_id(key: &Key) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    BASE64.encode(key.credential.as_bytes())
}
