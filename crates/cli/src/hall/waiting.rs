//! Waiting until somebody else approves an opening.

use std::fmt;
use std::time::Duration;

use hallway_api::Code;
use hallway_evidence::{GrantId, Printable, Timestamp};
use hallway_hall::client::{ClientError, FAREWELL};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::HallCommandError;
use super::opening::Opened;
use crate::person::Visitor;

/// How often the gateway is asked.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// What an opening waits for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Waits {
    /// The least role of the approver.
    role: String,
    /// The names of some people who can approve.
    approvers: Vec<String>,
    /// Until when it can be approved, unix milliseconds.
    until_ms: u64,
}

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
        let second = match role.as_str() {
            "owner" => "a second person who is an owner",
            "operator" => "a second person who is an operator or an owner",
            _ => "a second person of the realm",
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
        let nothing = json!({});
        match timeout(FAREWELL, caller.post::<Value>(&path, &nothing)).await {
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
