//! `hallway hall`: halls, who may enter, and what is open.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use hallway_api::Nothing;
use hallway_evidence::statement::hall::{Hours, KeyNeed, Names, Needs, TooManyNames};
use hallway_evidence::statement::people::Role;
use hallway_evidence::{GrantId, Line, LineError, PersonId, Printable, RealmName};
use hallway_hall::{AgentName, HallName, Right, ServiceName, StoreName};
use reqwest::StatusCode;
use serde_json::Value;

use super::agent::AgentCommand;
use super::authorities::AuthorityAction;
use super::forewarn::forewarn;
use super::partners::PartnerAction;
use super::path::right;
use super::{HallCommandError, look};
use crate::person::{ActRequest, Caller, GuestRequest, PersonArguments, PersonError, WhomRequest};

/// Halls: make them, say who may enter, see what is open, and run an agent.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct HallCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a hall.
    Create {
        /// Its name: lower-case letters, digits and hyphens.
        hall: HallName,
        /// Its title, for people.
        #[arg(long, value_parser = title)]
        title: Option<Line>,
        #[command(flatten)]
        how: How,
    },
    /// List the halls that you may see, here or at a partner.
    List {
        /// List the halls of this partner that you may enter.
        #[arg(long, value_name = "REALM")]
        at: Option<RealmName>,
        #[command(flatten)]
        how: How,
    },
    /// Show a hall: what it offers, who may enter, which agents it has.
    Show {
        /// The hall.
        hall: HallName,
        #[command(flatten)]
        how: How,
    },
    /// Let a person, or everybody of a role, into a hall.
    Admit {
        /// The hall.
        hall: HallName,
        #[command(flatten)]
        guest: Guest,
        /// The rights, such as read:data,connect:db.
        #[arg(long, value_delimiter = ',', required = true, value_parser = right)]
        rights: Vec<Right>,
        #[command(flatten)]
        demands: Demands,
        #[command(flatten)]
        how: How,
    },
    /// Withdraw the admission of a person or role. What they have open is cut off.
    Dismiss {
        /// The hall.
        hall: HallName,
        #[command(flatten)]
        guest: Guest,
        #[command(flatten)]
        how: How,
    },
    /// Make a one-time link for an agent, which offers stores and services from where it runs: only
    /// those that are named here, which then are its own in this hall.
    InviteAgent {
        /// The hall.
        hall: HallName,
        /// The agent's name.
        agent: AgentName,
        #[command(flatten)]
        provision: Provision,
        /// Another agent of the hall that provides the same, so that one of the two may fail.
        #[arg(long, value_name = "AGENT")]
        beside: Option<AgentName>,
        #[command(flatten)]
        how: How,
    },
    /// Dismiss an agent for good.
    DismissAgent {
        /// The hall.
        hall: HallName,
        /// The agent's name.
        agent: AgentName,
        #[command(flatten)]
        how: How,
    },
    /// List grants: your own, or everybody's for an operator.
    Grants {
        #[command(flatten)]
        how: How,
    },
    /// List the openings that wait for approval by you or somebody else.
    Approvals {
        #[command(flatten)]
        how: How,
    },
    /// Approve somebody else's opening, with a touch.
    Approve {
        /// The grant's id, from `hallway hall approvals` or from the person who waits.
        grant: GrantId,
        #[command(flatten)]
        how: How,
    },
    /// End a grant: your own at once, somebody else's with a touch.
    End {
        /// The grant's id.
        grant: GrantId,
        #[command(flatten)]
        how: How,
    },
    /// Remove a hall. Its files stay where they are.
    Remove {
        /// The hall.
        hall: HallName,
        #[command(flatten)]
        how: How,
    },
    Agent(AgentCommand),
    #[command(flatten)]
    Partner(PartnerAction),
    #[command(flatten)]
    Authority(AuthorityAction),
}

/// Who is admitted or dismissed.
#[derive(Debug, Args)]
struct Guest {
    #[command(flatten)]
    who: Who,
    /// The guest is of this partner, and not of this realm.
    #[arg(long, value_name = "REALM")]
    partner: Option<RealmName>,
    /// What to call the partner's person in what you sign; otherwise their id.
    #[arg(long, requires = "partner", requires = "person")]
    name: Option<Line>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Who {
    /// A person, by id.
    #[arg(long, value_name = "ID", value_parser = person_id)]
    person: Option<PersonId>,
    /// Everybody of a role: member, operator or owner.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
}

/// What an agent provides.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Provision {
    /// A store that it may provide; may be given several times, or as a list with commas.
    #[arg(long = "store", value_name = "NAME", value_delimiter = ',')]
    stores: Vec<StoreName>,
    /// A service that it may provide; may be given several times, or as a list with commas.
    #[arg(long = "service", value_name = "NAME", value_delimiter = ',')]
    services: Vec<ServiceName>,
}

/// What is demanded besides an admission. If a guest has several admissions, each counts with its
/// own demands.
#[derive(Debug, Args)]
struct Demands {
    /// Only with a key that never leaves its hardware and for which its maker vouches: hardware,
    /// certified, or certified at a level from L1 to L3+.
    #[arg(long, value_name = "KIND", value_parser = key_need)]
    needs_key: Option<KeyNeed>,
    /// Each opening waits until a second person of at least this role approves it: member, operator
    /// or owner.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    needs_approval: Option<Role>,
    /// Only in these hours, such as "mon-fri 08:00-18:00 Europe/Berlin"; when they end, what is
    /// open is cut off.
    #[arg(long, value_name = "HOURS")]
    hours: Option<Hours>,
}

