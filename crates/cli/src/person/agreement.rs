//! Checks that a statement is what was asked for, to the last term.
//!
//! Each request is compared with the one act that does it. Every term is taken apart by name, so
//! that a new one does not compile until it is compared with what was asked for, or a comment here
//! says why it need not be: because the signer reads it in the sentence before they touch their
//! key, or because it is checked against what comes back ([`promised_link`]).

use std::time::Duration;

use hallway_evidence::statement::device::Claim;
use hallway_evidence::statement::hall::{
    Admit, Approve, Create, Dismiss, DismissAgent, End, Guest, InviteAgent, NamedPerson, Open,
    Remove, Visitor, Whom,
};
use hallway_evidence::statement::partner::{self, Pins};
use hallway_evidence::statement::realm::{ReplaceAuthority, WithdrawAuthority};
use hallway_evidence::statement::web::{AddKey, Reason, RegisterKey, SignInLink, WithdrawLink};
use hallway_evidence::statement::witness::BeginLogAnew;
use hallway_evidence::statement::{Act, maker};
use hallway_evidence::{Hash, Line, PersonId, RealmName, Statement, Timestamp};

use super::difference::{Difference, same, same_or_none};
use super::one_time_link::{LinkKind, sha256};
use super::request::{ActRequest, GuestRequest, KeyToRegister, LinkId, WhomRequest};
use super::session::Who;

/// How long an agent's invitation may be valid.
const AGENT_INVITATION: Duration = Duration::from_secs(3600);
/// How long a partner's invitation may be valid.
const PARTNER_INVITATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far a gateway's clock may go on between two members of a statement.
const CLOCK_STEP: Duration = Duration::from_secs(60);

/// What a statement has to say.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// Somebody signs in; who that is follows from the key.
    SignIn,
    /// A key is registered.
    Key(&'a KeyToRegister),
    /// An act of somebody who is signed in.
    Act(&'a ActRequest, &'a Who),
}

impl Wanted<'_> {
    /// Checks that the statement says that, in its realm.
    ///
    /// # Errors
    /// The first [`Difference`].
    pub(super) fn agrees_with(
        self,
        statement: &Statement,
        realm: &RealmName,
    ) -> Result<(), Difference> {
        let Statement {
            realm: _,
            issued,
            nonce: _,
            act,
        } = statement;
        match self {
            Self::SignIn => match act {
                Act::WebSignIn(_) => Ok(()),
                _ => Err(other_act("web.sign_in", act)),
            },
            Self::Key(key) => key.agrees_with(act),
            Self::Act(request, who) => request.agrees_with(act, *issued, realm, who),
        }
    }
}

impl KeyToRegister {
    fn agrees_with(&self, act: &Act) -> Result<(), Difference> {
        let Act::WebRegisterKey(terms) = act else {
            return Err(other_act("web.register_key", act));
        };
        let RegisterKey {
            // The key is asked to keep this very id as its user handle, and each sign-in shows it.
            person: _,
            name,
            // The sentence says it: the person who made the link chose it.
            role: _,
            label,
            reason,
            link,
            // The hash of evidence that this program never had.
            authorised_by: _,
        } = terms;
        same("the key's name", &self.label, label)?;
        same("the link", &LinkId(self.link.hash()), &LinkId(*link))?;
        match (&self.name, reason) {
            (Some(asked), _) => same("the name", asked, name),
            // Only the first owner says who they are; everybody else was named by the person who
            // invited them, and the sentence says how.
            (None, Reason::Setup) => Err(Difference::new("the name", "in the link", name)),
            (None, Reason::Invitation | Reason::Recovery | Reason::Additional) => Ok(()),
        }
    }
}

