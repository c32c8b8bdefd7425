//! Who allowed a person's key, down to the set-up of the realm.
//!
//! A key is somebody's because its registration says so, and a registration counts because somebody
//! who was entitled to it signed for the one-time link that allowed it: an owner who invited the
//! person or let them recover, or the person, with an earlier key. So each registration leads to an
//! earlier entry of the log, and the last one is the set-up, before which there was nobody. The
//! set-up is the log's first entry, or the very evidence that the trust file names: what the
//! gateway's database says of anybody is not asked.
//!
//! A role is what the act that allowed the key says, or what an owner made of it later. That a role
//! was taken away or somebody was suspended can't be shown to be absent, and is not claimed.

use super::receipt::Receipts;
use super::report::{ChainStep, Happened, Section};
use crate::hash::Hash;
use crate::line::Line;
use crate::statement::Act;
use crate::statement::people::{ChangeRole, Role};
use crate::statement::web::{Reason, RegisterKey};
use crate::timestamp::Timestamp;

/// How far a person's key has to be followed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// To the set-up of the realm.
    ToSetUp,
    /// Only to its registration: who allowed it is a matter of trust. The report says what is not
    /// shown.
    KeyOnly,
}

/// What a walk needs and finds.
pub(super) struct Ancestry<'r, 'a> {
    receipts: &'r Receipts<'a>,
    section: Section,
    chain: Chain,
    /// For each receipt, whether the subject rests on it.
    used: Vec<bool>,
    /// For each receipt, whether it was looked at as a registration.
    walked: Vec<bool>,
    found: Found,
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Found {
    /// Each act that allowed something, from the subject's signer down to the set-up.
    pub(super) steps: Vec<ChainStep>,
    /// What is not shown.
    pub(super) missing: Vec<String>,
}

/// A person's key that the log holds.
#[derive(Clone, Copy)]
struct Registered<'r> {
    terms: &'r RegisterKey,
    index: u64,
    at: Timestamp,
}

/// An act of a person that the log holds.
#[derive(Clone, Copy)]
struct Signed<'r> {
    act: &'r Act,
    receipt: usize,
    index: u64,
    at: Timestamp,
    hash: Hash,
}

const IS_THERE: (&str, &str) = ("people.1", "What allowed the key is in the bundle");
const CAME_BEFORE: (&str, &str) = ("people.2", "The log has it before the key");
const SAYS_THE_SAME: (&str, &str) = ("people.3", "It allowed this very key");
const ENTITLED: (&str, &str) = ("people.4", "Its signer was entitled to it");
const SET_UP: (&str, &str) = ("people.5", "It all began with the set-up of the realm");

impl<'r, 'a> Ancestry<'r, 'a> {
    pub(super) fn new(receipts: &'r Receipts<'a>, chain: Chain) -> Self {
        let count = receipts.all.len();
        Self {
            receipts,
            section: Section::new("Who allowed the keys, down to the set-up of the realm"),
            chain,
            used: vec![false; count],
            walked: vec![false; count],
            found: Found::default(),
        }
    }

    /// Notes that the subject rests on a receipt.
    pub(super) fn uses(&mut self, receipt: usize) {
        if let Some(used) = self.used.get_mut(receipt) {
            *used = true;
        }
    }

    /// Follows the key of registration `key` down to the set-up, for an entry of the log at which
    /// its person needed the role `least`. Returns the role that is shown, if it suffices.
    pub(super) fn follow(&mut self, key: usize, before: u64, least: Role) -> Option<Role> {
        self.walk(key);
        let shown = self.role(key, before, least);
        if shown.is_none()
            && let Some(Registered { terms, .. }) = self.registered(key)
        {
            let why = no_role(&terms.name, least, "this");
            self.conclude(ENTITLED, Err::<(), _>(why), "");
        }
        shown
    }

    /// Whether nothing is missing so far.
    pub(super) fn is_complete(&self) -> bool {
        self.found.missing.is_empty()
    }

