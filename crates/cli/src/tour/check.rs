//! Checking what the tour made, with nothing but the trust file.

use std::error::Error;
use std::fs;

use hallway_evidence::TrustFile;
use hallway_evidence::log::audit;
use hallway_evidence::verify::Chain;

use super::Tour;
use super::account::Photograph;
use super::camera::Taken;
use crate::log::Source;
use crate::verify;

/// Every photograph, offline.
pub(super) fn photographs(
    tour: &mut Tour,
    trust: &TrustFile,
    taken: Vec<Taken>,
) -> Result<(), Box<dyn Error>> {
    for Taken { file, log_index } in taken {
        tour.begin(format!("Checking {} offline", file.display()));
        let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let report = verify::inside(&bytes, trust, Chain::ToSetUp);
        let Some(conclusion) = report
            .conclusion
            .filter(|found| found.log_index == log_index)
        else {
            return Err(format!("{} does not hold: {:?}", file.display(), report.failure).into());
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        tour.held(format!(
            "{name} holds offline, entry {log_index} of the log"
        ));
        tour.account.photographs.push(Photograph {
            file,
            log_index,
            shows: conclusion.sentences,
        });
    }
    Ok(())
}

/// One changed byte, in the picture and in its evidence, must be noticed.
pub(super) fn one_changed_byte(tour: &mut Tour, trust: &TrustFile) -> Result<(), Box<dyn Error>> {
    tour.begin("Changing one byte");
    let Some(first) = tour.account.photographs.first() else {
        return Err("no photograph was taken".into());
    };
    let signed = fs::read(&first.file)?;
    let last = signed.len() - 3;
    // The evidence follows the marker of its segment (0xFFEF) and the segment's length.
    let evidence = signed
        .windows(2)
        .position(|pair| pair == [0xff, 0xef])
        .map(|marker| marker + 200)
        .ok_or("the photograph carries no evidence")?;
    let mut found = Vec::new();
    for at in [last, evidence] {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        let report = verify::inside(&changed, trust, Chain::ToSetUp);
        if report.holds {
            return Err(format!(
                "byte {at} of {} was changed and nobody noticed",
                first.file.display()
            )
            .into());
        }
        found.extend(report.failure.map(|failure| failure.what));
    }
    tour.held(format!("One changed byte is noticed: {}", found.join("; ")));
    Ok(())
}

/// The whole log, over HTTP.
pub(super) async fn log(
    tour: &mut Tour,
    origin: &str,
    trust: &TrustFile,
) -> Result<(), Box<dyn Error>> {
    tour.begin("Auditing the log");
    let (origin, key) = (origin.to_owned(), trust.log.clone());
    let audited = tokio::task::spawn_blocking(move || {
        let mut source = Source::new(&origin).map_err(|error| error.to_string())?;
        audit(&mut source, &key, None, &mut |_, _| {}).map_err(|error| error.to_string())
    })
    .await??;
    if !audited.is_sound() {
        return Err(format!("the log is not sound: {:?}", audited.faults).into());
    }
    tour.held(format!(
        "The log of {} entries is sound, tile by tile",
        audited.size
    ));
    Ok(())
}
