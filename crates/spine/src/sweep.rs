//! Removes expired rows, a few at a time.
//!
//! Several gateways of a realm may do this at once: each finds only the rows that the others have
//! left. Evidence and the rows that it names (grants, visits, devices, people) stay for good.

use std::time::Duration;

use hallway_evidence::Timestamp;

use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::{Unit, Work};

/// The pause between two sweeps, and the one after a sweep that left expired rows.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
const SWEEP_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The most rows of a table that are removed at once: no other unit waits for the database longer
/// than this takes.
pub const MOST: u64 = 500;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A table, and how long its rows are kept after they have ended.
pub struct Rule {
    /// The table's name in the database.
    pub table: &'static str,
    /// How long a row is kept after it has ended.
    pub kept: Duration,
    /// Removes at most [`MOST`] rows that ended before this time; returns how many.
    pub remove: for<'u> fn(&'u Unit<'_>, Timestamp) -> Work<'u, u64, Problem>,
}

/// The rules for the tables of the spine itself.
pub const RULES: [Rule; 3] = [
    Rule {
        table: "session",
        kept: HOUR,
        remove: |unit, before| {
            Box::pin(async move { Ok(unit.sessions().prune(before, MOST).await?) })
        },
    },
    Rule {
        table: "link",
        kept: DAY,
        remove: |unit, before| Box::pin(async move { Ok(unit.links().prune(before, MOST).await?) }),
    },
    // Also bounded in number, by `MAX_REFUSALS`.
    Rule {
        table: "refusal",
        kept: Duration::from_secs(90 * 24 * 3600),
        remove: |unit, before| {
            Box::pin(async move { Ok(unit.refusals().forget_old(before, MOST).await?) })
        },
    },
];

/// Removes expired rows for as long as the gateway runs.
pub async fn keep_clean(gateway: Gateway) {
    loop {
        let pause = match sweep(&gateway).await {
            Ok(Left::Something) => SWEEP_AGAIN_AFTER,
            Ok(Left::Nothing) => SWEEP_EVERY,
            Err(problem) => {
                tracing::warn!(
                    error = problem.detail,
                    "expired rows could not be removed; trying again later"
                );
                SWEEP_EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Whether a sweep left expired rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All expired rows are gone.
    Nothing,
    /// A table may have more expired rows than are removed at once.
    Something,
}

/// Removes expired rows of each table once.
///
/// # Errors
/// The database fails.
pub async fn sweep(gateway: &Gateway) -> Result<Left, Problem> {
    let mut left = Left::Nothing;
    let of_doors = gateway.doors.each().flat_map(|door| door.expires());
    for rule in RULES.into_iter().chain(of_doors) {
        let now = gateway.now().as_ms();
        let kept = u64::try_from(rule.kept.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_ms(now.saturating_sub(kept));
        let removed = gateway.transact(|unit| (rule.remove)(unit, before)).await?;
        if removed > 0 {
            tracing::debug!(table = rule.table, removed, "removed expired rows");
        }
        if removed >= MOST {
            left = Left::Something;
        }
    }
    Ok(left)
}
