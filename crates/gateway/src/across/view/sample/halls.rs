//! Halls that never were.

use hallway_door_hall::view::*;
use hallway_spine::console::view::*;

use super::{HASH, ago, frame};

fn grant(state: Mark, open: bool, own: bool) -> GrantRow {
    GrantRow {
        id: format!("0197-{own}-{open}"),
        name: "Emily Gray".to_owned(),
        rights: "read “data” and “logs”, write “data”, connect to “db”".to_owned(),
        state,
        open,
        opened: ago(1_200),
        ends: ago(0),
        own,
        evidence: HASH.to_owned(),
    }
}

fn offer(name: &str, agent: Option<&str>, rights: &str) -> OfferRow {
    OfferRow {
        name: name.to_owned(),
        agent: agent.map(str::to_owned),
        rights: rights.to_owned(),
    }
}

fn approval() -> ApprovalRow {
    ApprovalRow {
        grant: "0197".to_owned(),
        hall: "backups".to_owned(),
        name: "Lachlan Gleeson".to_owned(),
        rights: "read “data”".to_owned(),
        opened: ago(90),
        evidence: HASH.to_owned(),
    }
}

fn place(host: Option<&str>) -> HallPlace {
    HallPlace {
        host: host.map(str::to_owned),
        name: "backups".to_owned(),
        title: "Backups of the lab".to_owned(),
    }
}

fn waiting() -> WaitingNotice {
    WaitingNotice {
        grant: "0197".to_owned(),
        approver: "an operator".to_owned(),
        names: "Emily Gray, Lachlan Gleeson".to_owned(),
        until: ago(0),
    }
}

pub(super) fn list(rows: usize) -> HallsPage {
    let row = |n| HallRow {
        name: format!("hall-{n}"),
        title: "Backups of the lab".to_owned(),
        rights: "read “data”".to_owned(),
        inside: Count(3),
    };
    HallsPage {
        frame: frame(Some(hallway_door_hall::pages::HALLS)),
        halls: (0..rows).map(row).collect(),
        partners: (0..rows).map(|n| format!("partner-{n}.example")).collect(),
        away: (0..rows)
            .map(|_| AwayRow {
                host: "alpha.example".to_owned(),
                hall: "lab".to_owned(),
                grant: grant(Mark::new(Tone::Good, "Open"), true, true),
            })
            .collect(),
        listens: rows > 0,
        approvals: (0..rows.min(2)).map(|_| approval()).collect(),
    }
}

pub(super) fn full() -> HallPage {
    let open = || grant(Mark::new(Tone::Good, "Open"), true, true);
    HallPage {
        frame: frame(Some(hallway_door_hall::pages::HALLS)),
        place: place(None),
        over: None,
        rights: "read “data”".to_owned(),
        demands: vec![DemandRow {
            rights: "read “data”".to_owned(),
            needs: "with a certified hardware key, from Monday to Friday, 08:00 to 18:00 \
                    Europe/Berlin, each time approved by an operator"
                .to_owned(),
            state: Mark::new(Tone::Warning, "Missing"),
            missing: vec!["There it is Saturday 14:03.".to_owned()],
        }],
        waiting: None,
        approvals: vec![approval()],
        knows_models: true,
        open: Some(open()),
        stores: vec![
            offer("data", None, "read, write"),
            offer("logs", Some("lab"), ""),
        ],
        services: vec![offer("db", Some("lab"), "connect"), offer("ssh", None, "")],
        inside: (0..40)
            .map(|n| InsideRow {
                grant: format!("0197-{n}"),
                name: "Lachlan Gleeson".to_owned(),
                streams: Count(n),
                received: Size(n * 1_000_000),
                sent: Size(1_850),
                own: n == 0,
            })
            .collect(),
        looks_after: true,
        guests: ["person", "role", "visitor"]
            .map(|kind| GuestRow {
                who: "Emily Gray".to_owned(),
                kind,
                value: "0197".to_owned(),
                rights: "read “data”".to_owned(),
                needs: "from Monday to Friday, 08:00 to 18:00 Europe/Berlin".to_owned(),
                since: ago(86_400),
                evidence: HASH.to_owned(),
            })
            .to_vec(),
        people: vec![("0197".to_owned(), "Emily Gray".to_owned())],
        partners: vec!["beta.example".to_owned()],
        agents: vec![AgentRow {
            name: "lab".to_owned(),
            state: Mark::new(Tone::Good, "Here"),
            since: ago(400),
            provides: "store logs, service db".to_owned(),
            missing: "service db".to_owned(),
            evidence: HASH.to_owned(),
        }],
        grants: vec![
            open(),
            grant(Mark::new(Tone::Good, "Open"), true, false),
            grant(Mark::new(Tone::Quiet, "Ended"), false, false),
        ],
    }
}

/// What an owner sees of a hall just made.
pub(super) fn fresh() -> HallPage {
    HallPage {
        rights: String::new(),
        demands: Vec::new(),
        approvals: Vec::new(),
        knows_models: false,
        open: None,
        stores: Vec::new(),
        services: Vec::new(),
        inside: Vec::new(),
        guests: Vec::new(),
        agents: Vec::new(),
        grants: Vec::new(),
        ..full()
    }
}

pub(super) fn store(open: bool) -> StorePage {
    StorePage {
        frame: frame(Some(hallway_door_hall::pages::HALLS)),
        place: place(None),
        store: "data".to_owned(),
        open: open.then(|| grant(Mark::new(Tone::Good, "Open"), true, true)),
        waiting: None,
        over: None,
        may: "read write delete".to_owned(),
    }
}

/// What whoever opened the hall sees until somebody approved it.
pub(super) fn waiting_for_approval() -> HallPage {
    HallPage {
        open: None,
        waiting: Some(waiting()),
        ..full()
    }
}

/// The halls of a partner.
pub(super) fn at_partner(rows: usize) -> PartnerHallsPage {
    PartnerHallsPage {
        frame: frame(Some(hallway_door_hall::pages::HALLS)),
        realm: "alpha.example".to_owned(),
        halls: (0..rows)
            .map(|n| HallThereRow {
                name: format!("hall-{n}"),
                title: "Backups of the lab".to_owned(),
                rights: "read “data”".to_owned(),
            })
            .collect(),
    }
}

/// A partner's hall, which the partner has just closed.
pub(super) fn of_partner() -> PartnerHallPage {
    PartnerHallPage {
        frame: frame(Some(hallway_door_hall::pages::HALLS)),
        place: place(Some("alpha.example")),
        realm: "alpha.example".to_owned(),
        rights: "read “data”, connect to “db”".to_owned(),
        open: None,
        waiting: None,
        over: Some("alpha.example says: this grant has ended; open the hall again.".to_owned()),
        stores: vec![offer("data", None, "read")],
        services: vec!["db".to_owned()],
    }
}

/// The same, for whoever must wait there.
pub(super) fn of_partner_waiting() -> PartnerHallPage {
    PartnerHallPage {
        waiting: Some(WaitingNotice {
            approver: "an operator of alpha.example".to_owned(),
            ..waiting()
        }),
        over: None,
        ..of_partner()
    }
}
