//! `/witnesses`.

use axum::extract::State;
use axum::response::Response;
use hallway_evidence::Timestamp;

use crate::Gateway;
use crate::console::pages::{frame, html, moment};
use crate::console::view::{
    CosignerRow, Count, ForkCard, NavigationEntry, WitnessedRow, WitnessesPage,
};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::witness::look;
use crate::witness::look::{CosignerView, FormerView, WitnessedView};

/// The page of the log's witnesses, and of the logs to which the realm is witness.
pub(crate) async fn witnesses(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    let found = look::view(&gateway).await?;
    let (size, at) = (found.log_size, |ms| {
        moment(&gateway, Timestamp::from_ms(ms))
    });
    let cosigner = |view: CosignerView| CosignerRow {
        behind: view.size.is_none_or(|cosigned| cosigned < size),
        cosigned: view.size.map(Count).zip(view.cosigned_ms.map(at)),
        name: view.name,
        url: view.url,
        problem: view.problem,
    };
    let witnessed = |view: WitnessedView| WitnessedRow {
        size: Count(view.size),
        cosigned: at(view.cosigned_ms),
        watched: view.watched,
        doubted: view.doubted_size.map(Count).zip(view.doubted_ms.map(at)),
        fork: view.fork.zip(view.forked_ms).map(|(fork, ms)| ForkCard {
            at: at(ms),
            first: fork.first,
            second: fork.second,
        }),
        other_key: view.other_key,
        ended: None,
        origin: view.origin,
    };
    let former = |view: FormerView| WitnessedRow {
        ended: Some((view.evidence, at(view.ended_ms))),
        ..witnessed(view.log)
    };
    html(&WitnessesPage {
        frame: frame(&gateway, &caller, NavigationEntry::WITNESSES),
        size: Count(size),
        key: found.key,
        url: found.url,
        witnesses: found.witnesses.into_iter().map(cosigner).collect(),
        witnessed: found.witnessed.into_iter().map(witnessed).collect(),
        former: found.former.into_iter().map(former).collect(),
    })
}
