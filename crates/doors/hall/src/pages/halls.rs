//! `/halls`, `/halls/{name}` and `/halls/{name}/files/{store}`.

use axum::extract::{Path, State};
use axum::response::Response;
use hallway_api::hall::DemandView;
use hallway_evidence::RealmName;
use hallway_evidence::statement::hall::{
    Guest, HallName, MOST_RIGHTS, Right, Rights, StoreName, approver,
};
use hallway_spine::Gateway;
use hallway_spine::console::pages::names::{self, Names};
use hallway_spine::console::pages::{frame, html, moment, sees_all};
use hallway_spine::console::view::{Count, Mark, Size, Tone};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Limit, PageRequest, Role, Unit};

use super::super::view::{
    AgentRow, ApprovalRow, AwayRow, DemandRow, GrantRow, GuestRow, HallPage, HallPlace, HallRow,
    HallsPage, InsideRow, OfferRow, StorePage, WaitingNotice,
};
use crate::channel::inside::Thing;
use crate::channel::names::things;
use crate::channel::offers::Offer;
use crate::store::{
    Grant, GrantFilter, GrantKind, GrantState, GuestId, Hall, HallAgent, HallGuest, HallTables,
    Partner, VisitorId,
};
use crate::{HallsOf, approvals, files, flows, look};

/// How many of the newest grants are shown with a hall.
const NEWEST_GRANTS: u64 = 20;

/// The halls that the viewer may see.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    let seen = look::seen(&gateway, &caller).await?;
    let approvals = approvals::for_caller(&gateway, &caller).await?;
    let away = away(&gateway, &caller).await?;
    let people = approvals.iter().chain(&away).map(|grant| grant.person);
    let names = Names::of(gateway.store.read(), people).await?;
    let row = |seen: look::Seen| HallRow {
        inside: Count(gateway.halls().inside.guests(Some(&seen.hall.name)).len() as u64),
        rights: in_words(&seen.rights),
        name: seen.hall.name.to_string(),
        title: seen.hall.title,
    };
    html(&HallsPage {
        halls: seen.into_iter().map(row).collect(),
        partners: partners(&gateway).await?,
        away: away_rows(&gateway, &caller, &names, &away),
        listens: gateway.halls().address.is_some(),
        approvals: approval_rows(&gateway, &names, &approvals),
        frame: frame(&gateway, &caller, super::HALLS),
    })
}

/// The grants that people of this realm have open at partners: members see their own.
async fn away(gateway: &Gateway, caller: &Caller) -> Result<Vec<Grant>, Problem> {
    let (grants, now) = (gateway.store.read().grants(), gateway.now());
    let mut open = grants.away(now, &PageRequest::default()).await?.items;
    let all = sees_all(&caller.person);
    open.retain(|grant| {
        (all || grant.person == caller.person.id) && grant.state(now) == GrantState::Open
    });
    Ok(open)
}

fn away_rows(gateway: &Gateway, caller: &Caller, names: &Names, away: &[Grant]) -> Vec<AwayRow> {
    let row = |grant: &Grant| {
        Some(AwayRow {
            host: grant.kind.host()?.to_string(),
            hall: grant.hall.to_string(),
            grant: grant_row(gateway, caller, grant, names.person(grant.person)),
        })
    };
    away.iter().filter_map(row).collect()
}

