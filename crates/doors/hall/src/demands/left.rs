//! The rights of a grant that admissions still give.

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{HallName, Needs, Right, Rights};
use hallway_spine::http::problem::Problem;
use hallway_spine::models::Models;
use hallway_spine::models::verdict::KeyFacts;
use hallway_spine::store::{Person, Unit};

use super::needs::{self, Case};
use super::visitor_key::VisitorKey;
use crate::store::{EndCause, Grant, GrantKind, HallGuest, HallTables, Visitor};

/// The admissions of a person of this realm to the hall of a grant.
///
/// # Errors
/// The database fails.
pub async fn admissions(
    reader: &Unit<'_>,
    grant: &Grant,
    person: &Person,
) -> Result<Vec<HallGuest>, Problem> {
    let mut all = reader.halls().admissions(person.id, person.role).await?;
    all.retain(|admission| admission.hall == grant.hall);
    Ok(all)
}

/// The admissions of a partner's person to the hall of a grant.
///
/// # Errors
/// The database fails.
pub async fn admissions_of_visitor(
    reader: &Unit<'_>,
    grant: &Grant,
    visitor: &Visitor,
) -> Result<Vec<HallGuest>, Problem> {
    let mut all = reader
        .halls()
        .admissions_of_visitor(&visitor.home, grant.person, visitor.role)
        .await?;
    all.retain(|admission| admission.hall == grant.hall);
    Ok(all)
}

/// The rights of a grant that admissions still give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// These rights.
    Rights(Rights),
    /// No right, with the reason.
    Nothing(EndCause),
}

/// The rights of a grant that admissions still give, at any hour and before or after its approval.
/// The other rights are lost for good.
///
/// # Errors
/// The database.
pub async fn left_by_admissions(
    models: &Models,
    reader: &Unit<'_>,
    grant: &Grant,
    now: Timestamp,
) -> Result<Left, Problem> {
    let (attestation, brought);
    let (admissions, key) = match &grant.kind {
        // The partner decides which rights open there.
        GrantKind::Away { .. } => return Ok(Left::Rights(grant.rights.clone())),
        GrantKind::Own => {
            let person = reader.people().get(grant.person).await?;
            let key = reader.credentials().get(&grant.credential).await?;
            let (Some(person), Some(key)) = (person, key) else {
                return Ok(Left::Nothing(EndCause::KeyRemoved));
            };
            attestation = reader.attestations().get(&key.id).await?;
            let facts = KeyFacts::of(&key, attestation.as_ref());
            (admissions(reader, grant, &person).await?, facts)
        }
        GrantKind::Visitor(visitor) => {
            let partner = reader.partners().get(&visitor.home).await?;
            let visit = reader.visits().get(&grant.evidence).await?;
            brought = partner
                .zip(visit)
                .map(|(partner, visit)| VisitorKey::of(models, &partner, &visit));
            let facts = brought
                .as_ref()
                .map_or(KeyFacts::UNKNOWN, VisitorKey::facts);
            (admissions_of_visitor(reader, grant, visitor).await?, facts)
        }
    };
    let at_any_hour: Vec<(Rights, Needs)> = admissions
        .into_iter()
        .map(|admission| {
            let needs = Needs {
                hours: None,
                ..admission.needs
            };
            (admission.rights, needs)
        })
        .collect();
    let case = Case {
        models,
        key,
        approved: grant.approval.map(|approval| approval.role),
        now,
    };
    let each = at_any_hour.iter().map(|(rights, needs)| (rights, needs));
    let weighed = needs::weigh(each, &case);
    let granted = grant.rights.iter();
    let left: Vec<Right> = granted
        .filter(|right| weighed.open.contains(*right))
        .cloned()
        .collect();
    Ok(match Rights::try_from(left) {
        Ok(rights) => Left::Rights(rights),
        Err(_) => {
            let mut lost = grant.rights.iter();
            let unmet = lost.any(|right| weighed.missing_for(right).is_some());
            Left::Nothing(if unmet {
                EndCause::NeedsNotMet
            } else {
                EndCause::NotAdmitted
            })
        }
    })
}

/// The rights that `admissions` give in `hall`, sorted, each once.
pub fn rights_in(admissions: &[HallGuest], hall: &HallName) -> Vec<Right> {
    let rights: std::collections::BTreeSet<Right> = admissions
        .iter()
        .filter(|admission| admission.hall == *hall)
        .flat_map(|admission| admission.rights.iter().cloned())
        .collect();
    rights.into_iter().collect()
}
