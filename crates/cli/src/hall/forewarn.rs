//! Warns, before the touch, of changes that an act would make and its statement does not name.

use hallway_api::hall::HallView;
use hallway_hall::{AgentName, HallName};

use super::HallCommandError;
use crate::person::{ActRequest, Caller, GuestRequest, WhomRequest};

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
            replaced(&described(caller, hall).await?, guest)
        }
        ActRequest::InviteAgent { hall, agent, .. } => cut(&described(caller, hall).await?, agent),
        _ => None,
    };
    if let Some(warning) = warning {
        eprintln!("{warning}");
    }
    Ok(())
}

async fn described(caller: &mut Caller, hall: &HallName) -> Result<HallView, HallCommandError> {
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

fn replaced(hall: &HallView, guest: &GuestRequest) -> Option<String> {
    let called = called(guest);
    let before = hall.guests.iter().find(|before| before.guest == called)?;
    let rights: Vec<String> = before.rights.iter().map(ToString::to_string).collect();
    Some(format!(
        "This replaces what {called} may do in {} so far: {}",
        hall.row.name,
        rights.join(", ")
    ))
}

fn cut(hall: &HallView, agent: &AgentName) -> Option<String> {
    let known = hall
        .agents
        .iter()
        .find(|known| known.name == *agent && known.joined_ms.is_some())?;
    Some(format!(
        "The agent {} has joined {} already. Inviting it again cuts it off at once: it provides \
         nothing until it has joined by the new link",
        known.name, hall.row.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> HallView {
        let agent = |name: &str, joined_ms: Option<u64>| {
            serde_json::json!({
                "name": name, "beside": null, "stores": ["scans"], "services": ["db"],
                "invited_ms": 1, "joined_ms": joined_ms, "presence": "absent", "evidence": "00",
            })
        };
        serde_json::from_value(serde_json::json!({
            "name": "lab", "title": "Lab", "rights": [], "inside": 0,
            "stores": [{ "name": "data", "agent": null }],
            "services": [],
            "guests": [{
                "guest": "role/member", "rights": ["read:data"], "needs": {}, "admitted_ms": 1,
                "evidence": "00",
            }],
            "agents": [agent("far", Some(1)), agent("new", None)],
            "demands": [],
        }))
        .unwrap()
    }

    #[test]
    fn what_an_act_replaces_or_cuts_is_told() {
        let role = |role: &str| GuestRequest::Role(role.parse().unwrap());
        let told = replaced(&lab(), &role("member")).unwrap();
        assert!(
            told.contains("role/member") && told.contains("read:data"),
            "{told}"
        );
        assert_eq!(replaced(&lab(), &role("owner")), None);
        let cut = |agent: &str| super::cut(&lab(), &agent.parse().unwrap());
        assert!(cut("far").unwrap().contains("cuts it off"));
        assert_eq!((cut("new"), cut("other")), (None, None));
    }
}
