//! Joining: the gateway of an invited realm says that its owner accepted the invitation.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::extract::State;
use hallway_evidence::RealmName;
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::token_hash;
use hallway_spine::store::{TokenHash, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::HallsOf;
use crate::partners::description::own_realm;
use crate::partners::refresh::SETTLE;
use crate::store::{HallTables, PartnerState};

/// The request of the other gateway.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The invitation's token.
    pub token: String,
    /// The realm that joins.
    #[schemars(with = "String")]
    pub realm: RealmName,
}

/// The answer to a realm that joined.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// The realm that it joined.
    #[schemars(with = "String")]
    pub realm: RealmName,
}

/// Joins the realm that was invited. A second request of the same realm gets the same answer,
/// because the first one may have been lost.
pub async fn join(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(join): Input<Join>,
) -> Result<Json<Joined>, Problem> {
    let realm = own_realm(&gateway)?;
    let taken = take_in(&gateway, &join).await;
    gateway.or_refuse(crate::NAME, &peer, taken).await?;
    gateway.partners().wake();
    Ok(Json(Joined { realm }))
}

async fn take_in(gateway: &Gateway, join: &Join) -> Result<(), Problem> {
    let token = token_hash(&join.token).ok_or_else(spent)?;
    gateway
        .transact(|unit| Box::pin(use_up(gateway, unit, token, &join.realm)))
        .await
}

async fn use_up(
    gateway: &Gateway,
    unit: &Unit<'_>,
    token: TokenHash,
    realm: &RealmName,
) -> Result<(), Problem> {
    let now = gateway.now();
    let partners = unit.partners();
    let partner = partners.get(realm).await?.ok_or_else(spent)?;
    if partner.state == PartnerState::Joining
        && let Some((invited, until)) = partner.invited
        && now < until
        && verify_slices_are_equal(invited.as_bytes(), token.as_bytes()).is_ok()
    {
        // Each side accepted the other's invitation. Both sides know both, so both choose the same
        // one.
        return match token.as_bytes() < partner.pact.as_bytes() {
            true if partners
                .join_crossed(realm, &token, now, now.plus(SETTLE))
                .await? =>
            {
                Ok(())
            }
            true => Err(spent()),
            false => Err(crossed()),
        };
    }
    verify_slices_are_equal(partner.pact.as_bytes(), token.as_bytes()).map_err(|_| spent())?;
    let good = match partner.state {
        PartnerState::Invited => now < partner.expires,
        PartnerState::Active => true,
        // The side that accepted hands the token in; it gets none.
        PartnerState::Joining | PartnerState::Ended => false,
    };
    if good && partners.join(realm, &token, now, now.plus(SETTLE)).await? {
        Ok(())
    } else {
        Err(spent())
    }
}

fn crossed() -> Problem {
    Problem::new(
        Code::InvitationsCrossed,
        "both realms accepted the other's invitation, and the other one counts",
    )
}

/// The refusal, the same for unknown realms and for wrong, used, withdrawn and expired tokens.
fn spent() -> Problem {
    Problem::new(
        Code::PartnerToken,
        "this invitation is for another realm, has expired, was withdrawn or never existed; ask \
         for a new one",
    )
}