/// One hall.
pub(crate) async fn one(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let seen = look::find(&gateway, &caller, &name).await?;
    let hall = &seen.hall.name;
    let looks_after = sees_all(&caller.person);
    let offers = &gateway.halls().offers;
    let stores = offers.stores(hall).into_iter().map(|offer| {
        let rights = verbs(&seen.rights, &|right| right.store() == Some(&offer.name));
        offer_row(offer, rights)
    });
    let services = offers.services(hall).into_iter().map(|offer| {
        let rights = verbs(&seen.rights, &|right| right.service() == Some(&offer.name));
        offer_row(offer, rights)
    });
    let shown = |row: &OfferRow| looks_after || !row.rights.is_empty();
    let inside = flows::inside(&gateway, &caller, &seen).into_iter();
    let inside = inside.map(|row| InsideRow {
        grant: row.grant.to_string(),
        name: at(&row.name, row.home.as_ref()),
        streams: Count(row.streams as u64),
        received: Size(row.received),
        sent: Size(row.sent),
        own: row.own,
    });
    let (open, _) = open_now(&gateway, &caller, hall).await?;
    let demands = look::demands_of(&gateway, &caller, hall).await?;
    let reader = gateway.store.read();
    let mut approvals = approvals::for_caller(&gateway, &caller).await?;
    approvals.retain(|grant| grant.hall == *hall);
    let grants = grants(reader, &caller, hall).await?;
    let guests = match looks_after {
        true => reader.halls().guests(hall).await?,
        false => Vec::new(),
    };
    let holders = approvals.iter().chain(&grants).map(|grant| grant.person);
    let admitted = guests.iter().filter_map(|guest| match guest.guest {
        GuestId::Person(id) => Some(id),
        GuestId::Role(_) | GuestId::Visitor(..) => None,
    });
    let names = Names::of(reader, holders.chain(admitted)).await?;
    html(&HallPage {
        frame: frame(&gateway, &caller, super::HALLS),
        rights: in_words(&seen.rights),
        over: None,
        demands: demands.into_iter().map(demand_row).collect(),
        waiting: waiting(&gateway, &caller, hall).await?,
        approvals: approval_rows(&gateway, &names, &approvals),
        knows_models: gateway.models.is_configured(),
        open,
        stores: stores.filter(shown).collect(),
        services: services.filter(shown).collect(),
        inside: inside.collect(),
        looks_after,
        guests: guest_rows(&gateway, &names, guests),
        people: match caller.person.role {
            Role::Owner => names::choices(reader)
                .await?
                .into_iter()
                .map(names::option)
                .collect(),
            _ => Vec::new(),
        },
        partners: match caller.person.role {
            Role::Owner => partners(&gateway).await?,
            _ => Vec::new(),
        },
        agents: match looks_after {
            true => agents(&gateway, hall).await?,
            false => Vec::new(),
        },
        grants: grant_rows(&gateway, &caller, &names, &grants),
        place: place(seen.hall),
    })
}

