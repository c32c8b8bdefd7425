//! Opening a partner's hall: the statement that is signed at home, here, and the evidence for the
//! host.
//!
//! The host decides which rights open, and checks the evidence itself. The home realm says who its
//! person is, logs the signed statement and certifies the key, as for a hall of its own.

use axum::Json;
use axum::extract::{Path, State};
use hallway_api::hall::{Certified, Listener, VisitView};
use hallway_evidence::statement::Act;
use hallway_evidence::statement::hall::{HallName, MOST_RIGHTS, Open, Right, Rights};
use hallway_evidence::{Bundle, GrantId, RealmName, Receipt};
use hallway_spine::Gateway;
use hallway_spine::act::Actor;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use hallway_spine::store::{EvidenceHash, Person, Unit};
use hallway_spine::witness::cosigned_by;
use hallway_webauthn::wire::Base64Url;

use super::certificate::in_base64;
use crate::HallsOf;
use crate::channel::Standing;
use crate::demands::needs;
use crate::partners::call::CallError;
use crate::partners::shared::{HallThere, Shared};
use crate::partners::{active, call, place};
use crate::store::{Grant, GrantKind, HallTables, MAX_HALLS};

/// The halls that `host` shares with this realm.
///
/// # Errors
/// 403 when it is no partner, 502 when it does not answer.
pub async fn shared(gateway: &Gateway, host: &RealmName) -> Result<Shared, Problem> {
    let shared: Result<Shared, CallError> = call::get(gateway, host, "/partner/halls").await;
    match shared {
        Ok(shared) if shared.count_halls() as u64 > MAX_HALLS => Err(Problem::new(
            Code::PartnerAway,
            format!("{host} says that it shares more than {MAX_HALLS} halls, which no realm has"),
        )),
        Ok(shared) => Ok(shared),
        Err(error) => {
            let mut problem = Problem::from(error);
            if problem.status().is_server_error() {
                problem.detail = format!("what {host} shares is not known: {}", problem.detail);
            }
            Err(problem)
        }
    }
}

/// The bounds within which a partner's hall opens for a person.
pub(super) struct Bounds {
    /// The person's rights.
    allowed: Vec<Right>,
    /// The longest time, in milliseconds.
    pub(super) longest_ms: u64,
}

impl Bounds {
    /// The rights `wanted`, or without them all rights of the person.
    ///
    /// # Errors
    /// 403 `not-admitted` or `not-granted`.
    pub(super) fn rights(
        &self,
        wanted: Option<Rights>,
        host: &RealmName,
        hall: &HallName,
    ) -> Result<Rights, Problem> {
        if self.allowed.is_empty() {
            return Err(Problem::new(
                Code::NotAdmitted,
                format!("you are not admitted to the hall “{hall}”; ask an owner of {host}"),
            ));
        }
        let Some(wanted) = wanted else {
            // Several admissions may give more rights than one statement can name.
            let named: Vec<Right> = self.allowed.iter().take(MOST_RIGHTS).cloned().collect();
            return named.try_into().map_err(|error| Problem::internal(&error));
        };
        let refused = wanted.iter().find(|right| !self.allowed.contains(right));
        match refused.cloned() {
            None => Ok(wanted),
            Some(right) => Err(Problem::new(
                Code::NotGranted,
                format!(
                    "you may not {} in the hall “{hall}”; ask an owner of {host}",
                    needs::in_words(&right),
                ),
            )),
        }
    }
}

/// The rights that the host gives `person` in a hall, and for how long.
pub(super) async fn bounds(
    gateway: &Gateway,
    person: &Person,
    host: &RealmName,
    hall: &HallName,
) -> Result<Bounds, Problem> {
    let shared = shared(gateway, host).await?;
    Ok(Bounds {
        allowed: shared.rights(hall, person.id, person.role),
        longest_ms: shared.longest_ms.min(gateway.halls().longest_ms()),
    })
}

/// The kind of grant that the signed statement gives.
///
/// # Errors
/// 403 if the host is no partner any more, or the person's role has changed.
pub(super) async fn kind(actor: &Actor<'_>, terms: &Open) -> Result<GrantKind, Problem> {
    active(actor.unit, &terms.host).await?;
    let role = terms.role.filter(|role| *role == actor.person.role);
    let role =
        role.ok_or_else(|| Problem::new(Code::RoleChanged, "your role has changed; begin again"))?;
    Ok(GrantKind::Away {
        host: terms.host.clone(),
        role,
        told: None,
    })
}

