//! What has expired is removed, a little at a time.
//!
//! Several gateways of a realm may do this at once: what one removed, the others do not find. Evidence
//! and what it names (grants, visits, devices, people) stays: it is what was promised to be kept.

use std::time::Duration;

use hallway_evidence::Timestamp;

use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::{Unit, Work};

/// How often it is looked, and how soon again where there was more than is removed at once.
const EVERY: Duration = Duration::from_secs(10 * 60);
const SOON: Duration = Duration::from_secs(1);
/// How many rows of a table are removed at once: others wait for the database no longer than this
/// takes.
pub const MOST: u64 = 500;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A table, and how long its rows are kept after they have ended.
pub struct Rule {
    /// The table.
    pub table: &'static str,
    /// How long its rows are kept.
    pub kept: Duration,
    /// Removes those that ended before this time, [`MOST`] of them; tells how many.
    pub remove: for<'u> fn(&'u Unit<'_>, Timestamp) -> Work<'u, u64, Problem>,
}

/// Those of the tables that are of no door.
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
    // There are never many more than `MAX_REFUSALS` of them either.
    Rule {
        table: "refusal",
        kept: Duration::from_secs(90 * 24 * 3600),
        remove: |unit, before| {
            Box::pin(async move { Ok(unit.refusals().forget_old(before, MOST).await?) })
        },
    },
];

/// Removes what expires as long as the gateway runs.
pub async fn keep_clean(gateway: Gateway) {
    loop {
        let pause = match sweep(&gateway).await {
            Ok(Left::Something) => SOON,
            Ok(Left::Nothing) => EVERY,
            Err(problem) => {
                tracing::warn!(
                    error = problem.detail,
                    "what has expired is not removed yet"
                );
                EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Whether there may be more to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All that had expired is gone.
    Nothing,
    /// A table had more than is removed at once.
    Something,
}

/// Looks at each table once.
///
/// # Errors
/// The database.
pub async fn sweep(gateway: &Gateway) -> Result<Left, Problem> {
    let mut left = Left::Nothing;
    let of_doors = gateway.doors.each().flat_map(|door| door.expires());
    for rule in RULES.into_iter().chain(of_doors) {
        let now = gateway.now().as_ms();
        let kept = u64::try_from(rule.kept.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_ms(now.saturating_sub(kept));
        let removed = gateway.transact(|unit| (rule.remove)(unit, before)).await?;
        if removed > 0 {
            tracing::debug!(table = rule.table, removed, "removed what had expired");
        }
        if removed >= MOST {
            left = Left::Something;
        }
    }
    Ok(left)
}
