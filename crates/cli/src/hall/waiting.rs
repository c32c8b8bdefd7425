//! Waiting until somebody else approves an opening.

use std::fmt;
use std::time::Duration;

use hallway_api::hall::Waits;
use hallway_api::{Code, Nothing};
use hallway_evidence::statement::people::Role;
use hallway_evidence::{GrantId, Printable, Timestamp};
use hallway_hall::client::{ClientError, FAREWELL_TIMEOUT};
use serde_json::Value;
use tokio::time::timeout;

use super::HallCommandError;
use super::opening::Opened;
use crate::person::Caller;

/// How often the gateway is asked.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// What is printed while an opening waits.
pub(super) struct Announcement<'a> {
    pub(super) waits: &'a Waits,
    pub(super) grant: GrantId,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waits {
            role,
            approvers,
            until_ms,
        } = self.waits;
        let names: Vec<String> = approvers
            .iter()
            .map(|name| Printable(name).to_string())
            .collect();
        let second = match role {
            Role::Owner => "a second person who is an owner",
            Role::Operator => "a second person who is an operator or an owner",
            Role::Member => "a second person of the realm",
        };
        write!(
            f,
            "It opens once {} approves it: {}.\n\
             In the console, or with `hallway hall approve {}`; until {}. Ctrl-C gives it up.",
            second,
            names.join(", "),
            self.grant,
            Timestamp::from_ms(*until_ms)
        )
    }
}

/// Waits until the grant opens, if it has to wait. If that fails, or `stopped` comes first, ends
/// the grant, so that nobody approves an opening for which nobody waits.
///
/// # Errors
/// [`HallCommandError::GivenUp`]; or the grant was ended, or nobody approved it in time.
pub(super) async fn until_approved(
    caller: &mut Caller,
    opened: &Opened,
    stopped: impl Future<Output = ()>,
    announce: impl FnOnce(&Announcement<'_>),
) -> Result<(), HallCommandError> {
    let Some(waits) = &opened.granted.waits else {
        return Ok(());
    };
    announce(&Announcement {
        waits,
        grant: opened.at_host,
    });
    let outcome = tokio::select! {
        outcome = opens(opened) => outcome,
        () = stopped => Err(HallCommandError::GivenUp),
    };
    if outcome.is_err() {
        let path = format!("/api/grants/{}/end", opened.granted.id);
        match timeout(FAREWELL_TIMEOUT, caller.post::<Value>(&path, &Nothing {})).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "the grant was not ended; it ends by itself");
            }
            Err(error) => tracing::debug!(%error, "the end of the grant was not confirmed"),
        }
    }
    outcome
}

async fn opens(opened: &Opened) -> Result<(), HallCommandError> {
    loop {
        match opened.client.grant().await {
            Ok(_) => return Ok(()),
            Err(ClientError::Problem(problem)) if problem.is(Code::WaitingForApproval) => {}
            Err(error) if error.is_passing() => tracing::debug!(%error, "asked without an answer"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
