//! `hallway hall invite`, `accept`, `partners` and `leave`: joining another realm.

use std::time::Duration;

use clap::Subcommand;
use hallway_api::Nothing;
use hallway_evidence::{Origin, Printable, RealmName};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::HallCommandError;
use super::manage::How;
use crate::person::{ActRequest, Caller, Invitation, PersonError};
use crate::table::text;

/// How long `accept` waits for the other gateway, before it leaves the rest to its own gateway.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(super) enum PartnerAction {
    /// Invite another organisation's realm to be a partner; prints a link for its owner.
    ///
    /// Your gateway asks the other one for its log's key and its authorities, and what you sign
    /// names them. Compare them with the other realm's owner before you touch your key.
    Invite {
        /// The address of its gateway: `https://HOST[:PORT]`.
        address: Origin,
        #[command(flatten)]
        how: How,
    },
    /// Accept another realm's invitation.
    Accept {
        /// The link that the other realm's owner gave you.
        link: String,
        #[command(flatten)]
        how: How,
    },
    /// List the partners, with their state and what is shared with them.
    Partners {
        /// Fetch this partner's trust bundle first.
        #[arg(long, value_name = "REALM")]
        refresh: Option<RealmName>,
        #[command(flatten)]
        how: How,
    },
    /// End a partnership: the partner's people are cut off, and their admissions are deleted.
    Leave {
        /// The partner's realm.
        realm: RealmName,
        #[command(flatten)]
        how: How,
    },
}

pub(super) fn run(action: PartnerAction) -> Result<(), HallCommandError> {
    match action {
        PartnerAction::Invite { address, how } => {
            let outcome = act_out(&how, &ActRequest::InvitePartner { address })?;
            if how.json {
                println!("{outcome}");
            } else {
                eprintln!("Give this link to the other realm's owner, within a week:");
                println!("{}", text("link", &outcome["link"]));
            }
            Ok(())
        }
        PartnerAction::Accept { link, how } => accept(&how, &link),
        PartnerAction::Partners { refresh, how } => {
            let mut caller = Caller::new(&how.person)?;
            let found: Value = super::run(async {
                if let Some(realm) = refresh {
                    let path = format!("/api/partners/{realm}/refresh");
                    let _: Value = caller.post(&path, &Nothing {}).await?;
                }
                Ok(caller.get("/api/partners").await?)
            })?;
            if how.json {
                println!("{found}");
            } else {
                print(&found);
            }
            Ok(())
        }
        PartnerAction::Leave { realm, how } => {
            let done = format!("{realm} is no longer a partner.");
            let outcome = act_out(&how, &ActRequest::LeavePartner { realm })?;
            if how.json {
                println!("{outcome}");
            } else {
                eprintln!("{done}");
            }
            Ok(())
        }
    }
}

fn act_out(how: &How, act: &ActRequest) -> Result<Value, HallCommandError> {
    let mut caller = Caller::new(&how.person)?;
    super::run(async { Ok(caller.act(act).await?.outcome) })
}

/// Prints each partner with its state and what its people are admitted to.
fn print(partners: &Value) {
    let rows = partners.as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        eprintln!("No partners.");
    }
    for row in rows {
        let field = |name| text(name, &row[name]);
        println!("{:<24}{}", field("realm"), field("state"));
        println!("  gateway       {}", field("origin"));
        println!("  log key       {}", field("log"));
        let bundle = match &row["bundle"]["fetched_ms"] {
            Value::Null => "not here yet".to_owned(),
            fetched => format!("fetched {}", text("fetched_ms", fetched)),
        };
        println!("  trust bundle  {bundle}");
        for (name, label) in [
            ("expires_ms", "good until"),
            ("joined_ms", "joined"),
            ("ended_ms", "ended"),
            ("ended_by", "ended by"),
            ("problem", "problem"),
        ] {
            if !row[name].is_null() {
                println!("  {label:<14}{}", field(name));
            }
        }
        for shared in row["shared"].as_array().into_iter().flatten() {
            let field = |name| text(name, &shared[name]);
            println!(
                "  shares        {}  {}  {}",
                field("hall"),
                field("guest"),
                field("rights")
            );
        }
    }
}

/// Accepts an invitation, and waits for the other gateway to agree.
fn accept(how: &How, link: &str) -> Result<(), HallCommandError> {
    let link = Invitation::read(link)?;
    let mut caller = Caller::new(&how.person)?;
    let partner = super::run(async {
        let done = caller.act(&ActRequest::AcceptPartner { link }).await?;
        Ok(settled(&mut caller, &done.evidence).await?)
    })?;
    if how.json {
        println!("{partner}");
        return Ok(());
    }
    let realm = text("realm", &partner["realm"]);
    match (partner["state"].as_str(), partner["problem"].as_str()) {
        (Some("active"), _) => eprintln!("{realm} is a partner now."),
        (Some("ended"), problem) => {
            return Err(HallCommandError::Partner {
                realm,
                reason: problem.unwrap_or("it ended the partnership").to_owned(),
            });
        }
        (_, problem) => eprintln!(
            "Accepted. {realm} does not know yet ({}); your gateway tells it as soon as it can.",
            Printable(problem.unwrap_or("it was not asked yet"))
        ),
    }
    Ok(())
}

/// The partner that `evidence` made, once its gateway answered or something went wrong.
async fn settled(caller: &mut Caller, evidence: &str) -> Result<Value, PersonError> {
    let mut last = Value::Null;
    let waiting = async {
        loop {
            let all: Value = caller.get("/api/partners").await?;
            let mut rows = all.as_array().into_iter().flatten();
            if let Some(found) = rows.find(|row| row["evidence"] == evidence) {
                last = found.clone();
                if last["state"] != "joining" || !last["problem"].is_null() {
                    return Ok::<_, PersonError>(());
                }
            }
            sleep(ASK_EVERY).await;
        }
    };
    match timeout(ANSWER_TIMEOUT, waiting).await {
        Ok(done) => done?,
        Err(_) => tracing::debug!("the other gateway has not answered yet"),
    }
    Ok(last)
}
