//! The demands of an admission, and whether a key meets them.

pub mod left;
pub mod needs;
pub mod visitor_key;
pub mod wall_clock;

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{HallName, Needs};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::models::verdict::KeyFacts;
use hallway_spine::store::{Credential, Holder, KeyAttestation, Person, Unit};
use schemars::JsonSchema;
use serde::Deserialize;

use self::needs::{Case, Unmet, Weighed};
use crate::store::HallGuest;

/// The demands of an admission, each optional.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeedsRequest {
    /// `hardware`, or the least certification: `L1`, `L1+`, `L2`, `L2+`, `L3`, `L3+`.
    pub key: Option<String>,
    /// The least role of the person who has to approve each opening: `member`, `operator`, `owner`.
    pub approval: Option<String>,
    /// `mon-fri 08:00-18:00 Europe/Berlin`.
    pub hours: Option<String>,
}

/// The demands, if a key could meet them.
///
/// # Errors
/// 400 says what is wrong; 409 `nothing-known` where no key could be told from another.
pub fn demanded(gateway: &Gateway, request: NeedsRequest) -> Result<Needs, Problem> {
    let needs = Needs {
        key: parsed("key", request.key)?,
        approval: parsed("approval", request.approval)?,
        hours: parsed("hours", request.hours)?,
    };
    if needs.key.is_some() && !gateway.models.is_configured() {
        return Err(Problem::new(
            Code::NothingKnown,
            "this gateway knows nothing about models of keys, so no key could open the hall; set \
             [metadata] in hallway.toml first",
        ));
    }
    if let Some(hours) = &needs.hours {
        wall_clock::shown(hours, gateway.now())
            .map_err(|unknown| Problem::malformed(format!("the hours: {unknown}")))?;
    }
    Ok(needs)
}

fn parsed<T>(what: &str, text: Option<String>) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error| Problem::malformed(format!("what is demanded, {what}: {error}")))
}

/// A key of a person, with what it proved when it was registered.
pub struct KnownKey {
    key: Credential,
    attestation: Option<KeyAttestation>,
}

impl KnownKey {
    /// The keys of `person`, the newest first.
    ///
    /// # Errors
    /// The database.
    pub async fn of(reader: &Unit<'_>, person: &Person) -> Result<Vec<Self>, Problem> {
        let held = reader
            .credentials()
            .held_by(Holder::Person(person.id))
            .await?;
        let mut keys = Vec::new();
        for key in held {
            keys.push(Self::new(reader, key).await?);
        }
        Ok(keys)
    }

    /// The key with this credential id.
    ///
    /// # Errors
    /// The database.
    pub async fn new(reader: &Unit<'_>, key: Credential) -> Result<Self, Problem> {
        let attestation = reader.attestations().get(&key.id).await?;
        Ok(Self { key, attestation })
    }

    /// The facts by which admissions are judged for this key.
    pub const fn facts(&self) -> KeyFacts<'_> {
        KeyFacts::of(&self.key, self.attestation.as_ref())
    }
}

/// The admissions to one hall.
pub fn to_hall<'a>(admissions: &'a [HallGuest], hall: &HallName) -> Vec<&'a HallGuest> {
    let to = |admission: &&HallGuest| admission.hall == *hall;
    admissions.iter().filter(to).collect()
}

/// The facts by which an opening is judged before its approval.
fn case<'a>(gateway: &'a Gateway, key: &'a KnownKey, now: Timestamp) -> Case<'a> {
    Case {
        models: &gateway.models,
        key: key.facts(),
        approved: None,
        now,
    }
}

/// The rights that `admissions` give the holder of `key` now.
pub fn weighed(
    gateway: &Gateway,
    admissions: &[&HallGuest],
    key: &KnownKey,
    now: Timestamp,
) -> Weighed {
    let each = admissions
        .iter()
        .map(|admission| (&admission.rights, &admission.needs));
    needs::weigh(each, &case(gateway, key, now))
}

/// The demands that are not met now for the holder of `key`.
pub fn unmet(gateway: &Gateway, admission: &HallGuest, key: &KnownKey) -> Vec<Unmet> {
    needs::unmet(&admission.needs, &case(gateway, key, gateway.now()))
}
