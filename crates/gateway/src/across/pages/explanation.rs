//! `/evidence/{hash}`: one piece of evidence, explained.

use axum::extract::{Path, State};
use axum::response::Response;
use hallway_door_device::pages::transactions;
use hallway_door_device::store::{DeviceTables, Transaction};
use hallway_door_device::{DevicesOf, payload};
use hallway_evidence::log::tree::leaf_hash;
use hallway_evidence::verify::{self, Report};
use hallway_evidence::{Bundle, Receipt};
use hallway_spine::Gateway;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::{
    Count, ExplanationPage, Fact, LogPlace, Moment, NavigationEntry, Picture, Size,
};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::EvidenceRecord;

use crate::across::evidence;

/// The most bytes of a payload that is read and hashed again for each visit of the page.
const MAX_HASHED_BYTES: u64 = 8 << 20;

/// The page of one piece of evidence that the viewer may see. It is verified again for each visit,
/// from the same bytes as those of a receipt.
pub(crate) async fn explain(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let Explained {
        record,
        transaction,
        bundle,
        report,
    } = explained(&gateway, &caller, &hash).await?;
    html(&ExplanationPage {
        frame: frame(&gateway, &caller, NavigationEntry::EVIDENCE),
        hash: record.hash.to_string(),
        receipt: evidence::receipt_name(&record, transaction.as_ref()),
        sentence: hallway_spine::console::pages::sentence::stated(&record),
        accepted: moment(&gateway, record.accepted),
        facts: facts(&gateway, &report, transaction.as_ref()),
        picture: transaction.as_ref().and_then(picture),
        report,
        log: Some(log_place(bundle.subject())),
    })
}

struct Explained {
    record: EvidenceRecord,
    transaction: Option<Transaction>,
    bundle: Bundle,
    report: Report,
}

async fn explained(gateway: &Gateway, caller: &Caller, hash: &str) -> Result<Explained, Problem> {
    let record = evidence::seen(gateway, caller, hash).await?;
    let bundle = evidence::bundle_of(gateway, &record).await?;
    let trust = evidence::trust_for(gateway, &record).await?;
    let chain = evidence::chain_for(gateway, &record).await?;
    let transaction = gateway
        .store
        .read()
        .transactions()
        .get(&record.hash)
        .await?;
    let payload = match &transaction {
        Some(transaction) if transaction.length <= MAX_HASHED_BYTES => {
            let _turn = gateway.devices().thumbnails.turn().await?;
            Some(payload::bytes(gateway, transaction, MAX_HASHED_BYTES).await?)
        }
        _ => None,
    };
    Ok(Explained {
        report: verify::bundle(&bundle, payload.as_deref(), &trust, chain),
        record,
        transaction,
        bundle,
    })
}

fn facts(gateway: &Gateway, report: &Report, transaction: Option<&Transaction>) -> Vec<Fact> {
    let fact = |name, value: String| Fact {
        name,
        value,
        href: None,
    };
    let mut out = Vec::new();
    let Some(conclusion) = &report.conclusion else {
        return out;
    };
    for cosigned in &conclusion.cosigned {
        out.push(fact("Cosigned by", cosigned.to_string()));
    }
    if let (Some(found), Some(transaction)) = (&conclusion.transaction, transaction) {
        let at = |ms: hallway_evidence::Timestamp| {
            Moment::new(ms.as_ms(), gateway.now().as_ms()).exact()
        };
        out.push(Fact {
            href: Some(format!("/devices/{}", transaction.device)),
            ..fact("Signed by", found.serial.clone())
        });
        out.push(fact("Attested by", found.maker.clone()));
        out.push(fact(
            "Enrolled by",
            format!("{}, {}", found.owner_name, at(found.claimed_ms)),
        ));
        out.push(fact(
            "Taken",
            format!("{}, by the device’s clock", at(found.taken_ms)),
        ));
        out.push(fact("Number", Count(found.sequence).to_string()));
    }
    out
}

fn picture(transaction: &Transaction) -> Option<Picture> {
    transactions::has_thumbnail(&transaction.media_type).then(|| Picture {
        size: Size(transaction.length),
        sha256: hex::encode(transaction.sha256),
    })
}

/// The index of a receipt's evidence in the log, read from the text of the proof
/// (c2sp.org/tlog-proof: a line that names the format, the index, then one hash a line).
fn log_place(receipt: &Receipt) -> LogPlace {
    let proof = receipt.proof.to_string();
    let checkpoint = receipt.proof.checkpoint();
    LogPlace {
        index: Count(receipt.proof.index()),
        // The second line of a checkpoint (c2sp.org/tlog-checkpoint).
        tree_size: Count(
            checkpoint
                .lines()
                .nth(1)
                .and_then(|size| size.parse().ok())
                .unwrap_or_default(),
        ),
        leaf: hex::encode(leaf_hash(&receipt.evidence.hash())),
        path: proof
            .lines()
            .skip(2)
            .take_while(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        checkpoint: checkpoint.to_owned(),
    }
}
