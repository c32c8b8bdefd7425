//! Entering a hall: the statement, and the grant that the touch earns.

use std::time::Duration;

use hallway_evidence::statement::hall::{
    HallName, MOST_RIGHTS, Open, P256PublicKey, Right, Rights,
};
use hallway_evidence::{GrantId, RealmName};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::act::{Actor, Outcome};
use super::super::web::keys::line;
use super::certificate::{self, Certified, Listener};
use super::visit;
use crate::Gateway;
use crate::hall::standing::admitted;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::partners::description::own_realm;
use crate::store::{Grant, GrantHolder, GrantKind, Person, Repositories, StoreError};

/// What somebody who enters asks for.
#[derive(Debug)]
pub struct Wanted {
    /// The realm where the hall is; this one when absent.
    pub host: Option<RealmName>,
    /// The hall.
    pub hall: HallName,
    /// What they want to do; everything they may when absent.
    pub rights: Option<Vec<Right>>,
    /// For how long; the longest when absent.
    pub duration_ms: Option<u64>,
    /// For which key; for the session when absent.
    pub public_key: Option<Base64Url>,
}

/// A grant, as it is handed to who opened it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: GrantId,
    /// The hall.
    #[schemars(with = "String")]
    pub hall: HallName,
    /// What it allows.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// When it ends at the latest, milliseconds since 1970.
    pub ends_ms: u64,
    /// What the data plane needs; nothing for a browser session.
    #[serde(flatten)]
    pub certified: Option<Certified>,
    /// Where the certificate is renewed, when the hall is a partner's: here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<Listener>,
}

/// Within which bounds a hall opens for somebody.
#[derive(Debug)]
pub struct Bounds {
    /// The realm that decides it.
    pub host: RealmName,
    /// What they may do there.
    pub allowed: Rights,
    /// For how long at most, in milliseconds.
    pub longest_ms: u64,
}

/// The statement, if the hall would open.
pub async fn prepare(gateway: &Gateway, caller: &Caller, wanted: Wanted) -> Result<Open, Problem> {
    let own = own_realm(gateway)?;
    let public_key = wanted
        .public_key
        .map(|key| P256PublicKey::from_der(&key.0))
        .transpose()
        .map_err(|error| Problem::malformed(error.to_string()))?;
    if public_key.is_some() {
        certificate::address(gateway)?;
    }
    let away = wanted.host.filter(|host| *host != own);
    let role = away.is_some().then_some(caller.person.role);
    let bounds = match away {
        Some(host) => visit::bounds(gateway, &caller.person, host, &wanted.hall).await?,
        None => {
            let reader = gateway.store.read();
            Bounds {
                host: own,
                allowed: rights_of(reader, &caller.person, &wanted.hall).await?,
                longest_ms: longest_ms(gateway),
            }
        }
    };
    let rights = match wanted.rights {
        Some(rights) => rights
            .try_into()
            .map_err(|error| Problem::malformed(format!("the rights: {error}")))?,
        None => bounds.allowed.clone(),
    };
    let open = Open {
        host: bounds.host.clone(),
        hall: wanted.hall,
        person: caller.person.id,
        name: line("name", &caller.person.name)?,
        role,
        rights,
        duration_ms: wanted.duration_ms.unwrap_or(bounds.longest_ms),
        public_key,
    };
    check(&open, &bounds)?;
    Ok(open)
}

/// What `person` may do in `hall`. Whoever may do nothing there may not know that it exists.
async fn rights_of(
    reader: &dyn Repositories,
    person: &Person,
    hall: &HallName,
) -> Result<Rights, Problem> {
    named(admitted(reader, person, hall).await?, hall, "this realm")
}

/// Rights as a statement names them, if there are any.
pub(super) fn named(
    rights: Vec<Right>,
    hall: &HallName,
    realm: impl std::fmt::Display,
) -> Result<Rights, Problem> {
    if rights.is_empty() {
        return Err(Problem::forbidden(
            "not-admitted",
            format!("you are not admitted to a hall “{hall}”; ask an owner of {realm}"),
        ));
    }
    // Several admissions may add up to more than one statement can name.
    let named: Vec<Right> = rights.into_iter().take(MOST_RIGHTS).collect();
    named.try_into().map_err(|error| Problem::internal(&error))
}

/// The operator's limit.
pub(super) fn longest_ms(gateway: &Gateway) -> u64 {
    u64::try_from(gateway.halls.longest.as_millis()).unwrap_or(u64::MAX)
}

/// The limits and the admissions, asked when the statement is made and again when it comes back
/// signed.
fn check(open: &Open, bounds: &Bounds) -> Result<(), Problem> {
    if let Some(right) = bounds.allowed.lacks(&open.rights) {
        return Err(Problem::forbidden(
            "not-granted",
            format!(
                "you may not {} “{}” in the hall “{}”; ask an owner of {}",
                right.verb(),
                right.name(),
                open.hall,
                bounds.host
            ),
        ));
    }
    check_duration(open, bounds.longest_ms)
}

fn check_duration(open: &Open, longest_ms: u64) -> Result<(), Problem> {
    if open.duration_ms == 0 || open.duration_ms > longest_ms {
        return Err(Problem::forbidden(
            "duration",
            format!(
                "a hall opens here for 1 to {longest_ms} milliseconds, not for {}",
                open.duration_ms
            ),
        )
        .with("longest_ms", longest_ms));
    }
    Ok(())
}

/// Lets the signer in.
pub async fn perform(actor: &Actor<'_>, terms: &Open) -> Result<Outcome, Problem> {
    let gateway = actor.gateway;
    if terms.person != actor.person.id {
        return Err(Problem::forbidden(
            "other-person",
            "the statement lets somebody else in",
        ));
    }
    let own = own_realm(gateway)?;
    let kind = if terms.host == own {
        let bounds = Bounds {
            allowed: rights_of(actor.unit, actor.person, &terms.hall).await?,
            longest_ms: longest_ms(gateway),
            host: own,
        };
        check(terms, &bounds)?;
        GrantKind::Own
    } else {
        // What it opens there is the host's to say; here it only must not last too long.
        check_duration(terms, longest_ms(gateway))?;
        visit::kind(actor, terms).await?
    };
    let grant = Grant {
        id: GrantId::generate(),
        kind,
        hall: terms.hall.clone(),
        person: actor.person.id,
        credential: actor.credential.clone(),
        rights: terms.rights.clone(),
        holder: match &terms.public_key {
            Some(key) => GrantHolder::Key(key.sha256()),
            None => GrantHolder::Session(actor.caller.session.token),
        },
        opened: actor.now,
        ends: actor.now.plus(Duration::from_millis(terms.duration_ms)),
        ended: None,
        evidence: actor.evidence,
        address: actor.caller.session.address.clone(),
    };
    let certified = terms
        .public_key
        .as_ref()
        .map(|key| certificate::guest(gateway, &grant, key))
        .transpose()?;
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
            StoreError::Exists { .. } => Problem::conflict(
                "key-used",
                "a grant was given for this key before; make a fresh key for each",
            ),
            error => error.into(),
        })?;
    Ok(Outcome {
        grant: Some(Opened {
            id: grant.id,
            hall: grant.hall,
            rights: grant.rights,
            ends_ms: grant.ends.as_ms(),
            certified,
            home,
        }),
        ..Outcome::done(actor)
    })
}
