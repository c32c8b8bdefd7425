//! Visitors: a partner's people in halls of this realm.
//!
//! A person who connects with a certificate of a partner is a newcomer, who may do one thing: show
//! the evidence of the opening that they signed at home. This realm checks it under the keys that
//! an owner pinned, and logs it; then the newcomer has a grant like every guest. The partner is
//! believed about who its people are and which roles they have; it confirms that every few minutes,
//! by a new certificate.

pub mod farewell;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hallway_api::hall::Welcome;
use hallway_evidence::verify::{self, Door, UncheckedVisit};
use hallway_evidence::{Bundle, Evidence, GrantId, PersonId, RealmName, Timestamp};
use hallway_spine::Gateway;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::ledger::Entry;
use hallway_spine::store::{EvidenceHash, StoreError, Unit};
use serde::Serialize;

use super::inside::{Presence, Who};
use super::routes::Caller;
use crate::demands::left::{Left, left_by_admissions, rights_in};
use crate::demands::needs::{self, Case};
use crate::demands::visitor_key::VisitorKey;
use crate::partners::description::own_realm;
use crate::store::{Approval, Grant, GrantHolder, GrantKind, HallTables, Visit, Visitor};
use crate::{HallsOf, approvals, demands, partners};

/// Lets a partner's person in, as the holder of a grant or as a newcomer.
///
/// # Errors
/// 403.
pub async fn arrive(
    gateway: &Gateway,
    home: RealmName,
    person: PersonId,
    svid: &hallway_hall::Svid,
) -> Result<Arc<Presence>, Problem> {
    let key = svid.public_key.sha256();
    let Some(grant) = gateway.store.read().grants().by_key(&key).await? else {
        let newcomer = Who::Newcomer { home, person, key };
        return gateway.halls().inside.enter(gateway, newcomer).await;
    };
    match &grant.kind {
        GrantKind::Visitor(visitor) if visitor.home == home && grant.person == person => {
            let until = Timestamp::from_ms(svid.not_after_ms);
            if until > visitor.vouched {
                let id = grant.id;
                gateway
                    .transact(|unit| {
                        Box::pin(
                            async move { Ok::<_, Problem>(unit.grants().vouch(id, until).await?) },
                        )
                    })
                    .await?;
            }
            gateway.halls().inside.guest(gateway, &grant).await
        }
        _ => Err(Problem::new(
            Code::UnknownGrant,
            "the grant for this key is another person's",
        )),
    }
}

/// The grant that a visitor has from now on.
#[derive(Debug, Serialize)]
struct Admitted {
    #[serde(flatten)]
    welcome: Welcome,
    #[serde(flatten)]
    grant: hallway_hall::Grant,
}

/// `POST /visit`: a newcomer shows their evidence.
pub(crate) async fn show(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    evidence: Bytes,
) -> Result<Response, Problem> {
    match admit(&gateway, &caller, &evidence).await {
        Ok(grant) => {
            let mut answer = Json(grant).into_response();
            // The next connection is a guest's; this one stays a newcomer's.
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
            Ok(answer)
        }
        Err(problem) => {
            let peer = Peer {
                address: caller.address.clone(),
                agent: String::new(),
                session: None,
            };
            gateway.refuse(crate::NAME, &problem, &peer).await;
            Err(problem)
        }
    }
}

async fn admit(gateway: &Gateway, caller: &Caller, bytes: &[u8]) -> Result<Admitted, Problem> {
    let bundle = Bundle::decode(bytes).map_err(|error| Problem::malformed(error.to_string()))?;
    // Verified before a unit of work begins, so that a slow check keeps no other unit waiting.
    let judged = judge(gateway, gateway.store.read(), caller, bundle).await?;
    let Judged {
        grant,
        visit,
        evidence,
    } = &judged;
    gateway
        .transact(|unit| Box::pin(keep(gateway, unit, grant, visit, evidence)))
        .await?;
    let grant = judged.grant;
    let waits = approvals::waits_of(gateway, gateway.store.read(), &grant).await?;
    let GrantKind::Visitor(visitor) = grant.kind else {
        return Err(Problem::not_found("grant"));
    };
    Ok(Admitted {
        welcome: Welcome {
            id: grant.id,
            waits,
        },
        grant: hallway_hall::Grant {
            hall: grant.hall,
            person: hallway_hall::Person {
                id: grant.person.to_string(),
                name: visitor.name,
            },
            rights: grant.rights,
            ends_ms: grant.ends.as_ms(),
            certificate_ends_ms: caller.svid.not_after_ms,
        },
    })
}

/// The grant that the evidence of a newcomer gives.
struct Judged {
    grant: Grant,
    visit: Visit,
    evidence: Evidence,
}

