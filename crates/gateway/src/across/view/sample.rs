//! A realm that never was, for looking at the pages.

mod evidence;
mod halls;
mod partners;
mod witnesses;

use evidence::explanation;
use hallway_door_device::view::*;
use hallway_door_web::view::*;
use hallway_spine::console::view::*;

use crate::across::view::*;

pub(super) const NOW: u64 = 1_795_312_116_000;
const HASH: &str = "5d0a9f6c3b1e7a24c8f0d1b2a39485766554e3d2c1b0a9f8e7d6c5b4a3928170";

fn ago(seconds: u64) -> Moment {
    Moment::new(NOW - seconds * 1000, NOW)
}

pub(super) fn frame(here: Option<NavigationEntry>) -> Frame {
    Frame {
        realm: "gate.example".to_owned(),
        viewer: Some(Viewer {
            name: "Emily Gray".to_owned(),
            standing: Standing::Owner,
        }),
        here,
        navigation: vec![
            NavigationEntry::OVERVIEW,
            NavigationEntry::EVIDENCE,
            NavigationEntry::REFUSALS,
        ],
    }
}

pub(super) fn outside() -> Frame {
    Frame {
        viewer: None,
        ..frame(None)
    }
}

fn transactions(count: u64) -> Vec<TransactionRow> {
    (0..count)
        .map(|i| TransactionRow {
            hash: HASH.to_owned(),
            device_id: "0197".to_owned(),
            device: "Camera at the gate".to_owned(),
            picture: i % 4 != 3,
            file: (i % 4 != 3).then(|| format!("IMG_{:04}.jpg", 1204 - i)),
            size: Size(1_834_221 + i * 40_000),
            sequence: Count(1204 - i),
            accepted: ago(4 + i * 733),
        })
        .collect()
}

fn evidence(count: u64) -> Vec<EvidenceRow> {
    (0..count)
        .map(|i| EvidenceRow {
            hash: HASH.to_owned(),
            sentence: if i % 3 == 0 {
                "Emily Gray claims the camera HC-2201-0007 under the name “Camera at the gate” \
                 in gate.example."
                    .to_owned()
            } else {
                format!(
                    "Device HC-2201-0007 signs 1 834 221 bytes as number {} in gate.example.",
                    1204 - i
                )
            },
            signer: if i % 3 == 0 {
                "Emily Gray"
            } else {
                "Camera at the gate"
            }
            .to_owned(),
            index: Count(14_822 - i),
            accepted: ago(40 + i * 4_000),
        })
        .collect()
}

fn device(state: Mark) -> DeviceRow {
    DeviceRow {
        id: "0197".to_owned(),
        name: "Camera at the gate".to_owned(),
        serial: "HC-2201-0007".to_owned(),
        state,
        owner: "Emily Gray".to_owned(),
        last_seen: Some(ago(240)),
        sequence: Count(1_204),
        set_aside: SetAside(3),
    }
}

fn model(status: Option<&str>) -> ModelCard {
    ModelCard {
        id: "4c4c4c4c-4c4c-4c4c-4c4c-4c4c4c4c4c4c".to_owned(),
        name: "Acme Key 5 with NFC".to_owned(),
        icon: Some("/static/icon.svg".to_owned()),
        certification: "L1".to_owned(),
        protection: "in a secure element".to_owned(),
        status: status.map(|status| (status.to_owned(), Some(ago(86_400 * 3)))),
    }
}

fn metadata(models: Vec<ModelCard>, configured: bool) -> MetadataPage {
    MetadataPage {
        frame: frame(Some(NavigationEntry::METADATA)),
        configured,
        sources: vec!["https://mds3.fidoalliance.org/".to_owned()],
        signer: "mds.fidoalliance.org, certified under OU=GlobalSign Root CA - R3".to_owned(),
        blob: configured.then(|| Blob {
            number: Count(204),
            source: "https://mds3.fidoalliance.org/".to_owned(),
            taken: ago(86_400),
            next_update: ago(3_600),
            overdue: true,
        }),
        checked: Some(ago(600)),
        problem: Some("https://mds3.fidoalliance.org/: it answered 503".to_owned()),
        known: Count(models.len() as u64),
        unreadable: Count(1),
        statements: vec![
            StatementRow {
                name: "acme.json".to_owned(),
                problem: None,
            },
            StatementRow {
                name: "broken.json".to_owned(),
                problem: Some("not a metadata statement: EOF at line 1".to_owned()),
            },
        ],
        policies: vec![PolicyRow {
            who: "Owners".to_owned(),
            asks: "Keys live in hardware only.".to_owned(),
        }],
        query: if models.is_empty() { "" } else { "acme" }.to_owned(),
        more: (!models.is_empty()).then(|| "/metadata?q=acme&after=20#models".to_owned()),
        models,
    }
}

fn key(label: &str, kind: &str) -> KeyRow {
    KeyRow {
        id: "0198".to_owned(),
        label: label.to_owned(),
        kind: kind.to_owned(),
        model: Some(model(None)),
        refused: None,
        registered: ago(86_400 * 12),
        last_used: Some(ago(600)),
        evidence: Some(HASH.to_owned()),
    }
}