/// The files of a store.
pub(crate) async fn store(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((name, store)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let seen = look::find(&gateway, &caller, &name).await?;
    let store: StoreName = store.parse().map_err(|_| Problem::not_found("store"))?;
    let of_store = |right: &Right| right.store() == Some(&store);
    if !seen.rights.iter().any(of_store) {
        return Err(Problem::not_found("store"));
    }
    let (open, rights) = open_now(&gateway, &caller, &seen.hall.name).await?;
    html(&StorePage {
        frame: frame(&gateway, &caller, super::HALLS),
        waiting: waiting(&gateway, &caller, &seen.hall.name).await?,
        over: None,
        open,
        may: verbs(&rights, &of_store).replace(',', ""),
        place: place(seen.hall),
        store: store.to_string(),
    })
}

/// The grant of this browser, if the hall is open in it, and its rights now.
async fn open_now(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<(Option<GrantRow>, Vec<Right>), Problem> {
    match files::entered(gateway, caller, None, hall).await {
        Ok(Some((_, standing))) => {
            let name = standing.person.name.clone();
            let row = grant_row(gateway, caller, &standing.grant, name);
            Ok((Some(row), standing.rights.iter().cloned().collect()))
        }
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Ok(None) | Err(_) => Ok((None, Vec::new())),
    }
}

fn place(hall: Hall) -> HallPlace {
    HallPlace {
        host: None,
        name: hall.name.to_string(),
        title: hall.title,
    }
}

/// The demands of an admission of the viewer's, and whether they are met.
fn demand_row(demand: DemandView) -> DemandRow {
    DemandRow {
        rights: capitalised(&demand.rights.to_string()),
        state: match (demand.missing.is_empty(), demand.approval) {
            (false, _) => Mark::new(Tone::Warning, "Missing"),
            (true, Some(_)) => Mark::new(Tone::Waiting, "Asks"),
            (true, None) => Mark::new(Tone::Good, "Met"),
        },
        needs: demand.needs,
        missing: demand
            .missing
            .iter()
            .map(|what| format!("{}.", capitalised(what)))
            .collect(),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The viewer's own opening of a hall, if it waits for an approval.
async fn waiting(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<Option<WaitingNotice>, Problem> {
    let Some(grant) = files::waiting(gateway, caller, hall).await? else {
        return Ok(None);
    };
    let waits = approvals::waits_of(gateway, gateway.store.read(), &grant).await?;
    Ok(waits.map(|waits| WaitingNotice {
        grant: grant.id.to_string(),
        approver: approver(waits.role).to_owned(),
        names: waits.approvers.join(", "),
        until: moment(gateway, grant.waits_until()),
    }))
}

/// The openings that the viewer can approve.
fn approval_rows(gateway: &Gateway, names: &Names, waiting: &[Grant]) -> Vec<ApprovalRow> {
    let row = |grant: &Grant| ApprovalRow {
        name: holder(names, grant),
        grant: grant.id.to_string(),
        hall: grant.hall.to_string(),
        rights: grant.rights.to_string(),
        opened: moment(gateway, grant.opened),
        evidence: grant.evidence.to_string(),
    };
    waiting.iter().map(row).collect()
}

/// Rights in words; `None` without any.
pub(crate) fn in_words(rights: &[Right]) -> String {
    let named: Vec<Right> = rights.iter().take(MOST_RIGHTS).cloned().collect();
    Rights::try_from(named).map_or_else(|_| String::new(), |rights| rights.to_string())
}

/// The rights on the one store or service that `is_it` picks, in words: `read, write`.
pub(crate) fn verbs(rights: &[Right], is_it: &dyn Fn(&Right) -> bool) -> String {
    let picked = rights.iter().filter(|right| is_it(right));
    picked.map(Right::verb).collect::<Vec<_>>().join(", ")
}

fn offer_row<N: ToString>(offer: Offer<N>, rights: String) -> OfferRow {
    OfferRow {
        rights,
        name: offer.name.to_string(),
        agent: offer.agent.map(|agent| agent.to_string()),
    }
}

fn guest_rows(gateway: &Gateway, names: &Names, guests: Vec<HallGuest>) -> Vec<GuestRow> {
    let row = |guest: HallGuest| {
        let (who, kind, value) = match guest.guest {
            GuestId::Person(id) => (names.person(id), "person", id.to_string()),
            GuestId::Role(role) => (Guest::Role(role).to_string(), "role", role.to_string()),
            GuestId::Visitor(realm, whom) => (
                visitor_in_words(&realm, whom),
                "visitor",
                match whom {
                    VisitorId::Person(id) => format!("{realm}/person/{id}"),
                    VisitorId::Role(role) => format!("{realm}/role/{role}"),
                },
            ),
        };
        GuestRow {
            who,
            kind,
            value,
            rights: guest.rights.to_string(),
            needs: guest.needs.to_string(),
            since: moment(gateway, guest.admitted),
            evidence: guest.evidence.to_string(),
        }
    };
    guests.into_iter().map(row).collect()
}

/// A guest of a partner, in words.
pub(crate) fn visitor_in_words(realm: &RealmName, whom: VisitorId) -> String {
    match whom {
        VisitorId::Person(id) => format!("the person {id} of {realm}"),
        VisitorId::Role(Role::Member) => format!("everybody of {realm}"),
        VisitorId::Role(Role::Operator) => format!("every operator and owner of {realm}"),
        VisitorId::Role(Role::Owner) => format!("every owner of {realm}"),
    }
}

/// The partners, whose people can be admitted here, and who can admit people of this realm.
async fn partners(gateway: &Gateway) -> Result<Vec<String>, Problem> {
    let all = gateway.store.read().partners().all().await?;
    let active = all.into_iter().filter(Partner::is_active);
    Ok(active.map(|partner| partner.realm.to_string()).collect())
}

async fn agents(gateway: &Gateway, hall: &HallName) -> Result<Vec<AgentRow>, Problem> {
    let agents = gateway.store.read().hall_agents().of_hall(hall).await?;
    let here = gateway.halls().offers.switchboard.provides(hall);
    let row = |agent: HallAgent| {
        let announced = here.iter().find(|(name, _)| *name == agent.name);
        let given = things(&agent.stores, &agent.services);
        let is_there = |thing: &Thing| {
            announced.is_none_or(|(_, provides)| match thing {
                Thing::Store(store) => provides.stores.contains(store),
                Thing::Service(service) => provides.services.contains(service),
            })
        };
        let missing = given.iter().filter(|thing| !is_there(thing));
        let here = announced.is_some();
        let late = gateway.now() > agent.expires;
        AgentRow {
            state: match (agent.joined, here) {
                (None, _) if late => Mark::new(Tone::Quiet, "Invitation expired"),
                (None, _) => Mark::new(Tone::Waiting, "Invited"),
                (Some(_), true) => Mark::new(Tone::Good, "Here"),
                (Some(_), false) => Mark::new(Tone::Warning, "Away"),
            },
            since: moment(gateway, agent.joined.map_or(agent.invited, |(at, _)| at)),
            provides: listed(given.iter()),
            missing: listed(missing),
            evidence: agent.evidence.to_string(),
            name: agent.name.to_string(),
        }
    };
    Ok(agents.into_iter().map(row).collect())
}

/// `store a, service b`.
fn listed<'a>(things: impl Iterator<Item = &'a Thing>) -> String {
    let words = things.map(|thing| match thing {
        Thing::Store(store) => format!("store {store}"),
        Thing::Service(service) => format!("service {service}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The newest grants of a hall that the visitor may see.
async fn grants(
    reader: &Unit<'_>,
    caller: &Caller,
    hall: &HallName,
) -> Result<Vec<Grant>, Problem> {
    let filter: GrantFilter = crate::grants::visible_to(caller, Some(hall.clone()));
    let newest = PageRequest {
        after: None,
        limit: Limit::nearest(NEWEST_GRANTS),
    };
    Ok(reader.grants().page(&filter, &newest).await?.items)
}

fn grant_rows(
    gateway: &Gateway,
    caller: &Caller,
    names: &Names,
    grants: &[Grant],
) -> Vec<GrantRow> {
    let row = |grant: &Grant| grant_row(gateway, caller, grant, holder(names, grant));
    grants.iter().map(row).collect()
}

/// Whose grant it is.
fn holder(names: &Names, grant: &Grant) -> String {
    match &grant.kind {
        GrantKind::Visitor(visitor) => at(&visitor.name, Some(&visitor.home)),
        GrantKind::Own | GrantKind::Away { .. } => names.person(grant.person),
    }
}

/// A person's name, with the home realm if that is a partner.
fn at(name: &str, home: Option<&RealmName>) -> String {
    match home {
        Some(home) => format!("{name} of {home}"),
        None => name.to_owned(),
    }
}

pub(crate) fn grant_row(
    gateway: &Gateway,
    caller: &Caller,
    grant: &Grant,
    name: String,
) -> GrantRow {
    let state = grant.state(gateway.now());
    GrantRow {
        id: grant.id.to_string(),
        name,
        rights: grant.rights.to_string(),
        state: match state {
            GrantState::Open => Mark::new(Tone::Good, "Open"),
            GrantState::Waiting => Mark::new(Tone::Waiting, "Waiting"),
            GrantState::Unapproved => Mark::new(Tone::Quiet, "Not approved"),
            GrantState::Ended => Mark::new(Tone::Quiet, "Ended"),
            GrantState::RunOut => Mark::new(Tone::Quiet, "Run out"),
        },
        open: matches!(state, GrantState::Open | GrantState::Waiting),
        opened: moment(gateway, grant.opened),
        ends: moment(gateway, grant.ended.map_or(grant.ends, |end| end.at)),
        own: grant.person == caller.person.id && !matches!(grant.kind, GrantKind::Visitor(_)),
        evidence: grant.evidence.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_read_well() {
        let rights: Vec<Right> = ["read:data", "write:data", "connect:db"]
            .map(|text| text.parse().unwrap())
            .into();
        assert_eq!(
            verbs(&rights, &|right| right.store().is_some()),
            "read, write"
        );
        assert_eq!(
            in_words(&rights),
            "read “data”, write “data”, connect to “db”"
        );
        assert_eq!(in_words(&[]), "");
    }
}
