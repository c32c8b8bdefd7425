//! `hallway hall authorities` and `rotate`: the realm's own certificate authorities; and
//! `begin-log-anew`, for logs that the realm witnesses.

use clap::Subcommand;
use hallway_evidence::Line;
use serde_json::Value;

use super::HallCommandError;
use super::manage::How;
use crate::person::{ActRequest, Caller};
use crate::table::text;

#[derive(Debug, Subcommand)]
pub(super) enum AuthorityAction {
    /// List the realm's own certificate authorities: the one that signs, the next one, and those
    /// that no longer sign.
    Authorities {
        #[command(flatten)]
        how: How,
    },
    /// Have the next authority sign from now on; others know it already. This happens by itself
    /// every 90 days.
    ///
    /// Certificates of the previous authority stay valid until they expire: nobody notices.
    Rotate {
        /// A key leaked: every certificate that was signed until now becomes invalid. People who
        /// are in a hall are cut off and open it again, agents need a new invitation, and partners
        /// that do not know the next authority yet have to be left and invited again.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        how: How,
    },
    /// Witness another realm's log from its beginning again, under another key.
    ///
    /// Do this only after the log's operator told you, in another way, that it rightly began anew.
    /// What was seen of it until now is kept, with the proof that it was rewritten, if there is
    /// one.
    BeginLogAnew {
        /// The log: the origin line of its checkpoints, such as partner.example/log.
        origin: Line,
        #[command(flatten)]
        how: How,
    },
}

pub(super) fn run(action: AuthorityAction) -> Result<(), HallCommandError> {
    match action {
        AuthorityAction::Authorities { how } => {
            let mut caller = Caller::new(&how.person)?;
            let found: Value =
                super::run(async { Ok(caller.get("/api/hall/authorities").await?) })?;
            if how.json {
                println!("{found}");
            } else {
                print(&found);
            }
            Ok(())
        }
        AuthorityAction::Rotate { now, how } => {
            let request = if now {
                ActRequest::WithdrawAuthority
            } else {
                ActRequest::ReplaceAuthority
            };
            let outcome = act(&how, &request)?;
            if how.json {
                println!("{outcome}");
            } else if now {
                eprintln!(
                    "Withdrawn. Invite agents again; at each partner, `hallway hall partners` says \
                     whether it follows."
                );
            } else {
                eprintln!("The next authority signs from now on.");
            }
            Ok(())
        }
        AuthorityAction::BeginLogAnew { origin, how } => {
            let outcome = act(&how, &ActRequest::BeginLogAnew { origin })?;
            if how.json {
                println!("{outcome}");
            } else {
                eprintln!("The log is witnessed from its beginning again.");
            }
            Ok(())
        }
    }
}

fn act(how: &How, request: &ActRequest) -> Result<Value, HallCommandError> {
    let mut caller = Caller::new(&how.person)?;
    super::run(async { Ok(caller.act(request).await?.outcome) })
}

/// Prints each authority with its stage.
fn print(authorities: &Value) {
    for row in authorities.as_array().into_iter().flatten() {
        let field = |name| text(name, &row[name]);
        println!("{}  {}", field("sha256"), field("stage"));
        println!("  in the bundle {}", field("published_ms"));
        if row["stage"] != "next" {
            println!("  since         {}", field("since_ms"));
            println!("  until         {}", field("until_ms"));
        }
    }
}
