//! Warns, before the touch, of changes that an act would make and its statement does not name.

use hallway_evidence::Printable;
use hallway_hall::{AgentName, HallName};
use serde::Deserialize;

use super::HallCommandError;
use crate::person::{ActRequest, Caller, GuestRequest, WhomRequest};

/// The part of a gateway's description of a hall that is needed here.
#[derive(Debug, Deserialize)]
struct Described {
    guests: Vec<Guest>,
    agents: Vec<Agent>,
}

#[derive(Debug, Deserialize)]
struct Guest {
    guest: String,
    rights: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Agent {
    name: String,
    joined_ms: Option<u64>,
}

/// Prints what the act would replace or cut off.
///
/// # Errors
/// The gateway can't be asked.
pub(super) async fn forewarn(
    caller: &mut Caller,
    act: &ActRequest,
) -> Result<(), HallCommandError> {
    let warning = match act {
        ActRequest::AdmitToHall { hall, guest, .. } => {
            described(caller, hall).await?.replaced(hall, guest)
        }
        ActRequest::InviteAgent { hall, agent, .. } => {
            described(caller, hall).await?.cut(hall, agent)
        }
        _ => None,
    };
    if let Some(warning) = warning {
        eprintln!("{warning}");
    }
    Ok(())
}

async fn described(caller: &mut Caller, hall: &HallName) -> Result<Described, HallCommandError> {
    Ok(caller.get(&format!("/api/halls/{hall}")).await?)
}

/// The API's name for a guest.
fn called(guest: &GuestRequest) -> String {
    match guest {
        GuestRequest::Person(id) => format!("person/{id}"),
        GuestRequest::Role(role) => format!("role/{role}"),
        GuestRequest::Visitor { realm, whom } => match whom {
            WhomRequest::Person { id, .. } => format!("visitor/{realm}/person/{id}"),
            WhomRequest::Role(role) => format!("visitor/{realm}/role/{role}"),
        },
    }
}

impl Described {
    fn replaced(&self, hall: &HallName, guest: &GuestRequest) -> Option<String> {
        let called = called(guest);
        let before = self.guests.iter().find(|before| before.guest == called)?;
        Some(format!(
            "This replaces what {called} may do in {hall} so far: {}",
            Printable(&before.rights.join(", "))
        ))
    }

    fn cut(&self, hall: &HallName, agent: &AgentName) -> Option<String> {
        let known = self
            .agents
            .iter()
            .find(|known| known.name == agent.as_str() && known.joined_ms.is_some())?;
        Some(format!(
            "The agent {} has joined {hall} already. Inviting it again cuts it off at once: it \
             provides nothing until it has joined by the new link",
            Printable(&known.name)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> Described {
        serde_json::from_value(serde_json::json!({
            "name": "lab",
            "stores": [{ "name": "data", "agent": null }],
            "services": [],
            "guests": [{ "guest": "role/member", "rights": ["read:data"], "needs": {} }],
            "agents": [
                { "name": "far", "stores": ["scans"], "services": ["db"], "joined_ms": 1 },
                { "name": "new", "stores": [], "services": ["ssh"], "joined_ms": null },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn what_an_act_replaces_or_cuts_is_told() {
        let hall = "lab".parse().unwrap();
        let role = |role: &str| GuestRequest::Role(role.parse().unwrap());
        let told = lab().replaced(&hall, &role("member")).unwrap();
        assert!(
            told.contains("role/member") && told.contains("read:data"),
            "{told}"
        );
        assert_eq!(lab().replaced(&hall, &role("owner")), None);
        let cut = |agent: &str| lab().cut(&hall, &agent.parse().unwrap());
        assert!(cut("far").unwrap().contains("cuts it off"));
        assert_eq!((cut("new"), cut("other")), (None, None));
    }
}
