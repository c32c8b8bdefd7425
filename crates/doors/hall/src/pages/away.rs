//! `/partners/{realm}/halls`, one of these halls, and the files of a store there.

use axum::extract::{Path, State};
use axum::response::Response;
use hallway_evidence::RealmName;
use hallway_evidence::statement::hall::{HallName, Right, StoreName, approver};
use hallway_spine::Gateway;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;

use super::super::view::{
    GrantRow, HallPlace, HallThereRow, OfferRow, PartnerHallPage, PartnerHallsPage, StorePage,
    WaitingNotice,
};
use super::halls::{grant_row, in_words, verbs};
use crate::away::proxy::There;
use crate::partners::shared::HallThere;
use crate::{away, visit};

/// The halls of a partner that the viewer may enter, as the partner says now.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(realm): Path<String>,
) -> Result<Response, Problem> {
    let host: RealmName = realm.parse().map_err(|_| Problem::not_found("partner"))?;
    let halls = shared(&gateway, &caller, &host).await?;
    let row = |there: HallThere| HallThereRow {
        name: there.name.to_string(),
        title: there.title,
        rights: in_words(&there.rights),
    };
    html(&PartnerHallsPage {
        frame: frame(&gateway, &caller, super::HALLS),
        realm: host.to_string(),
        halls: halls.into_iter().map(row).collect(),
    })
}

/// The halls that the partner shares with the viewer; 404 if the realm is no partner.
async fn shared(
    gateway: &Gateway,
    caller: &Caller,
    host: &RealmName,
) -> Result<Vec<HallThere>, Problem> {
    let shared = visit::shared_with(gateway, caller, host).await;
    shared.map_err(|problem| match problem.code {
        Code::NotPartner => Problem::not_found("partner"),
        _ => problem,
    })
}

/// A partner's hall, as the viewer sees it.
struct Seen {
    host: RealmName,
    hall: HallName,
    title: String,
    /// The viewer's rights.
    rights: Vec<Right>,
    now: Now,
}

/// The state of the hall in this browser.
#[derive(Default)]
struct Now {
    open: Option<GrantRow>,
    /// The rights of the grant, if the hall is open.
    rights: Vec<Right>,
    waiting: Option<WaitingNotice>,
    over: Option<String>,
}

impl Seen {
    async fn of(
        gateway: &Gateway,
        caller: &Caller,
        realm: &str,
        hall: &str,
    ) -> Result<Self, Problem> {
        let (host, hall) = away::named(realm, hall)?;
        let shared = shared(gateway, caller, &host).await?;
        let there = shared.into_iter().find(|there| there.name == hall);
        let there = there.ok_or_else(|| Problem::not_found("hall"))?;
        Ok(Self {
            now: Now::of(gateway, caller, &host, &hall).await?,
            title: there.title,
            rights: there.rights,
            host,
            hall,
        })
    }

    fn place(&self) -> HallPlace {
        HallPlace {
            host: Some(self.host.to_string()),
            name: self.hall.to_string(),
            title: self.title.clone(),
        }
    }
}

impl Now {
    async fn of(
        gateway: &Gateway,
        caller: &Caller,
        host: &RealmName,
        hall: &HallName,
    ) -> Result<Self, Problem> {
        let entered = match away::entered(gateway, caller, host, hall).await {
            Ok(Some(entered)) => entered,
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Ok(None) | Err(_) => return Ok(Self::default()),
        };
        let grant = &entered.standing.grant;
        Ok(match entered.proxy.look(gateway).await? {
            There::Open(seen) => Self {
                open: Some(grant_row(
                    gateway,
                    caller,
                    grant,
                    caller.person.name.clone(),
                )),
                rights: seen.rights.iter().cloned().collect(),
                ..Self::default()
            },
            There::Waiting(waits) => {
                let who = waits.as_ref().map(|waits| approver(waits.role));
                let names = waits.map(|waits| waits.approvers.join(", "));
                Self {
                    waiting: Some(WaitingNotice {
                        grant: grant.id.to_string(),
                        approver: format!("{} of {host}", who.unwrap_or("somebody")),
                        names: names.unwrap_or_default(),
                        until: moment(gateway, grant.waits_until()),
                    }),
                    ..Self::default()
                }
            }
            There::Over(why) => Self {
                over: Some(format!("{host} says: {why}.")),
                ..Self::default()
            },
        })
    }
}

/// One hall of a partner.
pub(crate) async fn one(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((realm, hall)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let seen = Seen::of(&gateway, &caller, &realm, &hall).await?;
    let mut stores: Vec<&StoreName> = seen.rights.iter().filter_map(Right::store).collect();
    stores.dedup();
    let stores = stores.into_iter().map(|store| OfferRow {
        name: store.to_string(),
        agent: None,
        rights: verbs(&seen.rights, &|right| right.store() == Some(store)),
    });
    let services = seen.rights.iter().filter_map(Right::service);
    html(&PartnerHallPage {
        frame: frame(&gateway, &caller, super::HALLS),
        place: seen.place(),
        realm: seen.host.to_string(),
        rights: in_words(&seen.rights),
        stores: stores.collect(),
        services: services.map(ToString::to_string).collect(),
        open: seen.now.open,
        waiting: seen.now.waiting,
        over: seen.now.over,
    })
}

/// The files of a store of a partner's hall.
pub(crate) async fn store(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((realm, hall, store)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let seen = Seen::of(&gateway, &caller, &realm, &hall).await?;
    let store: StoreName = store.parse().map_err(|_| Problem::not_found("store"))?;
    let of_store = |right: &Right| right.store() == Some(&store);
    if !seen.rights.iter().any(of_store) {
        return Err(Problem::not_found("store"));
    }
    html(&StorePage {
        frame: frame(&gateway, &caller, super::HALLS),
        place: seen.place(),
        open: seen.now.open,
        may: verbs(&seen.now.rights, &of_store).replace(',', ""),
        waiting: seen.now.waiting,
        over: seen.now.over,
        store: store.to_string(),
    })
}