/// The certificate, to be used at the host's listener and renewed at this realm's own.
pub(super) async fn at_host(
    reader: &Unit<'_>,
    host: &RealmName,
    certified: Certified,
) -> Result<(Certified, Listener), Problem> {
    let partner = active(reader, host).await?;
    let place = place(reader, &partner).await?;
    let listener = Listener {
        bundle: in_base64(&place.bundle),
        address: place.address,
        gateway: place.gateway.to_string(),
    };
    let home = certified.listener;
    Ok((
        Certified {
            listener,
            ..certified
        },
        home,
    ))
}

/// The halls of a partner that the caller may enter, as the partner says now.
pub async fn halls(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(realm): Path<String>,
) -> Result<Json<Vec<HallThere>>, Problem> {
    let host = realm.parse().map_err(|_| Problem::not_found("partner"))?;
    Ok(Json(shared_with(&gateway, &caller, &host).await?))
}

/// The halls of `host` that the caller may enter, as it says now.
///
/// # Errors
/// As [`shared`].
pub async fn shared_with(
    gateway: &Gateway,
    caller: &Caller,
    host: &RealmName,
) -> Result<Vec<HallThere>, Problem> {
    let shared = shared(gateway, host).await?;
    Ok(shared.halls_for(caller.person.id, caller.person.role))
}

/// The evidence of a visit of the caller's own, for as long as it is open.
pub async fn evidence(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<VisitView>, Problem> {
    let missing = || Problem::not_found("visit");
    let id: GrantId = id.parse().map_err(|_| missing())?;
    let reader = gateway.store.read();
    let grant = reader.grants().get(id).await?.ok_or_else(missing)?;
    let GrantKind::Away { host, .. } = grant.kind.clone() else {
        return Err(missing());
    };
    if grant.person != caller.person.id {
        return Err(missing());
    }
    let standing = Standing::of(&gateway.models, reader, grant, gateway.now()).await?;
    let bundle = brought(&gateway, &host, &standing.grant).await?;
    Ok(Json(VisitView {
        bundle: Base64Url(bundle.encode()),
    }))
}

/// The evidence that lets the holder of `grant` into the hall at `host`: the receipts of the
/// opening and of the registration of the key that signed it.
///
/// # Errors
/// 503 while the host's witness does not answer.
pub async fn brought(
    gateway: &Gateway,
    host: &RealmName,
    grant: &Grant,
) -> Result<Bundle, Problem> {
    let key = gateway.store.read().credentials();
    let key = key.get(&grant.credential).await?;
    let registration = key.ok_or_else(|| Problem::not_found("key"))?.registration;
    let bundle = bundle_for(gateway, host, &[grant.evidence, registration]).await?;
    if opens(&bundle, host, grant) {
        Ok(bundle)
    } else {
        Err(Problem::internal(&NotWhatWasSigned))
    }
}

/// A grant's row and the evidence that it names are about different visits.
#[derive(Debug, thiserror::Error)]
#[error("the evidence of a visit is not about its grant")]
struct NotWhatWasSigned;

/// Checks that the evidence to hand on is what the person signed: this hall of this host, for this
/// person, and no less than the grant allows.
fn opens(bundle: &Bundle, host: &RealmName, grant: &Grant) -> bool {
    let subject = bundle.subject();
    match subject
        .evidence
        .signed
        .read_statement()
        .map(|read| read.act)
    {
        Ok(Act::HallOpen(open)) => {
            EvidenceHash(subject.evidence.hash()) == grant.evidence
                && open.host == *host
                && open.hall == grant.hall
                && open.person == grant.person
                && open.rights.lacks(&grant.rights).is_none()
        }
        _ => false,
    }
}

/// The receipts of `evidence`, against a checkpoint that the host's witness cosigned.
async fn bundle_for(
    gateway: &Gateway,
    host: &RealmName,
    evidence: &[EvidenceHash],
) -> Result<Bundle, Problem> {
    let reader = gateway.store.read();
    let mut records = Vec::with_capacity(evidence.len());
    for hash in evidence {
        let record = reader.evidence().get(hash).await?;
        records.push(record.ok_or_else(|| Problem::not_found("evidence"))?);
    }
    let last = records.iter().map(|record| record.log_index).max();
    let note = cosigned_by(gateway, host.as_str(), last.map_or(0, |last| last + 1)).await?;
    let mut receipts: Vec<Receipt> = Vec::with_capacity(records.len());
    for record in &records {
        let receipt = gateway.ledger.receipt_at(reader, record, &note).await?;
        receipts.push(receipt);
    }
    let mut receipts = receipts.into_iter();
    let opening = receipts
        .next()
        .ok_or_else(|| Problem::not_found("evidence"))?;
    Bundle::of(opening, receipts).map_err(|error| Problem::internal(&error))
}
