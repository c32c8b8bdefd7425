//! The rights that admissions give at a moment, and the demands that are not met for the others.
//!
//! The rules do no I/O: all facts are in a [`Case`], so an opening, a person inside and a visitor's
//! evidence are judged by the same rules.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{
    HallName, Hours, KeyNeed, MOST_RIGHTS, Needs, Right, Rights, approver,
};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::models::Models;
use hallway_spine::models::verdict::{KeyFacts, Refused};
use hallway_spine::store::Role;

use super::wall_clock;

/// The facts by which demands are judged.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The known models of keys.
    pub models: &'a Models,
    /// The facts that the key proved at its registration.
    pub key: KeyFacts<'a>,
    /// The role of the person who approved the opening, if one did.
    pub approved: Option<Role>,
    /// The time.
    pub now: Timestamp,
}

/// A demand that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The key is not of the demanded kind.
    Key(KeyNeed, Refused),
    /// It is outside the demanded hours. Says what the clock shows.
    Hours(Hours, String),
    /// Nobody who has this role approved it yet.
    Approval(Role),
}

impl fmt::Display for Unmet {
    /// A clause: `it opens with a certified hardware key, and …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(need, why) => write!(f, "it opens {}, and {why}", need.in_words()),
            Self::Hours(hours, shown) => {
                write!(f, "it opens {}, and {shown}", hours.in_words())
            }
            Self::Approval(role) => write!(f, "{} has to approve it", approver(*role)),
        }
    }
}

/// The demands of `needs` that are not met.
pub fn unmet(needs: &Needs, case: &Case<'_>) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    if let Some(need) = needs.key
        && let Err(why) = case.models.meets(need, case.key, case.now)
    {
        unmet.push(Unmet::Key(need, why));
    }
    if let Some(hours) = &needs.hours {
        match wall_clock::shown(hours, case.now) {
            Ok(shown) if hours.contain(shown.day, shown.minute) => {}
            Ok(shown) => unmet.push(Unmet::Hours(hours.clone(), format!("there it is {shown}"))),
            Err(unknown) => unmet.push(Unmet::Hours(hours.clone(), unknown.to_string())),
        }
    }
    if let Some(role) = needs.approval
        && case.approved.is_none_or(|by| by < role)
    {
        unmet.push(Unmet::Approval(role));
    }
    unmet
}

/// The outcome of several admissions to one hall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// Rights that count now: for each, an admission gives it and all demands of that admission are
    /// met.
    pub open: BTreeSet<Right>,
    /// Rights that count once a person of this role approves.
    pub approvable: BTreeMap<Right, Role>,
    /// The admissions that do not count, each with its demands that are not met.
    pub closed: Vec<(Rights, Vec<Unmet>)>,
}

/// Weighs admissions to one hall.
pub fn weigh<'a>(
    admissions: impl IntoIterator<Item = (&'a Rights, &'a Needs)>,
    case: &Case<'_>,
) -> Weighed {
    let mut weighed = Weighed::default();
    for (rights, needs) in admissions {
        let unmet = unmet(needs, case);
        match unmet.as_slice() {
            [] => weighed.open.extend(rights.iter().cloned()),
            [Unmet::Approval(role)] => {
                for right in rights.iter() {
                    let least = weighed.approvable.entry(right.clone()).or_insert(*role);
                    if *least >= *role {
                        *least = *role;
                    }
                }
            }
            _ => {}
        }
        if !unmet.is_empty() {
            weighed.closed.push((rights.clone(), unmet));
        }
    }
    weighed
}

/// An opening that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its rights.
    pub rights: Rights,
    /// The role that has to approve it first, if any.
    pub approval: Option<Role>,
}

impl Opening {
    /// Whether it gives more rights, or the same without an approval.
    pub fn opens_more_than(&self, other: &Self) -> bool {
        let opens = |opening: &Self| (opening.approval.is_none(), opening.rights.iter().count());
        opens(self) > opens(other)
    }
}