    /// Checks that the subject rests on every receipt, and returns what was found.
    pub(super) fn finish(mut self) -> (Section, Found) {
        let unused = self.used.iter().position(|used| !used);
        self.section.check(
            "bundle.1",
            "The subject rests on every receipt",
            unused.map_or(Ok(()), |at| {
                Err(format!("it does not rest on receipt {}", at + 1))
            }),
            format_args!("{} receipts", self.used.len()),
        );
        (self.section, self.found)
    }

    /// Follows one registration to what allowed it, and on.
    pub(super) fn walk(&mut self, key: usize) {
        self.uses(key);
        if self.walked.get(key).copied().unwrap_or(true) {
            return;
        }
        if let Some(walked) = self.walked.get_mut(key) {
            *walked = true;
        }
        let Some(registered) = self.registered(key) else {
            let number = key + 1;
            self.conclude(
                IS_THERE,
                Err::<(), _>(format!(
                    "receipt {number} is no registration that the log holds"
                )),
                "",
            );
            return;
        };
        if registered.terms.reason == Reason::Setup {
            self.check_set_up(key, registered);
            return;
        }
        let terms = registered.terms;
        let (what, ask) = named(terms);
        let held = self.receipts.all.iter().enumerate().find_map(|(at, _)| {
            let signed = self.signed(at)?;
            (link_of(signed.act) == Some((terms.reason, terms.link))).then_some(signed)
        });
        let detail = held.map_or_else(String::new, |act| format!("receipt {}", act.receipt + 1));
        let held = held.ok_or_else(|| {
            format!(
                "nothing here shows that {what} happened: the bundle lacks {ask}; ask the realm for \
                 the receipt again, which holds it if it ever was signed"
            )
        });
        let Some(act) = self.conclude(IS_THERE, held, detail) else {
            return;
        };
        self.uses(act.receipt);
        let in_order = if act.index < registered.index {
            Ok(())
        } else {
            Err(format!(
                "{what} is entry {} of the log, after the key’s registration, which is entry {}",
                act.index, registered.index
            ))
        };
        let detail = format!("entries {} and {}", act.index, registered.index);
        if self.conclude(CAME_BEFORE, in_order, detail).is_none() {
            return;
        }
        self.check_allowed(registered, act);
    }

    /// Checks that the act allowed this very registration, and that its signer was entitled to.
    fn check_allowed(&mut self, registered: Registered<'r>, act: Signed<'r>) {
        let terms = registered.terms;
        let (what, _) = named(terms);
        let Some(signer) = self.signer(act) else {
            let why = format!("{what} is not signed by a person’s key that was registered before");
            self.conclude(ENTITLED, Err::<(), _>(why), "");
            return;
        };
        self.uses(signer);
        let Some(by) = self.registered(signer) else {
            return;
        };
        let same = same_terms(terms, act);
        let detail = format!("{} ({})", terms.name, terms.role);
        self.conclude(SAYS_THE_SAME, same, detail);
        let happened = match act.act {
            Act::PeopleInvite(_) => Happened::Invited,
            Act::PeopleRecover(_) => Happened::Recovered,
            _ => Happened::Added,
        };
        self.tell(happened, terms, &by.terms.name, act.index, act.at);
        self.walk(signer);
        let entitled = match act.act {
            Act::PeopleInvite(_) | Act::PeopleRecover(_) => {
                let shown = self.role(signer, act.index, Role::Owner);
                shown.ok_or_else(|| no_role(&by.terms.name, Role::Owner, &what))
            }
            _ if by.terms.person != terms.person => Err(format!(
                "{} signed for it, with a key of their own, and not {}",
                by.terms.name, terms.name
            )),
            // The key comes with the role that its person has when it is registered.
            _ => self
                .role(signer, registered.index, terms.role)
                .ok_or_else(|| no_role(&terms.name, terms.role, "their further key")),
        };
        self.conclude(ENTITLED, entitled, &by.terms.name);
        if let Act::PeopleRecover(recover) = act.act {
            let before = (recover.role, act.index);
            let shown = self.raised(terms, before, registered.index, terms.role);
            let shown = shown.ok_or_else(|| no_role(&terms.name, terms.role, "their new key"));
            self.conclude(SAYS_THE_SAME, shown, terms.role);
        }
    }