/// A title, without the spaces around it.
fn title(text: &str) -> Result<Line, LineError> {
    Line::new(text.trim())
}

fn person_id(text: &str) -> Result<PersonId, &'static str> {
    text.parse()
        .map_err(|_| "it must be an id such as 01a2…; People in the console and join show ids")
}

fn role(text: &str) -> Result<Role, &'static str> {
    text.parse().map_err(|_| "write member, operator or owner")
}

fn key_need(text: &str) -> Result<KeyNeed, String> {
    match text {
        "certified" => Ok(KeyNeed::L1),
        level => level.parse().map_err(|_| {
            "write hardware, certified, or a level: L1, L1+, L2, L2+, L3 or L3+".to_owned()
        }),
    }
}

fn names<N: Ord>(given: Vec<N>) -> Result<Names<N>, TooManyNames> {
    given.into_iter().collect::<BTreeSet<_>>().try_into()
}

impl From<Demands> for Needs {
    fn from(demands: Demands) -> Self {
        Self {
            key: demands.needs_key,
            approval: demands.needs_approval,
            hours: demands.hours,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct How {
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) person: PersonArguments,
}

impl Guest {
    fn request(self) -> GuestRequest {
        // The group demands one of the two.
        let role = self.who.role.unwrap_or(Role::Member);
        match (self.partner, self.who.person) {
            (None, Some(person)) => GuestRequest::Person(person),
            (None, None) => GuestRequest::Role(role),
            (Some(realm), Some(id)) => GuestRequest::Visitor {
                realm,
                whom: WhomRequest::Person {
                    id,
                    name: self.name,
                },
            },
            (Some(realm), None) => GuestRequest::Visitor {
                realm,
                whom: WhomRequest::Role(role),
            },
        }
    }
}

pub(crate) fn run(command: HallCommand) -> Result<(), HallCommandError> {
    let (act, how, done) = match command.action {
        Action::Agent(agent) => return super::agent::run(agent),
        Action::Partner(action) => return super::partners::run(action),
        Action::Authority(action) => return super::authorities::run(action),
        Action::List { at, how } => return look::halls(&how, at.as_ref()),
        Action::Show { hall, how } => return look::hall(&how, &hall),
        Action::Grants { how } => return look::grants(&how),
        Action::Approvals { how } => return look::approvals(&how),
        Action::Approve { grant, how } => {
            let act = ActRequest::ApproveGrant { grant };
            (act, how, "Approved.".to_owned())
        }
        Action::End { grant, how } => return end(&how, grant),
        Action::Create { hall, title, how } => {
            let title = title.unwrap_or_else(|| Line::nearest(hall.as_str()));
            let done = format!("The hall {hall} is made.");
            (ActRequest::CreateHall { hall, title }, how, done)
        }
        Action::Remove { hall, how } => {
            let done = format!("The hall {hall} is removed.");
            (ActRequest::RemoveHall { hall }, how, done)
        }
        Action::Admit {
            hall,
            guest,
            rights,
            demands,
            how,
        } => {
            let done = format!("Admitted to {hall}.");
            let act = ActRequest::AdmitToHall {
                hall,
                guest: guest.request(),
                rights: rights.try_into()?,
                needs: Needs::from(demands),
            };
            (act, how, done)
        }
        Action::Dismiss { hall, guest, how } => {
            let done = format!("Dismissed from {hall}.");
            let guest = guest.request();
            (ActRequest::DismissFromHall { hall, guest }, how, done)
        }
        Action::InviteAgent {
            hall,
            agent,
            provision: Provision { stores, services },
            beside,
            how,
        } => {
            let act = ActRequest::InviteAgent {
                hall,
                agent,
                beside,
                stores: names(stores)?,
                services: names(services)?,
            };
            (act, how, "Give this link to the agent, once:".to_owned())
        }
        Action::DismissAgent { hall, agent, how } => {
            let done = format!("The agent {agent} is dismissed.");
            (ActRequest::DismissAgent { hall, agent }, how, done)
        }
    };
    let mut caller = Caller::new(&how.person)?;
    let outcome = super::run(async {
        forewarn(&mut caller, &act).await?;
        Ok(caller.act(&act).await?.outcome)
    })?;
    if how.json {
        println!("{outcome}");
    } else {
        eprintln!("{done}");
        if let Some(link) = outcome["link"].as_str() {
            println!("{}", Printable(link));
        }
    }
    Ok(())
}

fn end(how: &How, grant: GrantId) -> Result<(), HallCommandError> {
    let mut caller = Caller::new(&how.person)?;
    let outcome = super::run(async { end_grant(&mut caller, grant).await })?;
    if how.json {
        println!("{outcome}");
    } else {
        eprintln!("The grant has ended.");
    }
    Ok(())
}

/// Ends the caller's own grant, or somebody else's with a touch.
async fn end_grant(caller: &mut Caller, grant: GrantId) -> Result<Value, HallCommandError> {
    let own = format!("/api/grants/{grant}/end");
    match caller.post(&own, &Nothing {}).await {
        // Not the caller's own, or missing: the act tells which.
        Err(PersonError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {
            Ok(caller.act(&ActRequest::EndGrant { grant }).await?.outcome)
        }
        ended => Ok(ended?),
    }
}