impl Weighed {
    /// Opens the hall for the rights `wanted`. Without them, for all rights that open at once, or
    /// if there are none, for all that open after an approval.
    ///
    /// # Errors
    /// 403 `not-admitted`, `not-granted`, or `needs-not-met` with what is missing.
    pub fn opening(&self, hall: &HallName, wanted: Option<&Rights>) -> Result<Opening, Problem> {
        let rights = match wanted {
            Some(rights) => rights.clone(),
            None => self.all(hall)?,
        };
        let mut approval = None;
        for right in rights.iter().filter(|right| !self.open.contains(*right)) {
            let role = *self
                .approvable
                .get(right)
                .ok_or_else(|| self.refusal(hall, Some(right)))?;
            if approval.is_none_or(|other| role >= other) {
                approval = Some(role);
            }
        }
        Ok(Opening { rights, approval })
    }

    fn all(&self, hall: &HallName) -> Result<Rights, Problem> {
        let all: Vec<Right> = if self.open.is_empty() {
            self.approvable.keys().cloned().collect()
        } else {
            self.open.iter().cloned().collect()
        };
        if all.is_empty() {
            return Err(self.refusal(hall, None));
        }
        // Several admissions may give more rights than one statement can name.
        let named: Vec<Right> = all.into_iter().take(MOST_RIGHTS).collect();
        named.try_into().map_err(|error| Problem::internal(&error))
    }

    /// The demands that are not met for `right`, by the admission with the fewest; `None` if no
    /// admission gives it.
    pub fn missing_for(&self, right: &Right) -> Option<String> {
        self.closest(Some(right)).map(|(_, missing)| missing)
    }

    /// Of several admissions, a person wants to know about the one that lacks the least.
    fn closest(&self, right: Option<&Right>) -> Option<(&Rights, String)> {
        let concerned = |rights: &Rights| right.is_none_or(|right| rights.contains(right));
        let closest = self
            .closed
            .iter()
            .filter(|(rights, _)| concerned(rights))
            .min_by_key(|(_, unmet)| unmet.len());
        closest.map(|(rights, unmet)| {
            let missing: Vec<String> = unmet.iter().map(ToString::to_string).collect();
            (rights, missing.join("; "))
        })
    }

    /// Why `right` does not count, or why nothing does.
    pub fn refusal(&self, hall: &HallName, right: Option<&Right>) -> Problem {
        let Some((rights, missing)) = self.closest(right) else {
            return match right {
                Some(right) if !self.is_empty() => Problem::new(
                    Code::NotGranted,
                    format!(
                        "you may not {} in the hall “{hall}”; ask an owner of this realm",
                        in_words(right),
                    ),
                ),
                _ => Problem::new(
                    Code::NotAdmitted,
                    format!(
                        "you are not admitted to the hall “{hall}”; ask an owner of this realm"
                    ),
                ),
            };
        };
        Problem::new(
            Code::NeedsNotMet,
            format!("to {rights} in the hall “{hall}”: {missing}"),
        )
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }
}