impl ActRequest {
    fn agrees_with(
        &self,
        act: &Act,
        issued: Timestamp,
        realm: &RealmName,
        who: &Who,
    ) -> Result<(), Difference> {
        match self {
            Self::CreateHall { hall: name, title } => {
                let Act::HallCreate(terms) = act else {
                    return Err(other_act("hall.create", act));
                };
                let Create {
                    hall,
                    title: stated,
                } = terms;
                same("the hall", name, hall)?;
                same("the title", title, stated)
            }
            Self::RemoveHall { hall } => {
                let Act::HallRemove(terms) = act else {
                    return Err(other_act("hall.remove", act));
                };
                let Remove { hall: stated } = terms;
                same("the hall", hall, stated)
            }
            Self::AdmitToHall {
                hall,
                guest,
                rights,
                needs,
            } => {
                let Act::HallAdmit(terms) = act else {
                    return Err(other_act("hall.admit", act));
                };
                let Admit {
                    hall: stated,
                    guest: whom,
                    rights: allowed,
                    needs: demanded,
                } = terms;
                same("the hall", hall, stated)?;
                guest.agrees_with(whom)?;
                same("what the guest may do", rights, allowed)?;
                same("what is demanded", needs, demanded)
            }
            Self::DismissFromHall { hall, guest } => {
                let Act::HallDismiss(terms) = act else {
                    return Err(other_act("hall.dismiss", act));
                };
                let Dismiss {
                    hall: stated,
                    guest: whom,
                } = terms;
                same("the hall", hall, stated)?;
                guest.agrees_with(whom)
            }
            Self::InviteAgent {
                hall,
                agent,
                beside,
                stores,
                services,
            } => {
                let Act::HallInviteAgent(terms) = act else {
                    return Err(other_act("hall.invite_agent", act));
                };
                let InviteAgent {
                    hall: stated,
                    agent: called,
                    beside: neighbour,
                    stores: stated_stores,
                    services: stated_services,
                    // Compared with the link that comes back.
                    token: _,
                    expires,
                } = terms;
                same("the hall", hall, stated)?;
                same("the agent", agent, called)?;
                same_or_none("the agent beside it", beside.as_ref(), neighbour.as_ref())?;
                same("the stores that it may provide", stores, stated_stores)?;
                same(
                    "the services that it may provide",
                    services,
                    stated_services,
                )?;
                within("the invitation's end", issued, AGENT_INVITATION, *expires)
            }
            Self::DismissAgent { hall, agent } => {
                let Act::HallDismissAgent(terms) = act else {
                    return Err(other_act("hall.dismiss_agent", act));
                };
                let DismissAgent {
                    hall: stated,
                    agent: called,
                } = terms;
                same("the hall", hall, stated)?;
                same("the agent", agent, called)
            }
            Self::OpenHall {
                host,
                hall,
                rights,
                duration_ms,
                public_key,
            } => {
                let Act::HallOpen(terms) = act else {
                    return Err(other_act("hall.open", act));
                };
                let Open {
                    host: stated_host,
                    hall: stated_hall,
                    person,
                    name,
                    role,
                    rights: stated_rights,
                    duration_ms: stated_ms,
                    public_key: stated_key,
                } = terms;
                same(
                    "the realm of the hall",
                    host.as_ref().unwrap_or(realm),
                    stated_host,
                )?;
                same("the hall", hall, stated_hall)?;
                same("who enters", &who.id, person)?;
                same("the name of who enters", &who.name, name)?;
                // At home nothing depends on the role; elsewhere the sentence says it.
                if let (Some(role), true) = (role, stated_host == realm) {
                    return Err(Difference::new("the role", "nothing", role));
                }
                // If no rights or duration were asked for, the sentence says what is granted.
                if let Some(rights) = rights {
                    same("what you may do", rights, stated_rights)?;
                }
                if let Some(duration_ms) = duration_ms {
                    same("for how long, in milliseconds,", duration_ms, stated_ms)?;
                }
                let key = |key: &hallway_evidence::statement::hall::P256PublicKey| {
                    hex::encode(key.sha256())
                };
                same_or_none(
                    "the SHA-256 of the key",
                    Some(&key(public_key)),
                    stated_key.as_ref().map(key).as_ref(),
                )
            }
            Self::ApproveGrant { grant } => {
                let Act::HallApprove(terms) = act else {
                    return Err(other_act("hall.approve", act));
                };
                let Approve {
                    grant: stated,
                    // The sentence says what is approved.
                    opened: _,
                    hall: _,
                    name: _,
                    rights: _,
                } = terms;
                same("the grant", grant, stated)
            }
            Self::EndGrant { grant } => {
                let Act::HallEnd(terms) = act else {
                    return Err(other_act("hall.end", act));
                };
                let End {
                    grant: stated,
                    // The sentence says what ends.
                    opened: _,
                    hall: _,
                    name: _,
                } = terms;
                same("the grant", grant, stated)
            }
            Self::InvitePartner { address } => {
                let Act::PartnerInvite(terms) = act else {
                    return Err(other_act("partner.invite", act));
                };
                let partner::Invite {
                    pins,
                    // Compared with the link that comes back.
                    token: _,
                    expires,
                } = terms;
                reached_at(address, pins)?;
                within("the invitation's end", issued, PARTNER_INVITATION, *expires)
            }
            Self::AcceptPartner { link } => {
                let Act::PartnerAccept(terms) = act else {
                    return Err(other_act("partner.accept", act));
                };
                let partner::Accept { pins, token } = terms;
                reached_at(&link.origin, pins)?;
                let hex = |hash: &Hash| hex::encode(hash);
                same("the invitation", &hex(&link.token), &hex(token))
            }
            Self::LeavePartner { realm } => {
                let Act::PartnerLeave(terms) = act else {
                    return Err(other_act("partner.leave", act));
                };
                let partner::Leave { realm: stated } = terms;
                same("the partner", realm, stated)
            }
            Self::ReplaceAuthority => match act {
                // The sentence says which authority follows which.
                Act::RealmReplaceAuthority(ReplaceAuthority { from: _, to: _ }) => Ok(()),
                _ => Err(other_act("realm.replace_authority", act)),
            },
            Self::WithdrawAuthority => match act {
                Act::RealmWithdrawAuthority(WithdrawAuthority { from: _, to: _ }) => Ok(()),
                _ => Err(other_act("realm.withdraw_authority", act)),
            },
            Self::BeginLogAnew { origin } => {
                let Act::WitnessBeginLogAnew(terms) = act else {
                    return Err(other_act("witness.begin_log_anew", act));
                };
                let BeginLogAnew {
                    origin: stated,
                    // The sentence says both.
                    seen: _,
                    key: _,
                } = terms;
                same("the log", origin, stated)
            }
            Self::AddMaker { name, certificate } => {
                let Act::MakerAdd(terms) = act else {
                    return Err(other_act("maker.add", act));
                };
                let maker::Add {
                    name: stated,
                    certificate: hash,
                } = terms;
                same("the maker", name, stated)?;
                same(
                    "the SHA-256 of the certificate",
                    &hex::encode(sha256(&certificate.der)),
                    &hex::encode(hash),
                )
            }
            Self::AddKey => {
                let Act::WebAddKey(terms) = act else {
                    return Err(other_act("web.add_key", act));
                };
                let AddKey {
                    person,
                    name,
                    // Compared with the link that comes back.
                    link: _,
                } = terms;
                is_own(who, *person, name)
            }
            Self::SignInLink => {
                let Act::WebSignInLink(terms) = act else {
                    return Err(other_act("web.sign_in_link", act));
                };
                let SignInLink {
                    person,
                    name,
                    // Compared with the link that comes back.
                    link: _,
                } = terms;
                is_own(who, *person, name)
            }
            Self::WithdrawLink { link } => {
                let Act::WebWithdrawLink(terms) = act else {
                    return Err(other_act("web.withdraw_link", act));
                };
                let WithdrawLink {
                    link: stated,
                    // The sentence says both.
                    opens: _,
                    name: _,
                } = terms;
                same("the link", link, &LinkId(*stated))
            }
            Self::ClaimDevice {
                code: _,
                serial,
                maker,
            } => {
                let Act::DeviceClaim(terms) = act else {
                    return Err(other_act("device.claim", act));
                };
                let Claim {
                    // The gateway's own name for it.
                    device: _,
                    serial: stated,
                    // The sentence says it.
                    model: _,
                    maker: stated_maker,
                    // The code stands for these: this program never had them.
                    credential: _,
                    enrolment: _,
                    owner,
                } = terms;
                same("the serial number", serial, stated)?;
                same("the maker", maker, stated_maker)?;
                same("the owner", &who.id, owner)
            }
        }
    }

