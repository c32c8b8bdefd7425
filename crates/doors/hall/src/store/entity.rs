//! The rows of the hall door.

pub(crate) mod hall;
pub(crate) mod hall_agent;
pub(crate) mod hall_agent_name;
pub(crate) mod hall_grant;
pub(crate) mod hall_guest;
pub(crate) mod hall_lock;
pub(crate) mod hall_visit;
pub(crate) mod partner;
pub(crate) mod partner_bundle;