/// A right as the end of a sentence that begins with "you may not".
pub fn in_words(right: &Right) -> String {
    let to = match right {
        Right::Connect(_) => " to",
        _ => "",
    };
    format!("{}{to} “{}”", right.verb(), right.name())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hallway_ctap::aaguid::Aaguid;
    use hallway_spine::settings::{MetadataConfig, Policies};

    use super::*;

    // A Monday, 12:00 UTC.
    const MONDAY: Timestamp = Timestamp::from_ms(1_795_435_200_000);
    const NOW: &str = r#"{"hours": "mon 08:00-18:00 UTC"}"#;
    const THEN: &str = r#"{"hours": "tue 08:00-18:00 UTC"}"#;

    fn rights(texts: &[&str]) -> Rights {
        Rights::parse(texts.iter().copied()).unwrap()
    }

    /// Weighs admissions, each rights and needs, for a key of which nothing is known.
    fn weighed(admissions: &[(&[&str], &str)], approved: Option<Role>) -> Weighed {
        let models = Models::new(
            &MetadataConfig::default(),
            &Policies::default(),
            Path::new("/"),
            &[],
        )
        .unwrap();
        let all: Vec<(Rights, Needs)> = admissions
            .iter()
            .map(|(texts, needs)| (rights(texts), serde_json::from_str(needs).unwrap()))
            .collect();
        let case = Case {
            models: &models,
            key: KeyFacts {
                aaguid: Aaguid::ZERO,
                backup_eligible: false,
                attestation: None,
            },
            approved,
            now: MONDAY,
        };
        weigh(all.iter().map(|(rights, needs)| (rights, needs)), &case)
    }

    fn opening(
        weighed: &Weighed,
        wanted: Option<&[&str]>,
    ) -> Result<Opening, (&'static str, String)> {
        let wanted = wanted.map(rights);
        weighed
            .opening(&"lab".parse().unwrap(), wanted.as_ref())
            .map_err(|problem| (problem.code.name(), problem.detail))
    }

    #[test]
    fn a_right_counts_by_one_admission_that_has_all_it_needs() {
        let both = weighed(&[(&["read:a"], THEN), (&["read:a", "read:b"], NOW)], None);
        assert_eq!(both.open.len(), 2);
        assert_eq!(both.closed.len(), 1);
        let neither = weighed(
            &[(&["read:a"], THEN), (&["read:a"], r#"{"key": "L1"}"#)],
            None,
        );
        assert!(neither.open.is_empty() && neither.approvable.is_empty());
        // All that one admission needs, and not some of it here and some of it there.
        let halves = r#"{"hours": "mon 08:00-18:00 UTC", "key": "hardware"}"#;
        assert!(weighed(&[(&["read:a"], halves)], None).open.is_empty());
    }

    #[test]
    fn the_least_approval_is_asked_for() {
        let admissions: &[(&[&str], &str)] = &[
            (&["read:a", "read:b"], r#"{"approval": "owner"}"#),
            (&["read:a"], r#"{"approval": "operator"}"#),
        ];
        let asked = weighed(admissions, None);
        let of = |wanted: &[&str]| opening(&asked, Some(wanted)).unwrap().approval;
        assert_eq!(of(&["read:a"]), Some(Role::Operator));
        assert_eq!(of(&["read:b"]), Some(Role::Owner));
        assert_eq!(of(&["read:a", "read:b"]), Some(Role::Owner));
        // An operator's approval is none of an owner's; an owner's is one of an operator's.
        let open = |by| weighed(admissions, Some(by)).open.len();
        assert_eq!(
            [open(Role::Member), open(Role::Operator), open(Role::Owner)],
            [0, 1, 2]
        );
    }

    #[test]
    fn without_a_wish_it_is_what_opens_at_once() {
        let admissions: &[(&[&str], &str)] = &[
            (&["read:a"], NOW),
            (&["write:a"], r#"{"approval": "operator"}"#),
            (&["delete:a"], THEN),
        ];
        let opened = opening(&weighed(admissions, None), None).unwrap();
        assert_eq!(
            opened,
            Opening {
                rights: rights(&["read:a"]),
                approval: None
            }
        );
        let asked = opening(&weighed(&admissions[1..], None), None).unwrap();
        assert_eq!(asked.rights, rights(&["write:a"]));
        assert_eq!(asked.approval, Some(Role::Operator));
        assert!(opened.opens_more_than(&asked) && !asked.opens_more_than(&opened));
    }

    #[test]
    fn a_refusal_names_the_missing_demand() {
        let admissions: &[(&[&str], &str)] = &[
            (
                &["read:a"],
                r#"{"hours": "tue 08:00-18:00 UTC", "approval": "owner"}"#,
            ),
            (&["read:a"], THEN),
            (&["write:a"], NOW),
        ];
        let all = weighed(admissions, None);
        let (code, detail) = opening(&all, Some(&["read:a"])).unwrap_err();
        assert_eq!(code, "needs-not-met");
        assert_eq!(
            detail,
            "to read “a” in the hall “lab”: it opens on Tuesday, 08:00 to 18:00 UTC, and there it \
             is Monday 12:00"
        );
        assert_eq!(
            opening(&all, Some(&["connect:db"])).unwrap_err().0,
            "not-granted"
        );
        let late = weighed(&admissions[..2], None);
        assert_eq!(opening(&late, None).unwrap_err().0, "needs-not-met");
        assert_eq!(
            opening(&Weighed::default(), None).unwrap_err().0,
            "not-admitted"
        );
        let (code, detail) =
            opening(&weighed(&[(&["read:a"], r#"{"key": "L1"}"#)], None), None).unwrap_err();
        assert_eq!(code, "needs-not-met");
        assert!(
            detail.contains("it opens with a certified hardware key, and"),
            "{detail}"
        );
    }
}