    /// Checks that a registration by a set-up link is the one from which every right comes.
    fn check_set_up(&mut self, key: usize, registered: Registered<'r>) {
        let evidence = self.receipts.all.get(key);
        let hash = evidence.map(|checked| checked.receipt.evidence.hash());
        let name = &registered.terms.name;
        let root = match self.receipts.trust.set_up {
            _ if registered.terms.role != Role::Owner => Err(format!(
                "{name}’s key claims to be that of the set-up, but is no owner’s"
            )),
            Some(known) if hash == Some(known) => Ok("the set-up that the trust file names"),
            Some(known) => Err(format!(
                "{name}’s key claims to be that of the set-up, but the trust file names the evidence \
                 {}",
                hex::encode(known)
            )),
            None if registered.index == 0 => Ok("the first entry of the log"),
            None => Err(format!(
                "{name}’s key claims to be that of the set-up, but it is entry {} of the log, and \
                 the set-up is its first; if the realm was lawfully set up anew, its trust file names \
                 that",
                registered.index
            )),
        };
        let detail = root.clone().unwrap_or_default();
        if self.conclude(SET_UP, root, detail).is_some() {
            let (terms, index, at) = (registered.terms, registered.index, registered.at);
            self.tell(Happened::SetUp, terms, &terms.name, index, at);
        }
    }

    /// The role that the person of a registered key is shown to have had before an entry: that of
    /// the registration, or if it is less than `least`, the one that an owner gave them since.
    fn role(&mut self, key: usize, before: u64, least: Role) -> Option<Role> {
        let Registered { terms, index, .. } = self.registered(key)?;
        self.raised(terms, (terms.role, index), before, least)
    }

    /// The role of `person` before an entry, who had the role `known` at an earlier one.
    fn raised(
        &mut self,
        person: &RegisterKey,
        known: (Role, u64),
        before: u64,
        least: Role,
    ) -> Option<Role> {
        let (role, since) = known;
        if since >= before {
            return None;
        }
        if role >= least {
            return Some(role);
        }
        // Of several, one whose signer could not give the role raised nobody.
        (0..self.receipts.all.len()).find_map(|at| {
            let act = self.signed(at)?;
            let Act::PeopleChangeRole(change) = act.act else {
                return None;
            };
            let is_it = (change.person, &change.name) == (person.person, &person.name)
                && change.role >= least
                && (since + 1..before).contains(&act.index);
            if !is_it {
                return None;
            }
            self.promoted(person, act, change)
        })
    }

    /// The role that `act` gave to a person, if its signer could give it.
    fn promoted(
        &mut self,
        person: &RegisterKey,
        act: Signed<'r>,
        change: &ChangeRole,
    ) -> Option<Role> {
        let signer = self.signer(act)?;
        let by = self.registered(signer)?.terms.name.clone();
        self.uses(act.receipt);
        let terms = RegisterKey {
            role: change.role,
            ..person.clone()
        };
        self.tell(Happened::Promoted, &terms, &by, act.index, act.at);
        self.walk(signer);
        self.role(signer, act.index, Role::Owner)?;
        Some(change.role)
    }

