//! The rows of the device door.

pub(crate) mod announcement;
pub(crate) mod device;
pub(crate) mod device_mark;
pub(crate) mod device_transaction;
pub(crate) mod maker;
pub(crate) mod ownership;
