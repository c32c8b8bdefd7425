//! `hallway open`, and everything else that goes through a hall.

mod admission;
mod agent;
mod authorities;
mod binding;
mod connect;
mod duration;
mod error;
mod files;
mod forewarn;
mod look;
mod manage;
mod mirror;
mod open;
mod opening;
mod partners;
mod path;
mod progress;
mod relay;
mod remote;
mod transfer;
mod visit;
mod waiting;
mod way;

pub(crate) use connect::{ConnectCommand, run as connect};
pub(crate) use error::HallCommandError;
pub(crate) use files::{GetCommand, LsCommand, PutCommand, RmCommand, get, ls, put, rm};
pub(crate) use manage::{HallCommand, run as manage};
pub(crate) use mirror::{MirrorCommand, run as mirror};
pub(crate) use open::{OpenCommand, run as open};

/// Runs to the end on a runtime of its own.
fn run<T>(work: impl Future<Output = Result<T, HallCommandError>>) -> Result<T, HallCommandError> {
    crate::runtime()
        .map_err(HallCommandError::io("the runtime"))?
        .block_on(work)
}