    /// What the statement names by its hash alone, and the gateway expects with the answer.
    pub(super) fn attachment(&self) -> Option<&[u8]> {
        match self {
            Self::AddMaker { certificate, .. } => Some(&certificate.der),
            Self::AcceptPartner { link } => Some(&link.secret),
            Self::CreateHall { .. }
            | Self::RemoveHall { .. }
            | Self::AdmitToHall { .. }
            | Self::DismissFromHall { .. }
            | Self::InviteAgent { .. }
            | Self::DismissAgent { .. }
            | Self::OpenHall { .. }
            | Self::ApproveGrant { .. }
            | Self::EndGrant { .. }
            | Self::InvitePartner { .. }
            | Self::LeavePartner { .. }
            | Self::ReplaceAuthority
            | Self::WithdrawAuthority
            | Self::BeginLogAnew { .. }
            | Self::AddKey
            | Self::SignInLink
            | Self::WithdrawLink { .. }
            | Self::ClaimDevice { .. } => None,
        }
    }
}

impl GuestRequest {
    fn agrees_with(&self, guest: &Guest) -> Result<(), Difference> {
        match (self, guest) {
            // The request has only the id: the gateway adds the name, and the sentence says it.
            (Self::Person(asked), Guest::Person(NamedPerson { id, name: _ })) => {
                same("the guest", asked, id)
            }
            (Self::Role(asked), Guest::Role(role)) => same("the guest's role", asked, role),
            (
                Self::Visitor { realm, whom },
                Guest::Visitor(Visitor {
                    realm: stated,
                    whom: who,
                }),
            ) => {
                same("the guest's realm", realm, stated)?;
                whom.agrees_with(who)
            }
            (Self::Person(asked), Guest::Role(_) | Guest::Visitor(_)) => {
                Err(Difference::new("the guest", asked, guest))
            }
            (Self::Role(asked), Guest::Person(_) | Guest::Visitor(_)) => {
                Err(Difference::new("the guest's role", asked, guest))
            }
            (Self::Visitor { realm, .. }, Guest::Person(_) | Guest::Role(_)) => {
                Err(Difference::new("the guest's realm", realm, guest))
            }
        }
    }
}

