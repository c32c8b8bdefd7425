//! Opening a hall: the statement, and the grant that the touch gives.

use std::time::Duration;

use async_trait::async_trait;
use hallway_api::hall::Opened;
use hallway_evidence::statement::hall::{HallName, Lasting, Open, P256PublicKey, Right, Rights};
use hallway_evidence::{GrantId, RealmName};
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Asking, Given, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use hallway_spine::store::StoreError;
use hallway_webauthn::wire::Base64Url;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;

use super::demands::{self, KnownKey};
use super::{approvals, certificate, visit};
use crate::away::proxy;
use crate::demands::needs::{Opening, Weighed};
use crate::partners::description::own_realm;
use crate::store::{Approval, Grant, GrantHolder, GrantKind, HallTables};
use crate::{HallDoor, HallsOf};

/// The request of a person who opens a hall.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The realm of the hall; without it, this realm.
    #[schemars(with = "Option<String>")]
    host: Option<RealmName>,
    /// The hall.
    #[schemars(with = "String")]
    hall: HallName,
    /// The rights; without it, all that the person's admissions give.
    #[schemars(with = "Option<Vec<String>>")]
    rights: Option<Vec<Right>>,
    /// For how long; without it, as long as the operator allows.
    duration_ms: Option<u64>,
    /// The P-256 key to certify, SubjectPublicKeyInfo. Without it the hall opens in this session;
    /// in a partner's hall this gateway acts for it.
    #[schemars(with = "Option<String>")]
    public_key: Option<Base64Url>,
}

#[async_trait]
impl Perform<HallDoor> for Open {
    const GIVES: Option<Given> = Some((super::GRANT, SchemaGenerator::subschema_for::<Opened>));

    type Request = Request;

    async fn prepare(asking: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        prepare(asking, request).await.map(Into::into)
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        perform(actor, self).await
    }
}

/// The terms, if the hall would open.
async fn prepare(asking: &Asking<'_>, wanted: Request) -> Result<Open, Problem> {
    let Asking {
        gateway,
        caller,
        nonce,
    } = *asking;
    let own = own_realm(gateway)?;
    let rights = wanted
        .rights
        .map(Rights::try_from)
        .transpose()
        .map_err(|error| Problem::malformed(format!("the rights: {error}")))?;
    let public_key = wanted
        .public_key
        .map(|key| P256PublicKey::from_der(&key.0))
        .transpose()
        .map_err(|error| Problem::malformed(error.to_string()))?;
    let away = wanted.host.filter(|host| *host != own);
    let public_key = match (&away, public_key) {
        (Some(_), None) => Some(*proxy::key(gateway, nonce)?.public()),
        (_, named) => named,
    };
    if public_key.is_some() {
        certificate::address(gateway)?;
    }
    let role = away.is_some().then_some(caller.person.role);
    let (host, rights, longest_ms) = match away {
        Some(host) => {
            let bounds = visit::bounds(gateway, &caller.person, &host, &wanted.hall).await?;
            let rights = bounds.rights(rights, &host, &wanted.hall)?;
            (host, rights, bounds.longest_ms)
        }
        None => {
            let opening = foreseen(gateway, caller, &wanted.hall, rights.as_ref()).await?;
            (own, opening.rights, gateway.halls().longest_ms())
        }
    };
    let open = Open {
        host,
        hall: wanted.hall,
        person: caller.person.id,
        name: line("name", &caller.person.name)?,
        role,
        rights,
        duration_ms: wanted.duration_ms.unwrap_or(longest_ms),
        public_key,
    };
    check_duration(&open, longest_ms)?;
    Ok(open)
}

/// The rights that the best of the caller's keys would open. It is not known yet which key will be
/// touched.
async fn foreseen(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
    wanted: Option<&Rights>,
) -> Result<Opening, Problem> {
    let (reader, person) = (gateway.store.read(), &caller.person);
    let admissions = reader.halls().admissions(person.id, person.role).await?;
    let admissions = demands::to_hall(&admissions, hall);
    let (mut best, mut refused) = (None::<Opening>, None);
    for key in KnownKey::of(reader, person).await? {
        let weighed = demands::weighed(gateway, &admissions, &key, gateway.now());
        match weighed.opening(hall, wanted) {
            Ok(opening)
                if best
                    .as_ref()
                    .is_none_or(|best| opening.opens_more_than(best)) =>
            {
                best = Some(opening);
            }
            Ok(_) => {}
            Err(problem) => refused = refused.or(Some(problem)),
        }
    }
    let opening = match (best, refused) {
        (Some(opening), _) => opening,
        (None, Some(problem)) => return Err(problem),
        (None, None) => return Err(Weighed::default().refusal(hall, None)),
    };
    if let Some(role) = opening.approval {
        approvals::possible(reader, role, Some(person.id)).await?;
    }
    Ok(opening)
}

