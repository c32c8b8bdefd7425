//! Entering a hall: the statement, and the grant that the touch earns.

use std::time::Duration;

use hallway_evidence::GrantId;
use hallway_evidence::statement::hall::{
    HallName, MOST_RIGHTS, Open, P256PublicKey, Right, Rights,
};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::act::{Actor, Outcome};
use super::super::web::keys::line;
use super::certificate::{self, Certified};
use crate::Gateway;
use crate::hall::standing::admitted;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Grant, GrantHolder, Person, Repositories, StoreError};

/// What somebody who enters asks for.
#[derive(Debug)]
pub struct Wanted {
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
}

/// The statement, if the hall would open.
pub async fn prepare(gateway: &Gateway, caller: &Caller, wanted: Wanted) -> Result<Open, Problem> {
    let reader = gateway.store.read();
    let allowed = rights_of(reader, &caller.person, &wanted.hall).await?;
    let rights = match wanted.rights {
        Some(rights) => rights
            .try_into()
            .map_err(|error| Problem::malformed(format!("the rights: {error}")))?,
        None => allowed.clone(),
    };
    let public_key = wanted
        .public_key
        .map(|key| P256PublicKey::from_der(&key.0))
        .transpose()
        .map_err(|error| Problem::malformed(error.to_string()))?;
    if public_key.is_some() {
        certificate::address(gateway)?;
    }
    let longest = longest_ms(gateway);
    let open = Open {
        host: line("realm", &gateway.rp.id)?,
        hall: wanted.hall,
        person: caller.person.id,
        name: line("name", &caller.person.name)?,
        rights,
        duration_ms: wanted.duration_ms.unwrap_or(longest),
        public_key,
    };
    check(gateway, &open, &allowed)?;
    Ok(open)
}

/// What `person` may do in `hall`. Whoever may do nothing there may not know that it exists.
async fn rights_of(
    reader: &dyn Repositories,
    person: &Person,
    hall: &HallName,
) -> Result<Rights, Problem> {
    let rights = admitted(reader, person, hall).await?;
    if rights.is_empty() {
        return Err(Problem::forbidden(
            "not-admitted",
            format!("you are not admitted to a hall “{hall}”; ask an owner of this realm"),
        ));
    }
    // Several admissions may add up to more than one statement can name.
    let named: Vec<Right> = rights.into_iter().take(MOST_RIGHTS).collect();
    named.try_into().map_err(|error| Problem::internal(&error))
}

fn longest_ms(gateway: &Gateway) -> u64 {
    u64::try_from(gateway.halls.longest.as_millis()).unwrap_or(u64::MAX)
}

/// The operator's limits and the admissions, asked when the statement is made and again when it
/// comes back signed.
fn check(gateway: &Gateway, open: &Open, allowed: &Rights) -> Result<(), Problem> {
    if let Some(right) = allowed.lacks(&open.rights) {
        return Err(Problem::forbidden(
            "not-granted",
            format!(
                "you may not {} “{}” in the hall “{}”; ask an owner of this realm",
                right.verb(),
                right.name(),
                open.hall
            ),
        ));
    }
    let longest = longest_ms(gateway);
    if open.duration_ms == 0 || open.duration_ms > longest {
        return Err(Problem::forbidden(
            "duration",
            format!(
                "a hall opens here for 1 to {longest} milliseconds, not for {}",
                open.duration_ms
            ),
        )
        .with("longest_ms", longest));
    }
    Ok(())
}

/// Lets the signer in.
pub async fn perform(actor: &Actor<'_>, terms: &Open) -> Result<Outcome, Problem> {
    let gateway = actor.gateway;
    if terms.person != actor.person.id || *terms.host != *gateway.rp.id {
        return Err(Problem::forbidden(
            "other-person",
            "the statement lets somebody else in, or in elsewhere",
        ));
    }
    let allowed = rights_of(actor.unit, actor.person, &terms.hall).await?;
    check(gateway, terms, &allowed)?;
    let grant = Grant {
        id: GrantId::generate(),
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
        }),
        ..Outcome::done(actor)
    })
}
