//! The commands of the person who runs a gateway. They and the tour are the only commands that have
//! the gateway in them; all others speak with it over its API.

mod address;
mod backup;
mod data_folder;
mod operator_key;
mod serve;

pub(crate) use address::configured_address;
pub(crate) use backup::{BackupCommand, RestoreCommand, back_up, restore};
pub(crate) use data_folder::DataFolder;
pub(crate) use operator_key::{OperatorKeyCommand, run as operator_key};
pub(crate) use serve::{ServeCommand, run as serve};
