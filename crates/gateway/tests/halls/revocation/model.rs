//! Who can still do what, said of the whole past: a thing holds if at every moment since it was
//! made everything held on which it rests. The gateway keeps no such past; it ends things when they
//! end.

use std::collections::{BTreeMap, BTreeSet};

use hallway_spine::store::{Purpose, Role};

pub(super) type Rights = BTreeSet<&'static str>;

/// Whom an admission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Guest {
    Person(usize),
    Role(Role),
}

/// Something that was ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Over {
    Link(usize),
    Session(usize),
    Grant(usize),
}

/// How things stand at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) active: Vec<bool>,
    pub(super) role: Vec<Role>,
    /// How often a person was signed out everywhere, or recovered lost access.
    pub(super) outs: Vec<u32>,
    pub(super) keys: BTreeSet<usize>,
    /// What is admitted, and whether an operator has to approve it.
    pub(super) admissions: BTreeMap<Guest, (Rights, bool)>,
    pub(super) over: BTreeSet<Over>,
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) purpose: Purpose,
    pub(super) role: Role,
    pub(super) person: Option<usize>,
    pub(super) maker: usize,
    pub(super) key: usize,
    pub(super) as_owner: bool,
    pub(super) world: usize,
    pub(super) made: u64,
    pub(super) ends: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) person: usize,
    pub(super) key: usize,
    pub(super) world: usize,
    pub(super) touched: u64,
    pub(super) seen: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) person: usize,
    pub(super) key: usize,
    pub(super) session: Option<usize>,
    pub(super) rights: Rights,
    pub(super) asked: bool,
    /// Who approved it, and in which world.
    pub(super) given: Option<(usize, usize)>,
    pub(super) world: usize,
    pub(super) opened: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Registered,
    Suspended,
    Stolen,
    Released,
}

#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) owner: usize,
    pub(super) state: State,
    /// Whether it was suspended as an operator.
    pub(super) held: bool,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    pub(super) worlds: Vec<World>,
    /// Whose each key is.
    pub(super) keys: Vec<usize>,
    pub(super) links: Vec<Link>,
    pub(super) sessions: Vec<Session>,
    pub(super) grants: Vec<Grant>,
    pub(super) devices: Vec<Device>,
}

pub(super) const HOUR_SECONDS: u64 = 3600;

impl World {
    pub(super) fn is_owner(&self, person: usize) -> bool {
        self.role[person] == Role::Owner
    }

    pub(super) fn is_operator(&self, person: usize) -> bool {
        self.role[person] != Role::Member
    }

    /// What somebody is admitted to: what needs no approval, and what needs one.
    pub(super) fn admitted(&self, person: usize) -> [Rights; 2] {
        let mut rights = [Rights::new(), Rights::new()];
        for (guest, (admitted, approval)) in &self.admissions {
            let counts = match guest {
                Guest::Person(id) => *id == person,
                Guest::Role(Role::Member) => true,
                Guest::Role(Role::Operator) => self.is_operator(person),
                Guest::Role(Role::Owner) => self.is_owner(person),
            };
            if counts {
                rights[usize::from(*approval)].extend(admitted);
            }
        }
        rights
    }
}

/// The model.
impl Model {
    pub(super) fn world(&self) -> &World {
        self.worlds.last().unwrap()
    }

    pub(super) fn signs(&self, key: usize) -> bool {
        self.world().keys.contains(&key) && self.world().active[self.keys[key]]
    }

    pub(super) fn opens(&self, id: usize) -> bool {
        let link = &self.links[id];
        let outs = link
            .person
            .map(|person| self.worlds[link.world].outs[person]);
        self.now < link.ends
            && self.worlds[link.world..].iter().all(|world| {
                let owner = !link.as_owner || world.is_owner(link.maker);
                let whom = link.person.is_none_or(|person| world.active[person]);
                let outs = link.person.map(|person| world.outs[person]) == outs;
                let maker = world.active[link.maker] && world.keys.contains(&link.key);
                owner && whom && outs && maker && !world.over.contains(&Over::Link(id))
            })
    }

    /// Whether nothing ended a session but time.
    fn is_unbroken(&self, id: usize) -> bool {
        let session = &self.sessions[id];
        let outs = self.worlds[session.world].outs[session.person];
        self.worlds[session.world..].iter().all(|world| {
            let person = world.active[session.person] && world.outs[session.person] == outs;
            let key = world.keys.contains(&session.key);
            person && key && !world.over.contains(&Over::Session(id))
        })
    }

    fn lasts(&self, id: usize) -> bool {
        self.is_unbroken(id) && self.now < self.sessions[id].touched + 12 * HOUR_SECONDS
    }

    pub(super) fn is_signed_in(&self, id: usize) -> bool {
        self.lasts(id) && self.now - self.sessions[id].seen <= 2 * HOUR_SECONDS
    }

    /// What is left of a grant, approved already or not yet.
    pub(super) fn left(&self, id: usize) -> Rights {
        let grant = &self.grants[id];
        let outs = self.worlds[grant.world].outs[grant.person];
        let holds = self.now < grant.opened + 8 * HOUR_SECONDS
            && grant
                .session
                .is_none_or(|session| self.is_unbroken(session))
            && self.worlds[grant.world..].iter().all(|world| {
                let person = world.active[grant.person] && world.outs[grant.person] == outs;
                person && world.keys.contains(&grant.key) && !world.over.contains(&Over::Grant(id))
            })
            && grant.given.is_none_or(|(by, since)| {
                let mut since = self.worlds[since..].iter();
                since.all(|world| world.active[by] && world.is_operator(by))
            });
        let mut rights = if holds {
            grant.rights.clone()
        } else {
            Rights::new()
        };
        for world in &self.worlds[grant.world..] {
            let [free, approved] = world.admitted(grant.person);
            rights.retain(|right| free.contains(right) || grant.asked && approved.contains(right));
        }
        rights
    }

    /// What a grant opens.
    pub(super) fn may(&self, id: usize) -> Rights {
        let grant = &self.grants[id];
        let waits = grant.asked && grant.given.is_none();
        let signed_out = grant.session.is_some_and(|session| !self.lasts(session));
        if waits || signed_out {
            Rights::new()
        } else {
            self.left(id)
        }
    }

    pub(super) fn sends(&self, id: usize) -> bool {
        let device = &self.devices[id];
        device.state == State::Registered && self.world().active[device.owner]
    }
}
