//! Witnesses: of all kinds, and none.

use super::*;

fn cosigner(name: &str, entries: Option<u64>, problem: Option<&str>) -> CosignerRow {
    CosignerRow {
        name: format!("{name}/witness"),
        url: format!("https://gate.{name}/witness"),
        cosigned: entries.map(|entries| (Count(entries), ago(40))),
        problem: problem.map(str::to_owned),
        behind: entries != Some(14_823),
    }
}

fn log(origin: &str, watched: bool) -> WitnessedRow {
    WitnessedRow {
        origin: origin.to_owned(),
        size: Count(1_042),
        cosigned: ago(90),
        watched,
        doubted: None,
        fork: None,
        other_key: None,
        ended: None,
    }
}

pub(super) fn witnesses() -> WitnessesPage {
    let checkpoint = |root: char| {
        format!(
            "delta.example/log\n1042\n{}=\n\n— delta.example/log {}=\n",
            root.to_string().repeat(43),
            "Az3grlgtzPICa5OS8npVmf1Myq".repeat(3)
        )
    };
    WitnessesPage {
        frame: frame(Some(NavigationEntry::WITNESSES)),
        size: Count(14_823),
        key: "gate.example/witness+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
            .to_owned(),
        url: "https://gate.example/witness".to_owned(),
        witnesses: vec![
            cosigner("alpha.example", Some(14_823), None),
            cosigner("beta.example", Some(14_820), None),
            cosigner("gamma.example", None, None),
            cosigner(
                "delta.example",
                Some(14_100),
                Some("it does not answer: connection refused"),
            ),
        ],
        witnessed: vec![
            log("alpha.example/log", true),
            WitnessedRow {
                doubted: Some((Count(1_050), ago(7_200))),
                ..log("beta.example/log", true)
            },
            WitnessedRow {
                fork: Some(ForkCard {
                    at: ago(300),
                    first: checkpoint('A'),
                    second: checkpoint('B'),
                }),
                ..log("delta.example/log", true)
            },
            log("gamma.example/log", false),
            WitnessedRow {
                other_key: Some("omega.example/log+93f5bce8+Af6rX8ak0m9M".to_owned()),
                ..log("omega.example/log", false)
            },
        ],
        former: vec![WitnessedRow {
            ended: Some((HASH.to_owned(), ago(86_400))),
            ..log("omega.example/log", false)
        }],
    }
}

pub(super) fn nobody() -> WitnessesPage {
    WitnessesPage {
        witnesses: Vec::new(),
        witnessed: Vec::new(),
        former: Vec::new(),
        ..witnesses()
    }
}