/// Checks everything, and changes nothing.
async fn judge(
    gateway: &Gateway,
    reader: &Unit<'_>,
    caller: &Caller,
    bundle: Bundle,
) -> Result<Judged, Problem> {
    let Who::Newcomer { home, person, key } = &caller.presence.who else {
        return Err(Problem::new(Code::Guest, "you are inside already"));
    };
    let partner = partners::active(reader, home).await?;
    let claimed = UncheckedVisit::read(&bundle)
        .map_err(|error| Problem::new(Code::NotAVisit, error.to_string()))?;
    let admissions = reader
        .halls()
        .admissions_of_visitor(home, *person, claimed.role)
        .await?;
    let allowed = rights_in(&admissions, &claimed.hall);
    if allowed.is_empty() {
        // As for this realm's people: a hall that admits them in no way is not known to exist.
        return Err(Problem::new(
            Code::NotAdmitted,
            format!("you are not admitted to the hall “{}” here", claimed.hall),
        ));
    }
    let now = gateway.now();
    let host = own_realm(gateway)?;
    let door = Door {
        host: &host,
        person: *person,
        public_key: &caller.svid.public_key,
        evidence: named_evidence(caller)?,
        allowed: &allowed,
        longest: gateway.halls().longest,
        now,
    };
    let visit = verify::visit(
        &bundle,
        &partners::trust::trust_file(gateway, &partner)?,
        &door,
    )
    .map_err(|report| {
        let failure = report.failure.unwrap_or_else(|| verify::Failure {
            section: String::new(),
            step: String::new(),
            what: "the evidence does not hold".to_owned(),
        });
        Problem::new(
            Code::Evidence,
            format!("your evidence: step {}: {}", failure.step, failure.what),
        )
        .with("step", failure.step)
    })?;
    let evidence = EvidenceHash(visit.evidence.hash());
    let kept = Visit {
        evidence,
        home: home.clone(),
        bundle,
    };
    // This realm judges the demands itself, by what the visitor's key proves.
    let brought = VisitorKey::of(&gateway.models, &partner, &kept);
    let case = Case {
        models: &gateway.models,
        key: brought.facts(),
        approved: None,
        now,
    };
    let each = demands::to_hall(&admissions, &claimed.hall).into_iter();
    let each = each.map(|admission| (&admission.rights, &admission.needs));
    let opening = needs::weigh(each, &case).opening(&claimed.hall, Some(&visit.open.rights))?;
    if let Some(role) = opening.approval {
        approvals::possible(reader, role, None).await?;
    }
    let grant = Grant {
        id: GrantId::generate(),
        kind: GrantKind::Visitor(Visitor {
            home: home.clone(),
            name: visit.open.name.to_string(),
            role: visit.role,
            vouched: Timestamp::from_ms(caller.svid.not_after_ms),
        }),
        hall: visit.open.hall.clone(),
        person: *person,
        credential: visit.evidence.signed.credential_id.clone(),
        rights: visit.open.rights.clone(),
        holder: GrantHolder::Key(*key),
        opened: now,
        ends: visit.ends,
        ended: None,
        evidence,
        address: caller.address.clone(),
        approval: opening.approval.map(Approval::asked),
    };
    Ok(Judged {
        grant,
        visit: kept,
        evidence: visit.evidence,
    })
}

/// Logs the evidence and makes the grant, if the facts that were judged still hold: an end in
/// between has ended the earlier grants, and this one must not outlive it.
async fn keep(
    gateway: &Gateway,
    unit: &Unit<'_>,
    grant: &Grant,
    visit: &Visit,
    evidence: &Evidence,
) -> Result<(), Problem> {
    if let GrantKind::Visitor(visitor) = &grant.kind {
        partners::active(unit, &visitor.home).await?;
    }
    // The same evidence that is in the log of the home realm becomes an entry of this log.
    let entry = Entry::new(evidence.signed.clone().into(), evidence.accepted)?;
    gateway.ledger.append(unit, vec![entry]).await?;
    unit.visits().add(visit).await.map_err(used)?;
    unit.grants().add(grant).await.map_err(used)?;
    let left = left_by_admissions(&gateway.models, unit, grant, gateway.now()).await?;
    if left != Left::Rights(grant.rights.clone()) {
        return Err(Problem::new(
            Code::NotAdmitted,
            "the admissions to this hall have changed; open it again",
        ));
    }
    Ok(())
}

/// The evidence that the certificate names.
fn named_evidence(caller: &Caller) -> Result<[u8; 32], Problem> {
    let named = caller.svid.provenance.as_ref();
    let named: Option<EvidenceHash> = named.and_then(|named| named.evidence.parse().ok());
    let named = named.ok_or_else(|| {
        Problem::new(
            Code::NoEvidence,
            "the certificate names no evidence to check",
        )
    })?;
    Ok(named.0)
}

fn used(error: StoreError) -> Problem {
    match error {
        StoreError::Exists { .. } => Problem::new(
            Code::KeyUsed,
            "a grant was given for this evidence or key before; open the hall again",
        ),
        error => error.into(),
    }
}

/// A partner says that openings of its people have ended: their grants here end.
///
/// # Errors
/// The database fails.
pub async fn ended_at_home(
    gateway: &Gateway,
    home: &RealmName,
    evidence: &[EvidenceHash],
) -> Result<(), Problem> {
    let now = gateway.now();
    gateway
        .transact(|unit| {
            Box::pin(async move {
                Ok::<_, Problem>(unit.grants().end_visits(home, evidence, now).await?)
            })
        })
        .await?;
    gateway.halls().inside.look_again(gateway).await;
    Ok(())
}