/// Checks the operator's limit, when the statement is made and again when it comes back signed.
fn check_duration(open: &Open, longest_ms: u64) -> Result<(), Problem> {
    if open.duration_ms == 0 || open.duration_ms > longest_ms {
        return Err(Problem::new(
            Code::Duration,
            format!(
                "this hall can be opened for {} at most; you asked for {}",
                Lasting(longest_ms),
                Lasting(open.duration_ms)
            ),
        )
        .with("longest_ms", longest_ms));
    }
    Ok(())
}

/// The rights that the touched key opens.
async fn opening(actor: &Actor<'_>, terms: &Open) -> Result<Opening, Problem> {
    let (reader, person) = (actor.unit, actor.person);
    let admissions = reader.halls().admissions(person.id, person.role).await?;
    let admissions = demands::to_hall(&admissions, &terms.hall);
    let key = reader.credentials().get(actor.credential).await?;
    let key = key.ok_or_else(|| Problem::not_found("key"))?;
    let key = KnownKey::new(reader, key).await?;
    let weighed = demands::weighed(actor.gateway, &admissions, &key, actor.now);
    let opening = weighed.opening(&terms.hall, Some(&terms.rights))?;
    if let Some(role) = opening.approval {
        approvals::possible(reader, role, Some(person.id)).await?;
    }
    Ok(opening)
}

/// The user of the grant. A browser can't hold a key for a partner's hall, so this gateway holds
/// it.
fn holder(actor: &Actor<'_>, terms: &Open, kind: &GrantKind) -> Result<GrantHolder, Problem> {
    let session = GrantHolder::Session(actor.caller.session.token);
    let Some(key) = &terms.public_key else {
        return Ok(session);
    };
    if kind.host().is_some() && proxy::key(actor.gateway, &actor.statement.nonce)?.public() == key {
        return Ok(session);
    }
    Ok(GrantHolder::Key(key.sha256()))
}

/// Makes the signer's grant.
async fn perform(actor: &Actor<'_>, terms: &Open) -> Result<Outcome, Problem> {
    let gateway = actor.gateway;
    if terms.person != actor.person.id {
        return Err(Problem::new(
            Code::OtherPerson,
            "the statement is for another person's grant",
        ));
    }
    check_duration(terms, gateway.halls().longest_ms())?;
    let (kind, approval) = if terms.host == own_realm(gateway)? {
        (GrantKind::Own, opening(actor, terms).await?.approval)
    } else {
        // The host decides which rights open there, and who must approve the opening.
        (visit::kind(actor, terms).await?, None)
    };
    let holder = holder(actor, terms, &kind)?;
    let grant = Grant {
        id: GrantId::generate(),
        kind,
        hall: terms.hall.clone(),
        person: actor.person.id,
        credential: actor.credential.clone(),
        rights: terms.rights.clone(),
        holder,
        opened: actor.now,
        ends: actor.now.plus(Duration::from_millis(terms.duration_ms)),
        ended: None,
        evidence: actor.evidence,
        address: actor.caller.session.address.clone(),
        approval: approval.map(Approval::asked),
    };
    let waits = approvals::waits_of(gateway, actor.unit, &grant).await?;
    let certified = match (&terms.public_key, &grant.holder) {
        (Some(key), GrantHolder::Key(_)) => Some(certificate::guest(gateway, &grant, key)?),
        _ => None,
    };
    let (certified, home) = match (certified, &grant.kind) {
        (Some(certified), GrantKind::Away { host, .. }) => {
            let (certified, home) = visit::at_host(actor.unit, host, certified).await?;
            (Some(certified), Some(home))
        }
        (certified, _) => (certified, None),
    };
    actor
        .unit
        .grants()
        .add(&grant)
        .await
        .map_err(|error| match error {
            StoreError::Exists { .. } => Problem::new(
                Code::KeyUsed,
                "a grant was given for this key before; make a fresh key for each",
            ),
            error => error.into(),
        })?;
    let opened = Opened {
        id: grant.id,
        hall: grant.hall,
        rights: grant.rights,
        ends_ms: grant.ends.as_ms(),
        waits,
        certified,
        home,
    };
    actor.done_with(super::GRANT, &opened)
}