    fn registered(&self, receipt: usize) -> Option<Registered<'r>> {
        let checked = self.receipts.all.get(receipt)?;
        let Act::WebRegisterKey(terms) = &checked.statement.as_ref()?.act else {
            return None;
        };
        checked.registration.as_ref()?;
        Some(Registered {
            terms,
            index: checked.log_index?,
            at: checked.receipt.evidence.accepted,
        })
    }

    fn signed(&self, receipt: usize) -> Option<Signed<'r>> {
        let checked = self.receipts.all.get(receipt)?;
        Some(Signed {
            act: &checked.statement.as_ref()?.act,
            receipt,
            index: checked.log_index?,
            at: checked.receipt.evidence.accepted,
            hash: checked.receipt.evidence.hash(),
        })
    }

    /// The registration of the person's key that signed, if it came before.
    fn signer(&self, act: Signed<'_>) -> Option<usize> {
        let signer = self.receipts.all.get(act.receipt)?.signer?;
        (self.registered(signer)?.index < act.index).then_some(signer)
    }

    fn tell(
        &mut self,
        happened: Happened,
        terms: &RegisterKey,
        by: &Line,
        log_index: u64,
        at_ms: Timestamp,
    ) {
        let step = ChainStep {
            happened,
            person: terms.person,
            name: terms.name.clone(),
            role: terms.role,
            by: by.clone(),
            at_ms,
            log_index,
        };
        if !self.found.steps.contains(&step) {
            self.found.steps.push(step);
        }
    }

    /// Records a step. What does not hold is a failure, or where it is not demanded, only noted.
    fn conclude<T>(
        &mut self,
        (number, title): (&'static str, &'static str),
        result: Result<T, String>,
        held: impl core::fmt::Display,
    ) -> Option<T> {
        if let Err(why) = &result {
            self.found.missing.push(why.clone());
            if self.chain == Chain::KeyOnly {
                self.section
                    .skip(number, title, &format!("not shown: {why}"));
                return None;
            }
        }
        self.section.check(number, title, result, held)
    }
}

fn no_role(name: &Line, least: Role, what: &str) -> String {
    format!(
        "{name} needed the role {least} for {what}, and nothing here shows that they had it: neither \
         the registration of the key nor an act people.change_role in the bundle"
    )
}

/// The act that a registration rests on: in words, and by its name and its link.
fn named(terms: &RegisterKey) -> (String, String) {
    let (name, link) = (&terms.name, hex::encode(terms.link));
    let (what, act) = match terms.reason {
        Reason::Setup => (format!("the set-up by {name}"), "web.register_key"),
        Reason::Invitation => (format!("the invitation of {name}"), "people.invite"),
        Reason::Recovery => (format!("the recovery of {name}"), "people.recover"),
        Reason::Additional => (
            format!("{name}’s permission for a further key"),
            "web.add_key",
        ),
    };
    let ask = format!("the act {act} that names the link {link}");
    (what, ask)
}

/// The reason and the link with which the act allows a key to be registered, if it does.
fn link_of(act: &Act) -> Option<(Reason, Hash)> {
    match act {
        Act::PeopleInvite(terms) => Some((Reason::Invitation, terms.link)),
        Act::PeopleRecover(terms) => Some((Reason::Recovery, terms.link)),
        Act::WebAddKey(terms) => Some((Reason::Additional, terms.link)),
        _ => None,
    }
}

/// Whether the act names the person, and the role, that the registration does.
fn same_terms(key: &RegisterKey, act: Signed<'_>) -> Result<(), String> {
    let expect = |holds: bool, what: &str, said: &dyn core::fmt::Display| {
        if holds {
            return Ok(());
        }
        let name = &key.name;
        Err(format!(
            "what allowed {name}’s key names {what} {said}, and the registration another"
        ))
    };
    expect(
        key.authorised_by.is_none_or(|hash| hash == act.hash),
        "the evidence",
        &hex::encode(act.hash),
    )?;
    match act.act {
        Act::PeopleInvite(terms) => {
            expect(terms.name == key.name, "the name", &terms.name)?;
            expect(terms.role == key.role, "the role", &terms.role)
        }
        Act::PeopleRecover(terms) => {
            expect(terms.person == key.person, "the person", &terms.person)?;
            expect(terms.name == key.name, "the name", &terms.name)
        }
        Act::WebAddKey(terms) => {
            expect(terms.person == key.person, "the person", &terms.person)?;
            expect(terms.name == key.name, "the name", &terms.name)
        }
        _ => Ok(()),
    }
}