impl WhomRequest {
    fn agrees_with(&self, whom: &Whom) -> Result<(), Difference> {
        match (self, whom) {
            (Self::Role(asked), Whom::Role(role)) => same("the guest's role", asked, role),
            (
                Self::Person { id, name },
                Whom::Person(NamedPerson {
                    id: stated,
                    name: called,
                }),
            ) => {
                same("the guest", id, stated)?;
                let unnamed = || Line::nearest(&id.to_string());
                same(
                    "the guest's name",
                    &name.clone().unwrap_or_else(unnamed),
                    called,
                )
            }
            (Self::Person { id, .. }, Whom::Role(role)) => {
                Err(Difference::new("the guest", id, role))
            }
            (Self::Role(role), Whom::Person(person)) => {
                Err(Difference::new("the guest's role", role, person.id))
            }
        }
    }
}

/// Checks that what is pinned of another realm is of the gateway that was named. The sentence says
/// its keys.
fn reached_at(asked: &hallway_evidence::Origin, pins: &Pins) -> Result<(), Difference> {
    let Pins {
        realm,
        origin,
        log: _,
        authorities: _,
        seen: _,
    } = pins;
    same("the partner's address", asked, origin)?;
    if realm.covers(origin.host()) {
        Ok(())
    } else {
        Err(Difference::new("the partner's realm", origin.host(), realm))
    }
}

/// Checks that something ends at most `lasting` after `issued`.
fn within(
    field: &'static str,
    issued: Timestamp,
    lasting: Duration,
    stated: Timestamp,
) -> Result<(), Difference> {
    let latest = issued.plus(lasting);
    if stated <= latest.plus(CLOCK_STEP) {
        Ok(())
    } else {
        Err(Difference::new(field, latest, stated))
    }
}

/// Checks that a link is for the signer's own use.
fn is_own(who: &Who, person: PersonId, name: &Line) -> Result<(), Difference> {
    same("whom the link is for", &who.id, &person)?;
    same("the name of whom the link is for", &who.name, name)
}

fn other_act(asked: &str, act: &Act) -> Difference {
    Difference::new("the act", asked, act.name())
}

/// The link that an act promises: its kind, and the hash of its secret.
pub(super) fn promised_link(act: &Act) -> Option<(LinkKind, Hash)> {
    match act {
        Act::PeopleInvite(terms) => Some((LinkKind::Join, terms.link)),
        Act::PeopleRecover(terms) => Some((LinkKind::Join, terms.link)),
        Act::WebAddKey(terms) => Some((LinkKind::Join, terms.link)),
        Act::WebSignInLink(terms) => Some((LinkKind::Join, terms.link)),
        Act::HallInviteAgent(terms) => Some((LinkKind::Agent, terms.token)),
        Act::PartnerInvite(terms) => Some((LinkKind::Partner, terms.token)),
        Act::WebRegisterKey(_)
        | Act::WebSignIn(_)
        | Act::WebRemoveKey(_)
        | Act::WebWithdrawLink(_)
        | Act::PeopleChangeRole(_)
        | Act::PeopleSuspend(_)
        | Act::PeopleReinstate(_)
        | Act::PeopleSignOut(_)
        | Act::DeviceEnrol(_)
        | Act::DeviceClaim(_)
        | Act::DeviceSuspend(_)
        | Act::DeviceReinstate(_)
        | Act::DeviceReportStolen(_)
        | Act::DeviceRelease(_)
        | Act::DeviceRetire(_)
        | Act::DeviceTransfer(_)
        | Act::DeviceTransaction(_)
        | Act::DeviceStatus(_)
        | Act::MakerAdd(_)
        | Act::MakerRemove(_)
        | Act::HallCreate(_)
        | Act::HallRemove(_)
        | Act::HallAdmit(_)
        | Act::HallDismiss(_)
        | Act::HallDismissAgent(_)
        | Act::HallOpen(_)
        | Act::HallApprove(_)
        | Act::HallEnd(_)
        | Act::PartnerAccept(_)
        | Act::PartnerLeave(_)
        | Act::RealmReplaceAuthority(_)
        | Act::RealmWithdrawAuthority(_)
        | Act::WitnessBeginLogAnew(_) => None,
    }
}
