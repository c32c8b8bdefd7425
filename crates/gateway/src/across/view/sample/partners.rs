//! Partners that never were.

use hallway_door_hall::view::*;
use hallway_spine::console::view::*;

use super::{HASH, ago, frame};

fn partner(realm: &str, state: Mark, problem: Option<&str>) -> PartnerRow {
    PartnerRow {
        realm: realm.to_owned(),
        origin: format!("https://gate.{realm}"),
        state,
        stands: state.tone != Tone::Quiet,
        since: ago(86_400),
        expires: (state.tone == Tone::Waiting).then(|| ago(0)),
        bundle: (state.tone != Tone::Waiting).then(|| ago(300)),
        problem: problem.map(str::to_owned),
        log: HASH.to_owned(),
        authorities: vec![HASH.to_owned()],
        shared: match state.tone {
            Tone::Good => vec![SharedRow {
                hall: "backups".to_owned(),
                who: format!("everybody of {realm}"),
                rights: "read “data”, connect to “db”".to_owned(),
            }],
            _ => Vec::new(),
        },
        evidence: HASH.to_owned(),
    }
}

fn own(stage: Mark, hours: Option<u64>) -> OwnAuthorityRow {
    OwnAuthorityRow {
        sha256: HASH.to_owned(),
        stage,
        until: hours.map(|hours| ago(hours * 3600)),
    }
}

pub(super) fn full() -> PartnersPage {
    PartnersPage {
        frame: frame(Some(hallway_door_hall::pages::PARTNERS)),
        listens: true,
        partners: vec![
            partner("beta.example", Mark::new(Tone::Good, "Partner"), None),
            partner(
                "gamma.example",
                Mark::new(Tone::Warning, "Partner"),
                Some("it cannot be reached: connection refused"),
            ),
            partner("delta.example", Mark::new(Tone::Waiting, "Invited"), None),
            partner("omega.example", Mark::new(Tone::Quiet, "They left"), None),
        ],
        own_log: HASH.to_owned(),
        own_authorities: vec![
            own(Mark::new(Tone::Waiting, "Next"), None),
            own(Mark::new(Tone::Good, "Signs"), Some(0)),
            own(Mark::new(Tone::Quiet, "Retires"), Some(1)),
        ],
    }
}

pub(super) fn fresh() -> PartnersPage {
    PartnersPage {
        partners: Vec::new(),
        ..full()
    }
}