/// Every page, under the name of its file, with much in it and with nothing.
pub(super) fn pages() -> Vec<(&'static str, String)> {
    use askama::Template;
    let good = |word| Mark::new(Tone::Good, word);
    let older = Paging {
        newest: None,
        older: Some("/transactions?after=14800".to_owned()),
    };
    let next = vec![
        NextStep {
            what: "Register a second key",
            why: "With only one, losing it locks you out.",
            href: "/keys",
            done: true,
        },
        NextStep {
            what: "Add a maker of devices",
            why: "A device enrols only if its maker is one of those that the realm accepts.",
            href: "/makers",
            done: false,
        },
        NextStep {
            what: "Claim a device",
            why: "Start it, and type the code that it shows.",
            href: "/claim",
            done: false,
        },
    ];
    let overview = |rows, next| OverviewPage {
        frame: frame(Some(NavigationEntry::OVERVIEW)),
        next,
        devices: Count(rows),
        keys: Count(rows / 2),
        log_size: Count(rows * 2_964),
        refusals: Some((rows / 2).to_string()),
        approvals: (rows > 0).then_some(Count(2)),
        latest: transactions(rows),
        evidence: evidence(rows),
    };
    let link = |name: &str, opens: &str| LinkItem {
        id: HASH.to_owned(),
        name: name.to_owned(),
        opens: opens.to_owned(),
        made_by: "Emily Gray".to_owned(),
        made: ago(300),
        ends: Moment::new(NOW + 86_400_000, NOW),
        evidence: Some(HASH.to_owned()),
    };
    let session = |agent: &str, current| SessionItem {
        id: HASH.to_owned(),
        agent: agent.to_owned(),
        address: "192.0.2.7".to_owned(),
        key: "Blue key on my ring".to_owned(),
        touched: ago(7_200),
        last_used: ago(60),
        current,
    };
    let keys = |keys: Vec<KeyRow>| KeysPage {
        frame: frame(Some(hallway_door_web::pages::KEYS)),
        links: match keys.len() {
            1 => Vec::new(),
            _ => vec![link("Emily Gray", "Registers a further key")],
        },
        sessions: vec![
            session("Mozilla/5.0 (X11; Linux x86_64)", true),
            session("hallway", false),
        ],
        keys,
    };
    let person = |name: &str, standing, state, suspended, is_self| PersonRow {
        id: format!("01{}", name.len()),
        name: name.to_owned(),
        standing,
        state,
        suspended,
        keys: Count(if suspended { 0 } else { 2 }),
        since: ago(86_400 * 90),
        is_self,
    };
    let people = |people| PeoplePage {
        frame: frame(Some(hallway_door_web::pages::PEOPLE)),
        links: vec![
            link("Gaston", "Joins as operator"),
            link("Ruth", "Registers a new key after a loss"),
        ],
        people,
        paging: Paging::default(),
    };
    let devices = |devices, makers| DevicesPage {
        frame: frame(Some(hallway_door_device::pages::DEVICES)),
        devices,
        makers,
        paging: Paging::default(),
    };
    let device_page = DevicePage {
        frame: frame(Some(hallway_door_device::pages::DEVICES)),
        device: device(good("Registered")),
        maker: "Acme Cameras".to_owned(),
        aaguid: "4c4c4c4c-4c4c-4c4c-4c4c-4c4c4c4c4c4c".to_owned(),
        model: Some(model(None)),
        refused: Some("The model is not accepted.".to_owned()),
        acts: vec![
            DeviceAct::Suspend,
            DeviceAct::ReportStolen,
            DeviceAct::Release,
            DeviceAct::Retire,
        ],
        heirs: vec![("01".to_owned(), "Lachlan Gleeson".to_owned())],
        latest: transactions(3),
        history: vec![History {
            sentence: "Emily Gray claims the camera HC-2201-0007 in gate.example.".to_owned(),
            hash: HASH.to_owned(),
            accepted: ago(86_400),
        }],
    };
    let maker = MakerRow {
        id: "01".to_owned(),
        name: "Acme Cameras".to_owned(),
        subject: "CN=Acme Camera Attestation CA, O=Acme, C=NZ".to_owned(),
        fingerprint: HASH.to_owned(),
        until: Some(Moment::new(NOW + 86_400_000 * 4_000, NOW)),
        added: ago(86_400 * 3),
    };
    let refusal = |code: &str, detail: &str, subject: Option<&str>| RefusalRow {
        at: ago(500),
        code: code.to_owned(),
        detail: detail.to_owned(),
        subject: subject.map(str::to_owned),
        more: (code == "replayed").then(|| More {
            count: Count(5_312),
            last: ago(20),
        }),
    };
    let states = [
        Mark::new(Tone::Waiting, "Announced"),
        good("Registered"),
        Mark::new(Tone::Warning, "Suspended"),
        Mark::new(Tone::Bad, "Reported stolen"),
        Mark::new(Tone::Quiet, "Retired"),
    ];
    vec![
        (
            "sign-in",
            SignInPage {
                frame: outside(),
                then: "/".to_owned(),
            }
            .render(),
        ),
        ("join", JoinPage { frame: outside() }.render()),
        ("overview", overview(5, Vec::new()).render()),
        ("overview-empty", overview(0, next).render()),
        (
            "keys",
            keys(vec![
                key("Blue key on my ring", "Security key"),
                KeyRow {
                    model: Some(model(Some("REVOKED"))),
                    refused: Some("The model has the status REVOKED.".to_owned()),
                    ..key("Phone", "Passkey, copied to other devices")
                },
            ])
            .render(),
        ),
        (
            "keys-one",
            keys(vec![key("Blue key on my ring", "Security key")]).render(),
        ),
        (
            "people",
            people(vec![
                person("Emily Gray", Standing::Owner, good("Active"), false, true),
                person(
                    "Lachlan Gleeson",
                    Standing::Operator,
                    good("Active"),
                    false,
                    false,
                ),
                person(
                    "Ruth",
                    Standing::Member,
                    Mark::new(Tone::Warning, "Suspended"),
                    true,
                    false,
                ),
            ])
            .render(),
        ),
        (
            "people-alone",
            people(vec![person(
                "Emily Gray",
                Standing::Owner,
                good("Active"),
                false,
                true,
            )])
            .render(),
        ),
        ("halls", halls::list(3).render()),
        ("halls-empty", halls::list(0).render()),
        ("hall", halls::full().render()),
        ("hall-fresh", halls::fresh().render()),
        ("hall-waiting", halls::waiting_for_approval().render()),
        ("partner-halls", halls::at_partner(3).render()),
        ("partner-halls-empty", halls::at_partner(0).render()),
        ("partner-hall", halls::of_partner().render()),
        ("partner-hall-waiting", halls::of_partner_waiting().render()),
        ("store", halls::store(true).render()),
        ("partners", partners::full().render()),
        ("partners-empty", partners::fresh().render()),
        ("store-closed", halls::store(false).render()),
        ("devices", devices(states.map(device).to_vec(), 1).render()),
        ("devices-empty", devices(Vec::new(), 1).render()),
        ("devices-no-maker", devices(Vec::new(), 0).render()),
        ("device", device_page.render()),
        (
            "claim",
            ClaimPage {
                frame: frame(Some(hallway_door_device::pages::DEVICES)),
                makers: 1,
            }
            .render(),
        ),
        (
            "transactions",
            TransactionsPage {
                frame: frame(Some(hallway_door_device::pages::TRANSACTIONS)),
                only: None,
                rows: transactions(50),
                paging: older.clone(),
            }
            .render(),
        ),
        (
            "transactions-empty",
            TransactionsPage {
                frame: frame(Some(hallway_door_device::pages::TRANSACTIONS)),
                only: Some(("0197".to_owned(), "Camera at the gate".to_owned())),
                rows: Vec::new(),
                paging: Paging::default(),
            }
            .render(),
        ),
        (
            "evidence",
            EvidencePage {
                frame: frame(Some(NavigationEntry::EVIDENCE)),
                rows: evidence(50),
                paging: older,
            }
            .render(),
        ),
        (
            "evidence-empty",
            EvidencePage {
                frame: frame(Some(NavigationEntry::EVIDENCE)),
                rows: Vec::new(),
                paging: Paging::default(),
            }
            .render(),
        ),
        ("explanation", explanation(None).render()),
        ("explanation-failing", explanation(Some(15)).render()),
        (
            "makers",
            MakersPage {
                frame: frame(Some(hallway_door_device::pages::MAKERS)),
                makers: vec![maker],
            }
            .render(),
        ),
        (
            "makers-empty",
            MakersPage {
                frame: frame(Some(hallway_door_device::pages::MAKERS)),
                makers: Vec::new(),
            }
            .render(),
        ),
        (
            "metadata",
            metadata(vec![model(Some("REVOKED")); 20], true).render(),
        ),
        ("metadata-empty", metadata(Vec::new(), true).render()),
        ("metadata-nothing", metadata(Vec::new(), false).render()),
        ("witnesses", witnesses::witnesses().render()),
        ("witnesses-empty", witnesses::nobody().render()),
        (
            "refusals",
            RefusalsPage {
                frame: frame(Some(NavigationEntry::REFUSALS)),
                rows: vec![
                    refusal(
                        "replayed",
                        "Transaction number 1203 came a second time; 1204 is the next.",
                        Some("Camera at the gate"),
                    ),
                    refusal("unknown-code", "No device shows this code.", None),
                ],
                paging: Paging::default(),
            }
            .render(),
        ),
        (
            "refusals-empty",
            RefusalsPage {
                frame: frame(Some(NavigationEntry::REFUSALS)),
                rows: Vec::new(),
                paging: Paging::default(),
            }
            .render(),
        ),
        (
            "problem",
            ProblemPage {
                frame: frame(None),
                status: 404,
                title: "There is no such page".to_owned(),
                detail: "The address may be mistyped, or what it named is gone.".to_owned(),
                request: Some("0197c2d1-77aa".to_owned()),
            }
            .render(),
        ),
    ]
    .into_iter()
    .map(|(name, html)| (name, html.unwrap()))
    .collect()
}
