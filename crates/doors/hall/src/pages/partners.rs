//! `/partners`.

use axum::extract::State;
use axum::response::Response;
use hallway_hall::Bundle;
use hallway_spine::Gateway;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::{Mark, Tone};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::realm_authority::rotation;
use hallway_spine::store::{OwnAuthority, OwnStage};

use super::super::view::{OwnAuthorityRow, PartnerRow, PartnersPage, SharedRow};
use super::halls::visitor_in_words;
use crate::HallsOf;
use crate::partners::description::authorities;
use crate::store::{EndedBy, GuestId, HallGuest, HallTables, Partner, PartnerState};

/// All partners.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let mut rows = Vec::new();
    for partner in reader.partners().all().await? {
        let bundle = reader.partners().bundle(&partner.realm).await?;
        let authorities = match bundle.map(|json| Bundle::from_json(&json)) {
            Some(Ok(bundle)) => authorities(&bundle),
            _ => partner.pins.clone(),
        };
        let shared = reader.halls().shared_with(&partner.realm).await?;
        rows.push(PartnerRow {
            authorities: authorities.iter().map(hex::encode).collect(),
            shared: shared.into_iter().map(shared_row).collect(),
            ..row(&gateway, partner)
        });
    }
    let mut own = reader.own_authorities().all().await?;
    own.sort_by_key(|authority| (authority.stage, authority.since));
    html(&PartnersPage {
        frame: frame(&gateway, &caller, super::PARTNERS),
        listens: gateway.halls().address.is_some(),
        partners: rows,
        own_log: hex::encode(gateway.ledger.verifier().public()),
        own_authorities: own.into_iter().map(|it| own_row(&gateway, it)).collect(),
    })
}

fn row(gateway: &Gateway, partner: Partner) -> PartnerRow {
    let waits = matches!(partner.state, PartnerState::Invited | PartnerState::Joining);
    let expired = waits && gateway.now() >= partner.expires;
    let (state, since) = match (partner.state, partner.ended) {
        (_, _) if expired => (Mark::new(Tone::Quiet, "Expired"), partner.expires),
        (PartnerState::Ended, Some((at, EndedBy::Us))) => (Mark::new(Tone::Quiet, "We left"), at),
        (PartnerState::Ended, Some((at, EndedBy::Them))) => {
            (Mark::new(Tone::Quiet, "They left"), at)
        }
        (PartnerState::Invited, _) => (Mark::new(Tone::Waiting, "Invited"), partner.made),
        (PartnerState::Joining, _) => (Mark::new(Tone::Waiting, "Joining"), partner.made),
        (PartnerState::Active, _) if partner.problem.is_some() => (
            Mark::new(Tone::Warning, "Partner"),
            partner.joined.unwrap_or(partner.made),
        ),
        (PartnerState::Active | PartnerState::Ended, _) => (
            Mark::new(Tone::Good, "Partner"),
            partner.joined.unwrap_or(partner.made),
        ),
    };
    PartnerRow {
        state,
        stands: partner.state != PartnerState::Ended,
        since: moment(gateway, since),
        expires: (waits && !expired).then(|| moment(gateway, partner.expires)),
        bundle: partner.bundle.map(|bundle| moment(gateway, bundle.fetched)),
        problem: partner.problem,
        log: hex::encode(partner.log.public()),
        authorities: Vec::new(),
        shared: Vec::new(),
        evidence: partner.evidence.to_string(),
        realm: partner.realm.to_string(),
        origin: partner.origin.to_string(),
    }
}

fn own_row(gateway: &Gateway, authority: OwnAuthority) -> OwnAuthorityRow {
    let (stage, until) = match authority.stage {
        OwnStage::Next => (Mark::new(Tone::Waiting, "Next"), None),
        OwnStage::Signing => (
            Mark::new(Tone::Good, "Signs"),
            Some(rotation::replaced_by_itself(&authority)),
        ),
        OwnStage::Retiring => (
            Mark::new(Tone::Quiet, "Retires"),
            Some(rotation::stays_until(&authority)),
        ),
    };
    OwnAuthorityRow {
        sha256: hex::encode(authority.sha256),
        stage,
        until: until.map(|at| moment(gateway, at)),
    }
}

fn shared_row(guest: HallGuest) -> SharedRow {
    let who = match &guest.guest {
        GuestId::Visitor(realm, whom) => visitor_in_words(realm, *whom),
        other => other.to_string(),
    };
    SharedRow {
        hall: guest.hall.to_string(),
        who,
        rights: guest.rights.to_string(),
    }
}
